//! The delta: the key-values a peer lacks.

use alloc::vec::Vec;

use crate::id::{NodeId, Run};
use crate::state::KeyValueUpdate;

/// News of several nodes for one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// News of one node each.
    pub node_deltas: Vec<NodeDelta>,
}

/// News of one node: its key-values above a version, in increasing order of version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeDelta {
    /// The owner of the key-values.
    pub node_id: NodeId,
    /// The key-values are the sender's with versions above this; 0 may be a reset.
    pub from_version_excluded: u64,
    /// Tombstones at or below this version are gone from the sender's copy.
    pub last_gc_version: u64,
    /// In increasing order of version.
    pub key_values: Vec<KeyValueUpdate>,
    /// Where the receiver stands after this delta. An unmarked peer sends its own highest version, even with a
    /// delta cut short.
    pub max_version: Option<u64>,
    /// The version up to which the sender's own copy has no holes; `None` from an unmarked peer.
    pub sender_complete_version: Option<u64>,
    /// Which process of the owner wrote them; `None` where that is not known.
    pub run: Option<Run>,
}
