//! What happened, as a hash and, if wanted, as lines to read.

use std::fmt::{self, Write as _};
use std::io::Write;

use tidings_core::Instant;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// One thing that happened to one node.
#[derive(Clone, Copy)]
pub(crate) enum Note<'a> {
    Started { generation: u64 },
    Crashed,
    Paused,
    Resumed,
    Timer,
    Accepted { from: usize },
    Sent { to: usize, packet: &'a [u8], lost: bool },
    Received { from: usize, packet: &'a [u8], is_copy: bool },
    Rejected { reason: &'a dyn fmt::Display },
    Closed { peer: usize, outcome: tidings_core::Outcome },
    Told { event: &'a tidings_core::EventKind },
    Command { what: &'a dyn fmt::Display },
}

/// The history of one run. The hash stands for every step of it, packets and all.
pub(crate) struct Trace {
    hash: Xxh3,
    /// Where a note's text is written to be hashed; kept, so that it is not made anew each time.
    text: String,
    sink: Option<Box<dyn Write + Send>>,
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace({:016x})", self.hash())
    }
}

impl Trace {
    pub(crate) fn new() -> Trace {
        Trace { hash: Xxh3::new(), text: String::new(), sink: None }
    }

    pub(crate) fn write_to(&mut self, sink: Box<dyn Write + Send>) {
        self.sink = Some(sink);
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash.digest()
    }

    pub(crate) fn note(&mut self, now: Instant, node: usize, note: Note<'_>) {
        let (kind, a, b) = note.numbers(&mut self.text);
        let mut bytes = [0; 40];
        for (place, number) in bytes.chunks_exact_mut(8).zip([now.as_nanos(), node as u64, kind, a, b]) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        self.hash.update(&bytes);
        if let Some(sink) = &mut self.sink {
            // A trace that cannot be written must not change the run.
            let _ = writeln!(sink, "{now:?} {node:>4} {note}");
        }
    }
}

impl Note<'_> {
    /// What the note stands for in the hash; its text, if it has one, is written to `buffer`.
    fn numbers(&self, buffer: &mut String) -> (u64, u64, u64) {
        let mut text = |what: &dyn fmt::Display| {
            buffer.clear();
            // Writing to a String does not fail.
            let _ = write!(buffer, "{what}");
            xxh3_64(buffer.as_bytes())
        };
        match *self {
            Note::Started { generation } => (1, generation, 0),
            Note::Crashed => (2, 0, 0),
            Note::Paused => (3, 0, 0),
            Note::Resumed => (4, 0, 0),
            Note::Timer => (5, 0, 0),
            Note::Accepted { from } => (6, from as u64, 0),
            Note::Sent { to, packet, lost } => (8 + u64::from(lost), to as u64, xxh3_64(packet)),
            Note::Received { from, packet, is_copy } => (10 + u64::from(is_copy), from as u64, xxh3_64(packet)),
            Note::Rejected { reason } => (12, text(reason), 0),
            Note::Closed { peer, outcome } => (13, peer as u64, outcome as u64),
            Note::Told { event } => (14, text(event), 0),
            Note::Command { what } => (15, text(what), 0),
        }
    }
}

impl fmt::Display for Note<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Started { generation } => write!(f, "starts, generation {generation}"),
            Note::Crashed => f.write_str("crashes"),
            Note::Paused => f.write_str("is paused"),
            Note::Resumed => f.write_str("goes on"),
            Note::Timer => f.write_str("wakes"),
            Note::Accepted { from } => write!(f, "accepts node {from}"),
            Note::Sent { to, packet, lost } => {
                write!(f, "sends {} to node {to}{}", PacketText(packet), if *lost { ", lost" } else { "" })
            }
            Note::Received { from, packet, is_copy } => {
                write!(
                    f,
                    "receives {} from node {from}{}",
                    PacketText(packet),
                    if *is_copy { ", once more" } else { "" }
                )
            }
            Note::Rejected { reason } => write!(f, "rejects it: {reason}"),
            Note::Closed { peer, outcome } => write!(f, "closes with node {peer}: {outcome:?}"),
            Note::Told { event } => write!(f, "tells: {event}"),
            Note::Command { what } => write!(f, "is told: {what}"),
        }
    }
}

/// A packet's bytes as one readable line, through `Display`.
#[derive(Clone, Copy, Debug)]
pub struct PacketText<'a>(pub &'a [u8]);

impl fmt::Display for PacketText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use tidings_core::wire::aiocluster::{self, Message};
        let decoded = match aiocluster::decode(self.0, &tidings_core::DecodeLimits::default()) {
            Ok(decoded) => decoded.packet.message,
            Err(error) => return write!(f, "{} bytes, {error}", self.0.len()),
        };
        let (digest, delta) = match &decoded {
            Message::Syn { digest } => (Some(digest), None),
            Message::SynAck { digest, delta } => (Some(digest), Some(delta)),
            Message::Ack { delta } => (None, Some(delta)),
            Message::BadCluster => (None, None),
        };
        let name = match &decoded {
            Message::Syn { .. } => "Syn",
            Message::SynAck { .. } => "SynAck",
            Message::Ack { .. } => "Ack",
            Message::BadCluster => "BadCluster",
        };
        write!(f, "{name} of {} bytes", self.0.len())?;
        for entry in digest.iter().flat_map(|digest| &digest.entries) {
            let (gc, version) = (entry.last_gc_version, entry.complete_version());
            write!(f, " [{} beat {} at {gc}..{version}]", entry.node_id.name(), entry.heartbeat)?;
        }
        for news in delta.iter().flat_map(|delta| &delta.node_deltas) {
            let (from, gc) = (news.from_version_excluded, news.last_gc_version);
            write!(f, " {{{} from {from} gc {gc} to {:?}:", news.node_id.name(), news.max_version)?;
            for update in &news.key_values {
                write!(f, " {}@{}", update.key, update.version)?;
            }
            f.write_str("}")?;
        }
        Ok(())
    }
}
