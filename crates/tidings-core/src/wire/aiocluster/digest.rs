//! The digest: what a node says it knows, one entry a node, without any key-values.
//!
//! From "Efficient Reconciliation and Flow Control for Anti-Entropy Protocols" (van Renesse et al., 2008), the
//! Scuttlebutt paper.

use alloc::vec::Vec;

use crate::id::{NodeId, Run};

/// What one node knows of all nodes. The first entry is always the sender itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    /// One entry a node, the sender's own first.
    pub entries: Vec<NodeDigest>,
    /// The digest did not fit the packet: an absent node was not asked about, rather than unknown to the sender.
    pub partial: bool,
}

/// A silence up to this, in milliseconds, is not put into words: nearly all live nodes have been heard of by then.
pub const FRESH_MS: u64 = 5_000;

/// What the sender of a digest knows of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeDigest {
    /// The node this entry is about.
    pub node_id: NodeId,
    /// The highest heartbeat heard of it.
    pub heartbeat: u64,
    /// Tombstones at or below this version are gone from the sender's copy.
    pub last_gc_version: u64,
    /// The highest version the sender has heard of.
    pub max_version: u64,
    /// The version up to which the sender's copy has no holes; `None` where that is `max_version`.
    pub complete_version: Option<u64>,
    /// Which process it is, where it is known to be one of ours; `None` for a Python node.
    pub run: Option<Run>,
    /// The version up to which the node's key-values may go to unmarked peers; `None` where no bound is known.
    pub released_version: Option<u64>,
    /// How long it has been silent, in milliseconds, at most; `None`: no longer than [`FRESH_MS`], if one of ours says so.
    pub silence_ms: Option<u64>,
}

impl NodeDigest {
    /// The version up to which the sender's copy has no holes.
    #[must_use]
    pub fn complete_version(&self) -> u64 {
        self.complete_version.unwrap_or(self.max_version)
    }
}
