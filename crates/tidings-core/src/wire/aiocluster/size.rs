//! Exact encoded sizes, computed without encoding.
//!
//! They compose, so that a packer can budget entry by entry in linear time. An entry's length is what it adds to the
//! message it stands in: its field key, its length and its body.
//!
//! ```text
//! digest  = digest_len(sum of node_digest_len, partial)
//! delta   = sum of node_delta_len(node_delta_header_len, sum of key_value_len)
//! packet  = packet_len_of(cluster_id, protocol_revision, MessageLen::SynAck { digest, delta })
//! ```

use crate::id::Run;
use crate::reconcile::{Delta, Lengths, NodeDelta};
use crate::state::{KeyValueUpdate, ValueStatus};
use crate::wire::aiocluster::{Digest, NodeDigest};
use crate::wire::aiocluster::{Message, Packet, tag};

/// Which message a packet carries, with the lengths of its parts: [`digest_len`], and the sum of [`node_delta_len`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageLen {
    Syn { digest: usize },
    SynAck { digest: usize, delta: usize },
    Ack { delta: usize },
    BadCluster,
}

/// What the lengths of a message and its two parts, one byte each where they are empty, can grow by.
pub(crate) const GROWTH_OF_LENGTHS: usize = 3 * 4;

/// The length of a whole packet.
pub(crate) fn packet_len(packet: &Packet) -> usize {
    packet_len_of(&packet.cluster_id, packet.protocol_revision, message_len_of(&packet.message))
}

/// The length of a whole packet whose message has these lengths.
pub(crate) fn packet_len_of(cluster_id: &str, protocol_revision: u32, message: MessageLen) -> usize {
    string_len(tag::packet::CLUSTER_ID, cluster_id)
        + nested_len(message.tag(), message.body_len())
        + uint_len(tag::packet::PROTOCOL_REVISION, protocol_revision.into())
}

impl MessageLen {
    pub(super) fn tag(self) -> u32 {
        match self {
            MessageLen::Syn { .. } => tag::packet::SYN,
            MessageLen::SynAck { .. } => tag::packet::SYNACK,
            MessageLen::Ack { .. } => tag::packet::ACK,
            MessageLen::BadCluster => tag::packet::BAD_CLUSTER,
        }
    }

    /// The length of the message inside the packet's oneof, without field key and length.
    pub(super) fn body_len(self) -> usize {
        match self {
            MessageLen::Syn { digest } => nested_len(tag::message::DIGEST, digest),
            MessageLen::SynAck { digest, delta } => {
                nested_len(tag::message::DIGEST, digest) + nested_len(tag::message::DELTA, delta)
            }
            MessageLen::Ack { delta } => nested_len(tag::message::DELTA, delta),
            MessageLen::BadCluster => 0,
        }
    }
}

/// The lengths of a message's parts.
fn message_len_of(message: &Message) -> MessageLen {
    match message {
        Message::Syn { digest } => MessageLen::Syn { digest: digest_len_of(digest) },
        Message::SynAck { digest, delta } => {
            MessageLen::SynAck { digest: digest_len_of(digest), delta: delta_len_of(delta) }
        }
        Message::Ack { delta } => MessageLen::Ack { delta: delta_len_of(delta) },
        Message::BadCluster => MessageLen::BadCluster,
    }
}

/// A digest's body: its entries' lengths together, and its flag.
pub(crate) fn digest_len(node_digests_len: usize, partial: bool) -> usize {
    node_digests_len + uint_len(tag::digest::PARTIAL, partial.into())
}

fn digest_len_of(digest: &Digest) -> usize {
    digest_len(digest.entries.iter().map(node_digest_len).sum(), digest.partial)
}

/// One entry of a digest.
pub(crate) fn node_digest_len(entry: &NodeDigest) -> usize {
    nested_len(tag::digest::NODE_DIGESTS, node_digest_body_len(entry))
}

fn node_digest_body_len(entry: &NodeDigest) -> usize {
    entry.node_id.encoded_field().len()
        + uint_len(tag::node_digest::HEARTBEAT, entry.heartbeat)
        + uint_len(tag::node_digest::LAST_GC_VERSION, entry.last_gc_version)
        + uint_len(tag::node_digest::MAX_VERSION, entry.max_version)
        + optional_len(tag::node_digest::COMPLETE_VERSION, entry.complete_version)
        + uint_len(tag::node_digest::RUN, run_number(entry.run))
        + optional_len(tag::node_digest::RELEASED_VERSION, entry.released_version)
        + optional_len(tag::node_digest::SILENCE_MS, entry.silence_ms)
}

pub(crate) fn delta_len_of(delta: &Delta) -> usize {
    let len_of = |node_delta| node_delta_len(node_delta_header_len(node_delta), key_values_len_of(node_delta));
    delta.node_deltas.iter().map(len_of).sum()
}

/// One node's part of a delta, from its header's length and its key-values' lengths together.
pub(crate) fn node_delta_len(header_len: usize, key_values_len: usize) -> usize {
    nested_len(tag::delta::NODE_DELTAS, header_len + key_values_len)
}

/// What a node delta holds beside its key-values. It depends on the values of its versions: take it anew when one of
/// them changes, which costs no more than five additions.
pub(crate) fn node_delta_header_len(node_delta: &NodeDelta) -> usize {
    node_delta.node_id.encoded_field().len()
        + uint_len(tag::node_delta::FROM_VERSION_EXCLUDED, node_delta.from_version_excluded)
        + uint_len(tag::node_delta::LAST_GC_VERSION, node_delta.last_gc_version)
        + optional_len(tag::node_delta::MAX_VERSION, node_delta.max_version)
        + optional_len(tag::node_delta::SENDER_COMPLETE_VERSION, node_delta.sender_complete_version)
        + uint_len(tag::node_delta::RUN, run_number(node_delta.run))
}

/// A run as its field has it: 0, which is left out, where it is not known.
pub(super) fn run_number(run: Option<Run>) -> u64 {
    run.map_or(0, Run::number).into()
}

pub(super) fn node_delta_body_len(node_delta: &NodeDelta) -> usize {
    node_delta_header_len(node_delta) + key_values_len_of(node_delta)
}

fn key_values_len_of(node_delta: &NodeDelta) -> usize {
    let len_of = |update: &KeyValueUpdate| key_value_len(&update.key, &update.value, update.version, update.status);
    node_delta.key_values.iter().map(len_of).sum()
}

/// One key-value of a node delta.
pub(crate) fn key_value_len(key: &str, value: &str, version: u64, status: ValueStatus) -> usize {
    nested_len(tag::node_delta::KEY_VALUES, key_value_body_len_of(key, value, version, status))
}

pub(super) fn key_value_body_len(update: &KeyValueUpdate) -> usize {
    key_value_body_len_of(&update.key, &update.value, update.version, update.status)
}

fn key_value_body_len_of(key: &str, value: &str, version: u64, status: ValueStatus) -> usize {
    string_len(tag::key_value::KEY, key)
        + string_len(tag::key_value::VALUE, value)
        + uint_len(tag::key_value::VERSION, version)
        + uint_len(tag::key_value::STATUS, status_number(status))
}

/// The lengths by which deltas are packed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes;

impl Lengths for Sizes {
    fn key_value_len(&self, key: &str, value: &str, version: u64, status: ValueStatus) -> usize {
        key_value_len(key, value, version, status)
    }

    fn node_delta_header_len(&self, node_delta: &NodeDelta) -> usize {
        node_delta_header_len(node_delta)
    }

    fn node_delta_len(&self, header_len: usize, key_values_len: usize) -> usize {
        node_delta_len(header_len, key_values_len)
    }
}

/// A status as it stands on the wire.
pub(super) const fn status_number(status: ValueStatus) -> u64 {
    match status {
        ValueStatus::Set => 0,
        ValueStatus::Deleted => 1,
        ValueStatus::DeleteAfterTtl => 2,
    }
}

/// A nested message's field: it is there even when its body is empty.
fn nested_len(tag: u32, body_len: usize) -> usize {
    key_len(tag) + varint_len(body_len as u64) + body_len
}

/// A string's field; an empty one is left out.
fn string_len(tag: u32, text: &str) -> usize {
    if text.is_empty() { 0 } else { nested_len(tag, text.len()) }
}

/// An integer's field; a zero is left out.
fn uint_len(tag: u32, value: u64) -> usize {
    if value == 0 { 0 } else { key_len(tag) + varint_len(value) }
}

/// An optional integer's field; a zero that is there is written.
fn optional_len(tag: u32, value: Option<u64>) -> usize {
    value.map_or(0, |value| key_len(tag) + varint_len(value))
}

fn key_len(tag: u32) -> usize {
    varint_len(u64::from(tag) << 3)
}

/// Seven bits a byte, at least one byte.
const fn varint_len(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}
