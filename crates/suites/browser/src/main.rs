//! The page in a real browser.
//!
//! `env` says whether this machine can run the suite, and what it lacks. `run` builds the `tidings` binary, starts
//! agents, opens their page in headless Chromium and plays the scenarios. See this crate's README.md.

mod agent;
mod command_line;
mod fake;
mod report;
mod requirements;
mod scenario;
mod stage;
mod tab;
mod watch;
mod webdriver;

use std::process::ExitCode;

fn main() -> ExitCode {
    command_line::obey()
}
