//! Bytes from typed values.

use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;

use crate::id::{NodeId, encoded};
use crate::reconcile::{Delta, NodeDelta};
use crate::state::KeyValueUpdate;
use crate::wire::aiocluster::NodeDigest;
use crate::wire::aiocluster::encoded_digest::EncodedDigest;
use crate::wire::aiocluster::size::MessageLen;
use crate::wire::aiocluster::{Message, MessageKind, Packet, size, tag};

/// The packet's bytes, without the length that stands before them on a stream (see [`frame`](crate::wire::frame)).
///
/// Fields go out in the order of their numbers, as Python's protobuf writes them. The output is allocated once, with
/// exactly [`Packet::encoded_len`] bytes.
#[must_use]
pub fn encode(packet: &Packet) -> Bytes {
    let Packet { cluster_id, protocol_revision, message } = packet;
    let encode = |message| encode_outgoing(cluster_id, *protocol_revision, message);
    match message {
        Message::Syn { digest } => encode(Outgoing::Syn(&digest.into())),
        Message::SynAck { digest, delta } => encode(Outgoing::SynAck(&digest.into(), delta)),
        Message::Ack { delta } => encode(Outgoing::Ack(delta)),
        Message::BadCluster => encode(Outgoing::BadCluster),
    }
}

/// A message to be sent, its digest written already.
#[derive(Clone, Copy)]
pub(crate) enum Outgoing<'a> {
    Syn(&'a EncodedDigest),
    SynAck(&'a EncodedDigest, &'a Delta),
    Ack(&'a Delta),
    BadCluster,
}

impl Outgoing<'_> {
    pub(crate) fn kind(self) -> MessageKind {
        match self {
            Outgoing::Syn(_) => MessageKind::Syn,
            Outgoing::SynAck(..) => MessageKind::SynAck,
            Outgoing::Ack(_) => MessageKind::Ack,
            Outgoing::BadCluster => MessageKind::BadCluster,
        }
    }

    fn len(self) -> MessageLen {
        match self {
            Outgoing::Syn(digest) => MessageLen::Syn { digest: digest.len() },
            Outgoing::SynAck(digest, delta) => {
                MessageLen::SynAck { digest: digest.len(), delta: size::delta_len_of(delta) }
            }
            Outgoing::Ack(delta) => MessageLen::Ack { delta: size::delta_len_of(delta) },
            Outgoing::BadCluster => MessageLen::BadCluster,
        }
    }
}

/// The bytes of a packet of this cluster with this message.
pub(crate) fn encode_outgoing(cluster_id: &str, protocol_revision: u32, message: Outgoing<'_>) -> Bytes {
    let message_len = message.len();
    let mut out = Writer::with_capacity(size::packet_len_of(cluster_id, protocol_revision, message_len));
    out.string(tag::packet::CLUSTER_ID, cluster_id);
    out.nested(message_len.tag(), message_len.body_len());
    match message {
        Outgoing::Syn(digest) => digest.write_to(&mut out),
        Outgoing::SynAck(digest, delta) => {
            digest.write_to(&mut out);
            out.delta(delta);
        }
        Outgoing::Ack(delta) => out.delta(delta),
        Outgoing::BadCluster => {}
    }
    out.uint(tag::packet::PROTOCOL_REVISION, protocol_revision.into());
    Bytes::from(out.0)
}

/// Fields, one after the other.
#[derive(Clone, Debug, Default)]
pub(in crate::wire) struct Writer(pub(in crate::wire) Vec<u8>);

impl Writer {
    pub(super) fn with_capacity(bytes: usize) -> Writer {
        Writer(Vec::with_capacity(bytes))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds what another one has written.
    pub(super) fn copy(&mut self, other: &Writer, range: Range<usize>) {
        self.0.extend_from_slice(other.0.get(range).unwrap_or_default());
    }

    pub(super) fn node_digest(&mut self, entry: &NodeDigest) {
        let begin = self.open(tag::digest::NODE_DIGESTS);
        self.node_id(&entry.node_id);
        self.uint(tag::node_digest::HEARTBEAT, entry.heartbeat);
        self.uint(tag::node_digest::LAST_GC_VERSION, entry.last_gc_version);
        self.uint(tag::node_digest::MAX_VERSION, entry.max_version);
        self.optional(tag::node_digest::COMPLETE_VERSION, entry.complete_version);
        self.uint(tag::node_digest::RUN, size::run_number(entry.run));
        self.optional(tag::node_digest::RELEASED_VERSION, entry.released_version);
        self.optional(tag::node_digest::SILENCE_MS, entry.silence_ms);
        self.close(begin);
    }

    fn delta(&mut self, delta: &Delta) {
        self.nested(tag::message::DELTA, size::delta_len_of(delta));
        self.delta_body(delta);
    }

    /// A delta without its field's number and length.
    pub(in crate::wire) fn delta_body(&mut self, delta: &Delta) {
        for node_delta in &delta.node_deltas {
            self.node_delta(node_delta);
        }
    }

    fn node_delta(&mut self, node_delta: &NodeDelta) {
        self.nested(tag::delta::NODE_DELTAS, size::node_delta_body_len(node_delta));
        self.node_id(&node_delta.node_id);
        self.uint(tag::node_delta::FROM_VERSION_EXCLUDED, node_delta.from_version_excluded);
        self.uint(tag::node_delta::LAST_GC_VERSION, node_delta.last_gc_version);
        for update in &node_delta.key_values {
            self.key_value(update);
        }
        self.optional(tag::node_delta::MAX_VERSION, node_delta.max_version);
        self.optional(tag::node_delta::SENDER_COMPLETE_VERSION, node_delta.sender_complete_version);
        self.uint(tag::node_delta::RUN, size::run_number(node_delta.run));
    }

    fn key_value(&mut self, update: &KeyValueUpdate) {
        self.nested(tag::node_delta::KEY_VALUES, size::key_value_body_len(update));
        self.string(tag::key_value::KEY, &update.key);
        self.string(tag::key_value::VALUE, &update.value);
        self.uint(tag::key_value::VERSION, update.version);
        self.uint(tag::key_value::STATUS, size::status_number(update.status));
    }

    fn node_id(&mut self, node_id: &NodeId) {
        self.0.extend_from_slice(node_id.encoded_field());
    }

    /// Opens a nested message that is nearly always shorter than 128 bytes, so that its length is one byte. Gives where
    /// it begins, for [`Writer::close`].
    fn open(&mut self, tag: u32) -> usize {
        self.nested(tag, 0);
        self.len()
    }

    fn close(&mut self, begin: usize) {
        let len = self.len() - begin;
        match (u8::try_from(len), self.0.get_mut(begin - 1)) {
            (Ok(short @ ..0x80), Some(place)) => *place = short,
            _ => {
                let body = self.0.split_off(begin);
                self.0.pop();
                encoded::put_varint(&mut self.0, len as u64);
                self.0.extend_from_slice(&body);
            }
        }
    }

    /// Begins a nested message of this length: it is there even when its body is empty.
    pub(super) fn nested(&mut self, tag: u32, body_len: usize) {
        encoded::put_nested(&mut self.0, tag, body_len);
    }

    fn string(&mut self, tag: u32, text: &str) {
        encoded::put_string(&mut self.0, tag, text);
    }

    #[inline]
    pub(super) fn uint(&mut self, tag: u32, value: u64) {
        encoded::put_uint(&mut self.0, tag, value);
    }

    #[inline]
    fn optional(&mut self, tag: u32, value: Option<u64>) {
        encoded::put_optional(&mut self.0, tag, value);
    }
}
