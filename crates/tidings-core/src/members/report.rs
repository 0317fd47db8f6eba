//! What is said of a node's progress, in no dialect.

use crate::id::NodeId;

/// What a sender says of one node: of its heartbeat and of its versions, without any key-value. A dialect makes one of
/// whatever carries that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report<'a> {
    /// The node that this is about.
    pub(crate) id: &'a NodeId,
    /// The highest heartbeat heard of it.
    pub(crate) heartbeat: u64,
    /// The highest version heard of.
    pub(crate) max_version: u64,
    /// The version up to which the sender's copy has no holes.
    pub(crate) complete_version: u64,
    /// Tombstones at or below this version are gone from the sender's copy.
    pub(crate) last_gc_version: u64,
    /// The protocol revision that the node is known to speak; 0 where that is not known.
    pub(crate) protocol_revision: u32,
    /// The version up to which its key-values may go to unmarked peers; `None` where no bound is known.
    pub(crate) released_version: Option<u64>,
    /// It is the word of one of us, or of the node itself.
    pub(crate) trusted: bool,
}
