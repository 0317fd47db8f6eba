//! The agent's log, on stderr.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use super::AgentError;
use super::config::{LogFormat, LogSettings};

pub(super) fn start(settings: &LogSettings) -> Result<(), AgentError> {
    let filter = EnvFilter::try_new(&settings.filter).map_err(AgentError::LogFilter)?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match settings.format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}
