//! Aiocluster's messages: packets from bytes, and bytes from packets.
//!
//! Bytes from outside are checked once, in [`decode`], and are typed values from then on: nothing behind it checks
//! again. What is wrong with the packet as a whole is a [`DecodeError`](super::DecodeError); what is wrong with one entry of it is left
//! out and counted in [`Decoded::skipped_entries`], because a peer may merely relay that entry and must not be cut off
//! for it. Nothing here panics, and what is allocated stays in proportion to the packet.
//!
//! The schema is `proto/tidings.proto`: aiocluster's messages, and fields of ours from number 100 on, which
//! aiocluster ignores.

use alloc::sync::Arc;

use crate::reconcile::Delta;

mod decode;
mod digest;
pub(in crate::wire) mod encode;
mod encoded_digest;
pub(in crate::wire) mod entry;
#[rustfmt::skip]
#[allow(dead_code, reason = "the envelope's types are the tests' second opinion on our own reader and writer")]
#[allow(clippy::all, unreachable_pub, unused_qualifications, reason = "written by prost-build")]
pub(in crate::wire) mod generated;
pub(crate) mod size;
mod subjects;
mod tag;

pub(crate) use decode::decode_known;
pub(in crate::wire) use decode::uint32;
pub use decode::{Decoded, decode};
pub use digest::{Digest, FRESH_MS, NodeDigest};
pub use encode::encode;
pub(crate) use encode::{Outgoing, encode_outgoing};
pub(crate) use encoded_digest::EncodedDigest;
pub(crate) use entry::KnownIds;
pub(crate) use subjects::{Subject, Subjects};

/// One message between two nodes, with what every packet says of its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Two clusters with different ids never exchange state.
    pub cluster_id: Arc<str>,
    /// Which revision of our rules the sender follows; 0: it is unmarked, so an aiocluster node.
    pub protocol_revision: u32,
    /// What the packet is for.
    pub message: Message,
}

impl Packet {
    /// The length of what [`encode`] gives, in bytes, without encoding it.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        size::packet_len(self)
    }
}

/// The messages of an exchange: Syn, answered by SynAck or BadCluster, and SynAck by Ack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Opens an exchange: what the initiator knows.
    Syn {
        /// The initiator's own entry first.
        digest: Digest,
    },
    /// Answers a Syn: what the responder knows, and what the initiator lacks.
    SynAck {
        /// The responder's own entry first.
        digest: Digest,
        /// What the Syn's digest lacks.
        delta: Delta,
    },
    /// Ends an exchange: what the responder lacks.
    Ack {
        /// What the SynAck's digest lacks.
        delta: Delta,
    },
    /// Answers a Syn of another cluster.
    BadCluster,
}

/// A message by its name alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageKind {
    Syn,
    SynAck,
    Ack,
    BadCluster,
}

impl MessageKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            MessageKind::Syn => "Syn",
            MessageKind::SynAck => "SynAck",
            MessageKind::Ack => "Ack",
            MessageKind::BadCluster => "BadCluster",
        }
    }
}

impl Message {
    pub(crate) fn kind(&self) -> MessageKind {
        match self {
            Message::Syn { .. } => MessageKind::Syn,
            Message::SynAck { .. } => MessageKind::SynAck,
            Message::Ack { .. } => MessageKind::Ack,
            Message::BadCluster => MessageKind::BadCluster,
        }
    }
}

#[cfg(test)]
pub(in crate::wire) mod arbitrary;
#[cfg(test)]
mod tests;
