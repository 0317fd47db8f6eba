//! A deterministic simulated cluster of tidings nodes.
//!
//! Real [`Node`](tidings_core::Node)s, and nothing else of tidings: the clock, the network and the machines are
//! simulated, and all chance comes from one seed. The same seed gives the same run, to the byte, on any machine; so
//! whatever goes wrong once can be looked at as often as needed.
//!
//! - [`World`] is the cluster to write tests with: add nodes, let time pass, crash, pause, cut, heal.
//! - [`Scenario`] is a run as data, and [`run`] watches it: the invariants of the core, the truth of what every owner
//!   wrote, the nodes' events. Its [`Report`] has the measurements.
//! - [`Network`], [`Queue`] and [`Measure`] are the links, the order of events and the measuring alone, for a simulation
//!   of something else beside it.
//! - [`swarm`] makes a scenario of any seed, and makes one that fails smaller.
//! - [`frontier`] tries many settings of the failure detector on one and the same run.
//!
//! - [`replay`] and [`play`] take what a driver [recorded](record) of a real node, or a [`World`] of one of its own, so
//!   that what went wrong in production becomes a test.
//!
//! The command `tidings-sim` has `run`, `swarm`, `frontier`, `report` and `replay`; the feature `cli`, on by default, is
//! for it alone.

mod check;
mod clock;
mod connection;
mod fault;
pub mod frontier;
mod host;
mod link;
mod measure;
mod outcome;
mod plan;
mod queue;
mod random;
mod scenario;
mod simulation;
mod stranger;
pub mod swarm;
mod text;
mod trace;
mod world;

pub use check::{Rule, Violation};
pub use fault::{Fault, FaultKind, Generation};
pub use host::Process;
pub use link::{Fate, Latency, LinkConfig, Network};
pub use measure::{FalsePositives, Measure, Sample, Spread};
pub use outcome::Report;
pub use queue::Queue;
pub use random::Random;
pub use scenario::{Checks, Protocol, Scenario, ScenarioError, Workload};
pub use simulation::{Keep, run, run_and_keep};
pub use stranger::{ForgedAddress, ForgedGeneration, Holding, Lie, Stranger};
pub use text::{Share, Who};
pub use tidings_core::record::{self, play, replay};
pub use trace::PacketText;
pub use world::{Listens, Traffic, World, address};
