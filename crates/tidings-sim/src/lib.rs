//! A deterministic simulated cluster of tidings nodes.
#![forbid(unsafe_code)]

mod check;
mod clock;
mod connection;
mod fault;
mod host;
mod link;
mod measure;
mod queue;
mod random;
mod scenario;
mod simulation;
pub mod swarm;
mod text;
mod trace;
mod world;

pub use check::{Rule, Violation};
pub use connection::Timeouts;
pub use fault::{Fault, FaultKind, Generation};
pub use host::Process;
pub use link::{Latency, LinkConfig, Network};
pub use measure::{Sample, Spread};
pub use random::Random;
pub use scenario::{Checks, Protocol, Scenario, ScenarioError, Workload};
pub use simulation::{Report, run, run_with_trace};
pub use text::{Share, Who};
pub use world::{Traffic, World, address};
