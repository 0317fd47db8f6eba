//! Typed values from bytes, checked once.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::id::{NodeId, Run, refused_char};
use crate::limits::DecodeLimits;
use crate::reconcile::Delta;
use crate::wire::DecodeError;
use crate::wire::aiocluster::entry::{DeltaReader, add_piece, find_node_id, in_range};
use crate::wire::aiocluster::{KnownIds, uint32};
use crate::wire::reader::{Value, read_fields};
use crate::wire::tidings::{
    BUCKETS, Entry, Kind, LOWEST_REVISION, Message, Named, NodeHash, Packet, ProbeOutcome, REVISION, Range, Report,
    Status, tag,
};

/// More nodes than that nobody asks for at once.
const MAX_WANTS: usize = 4_096;

/// A packet, and how much of it was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// What was sent, without what was left out.
    pub packet: Packet,
    /// How many entries, node deltas and key-values were left out: over a limit or not valid.
    pub skipped_entries: usize,
}

/// The packet that `bytes` hold, without the length before it.
///
/// # Errors
///
/// What is wrong with the packet as a whole; then nothing of it may be applied. A sender that understands no revision of
/// ours counts as one whose packet holds no message. A wrong entry is no error: it is left out and counted. An entry is
/// wrong when it has no run, no valid id where it has one, or a version or life over [`MAX_VERSION`](crate::MAX_VERSION).
pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<Decoded, DecodeError> {
    decode_known(bytes, limits, &|_| None)
}

/// The same, where `known` gives the ids that are known already by their encoded form.
pub(crate) fn decode_known(bytes: &[u8], limits: &DecodeLimits, known: KnownIds<'_>) -> Result<Decoded, DecodeError> {
    if bytes.len() > limits.max_packet_bytes {
        return Err(DecodeError::TooLong { len: bytes.len(), limit: limits.max_packet_bytes });
    }
    let mut cluster_id: Arc<str> = Arc::default();
    let mut reader = None;
    read_fields(PACKET, bytes, |tag, value| {
        match (tag, value) {
            (tag::CLUSTER_ID, Value::Bytes(text)) => cluster_id = read_cluster_id(text, limits)?,
            (tag::TIDINGS, Value::Bytes(body)) => {
                reader.get_or_insert_with(|| Reader { limits, known, parts: Parts::default() }).read(body)?;
            }
            (tag::CLUSTER_ID | tag::TIDINGS, _) => return Err(DecodeError::NotProtobuf { message: PACKET }),
            _ => {}
        }
        Ok(())
    })?;
    let (message, skipped_entries) = reader.ok_or(DecodeError::NoMessage)?.finish()?;
    Ok(Decoded { packet: Packet { cluster_id, message }, skipped_entries })
}

const PACKET: &str = "TidingsPacketPb";
const MESSAGE: &str = "TidingsPb";

struct Reader<'a> {
    limits: &'a DecodeLimits,
    known: KnownIds<'a>,
    parts: Parts,
}

/// A message as far as it is read.
#[derive(Default)]
struct Parts {
    kind: u32,
    revision: u32,
    lowest_revision: u32,
    sender: Option<NodeHash>,
    run: Option<Run>,
    counter: u64,
    fingerprint: u64,
    void_after_ms: u32,
    known: u32,
    who: bool,
    own: Option<Entry>,
    rumours: Vec<Entry>,
    sums: Vec<u32>,
    ranges: Vec<Range>,
    wants: Vec<NodeHash>,
    delta: DeltaReader,
    ask: Option<NodeHash>,
    report: Option<Report>,
    cursor: Option<NodeHash>,
    next: Option<NodeHash>,
    more: bool,
    entries: usize,
    skipped: usize,
}

impl Reader<'_> {
    fn read(&mut self, body: &[u8]) -> Result<(), DecodeError> {
        read_fields(MESSAGE, body, |tag, value| self.field(tag, value))
    }

    fn field(&mut self, tag: u32, value: Value<'_>) -> Result<(), DecodeError> {
        match (tag, value) {
            (tag::message::OWN, Value::Bytes(body)) => {
                let own = self.entry(body)?;
                self.parts.own = own.filter(|own| matches!(own.node, Named::Id(_)));
            }
            (tag::message::RUMOURS, Value::Bytes(body)) => {
                let entry = self.entry(body)?;
                self.parts.rumours.extend(entry);
            }
            (tag::message::RANGES, Value::Bytes(body)) => self.range(body)?,
            (tag::message::DELTA, Value::Bytes(body)) => self.parts.delta.read(body, self.limits, self.known)?,
            (tag::message::REPORT, Value::Bytes(body)) => self.parts.report = report(body)?,
            _ => self.parts.plain(tag, value)?,
        }
        Ok(())
    }

    fn range(&mut self, body: &[u8]) -> Result<(), DecodeError> {
        let (mut from, mut to, mut entries) = (NodeHash(0), NodeHash(0), Vec::new());
        read_fields("RangePb", body, |tag, value| {
            match (tag, value) {
                (tag::range::FROM, Value::Fixed(hash)) => from = NodeHash(hash),
                (tag::range::TO, Value::Fixed(hash)) => to = NodeHash(hash),
                (tag::range::ENTRIES, Value::Bytes(body)) => entries.extend(self.entry(body)?),
                (tag::range::FROM..=tag::range::ENTRIES, _) => {
                    return Err(DecodeError::NotProtobuf { message: "RangePb" });
                }
                _ => {}
            }
            Ok(())
        })?;
        if self.parts.ranges.len() >= BUCKETS || from > to {
            self.parts.skipped += 1;
        } else {
            self.parts.ranges.push(Range { from, to, entries });
        }
        Ok(())
    }

    /// An entry; `None`, and counted, when it is wrong or one too many.
    fn entry(&mut self, body: &[u8]) -> Result<Option<Entry>, DecodeError> {
        let entry = match self.parts.entries < self.limits.max_digest_entries {
            true => entry(body, self.limits, self.known)?,
            false => None,
        };
        self.parts.entries += usize::from(entry.is_some());
        self.parts.skipped += usize::from(entry.is_none());
        Ok(entry)
    }

    fn finish(self) -> Result<(Message, usize), DecodeError> {
        let Parts { kind, revision, lowest_revision, sender, run, .. } = self.parts;
        let kind = match kind {
            1 => Kind::Open,
            2 => Kind::Probe,
            3 => Kind::Answer,
            4 => Kind::More,
            _ => return Err(DecodeError::NoMessage),
        };
        if revision < LOWEST_REVISION || lowest_revision > REVISION {
            return Err(DecodeError::NoMessage);
        }
        let (sender, run) = sender.zip(run).ok_or(DecodeError::NoSender)?;
        let parts = self.parts;
        if !in_range(parts.counter) {
            return Err(DecodeError::NoSender);
        }
        let (delta, skipped): (Delta, usize) = parts.delta.finish();
        let message = Message {
            kind,
            revision,
            lowest_revision,
            sender,
            run,
            counter: parts.counter,
            fingerprint: parts.fingerprint,
            void_after_ms: parts.void_after_ms,
            known: parts.known,
            who: parts.who,
            own: parts.own,
            rumours: parts.rumours,
            sums: parts.sums,
            ranges: parts.ranges,
            wants: parts.wants,
            delta,
            ask: parts.ask,
            report: parts.report,
            cursor: parts.cursor,
            next: parts.next,
            more: parts.more,
        };
        Ok((message, parts.skipped + skipped))
    }
}

impl Parts {
    /// A field that is a number or a list of them.
    fn plain(&mut self, tag: u32, value: Value<'_>) -> Result<(), DecodeError> {
        match (tag, value) {
            (tag::message::KIND, Value::Varint(kind)) => self.kind = uint32(kind),
            (tag::message::REVISION, Value::Varint(revision)) => self.revision = uint32(revision),
            (tag::message::LOWEST_REVISION, Value::Varint(revision)) => self.lowest_revision = uint32(revision),
            (tag::message::SENDER, Value::Fixed(hash)) => self.sender = Some(NodeHash(hash)),
            (tag::message::RUN, Value::Varint(run)) => self.run = Run::new(uint32(run)),
            (tag::message::COUNTER, Value::Varint(counter)) => self.counter = counter,
            (tag::message::FINGERPRINT, Value::Fixed(fingerprint)) => self.fingerprint = fingerprint,
            (tag::message::VOID_AFTER_MS, Value::Varint(millis)) => self.void_after_ms = uint32(millis),
            (tag::message::KNOWN, Value::Varint(known)) => self.known = uint32(known),
            (tag::message::SUMS, Value::Bytes(bytes)) if bytes.len() == 4 * BUCKETS => {
                self.sums = bytes.chunks_exact(4).map(|four| uint32(number(four))).collect();
            }
            (tag::message::SUMS, Value::Bytes(_)) => self.skipped += 1,
            (tag::message::WANTS, Value::Bytes(bytes)) => {
                let room = MAX_WANTS.saturating_sub(self.wants.len());
                self.wants.extend(bytes.chunks_exact(8).map(|eight| NodeHash(number(eight))).take(room));
            }
            (tag::message::ASK, Value::Fixed(hash)) => self.ask = Some(NodeHash(hash)),
            (tag::message::CURSOR, Value::Fixed(hash)) => self.cursor = Some(NodeHash(hash)),
            (tag::message::WHO, Value::Varint(who)) => self.who = who != 0,
            (tag::message::NEXT, Value::Fixed(hash)) => self.next = Some(NodeHash(hash)),
            (tag::message::MORE, Value::Varint(more)) => self.more = more != 0,
            (tag::message::KIND..=tag::message::MORE, _) => return Err(DecodeError::NotProtobuf { message: MESSAGE }),
            _ => {}
        }
        Ok(())
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn entry(body: &[u8], limits: &DecodeLimits, known: KnownIds<'_>) -> Result<Option<Entry>, DecodeError> {
    let mut id = Cow::Borrowed(&[][..]);
    let (mut hash, mut run, mut life, mut status) = (NodeHash(0), None, 0, 0);
    let (mut seen_ms, mut failed_ms, mut max_version, mut last_gc_version) = (0, 0, 0, 0);
    read_fields("EntryPb", body, |tag, value| {
        match (tag, value) {
            (tag::entry::NODE_ID, Value::Bytes(bytes)) => add_piece(&mut id, bytes),
            (tag::entry::HASH, Value::Fixed(value)) => hash = NodeHash(value),
            (tag::entry::RUN, Value::Varint(value)) => run = Run::new(uint32(value)),
            (tag::entry::LIFE, Value::Varint(value)) => life = value,
            (tag::entry::STATUS, Value::Varint(value)) => status = uint32(value),
            (tag::entry::SEEN_MS, Value::Varint(value)) => seen_ms = value,
            (tag::entry::FAILED_MS, Value::Varint(value)) => failed_ms = value,
            (tag::entry::MAX_VERSION, Value::Varint(value)) => max_version = value,
            (tag::entry::LAST_GC_VERSION, Value::Varint(value)) => last_gc_version = value,
            (tag::entry::NODE_ID..=tag::entry::LAST_GC_VERSION, _) => {
                return Err(DecodeError::NotProtobuf { message: "EntryPb" });
            }
            _ => {}
        }
        Ok(())
    })?;
    let node = match id.is_empty() {
        true => Some(Named::Hash(hash)),
        false => find_node_id(&id, limits, known)?.map(|(id, _): (NodeId, _)| Named::Id(id)),
    };
    let status = match status {
        0 => Status::Live { seen_ms },
        1 => Status::Suspect { silent_ms: seen_ms, failed_ms },
        2 => Status::Dead { silent_ms: seen_ms, failed_ms },
        3 => Status::Left { seen_ms },
        _ => return Ok(None),
    };
    let is_in_range = [life, max_version, last_gc_version].iter().all(|number| in_range(*number));
    let parts = node.zip(run).filter(|_| is_in_range);
    Ok(parts.map(|(node, run)| Entry { node, run, life, status, max_version, last_gc_version }))
}

fn report(body: &[u8]) -> Result<Option<Report>, DecodeError> {
    let (mut target, mut outcome) = (None, None);
    read_fields("ReportPb", body, |tag, value| {
        match (tag, value) {
            (tag::report::TARGET, Value::Fixed(hash)) => target = Some(NodeHash(hash)),
            (tag::report::ALIVE_MS, Value::Varint(age_ms)) => outcome = Some(ProbeOutcome::Alive { age_ms }),
            (tag::report::FAILED_MS, Value::Varint(age_ms)) => outcome = Some(ProbeOutcome::Failed { age_ms }),
            (tag::report::TARGET..=tag::report::FAILED_MS, _) => {
                return Err(DecodeError::NotProtobuf { message: "ReportPb" });
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(target.zip(outcome).map(|(target, outcome)| Report { target, outcome }))
}

fn read_cluster_id(text: &[u8], limits: &DecodeLimits) -> Result<Arc<str>, DecodeError> {
    if text.len() > limits.max_name_bytes {
        return Err(DecodeError::ClusterIdTooLong { len: text.len(), limit: limits.max_name_bytes });
    }
    let text = core::str::from_utf8(text).map_err(|_| DecodeError::NotProtobuf { message: PACKET })?;
    match refused_char(text) {
        Some(character) => Err(DecodeError::ClusterIdRefused { character }),
        None => Ok(Arc::from(text)),
    }
}
