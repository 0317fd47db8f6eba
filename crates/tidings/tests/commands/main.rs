//! The commands that talk to an agent: against real agents, and against what only looks like one.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod fake;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "other suites use the rest")]
mod support;
mod tidings;
mod unreachable;
mod watch;
mod with_agents;
