//! Typed values from bytes, checked once.

use alloc::sync::Arc;

use crate::id::refused_char;
use crate::limits::DecodeLimits;
use crate::wire::DecodeError;
use crate::wire::aiocluster::Subjects;
use crate::wire::aiocluster::entry::{DeltaReader, DigestReader, KnownIds};
use crate::wire::aiocluster::{Message, Packet, tag};
use crate::wire::reader::{Value, read_fields};

/// A packet, and how much of it was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// What was sent, without the entries left out.
    pub packet: Packet,
    /// How many digest entries, node deltas and key-values were left out: over a limit or not valid.
    pub skipped_entries: usize,
}

/// The packet that `bytes` hold, without the length before it.
///
/// # Errors
///
/// What is wrong with the packet as a whole; then nothing of it may be applied. A wrong entry is no error: it is left
/// out and counted. An entry is wrong when it has no node id, no advertised address, an empty name or host, a port
/// outside 1 to 65,535, a version or heartbeat over [`MAX_VERSION`](crate::MAX_VERSION), an unknown status, something over its limit, or
/// when its digest has the node already.
///
/// A node delta ends before its first wrong key-value, one whose version does not increase included, and then has no
/// `max_version`: what comes after is not known to be complete. A digest that is cut off at its limit is
/// [`partial`](crate::wire::aiocluster::Digest::partial).
pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<Decoded, DecodeError> {
    decode_known(bytes, limits, &|_| None).map(|(decoded, _)| decoded)
}

/// The same, where `known` gives the ids that are known already by their encoded form, so that they need not be made anew:
/// nearly all ids of a digest are. Also whom the digest's entries are about.
pub(crate) fn decode_known(
    bytes: &[u8],
    limits: &DecodeLimits,
    known: KnownIds<'_>,
) -> Result<(Decoded, Subjects), DecodeError> {
    if bytes.len() > limits.max_packet_bytes {
        return Err(DecodeError::TooLong { len: bytes.len(), limit: limits.max_packet_bytes });
    }
    let mut cluster_id: Arc<str> = Arc::default();
    let mut protocol_revision = 0;
    let mut body: Option<Body> = None;
    read_fields("PacketPb", bytes, |tag, value| {
        match (tag, value) {
            (tag::packet::CLUSTER_ID, Value::Bytes(text)) => cluster_id = read_cluster_id(text, limits)?,
            (arm @ tag::packet::SYN..=tag::packet::BAD_CLUSTER, Value::Bytes(bytes)) => {
                // As protobuf has it: the last arm of a oneof counts, and the same arm again adds to it.
                let merged = body.take().filter(|body| body.arm == arm);
                body.insert(merged.unwrap_or_else(|| Body::new(arm))).read(bytes, limits, known)?;
            }
            (tag::packet::PROTOCOL_REVISION, Value::Varint(revision)) => protocol_revision = uint32(revision),
            (tag::packet::CLUSTER_ID..=tag::packet::BAD_CLUSTER | tag::packet::PROTOCOL_REVISION, _) => {
                return Err(DecodeError::NotProtobuf { message: "PacketPb" });
            }
            _ => {}
        }
        Ok(())
    })?;
    let (message, subjects, skipped_entries) = body.ok_or(DecodeError::NoMessage)?.finish()?;
    Ok((Decoded { packet: Packet { cluster_id, protocol_revision, message }, skipped_entries }, subjects))
}

/// The message inside the oneof as far as it is read.
struct Body {
    arm: u32,
    digest: DigestReader,
    delta: DeltaReader,
}

impl Body {
    fn new(arm: u32) -> Body {
        Body { arm, digest: DigestReader::default(), delta: DeltaReader::default() }
    }

    fn read(&mut self, bytes: &[u8], limits: &DecodeLimits, known: KnownIds<'_>) -> Result<(), DecodeError> {
        let (name, has_digest, has_delta) = match self.arm {
            tag::packet::SYN => ("SynPb", true, false),
            tag::packet::SYNACK => ("SynAckPb", true, true),
            tag::packet::ACK => ("AckPb", false, true),
            _ => ("BadClusterPb", false, false),
        };
        read_fields(name, bytes, |tag, value| {
            match (tag, value) {
                (tag::message::DIGEST, Value::Bytes(digest)) if has_digest => {
                    self.digest.read(digest, limits, known)?
                }
                (tag::message::DELTA, Value::Bytes(delta)) if has_delta => self.delta.read(delta, limits, known)?,
                (tag::message::DIGEST, _) if has_digest => return Err(DecodeError::NotProtobuf { message: name }),
                (tag::message::DELTA, _) if has_delta => return Err(DecodeError::NotProtobuf { message: name }),
                _ => {}
            }
            Ok(())
        })
    }

    fn finish(self) -> Result<(Message, Subjects, usize), DecodeError> {
        let (delta, skipped_from_delta) = self.delta.finish();
        if self.arm == tag::packet::ACK {
            return Ok((Message::Ack { delta }, Subjects::default(), skipped_from_delta));
        }
        if self.arm == tag::packet::BAD_CLUSTER {
            return Ok((Message::BadCluster, Subjects::default(), 0));
        }
        let (digest, subjects, skipped_from_digest) = self.digest.finish()?;
        let message = match self.arm {
            tag::packet::SYN => Message::Syn { digest },
            _ => Message::SynAck { digest, delta },
        };
        Ok((message, subjects, skipped_from_digest + skipped_from_delta))
    }
}

fn read_cluster_id(text: &[u8], limits: &DecodeLimits) -> Result<Arc<str>, DecodeError> {
    if text.len() > limits.max_name_bytes {
        return Err(DecodeError::ClusterIdTooLong { len: text.len(), limit: limits.max_name_bytes });
    }
    let text = core::str::from_utf8(text).map_err(|_| DecodeError::NotProtobuf { message: "PacketPb" })?;
    match refused_char(text) {
        Some(character) => Err(DecodeError::ClusterIdRefused { character }),
        None => Ok(Arc::from(text)),
    }
}

/// An integer on the wire as the uint32 of the schema: protobuf keeps the low half.
#[allow(clippy::cast_possible_truncation, reason = "that is the rule")]
pub(in crate::wire) fn uint32(value: u64) -> u32 {
    value as u32
}
