//! What came of a run.

use serde::Serialize;
use tidings_core::Dialect;

use crate::check::Rule;
use crate::measure::{Sample, Spread};

/// What came of a run. As JSON it is one object.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The scenario's name.
    pub name: String,
    /// Its seed.
    pub seed: u64,
    /// What they said to each other.
    pub dialect: Dialect,
    /// How many nodes there were.
    pub nodes: usize,
    /// How long it lasted, in virtual seconds, the time to heal included.
    pub virtual_s: f64,
    /// Rounds from the start until every running node took exactly the running ones for live and had all their
    /// key-values; `null`: never before the end. What was written later does not count.
    pub rounds_to_converge: Option<f64>,
    /// Rounds from the end of all faults until all nodes agreed; `null`: not asked for, or never.
    pub rounds_to_heal: Option<f64>,
    /// How long after a process ended each of the others declared it dead.
    pub detection_s: Spread,
    /// How often a running node declared a running node dead.
    pub false_positives: u64,
    /// The same, where nothing was ever done to the one declared dead.
    pub false_positives_about_healthy: u64,
    /// The same, where nothing was ever done to either of both.
    pub false_positives_among_healthy: u64,
    /// Bytes of packets, on average, in a second of virtual time.
    pub bytes_per_node_per_s: f64,
    /// Packets, likewise.
    pub messages_per_node_per_s: f64,
    /// Bytes that a node sent in a second in the 20 s before the first fault, or the last 20 where there was none.
    pub quiet_bytes_per_node_per_s: f64,
    /// The most that nodes sent in a second since then, on average over them.
    pub peak_bytes_per_node_per_s: f64,
    /// How long a change of a key took to each of the other nodes; first keys left out.
    pub key_spread_s: Spread,
    /// How often a node that had ended became live again somewhere.
    pub revived: u64,
    /// How often a running node that was declared dead became live again there.
    pub flaps: u64,
    /// The largest packet.
    pub max_packet_bytes: u64,
    /// What each [day](crate::Scenario::day) was like; none where no day was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
    /// What did not hold. The run ends with the first one.
    pub violations: Vec<String>,
    /// Which rule that was.
    pub violated: Option<Rule>,
    /// A hash of everything that happened, in hexadecimal digits.
    pub trace_hash: String,
    /// Hours of nodes' lives simulated in a second of this thread's processor time.
    pub node_hours_per_cpu_s: f64,
    /// Nodes that were up, summed over virtual time, in hours.
    #[serde(skip)]
    pub node_hours: f64,
    /// What one node was given, if that was [asked for](crate::Keep::record) and the node was started.
    #[serde(skip)]
    pub recording: Option<Vec<u8>>,
    /// The cluster over time.
    #[serde(skip)]
    pub samples: Vec<Sample>,
}

/// One day of a cluster's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Day {
    /// Which one, from 1 on.
    pub day: u32,
    /// Processes that were started.
    pub starts: u64,
    /// Nodes that run at its end.
    pub running: usize,
    /// The most nodes that one of these knows then, whatever it takes them for.
    pub most_known: usize,
    /// Bytes that a node sent in a second, on average.
    pub bytes_per_node_per_s: f64,
    /// Events that the nodes told, key changes too.
    pub events: u64,
}
