//! What came of a run.

use serde::Serialize;
use tidings_core::Dialect;
use tidings_sim::{Sample, Spread};

use crate::links::Deliveries;
use crate::system::Kind;

/// What came of a run. As JSON it has the fields of [`tidings_sim::Report`], and `system`; what a system does not have,
/// or what is not looked at here, is `null`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// Of what the cluster was.
    pub system: Kind,
    /// The scenario's name.
    pub name: String,
    /// Its seed.
    pub seed: u64,
    /// What they said to each other; `null`: the system has one dialect.
    pub dialect: Option<Dialect>,
    /// How many nodes there were.
    pub nodes: usize,
    /// How long it lasted, in virtual seconds.
    pub virtual_s: f64,
    /// Rounds from the start until every running node took exactly the running ones for live and had all their
    /// key-values (foca has none: members alone); `null`: never before the end.
    pub rounds_to_converge: Option<f64>,
    /// `null`: no faults are healed here.
    pub rounds_to_heal: Option<f64>,
    /// How long after a process ended each of the others declared it dead.
    pub detection_s: Spread,
    /// How often a running node declared a running node dead.
    pub false_positives: u64,
    /// The same: here nothing is done to nodes while they run.
    pub false_positives_about_healthy: u64,
    /// The same.
    pub false_positives_among_healthy: u64,
    /// Bytes of packets, on average, in a second of virtual time.
    pub bytes_per_node_per_s: f64,
    /// Packets, likewise.
    pub messages_per_node_per_s: f64,
    /// Bytes that a node sent in a second in the 20 s before the first fault, or the last 20 where there was none.
    pub quiet_bytes_per_node_per_s: f64,
    /// The most that nodes sent in a second since then, on average over them.
    pub peak_bytes_per_node_per_s: f64,
    /// Of no samples: nobody changes a key here.
    pub key_spread_s: Spread,
    /// How often a node that had ended became live again somewhere.
    pub revived: u64,
    /// How often a running node that was declared dead became live again there.
    pub flaps: u64,
    /// The largest packet.
    pub max_packet_bytes: u64,
    /// `null`: nothing is checked here; `tidings-sim run` does.
    pub violations: Option<Vec<String>>,
    /// `null`, likewise.
    pub violated: Option<String>,
    /// A hash of everything that happened, in hexadecimal digits; `null`: the same seed does not give the same run.
    pub trace_hash: Option<String>,
    /// Hours of nodes' lives in a second of this thread's processor time. What measuring takes is left out; what the
    /// links take is not.
    pub node_hours_per_cpu_s: f64,
    /// The loss that the links were asked for, for tables.
    #[serde(skip)]
    pub loss: f64,
    /// What the links did, where they carry datagrams.
    #[serde(skip)]
    pub deliveries: Option<Deliveries>,
    /// The cluster over time.
    #[serde(skip)]
    pub samples: Vec<Sample>,
}

impl Outcome {
    /// Processor time of a node in a virtual second, in microseconds.
    #[must_use]
    pub fn cpu_us_per_node_per_s(&self) -> f64 {
        1e6 / (self.node_hours_per_cpu_s * 3600.0)
    }
}
