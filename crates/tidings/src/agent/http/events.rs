//! The last events, each rendered once for all the streams that send it.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use serde_json::{Value, json};
use tidings_tokio::{Cluster, Event, EventKind, NodeId, Subscription};
use tokio::sync::watch;

use super::json::ValueJson;

/// The most events that are kept.
const MAX_EVENTS: usize = 4_096;
/// The most bytes of them, as rendered.
const MAX_BYTES: usize = 16 << 20;
/// What a stream is given at a time, unless one event alone is longer.
const CHUNK_BYTES: usize = 32 << 10;

/// Where one node's events are read from, by any number of streams, each at its own pace.
pub(crate) struct EventLog {
    generation_id: u64,
    ring: Mutex<Ring>,
    /// Events that were gone when a stream came to them, summed over streams.
    pub(crate) missed: AtomicU64,
    /// Changes whenever there is more to read.
    news: watch::Sender<()>,
}

struct Ring {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Events up to this number can no longer be read.
    floor: u64,
    /// The number of the newest event, of any kind.
    last: u64,
    /// No event follows.
    ended: bool,
}

struct Entry {
    sequence: u64,
    node: NodeId,
    key: Option<Arc<str>>,
    frame: Bytes,
}

/// Which events a stream sends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Of this member only.
    pub(crate) member: Option<String>,
    /// Of the events about keys only those whose key begins so.
    pub(crate) key_prefix: Option<String>,
}

impl Filter {
    fn takes(&self, entry: &Entry) -> bool {
        self.member.as_deref().is_none_or(|name| entry.node.name() == name)
            && match (&self.key_prefix, &entry.key) {
                (Some(prefix), Some(key)) => key.starts_with(prefix),
                _ => true,
            }
    }
}

/// What there is to read after some event.
#[derive(Debug, PartialEq)]
pub(crate) enum Read {
    /// Frames to send, none if all were filtered out; the events up to `sequence` are done with.
    Frames { frames: Bytes, sequence: u64 },
    /// So many events are gone; what is left begins after `sequence`.
    Lagged { missed: u64, sequence: u64 },
    /// Nothing yet.
    Nothing,
    /// Nothing any more: the node has stopped.
    End,
}

/// Where a stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// After this event.
    After(u64),
    /// The event that was asked for is none of this run's: after this one, and the reader is told.
    Lost(u64),
}

impl EventLog {
    /// Follows the node's events until it stops, in a task of its own that keeps neither node nor log.
    pub(crate) fn follow(cluster: &Cluster) -> Arc<EventLog> {
        let events = cluster.subscribe();
        let sequence = events.snapshot().sequence;
        let log = Arc::new(EventLog::new(cluster.id().generation_id(), sequence));
        tokio::spawn(follow(events, Arc::clone(&log)));
        log
    }

    fn new(generation_id: u64, sequence: u64) -> EventLog {
        let ring = Ring { entries: VecDeque::new(), bytes: 0, floor: sequence, last: sequence, ended: false };
        EventLog { generation_id, ring: Mutex::new(ring), missed: AtomicU64::new(0), news: watch::Sender::new(()) }
    }

    /// Tells when there is more to read.
    pub(crate) fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    /// Where to begin: after the newest event, or after the one that a reader has seen last, given as its id or its
    /// bare number. `None`: that is neither. `newest` is the node's newest event, which may be on its way here.
    pub(crate) fn start(&self, seen: Option<&str>, newest: u64) -> Option<Start> {
        let Some(seen) = seen else { return Some(Start::After(newest)) };
        let (generation_id, sequence) = match seen.split_once('-') {
            Some((generation_id, sequence)) => (number(generation_id)?, number(sequence)?),
            None => (self.generation_id, number(seen)?),
        };
        let is_ours = generation_id == self.generation_id && sequence <= newest;
        Some(if is_ours { Start::After(sequence) } else { Start::Lost(newest) })
    }

    pub(crate) fn read(&self, after: u64, filter: &Filter) -> Read {
        let ring = self.lock();
        if after < ring.floor {
            return Read::Lagged { missed: ring.floor - after, sequence: ring.floor };
        }
        if after >= ring.last {
            return if ring.ended { Read::End } else { Read::Nothing };
        }
        let first = ring.entries.partition_point(|entry| entry.sequence <= after);
        let mut chunk = Chunk::default();
        for entry in ring.entries.range(first..) {
            if filter.takes(entry) && !chunk.push(&entry.frame) {
                return Read::Frames { frames: chunk.into_bytes(), sequence: entry.sequence - 1 };
            }
        }
        Read::Frames { frames: chunk.into_bytes(), sequence: ring.last }
    }

    /// What tells a reader that its picture is no longer whole.
    pub(crate) fn lagged(&self, missed: Option<u64>, sequence: u64) -> Bytes {
        let detail = "events are missing here: read /v1/state again; those after its sequence follow";
        self.frame("lagged", sequence, &json!({"missed": missed, "sequence": sequence, "detail": detail}))
    }

    /// A comment, and the number of an event after which a reader can go on. It starts no event in a browser.
    pub(crate) fn comment(&self, text: &str, sequence: u64) -> Bytes {
        format!(": {text}\nid: {}-{sequence}\n\n", self.generation_id).into()
    }

    fn frame(&self, event: &str, sequence: u64, data: &Value) -> Bytes {
        format!("event: {event}\nid: {}-{sequence}\ndata: {data}\n\n", self.generation_id).into()
    }

    fn push(&self, event: &Event, at_ms: u64) {
        let entry = describe(&event.kind, at_ms).map(|(name, node, key, data)| {
            let (node, key) = (node.clone(), key.cloned());
            Entry { sequence: event.sequence, node, key, frame: self.frame(name, event.sequence, &data) }
        });
        let mut ring = self.lock();
        ring.last = event.sequence;
        if let Some(entry) = entry {
            ring.push(entry);
        }
        drop(ring);
        self.news.send_replace(());
    }

    /// Events are missing between the last one and `next`.
    fn lose_all_before(&self, next: u64) {
        let mut ring = self.lock();
        ring.entries.clear();
        ring.bytes = 0;
        ring.floor = next.saturating_sub(1).max(ring.last);
        ring.last = ring.floor;
    }

    fn end(&self) {
        self.lock().ended = true;
        self.news.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn push(&mut self, entry: Entry) {
        self.bytes += entry.frame.len();
        self.entries.push_back(entry);
        while self.entries.len() > MAX_EVENTS || self.bytes > MAX_BYTES {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.bytes -= oldest.frame.len();
            self.floor = oldest.sequence;
        }
    }
}

/// Frames on their way to one reader. One that is long is shared with the log, not copied.
#[derive(Default)]
struct Chunk {
    first: Bytes,
    rest: Vec<u8>,
}

impl Chunk {
    /// False: it does not fit.
    fn push(&mut self, frame: &Bytes) -> bool {
        if self.first.is_empty() {
            self.first = frame.clone();
            return true;
        }
        let held = if self.rest.is_empty() { self.first.len() } else { self.rest.len() };
        if held + frame.len() > CHUNK_BYTES {
            return false;
        }
        if self.rest.is_empty() {
            self.rest.extend_from_slice(&self.first);
        }
        self.rest.extend_from_slice(frame);
        true
    }

    fn into_bytes(self) -> Bytes {
        if self.rest.is_empty() { self.first } else { self.rest.into() }
    }
}

async fn follow(mut events: Subscription, log: Arc<EventLog>) {
    let mut lost = false;
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if std::mem::take(&mut lost) {
                    log.lose_all_before(event.sequence);
                }
                log.push(&event, now_ms());
            }
            Err(_) => lost = true,
        }
    }
    log.end();
}

/// The event's name in the API, whom and which key it is about, and its data. `None`: it is not told of there.
fn describe(kind: &EventKind, at_ms: u64) -> Option<(&'static str, &NodeId, Option<&Arc<str>>, Value)> {
    let member = |name, node| Some((name, node, None, member_json(node, at_ms)));
    match kind {
        EventKind::NodeJoined { node } => member("member-live", node),
        EventKind::NodeDied { node } => member("member-dead", node),
        EventKind::NodeLeft { node } => member("member-left", node),
        EventKind::NodeForgotten { node } => member("member-forgotten", node),
        EventKind::NodeRestarted { old, new } => {
            let mut data = member_json(new, at_ms);
            data["previous_generation_id"] = old.generation_id().into();
            Some(("member-restarted", new, None, data))
        }
        EventKind::NodeMoved { old, new } => {
            let mut data = member_json(new, at_ms);
            data["previous_generation_id"] = old.generation_id().into();
            data["previous_address"] = old.gossip_advertise_addr().to_string().into();
            Some(("member-moved", new, None, data))
        }
        EventKind::NameRefused { node, other } => {
            let mut data = member_json(node, at_ms);
            data["refused"] = json!({
                "generation_id": other.generation_id(), "address": other.gossip_advertise_addr().to_string(),
                "tls_name": other.tls_name(),
            });
            Some(("name-refused", node, None, data))
        }
        EventKind::KeyChanged { node, key, old, new } => {
            let name = if new.is_readable() { "key-changed" } else { "key-deleted" };
            let new = ValueJson::of(new);
            let data = json!({
                "name": node.name(), "generation_id": node.generation_id(), "key": &**key, "value": new.value, "version": new.version, "status": new.status,
                "previous": old.as_ref().map(ValueJson::of), "at_ms": at_ms,
            });
            Some((name, node, Some(key), data))
        }
        _ => None,
    }
}

fn member_json(node: &NodeId, at_ms: u64) -> Value {
    let address = node.gossip_advertise_addr().to_string();
    json!({"name": node.name(), "generation_id": node.generation_id(), "address": address, "at_ms": at_ms})
}

/// Digits alone: no sign, no space.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Milliseconds since 1970 on the wall clock.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
