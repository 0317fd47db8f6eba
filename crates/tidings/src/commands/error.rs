//! Why a command did not do what it was asked to, and the exit code that tells a script so.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Deserialize;

use super::address::ApiAddress;

/// Nothing was changed in the cluster unless the variant says otherwise.
#[derive(Debug)]
pub(crate) enum CommandError {
    /// The agent refused, or has no such node or key.
    Refused(Refusal),
    /// A token that cannot be used.
    TokenFile { path: PathBuf, problem: String },
    /// The environment variable's.
    TokenVariable,
    /// The value could not be read from the standard input.
    Input(io::Error),
    /// No connection.
    NotReached { api: ApiAddress, problem: String },
    /// The connection was lost before the answer was there. A write may have been made.
    Interrupted { api: ApiAddress, problem: String },
    /// The answer is not that of an agent.
    NotAnAgent { api: ApiAddress, problem: String },
    /// The answer could not be written; what was asked has been done.
    Output(io::Error),
}

/// What an agent says when it refuses: a problem document.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) detail: String,
}

impl CommandError {
    /// As documented in the crate's README; clap's own errors exit with 2, too.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            CommandError::Refused(_) => 1.into(),
            CommandError::TokenFile { .. } | CommandError::TokenVariable | CommandError::Input(_) => 2.into(),
            CommandError::NotReached { .. } | CommandError::Interrupted { .. } => 3.into(),
            CommandError::NotAnAgent { .. } => 4.into(),
            // Whoever read the output has had enough of it, as `head` has.
            CommandError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            CommandError::Output(_) => 5.into(),
        }
    }

    /// Whether the same request may succeed a little later.
    pub(crate) fn is_worth_another_try(&self) -> bool {
        match self {
            CommandError::Refused(refusal) => refusal.status == 503,
            CommandError::NotReached { .. } | CommandError::Interrupted { .. } => true,
            _ => false,
        }
    }

    /// Whether there is nobody to be told of it.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, CommandError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandError::Refused(Refusal { status, code, detail }) => {
                write!(f, "the agent refuses ({status} {code}): {detail}")?;
                match status {
                    401 => f.write_str("; give its token by --token-file FILE or TIDINGS_HTTP_TOKEN"),
                    421 => f.write_str("; give --api the name or address that the agent was given as --http"),
                    _ => Ok(()),
                }
            }
            CommandError::TokenFile { path, problem } => {
                write!(f, "--token-file: {}: {problem}; it is to hold the token alone, on one line", path.display())
            }
            CommandError::TokenVariable => f.write_str(
                "TIDINGS_HTTP_TOKEN is not a token: it is to be one word of visible ASCII characters; set it anew or \
                 unset it",
            ),
            CommandError::Input(error) => {
                write!(f, "the value cannot be read from the standard input: {error}; it is to be UTF-8")
            }
            CommandError::NotReached { api, problem } => write!(
                f,
                "no agent is reached at {api}: {problem}. Does it run, with --http {}? Another address is given by \
                 --api or TIDINGS_API",
                api.authority(),
            ),
            CommandError::Interrupted { api, problem } => write!(
                f,
                "the agent at {api} did not answer to the end: {problem}. A write may have been made or not: look with \
                 'tidings state', and try again"
            ),
            CommandError::NotAnAgent { api, problem } => write!(
                f,
                "what answers at {api} is not the API of a tidings agent: {problem}. Is the address right? --api or \
                 TIDINGS_API gives another one"
            ),
            CommandError::Output(error) => {
                write!(f, "the output cannot be written: {error}; what was asked of the agent has been done")
            }
        }
    }
}

impl std::error::Error for CommandError {}
