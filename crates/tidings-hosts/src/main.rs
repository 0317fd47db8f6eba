//! tidings agents on hosts of their own, made of network namespaces.
//!
//! `tidings-hosts run` builds the `tidings` binary, connects hosts by a switch, runs an agent on each, and plays the
//! scenarios: links that go down, partitions, lost packets, hosts that leave. See this crate's README.md.

#[cfg(target_os = "linux")]
mod agent;
#[cfg(target_os = "linux")]
mod cluster;
#[cfg(target_os = "linux")]
mod command_line;
#[cfg(target_os = "linux")]
mod detector;
#[cfg(target_os = "linux")]
mod fault;
#[cfg(target_os = "linux")]
mod interrupt;
#[cfg(target_os = "linux")]
mod leftovers;
#[cfg(target_os = "linux")]
mod namespace;
#[cfg(target_os = "linux")]
mod network;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod requirements;
#[cfg(target_os = "linux")]
mod scenario;
#[cfg(target_os = "linux")]
mod tool;
#[cfg(target_os = "linux")]
mod view;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    command_line::obey()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("error: hosts are made of network namespaces, which only Linux has; run this on Linux");
    ExitCode::FAILURE
}
