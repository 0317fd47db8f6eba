//! Digests and deltas, entry by entry: what is wrong with one is left out and counted.
//!
//! One entry at a time is a generated type, so that a packet of empty entries costs no memory.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use prost::Message;

use crate::id::{Address, NodeId, Run, refused_char};
use crate::limits::{DecodeLimits, MAX_VERSION};
use crate::reconcile::{Delta, NodeDelta};
use crate::state::{KeyValueUpdate, ValueStatus};
use crate::wire::DecodeError;
use crate::wire::aiocluster::decode::uint32;
use crate::wire::aiocluster::generated::NodeIdPb;
use crate::wire::aiocluster::tag;
use crate::wire::aiocluster::{Digest, NodeDigest, Subject, Subjects};
use crate::wire::reader::{Value, read_fields};

/// Gives the id of an encoded form, and who it is, if it is known already.
pub(crate) type KnownIds<'a> = &'a dyn Fn(&[u8]) -> Option<(NodeId, Subject)>;

/// No entry that is worth its place is shorter, in bytes: it has a name, a host and a port.
const MIN_ENTRY_LEN: usize = 16;

/// A digest as far as it is read.
#[derive(Default)]
pub(super) struct DigestReader {
    digest: Digest,
    subjects: Subjects,
    /// Only asked whether a stranger is among them.
    /// In order, since a peer that knows how ids are hashed could choose ones that collide.
    strangers: BTreeSet<NodeId>,
    cut_off: bool,
    skipped: usize,
}

impl DigestReader {
    pub(super) fn read(&mut self, bytes: &[u8], limits: &DecodeLimits, known: KnownIds<'_>) -> Result<(), DecodeError> {
        read_fields("DigestPb", bytes, |tag, value| {
            match (tag, value) {
                (tag::digest::NODE_DIGESTS, Value::Bytes(entry)) => {
                    if self.digest.entries.is_empty() {
                        self.expect_entries(bytes.len() / entry.len().max(MIN_ENTRY_LEN), limits);
                    }
                    self.read_entry(entry, limits, known)?;
                }
                (tag::digest::PARTIAL, Value::Varint(partial)) => self.digest.partial = partial != 0,
                (tag::digest::NODE_DIGESTS | tag::digest::PARTIAL, _) => {
                    return Err(DecodeError::NotProtobuf { message: "DigestPb" });
                }
                _ => {}
            }
            Ok(())
        })
    }

    /// Makes room for as many entries as there are if all are as long as the first one.
    fn expect_entries(&mut self, count: usize, limits: &DecodeLimits) {
        let count = count.min(limits.max_digest_entries);
        self.digest.entries.reserve(count);
        self.subjects.reserve(count);
    }

    fn read_entry(&mut self, bytes: &[u8], limits: &DecodeLimits, known: KnownIds<'_>) -> Result<(), DecodeError> {
        if self.digest.entries.len() >= limits.max_digest_entries {
            self.cut_off = true;
            self.skipped += 1;
            return Ok(());
        }
        match node_digest(bytes, limits, known)? {
            Some((entry, subject)) if self.is_new(&entry.node_id, subject) => self.digest.entries.push(entry),
            None if self.digest.entries.is_empty() => return Err(DecodeError::NoSender),
            _ => self.skipped += 1,
        }
        Ok(())
    }

    /// Takes note of the node that the next entry is about; false: an earlier one is about it.
    fn is_new(&mut self, node_id: &NodeId, subject: Subject) -> bool {
        (subject != Subject::Stranger || self.strangers.insert(node_id.clone())) && self.subjects.push(subject)
    }

    /// The digest, whom its entries are about, and how many it is without.
    pub(super) fn finish(self) -> Result<(Digest, Subjects, usize), DecodeError> {
        let mut digest = self.digest;
        if digest.entries.is_empty() {
            return Err(DecodeError::NoSender);
        }
        // Cut off here, an absent node may well have been asked about. Not so where an entry was wrong: we hold no
        // state of a node that has a wrong id, and its peers would look partial for ever.
        digest.partial |= self.cut_off;
        Ok((digest, self.subjects, self.skipped))
    }
}

/// A delta as far as it is read.
#[derive(Default)]
pub(in crate::wire) struct DeltaReader {
    delta: Delta,
    key_values: usize,
    skipped: usize,
}

impl DeltaReader {
    pub(in crate::wire) fn read(
        &mut self,
        bytes: &[u8],
        limits: &DecodeLimits,
        known: KnownIds<'_>,
    ) -> Result<(), DecodeError> {
        read_fields("DeltaPb", bytes, |tag, value| {
            match (tag, value) {
                (tag::delta::NODE_DELTAS, Value::Bytes(node_delta)) => {
                    self.read_node_delta(node_delta, limits, known)?
                }
                (tag::delta::NODE_DELTAS, _) => return Err(DecodeError::NotProtobuf { message: "DeltaPb" }),
                _ => {}
            }
            Ok(())
        })
    }

    fn read_node_delta(&mut self, bytes: &[u8], limits: &DecodeLimits, known: KnownIds<'_>) -> Result<(), DecodeError> {
        if self.delta.node_deltas.len() >= limits.max_node_deltas {
            self.skipped += 1;
            return Ok(());
        }
        let Some(mut node_delta) = node_delta_header(bytes, limits, known)? else {
            self.skipped += 1;
            return Ok(());
        };
        self.read_key_values(&mut node_delta, bytes, limits)?;
        self.delta.node_deltas.push(node_delta);
        Ok(())
    }

    /// Takes key-values up to the first that is wrong or over a limit. From there on the receiver has holes, so it
    /// must not be told where it would stand without them.
    fn read_key_values(
        &mut self,
        node_delta: &mut NodeDelta,
        bytes: &[u8],
        limits: &DecodeLimits,
    ) -> Result<(), DecodeError> {
        let mut above = node_delta.from_version_excluded;
        let mut ended = false;
        read_fields("NodeDeltaPb", bytes, |tag, value| {
            let (tag::node_delta::KEY_VALUES, Value::Bytes(update)) = (tag, value) else {
                return Ok(());
            };
            if ended || self.key_values >= limits.max_key_values {
                ended = true;
                self.skipped += 1;
                return Ok(());
            }
            match key_value(update, limits)?.filter(|update| update.version > above) {
                Some(update) => {
                    above = update.version;
                    self.key_values += 1;
                    node_delta.key_values.push(update);
                }
                None => {
                    ended = true;
                    self.skipped += 1;
                }
            }
            Ok(())
        })?;
        if ended {
            node_delta.max_version = None;
        }
        Ok(())
    }

    /// The delta, and how many node deltas and key-values it is without.
    pub(in crate::wire) fn finish(self) -> (Delta, usize) {
        (self.delta, self.skipped)
    }
}

/// A node delta without its key-values; `None` when it is wrong.
fn node_delta_header(
    bytes: &[u8],
    limits: &DecodeLimits,
    known: KnownIds<'_>,
) -> Result<Option<NodeDelta>, DecodeError> {
    let mut id = Cow::Borrowed(&[][..]);
    let (mut from_version_excluded, mut last_gc_version) = (0, 0);
    let (mut max_version, mut sender_complete_version, mut run) = (None, None, None);
    read_fields("NodeDeltaPb", bytes, |tag, value| {
        match (tag, value) {
            (tag::node_delta::NODE_ID, Value::Bytes(bytes)) => add_piece(&mut id, bytes),
            (tag::node_delta::FROM_VERSION_EXCLUDED, Value::Varint(version)) => from_version_excluded = version,
            (tag::node_delta::LAST_GC_VERSION, Value::Varint(version)) => last_gc_version = version,
            (tag::node_delta::MAX_VERSION, Value::Varint(version)) => max_version = Some(version),
            (tag::node_delta::SENDER_COMPLETE_VERSION, Value::Varint(version)) => {
                sender_complete_version = Some(version);
            }
            (tag::node_delta::RUN, Value::Varint(number)) => run = Run::new(uint32(number)),
            (tag::node_delta::KEY_VALUES, Value::Bytes(_)) => {}
            (tag::node_delta::NODE_ID..=tag::node_delta::MAX_VERSION, _)
            | (tag::node_delta::SENDER_COMPLETE_VERSION..=tag::node_delta::RUN, _) => {
                return Err(DecodeError::NotProtobuf { message: "NodeDeltaPb" });
            }
            _ => {}
        }
        Ok(())
    })?;
    let node_id = find_node_id(&id, limits, known)?;
    let versions = [Some(from_version_excluded), Some(last_gc_version), max_version, sender_complete_version];
    if !versions.into_iter().flatten().all(in_range) {
        return Ok(None);
    }
    Ok(node_id.map(|(node_id, _)| NodeDelta {
        node_id,
        from_version_excluded,
        last_gc_version,
        key_values: Vec::new(),
        max_version,
        sender_complete_version,
        run,
    }))
}

/// An entry of a digest, and whom it is about; `None` when it is wrong.
fn node_digest(
    bytes: &[u8],
    limits: &DecodeLimits,
    known: KnownIds<'_>,
) -> Result<Option<(NodeDigest, Subject)>, DecodeError> {
    let mut id = Cow::Borrowed(&[][..]);
    let (mut heartbeat, mut last_gc_version, mut max_version) = (0, 0, 0);
    let (mut complete_version, mut released_version, mut run, mut silence_ms) = (None, None, None, None);
    read_fields("NodeDigestPb", bytes, |tag, value| {
        match (tag, value) {
            (tag::node_digest::NODE_ID, Value::Bytes(bytes)) => add_piece(&mut id, bytes),
            (tag::node_digest::HEARTBEAT, Value::Varint(value)) => heartbeat = value,
            (tag::node_digest::LAST_GC_VERSION, Value::Varint(value)) => last_gc_version = value,
            (tag::node_digest::MAX_VERSION, Value::Varint(value)) => max_version = value,
            (tag::node_digest::COMPLETE_VERSION, Value::Varint(value)) => complete_version = Some(value),
            (tag::node_digest::RUN, Value::Varint(value)) => run = Run::new(uint32(value)),
            (tag::node_digest::RELEASED_VERSION, Value::Varint(value)) => released_version = Some(value),
            (tag::node_digest::SILENCE_MS, Value::Varint(value)) => silence_ms = Some(value),
            (tag::node_digest::NODE_ID..=tag::node_digest::MAX_VERSION, _)
            | (tag::node_digest::COMPLETE_VERSION..=tag::node_digest::SILENCE_MS, _) => {
                return Err(DecodeError::NotProtobuf { message: "NodeDigestPb" });
            }
            _ => {}
        }
        Ok(())
    })?;
    let node_id = find_node_id(&id, limits, known)?;
    let numbers = [heartbeat, last_gc_version, max_version];
    if !numbers.into_iter().chain(complete_version).chain(released_version).all(in_range) {
        return Ok(None);
    }
    Ok(node_id.map(|(node_id, subject)| {
        let entry = NodeDigest {
            node_id,
            heartbeat,
            last_gc_version,
            max_version,
            complete_version,
            run,
            released_version,
            silence_ms,
        };
        (entry, subject)
    }))
}

/// Adds to an id's encoded form. It comes in one piece nearly always; protobuf allows several, which are one when put
/// together.
pub(in crate::wire) fn add_piece<'a>(encoded: &mut Cow<'a, [u8]>, piece: &'a [u8]) {
    if encoded.is_empty() {
        *encoded = Cow::Borrowed(piece);
    } else {
        encoded.to_mut().extend_from_slice(piece);
    }
}

/// The id of this encoded form, and who it is; `None` when it is missing or wrong.
pub(in crate::wire) fn find_node_id(
    encoded: &[u8],
    limits: &DecodeLimits,
    known: KnownIds<'_>,
) -> Result<Option<(NodeId, Subject)>, DecodeError> {
    if let Some(found) = known(encoded) {
        return Ok(Some(found));
    }
    let node_id = node_id(parse("NodeIdPb", encoded)?, limits);
    // Another encoder may have written a known id in another way.
    Ok(node_id.map(|node_id| known(node_id.encoded()).unwrap_or((node_id, Subject::Stranger))))
}

fn node_id(pb: NodeIdPb, limits: &DecodeLimits) -> Option<NodeId> {
    let NodeIdPb { name, generation_id, gossip_advertise_addr, tls_name } = pb;
    let address = gossip_advertise_addr?;
    let port = u16::try_from(address.port).ok().filter(|port| *port != 0)?;
    let fits = |text: &String| text.len() <= limits.max_name_bytes && refused_char(text).is_none();
    if name.is_empty() || address.host.is_empty() || ![&name, &address.host, &tls_name].into_iter().all(fits) {
        return None;
    }
    Some(NodeId::with_tls_name(name, generation_id, Address::new(address.host, port), Some(tls_name)))
}

/// A key-value; `None` when it is wrong.
fn key_value(bytes: &[u8], limits: &DecodeLimits) -> Result<Option<KeyValueUpdate>, DecodeError> {
    const MESSAGE: &str = "KeyValueUpdatePb";
    let wrong = || DecodeError::NotProtobuf { message: MESSAGE };
    let text = |bytes| core::str::from_utf8(bytes).map_err(|_| wrong());
    let (mut key, mut value, mut version, mut status) = ("", "", 0, 0);
    read_fields(MESSAGE, bytes, |tag, field| {
        match (tag, field) {
            (tag::key_value::KEY, Value::Bytes(bytes)) => key = text(bytes)?,
            (tag::key_value::VALUE, Value::Bytes(bytes)) => value = text(bytes)?,
            (tag::key_value::VERSION, Value::Varint(number)) => version = number,
            (tag::key_value::STATUS, Value::Varint(number)) => status = uint32(number),
            (tag::key_value::KEY..=tag::key_value::STATUS, _) => return Err(wrong()),
            _ => {}
        }
        Ok(())
    })?;
    let status = match status {
        0 => ValueStatus::Set,
        1 => ValueStatus::Deleted,
        2 => ValueStatus::DeleteAfterTtl,
        _ => return Ok(None),
    };
    if !in_range(version) || key.len() > limits.max_key_bytes || value.len() > limits.max_value_bytes {
        return Ok(None);
    }
    // A tombstone has no value, whatever the peer put there.
    let value = if status == ValueStatus::Deleted { "" } else { value };
    Ok(Some(KeyValueUpdate { key: Arc::from(key), value: Arc::from(value), version, status }))
}

pub(in crate::wire) fn in_range(version: u64) -> bool {
    version <= MAX_VERSION
}

fn parse<M: Message + Default>(message: &'static str, bytes: &[u8]) -> Result<M, DecodeError> {
    M::decode(bytes).map_err(|_| DecodeError::NotProtobuf { message })
}
