//! The commands that talk to an agent: against real agents, and against what only looks like one.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod fake;
#[path = "../support/mod.rs"]
mod support;
mod tidings;
mod unreachable;
mod watch;
