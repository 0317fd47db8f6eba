//! Whose word a packet is, and how far it counts.

use core::time::Duration;

use crate::id::NodeId;
use crate::members::{Proof, Word};
use crate::time::Instant;

/// The revision of our rules, in every packet of ours. A packet without one comes from an unmarked peer.
pub(crate) const PROTOCOL_REVISION: u32 = 1;

/// Whose word a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sender<'a> {
    pub(crate) id: &'a NodeId,
    pub(crate) protocol_revision: u32,
    /// What speaks for it being that node.
    pub(crate) proof: Proof,
    /// When its packet was written: not sooner than at this instant, but for `transit`.
    pub(crate) written: Instant,
    /// How long before `written` it may have been.
    pub(crate) transit: Duration,
}

impl Sender<'_> {
    pub(crate) fn is_marked(&self) -> bool {
        self.protocol_revision > 0
    }

    /// Whose word about `node` it is.
    pub(crate) fn word_about(&self, node: &NodeId) -> Word {
        match (self.id == node, self.is_marked()) {
            (true, _) => Word::Own(self.proof),
            (false, true) => Word::Relay,
            (false, false) => Word::UnmarkedRelay,
        }
    }
}
