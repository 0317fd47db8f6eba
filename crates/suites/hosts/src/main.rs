//! tidings agents on hosts of their own, made of network namespaces.
//!
//! `tidings-hosts run` builds the `tidings` binary, connects hosts by a switch, runs an agent on each, and plays the
//! scenarios: links that go down, partitions, lost packets, hosts that leave. See this crate's README.md.

#[cfg(target_os = "linux")]
mod linux;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    linux::obey()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("error: hosts are made of network namespaces, which only Linux has; run this on Linux");
    ExitCode::FAILURE
}
