//! The commands that talk to an agent: `members`, `state`, `get`, `set`, `delete`, `watch`, `forget`, `leave`.

mod address;
mod answers;
mod args;
mod client;
mod error;
mod keys;
mod members;
mod output;
mod sse;
mod table;
mod text;
mod watch;

use std::process::ExitCode;

use axum::body::Bytes;
use axum::http::Method;
use serde::de::IgnoredAny;

pub(crate) use args::AgentCommand;
use args::ApiArgs;
use client::Client;
use error::CommandError;
use output::Output;

/// Carries it out. What goes wrong is told on stderr, and by the exit code.
pub(crate) async fn run(command: AgentCommand) -> ExitCode {
    match carry_out(command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is_silent() {
                eprintln!("tidings: {error}");
            }
            error.exit_code()
        }
    }
}

async fn carry_out(command: AgentCommand) -> Result<(), CommandError> {
    match command {
        AgentCommand::Members(api) => members::members(&api).await,
        AgentCommand::State { node, api } => members::state(node.as_deref(), &api).await,
        AgentCommand::Get { node, key, api } => keys::get(node.as_deref(), &key, &api).await,
        AgentCommand::Set { key, value, ttl, api } => keys::set(&key, value, ttl, &api).await,
        AgentCommand::Delete { key, api } => keys::delete(&key, &api).await,
        AgentCommand::Watch(args) => watch::watch(&args).await,
        AgentCommand::Forget { node, api } => members::forget(&node, &api).await,
        AgentCommand::Leave(api) => leave(&api).await,
    }
}

async fn leave(api: &ApiArgs) -> Result<(), CommandError> {
    let (text, IgnoredAny) = Client::new(api)?.call(Method::POST, "/v1/leave", Bytes::new()).await?;
    let mut output = Output::new();
    if api.json { output.document(&text) } else { output.line("the agent leaves the cluster, and ends") }
}
