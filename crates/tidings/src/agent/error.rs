//! Why the agent did not run.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use tidings_tokio::StartError;
use tracing_subscriber::filter::ParseError;

use super::config::ConfigError;

#[derive(Debug)]
pub(crate) enum AgentError {
    Config(ConfigError),
    LogFilter(ParseError),
    Signals(io::Error),
    Http {
        address: SocketAddr,
        source: io::Error,
    },
    /// `origin`: where the setting comes from that is to blame, if it is known.
    Start {
        origin: Option<String>,
        source: Box<StartError>,
    },
    Output(io::Error),
}

impl AgentError {
    /// Whether the settings are to blame, and nothing was tried yet.
    pub(crate) fn is_usage(&self) -> bool {
        matches!(self, AgentError::Config(_) | AgentError::LogFilter(_))
    }
}

impl From<ConfigError> for AgentError {
    fn from(error: ConfigError) -> AgentError {
        AgentError::Config(error)
    }
}

impl fmt::Display for AgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AgentError::Config(error) => error.fmt(f),
            AgentError::LogFilter(error) => {
                write!(
                    f,
                    "log.filter: {error}; write a level or targets in --log-filter, RUST_LOG or the file, as in debug or \
                     tidings_driver=debug,info"
                )
            }
            AgentError::Signals(error) => write!(f, "cannot listen for signals: {error}"),
            AgentError::Http { address, source } => {
                write!(
                    f,
                    "--http: cannot listen on {address} ({source}); choose a free port, or port 0 to be given one"
                )
            }
            AgentError::Start { origin: Some(origin), source } => {
                write!(f, "the node did not start: {origin}: {source}")
            }
            AgentError::Start { origin: None, source } => write!(f, "the node did not start: {source}"),
            AgentError::Output(error) => write!(f, "cannot write to the output: {error}"),
        }
    }
}

impl std::error::Error for AgentError {}
