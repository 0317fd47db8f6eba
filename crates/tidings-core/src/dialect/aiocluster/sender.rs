//! Whose word a packet is, and how far it counts.

use crate::id::NodeId;

/// The revision of our rules, in every packet of ours. A packet without one comes from an unmarked peer.
pub(crate) const PROTOCOL_REVISION: u32 = 1;

/// Whose word a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sender<'a> {
    pub(crate) id: &'a NodeId,
    pub(crate) protocol_revision: u32,
}

impl Sender<'_> {
    pub(crate) fn is_marked(&self) -> bool {
        self.protocol_revision > 0
    }

    /// Whether its word about `node` counts in full: it is one of us, or speaks about itself.
    pub(crate) fn is_trusted_about(&self, node: &NodeId) -> bool {
        self.is_marked() || self.id == node
    }
}
