//! The `tidings` command: `demo` shows a cluster living in one process, `agent` is one cluster member with an HTTP API,
//! and the other commands talk to an agent.

mod agent;
mod cli;
mod commands;
mod demo;
mod logfmt;
mod members;
mod page;
mod stop;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::cli::{Cli, Command};

/// How long a task that cannot be cancelled (a name being resolved) may hold up the exit.
const EXIT_GRACE: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tidings: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = match command {
        Command::Demo(args) => runtime.block_on(demo::run(args)).map_err(Box::from),
        Command::Agent(args) => runtime.block_on(agent::run(args)).map_err(Box::from),
        Command::Talk(command) => Ok(runtime.block_on(commands::run(command))),
    };
    runtime.shutdown_timeout(EXIT_GRACE);
    result
}
