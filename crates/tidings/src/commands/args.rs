//! What the commands are told.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::address::ApiAddress;

/// The commands that talk to a running agent.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AgentCommand {
    /// Show who is in the cluster, as the agent sees it.
    Members(ApiArgs),
    /// Show all key-values, or those of one node.
    State {
        /// Only this node.
        #[arg(value_name = "NODE")]
        node: Option<String>,
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Show one value: a key of the agent's own node, or of another one.
    #[command(allow_missing_positional = true)]
    Get {
        /// Whose key; without it, the agent's own node.
        #[arg(value_name = "NODE")]
        node: Option<String>,
        #[arg(value_name = "KEY")]
        key: String,
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Set a key of the agent's own node.
    Set {
        #[arg(value_name = "KEY")]
        key: String,
        /// The value; `-` takes the standard input as it is, a newline at its end included.
        #[arg(value_name = "VALUE", allow_negative_numbers = true)]
        value: String,
        /// Delete the key after this time, as in 30s or 5m.
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        ttl: Option<Duration>,
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Delete a key of the agent's own node.
    Delete {
        #[arg(value_name = "KEY")]
        key: String,
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Print a line for each thing that happens, from now on.
    Watch(WatchArgs),
    /// Have the agent forget a node that will not come back, and let another certificate have its name.
    ///
    /// Each agent forgets for itself: run it for every agent. A node that is live is not forgotten; stop it first.
    Forget {
        #[arg(value_name = "NODE")]
        node: String,
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Have the agent leave the cluster, and end.
    Leave(ApiArgs),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct WatchArgs {
    /// Only what happens to this node.
    #[arg(long, value_name = "NODE")]
    pub(crate) member: Option<String>,

    /// Of changes of keys only those of keys that begin with this.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) key_prefix: Option<String>,

    #[command(flatten)]
    pub(crate) api: ApiArgs,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ApiArgs {
    /// Where the agent's API is: what the agent was given as --http.
    #[arg(long, env = "TIDINGS_API", default_value = "http://127.0.0.1:8000", value_name = "URL")]
    pub(crate) api: ApiAddress,

    /// A file with the agent's token; without it, the environment variable TIDINGS_HTTP_TOKEN, if it is set.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// How long the agent may take to be reached, and to go on with its answer.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = some_time)]
    pub(crate) timeout: Duration,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,
}

fn some_time(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("write more than nothing, as in 10s".into()),
        Ok(time) => Ok(time),
        Err(error) => Err(format!("{error}; write a time as in 10s or 500ms")),
    }
}
