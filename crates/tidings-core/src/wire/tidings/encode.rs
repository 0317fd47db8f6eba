//! Bytes from typed values.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::id::encoded::{put_nested, put_optional, put_string, put_uint, put_varint};
use crate::wire::aiocluster::encode::Writer;
use crate::wire::tidings::{Entry, Kind, Message, Named, NodeHash, Packet, ProbeOutcome, Range, Report, Status, tag};

/// The packet's bytes, without the length that stands before them on a stream.
#[must_use]
pub fn encode(packet: &Packet) -> Bytes {
    let body = message(&packet.message);
    let mut out = Vec::with_capacity(body.len() + packet.cluster_id.len() + 12);
    put_string(&mut out, tag::CLUSTER_ID, &packet.cluster_id);
    nested(&mut out, tag::TIDINGS, &body);
    Bytes::from(out)
}

/// What an entry adds to a list of them, at most, in bytes.
pub(crate) fn entry_len(entry: &Entry) -> usize {
    // Its field's number, and up to two bytes of length.
    entry_body(entry).len() + 3
}

fn message(message: &Message) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    put_uint(&mut out, tag::message::KIND, kind_number(message.kind));
    put_uint(&mut out, tag::message::REVISION, message.revision.into());
    put_uint(&mut out, tag::message::LOWEST_REVISION, message.lowest_revision.into());
    put_hash(&mut out, tag::message::SENDER, message.sender);
    put_uint(&mut out, tag::message::RUN, message.run.number().into());
    put_uint(&mut out, tag::message::COUNTER, message.counter);
    put_hash(&mut out, tag::message::FINGERPRINT, NodeHash(message.fingerprint));
    put_uint(&mut out, tag::message::VOID_AFTER_MS, message.void_after_ms.into());
    put_uint(&mut out, tag::message::KNOWN, message.known.into());
    if let Some(own) = &message.own {
        nested(&mut out, tag::message::OWN, &entry_body(own));
    }
    for rumour in &message.rumours {
        nested(&mut out, tag::message::RUMOURS, &entry_body(rumour));
    }
    if !message.sums.is_empty() {
        put_nested(&mut out, tag::message::SUMS, 4 * message.sums.len());
        message.sums.iter().for_each(|sum| out.extend_from_slice(&sum.to_le_bytes()));
    }
    for range in &message.ranges {
        nested(&mut out, tag::message::RANGES, &range_body(range));
    }
    if !message.wants.is_empty() {
        put_nested(&mut out, tag::message::WANTS, 8 * message.wants.len());
        message.wants.iter().for_each(|hash| out.extend_from_slice(&hash.0.to_le_bytes()));
    }
    if !message.delta.node_deltas.is_empty() {
        let mut delta = Writer::default();
        delta.delta_body(&message.delta);
        nested(&mut out, tag::message::DELTA, &delta.0);
    }
    if let Some(ask) = message.ask {
        put_hash(&mut out, tag::message::ASK, ask);
    }
    if let Some(report) = &message.report {
        nested(&mut out, tag::message::REPORT, &report_body(report));
    }
    if let Some(cursor) = message.cursor {
        put_hash(&mut out, tag::message::CURSOR, cursor);
    }
    put_uint(&mut out, tag::message::WHO, message.who.into());
    if let Some(next) = message.next {
        put_hash(&mut out, tag::message::NEXT, next);
    }
    put_uint(&mut out, tag::message::MORE, message.more.into());
    out
}

fn entry_body(entry: &Entry) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    match &entry.node {
        Named::Id(id) => out.extend_from_slice(id.encoded_field()),
        Named::Hash(hash) => put_hash(&mut out, tag::entry::HASH, *hash),
    }
    put_uint(&mut out, tag::entry::RUN, entry.run.number().into());
    put_uint(&mut out, tag::entry::LIFE, entry.life);
    let (status, seen_ms, failed_ms) = match entry.status {
        Status::Live { seen_ms } => (0, seen_ms, 0),
        Status::Suspect { silent_ms, failed_ms } => (1, silent_ms, failed_ms),
        Status::Dead { silent_ms, failed_ms } => (2, silent_ms, failed_ms),
        Status::Left { seen_ms } => (3, seen_ms, 0),
    };
    put_uint(&mut out, tag::entry::STATUS, status);
    put_uint(&mut out, tag::entry::SEEN_MS, seen_ms);
    put_uint(&mut out, tag::entry::FAILED_MS, failed_ms);
    put_uint(&mut out, tag::entry::MAX_VERSION, entry.max_version);
    put_uint(&mut out, tag::entry::LAST_GC_VERSION, entry.last_gc_version);
    out
}

fn range_body(range: &Range) -> Vec<u8> {
    let mut out = Vec::new();
    put_hash(&mut out, tag::range::FROM, range.from);
    put_hash(&mut out, tag::range::TO, range.to);
    for entry in &range.entries {
        nested(&mut out, tag::range::ENTRIES, &entry_body(entry));
    }
    out
}

fn report_body(report: &Report) -> Vec<u8> {
    let mut out = Vec::new();
    put_hash(&mut out, tag::report::TARGET, report.target);
    match report.outcome {
        ProbeOutcome::Alive { age_ms } => put_optional(&mut out, tag::report::ALIVE_MS, Some(age_ms)),
        ProbeOutcome::Failed { age_ms } => put_optional(&mut out, tag::report::FAILED_MS, Some(age_ms)),
    }
    out
}

fn kind_number(kind: Kind) -> u64 {
    match kind {
        Kind::Open => 1,
        Kind::Probe => 2,
        Kind::Answer => 3,
        Kind::More => 4,
    }
}

fn nested(out: &mut Vec<u8>, tag: u32, body: &[u8]) {
    put_nested(out, tag, body.len());
    out.extend_from_slice(body);
}

/// Eight bytes, the lowest first.
fn put_hash(out: &mut Vec<u8>, tag: u32, hash: NodeHash) {
    const FIXED64: u64 = 1;
    put_varint(out, u64::from(tag) << 3 | FIXED64);
    out.extend_from_slice(&hash.0.to_le_bytes());
}
