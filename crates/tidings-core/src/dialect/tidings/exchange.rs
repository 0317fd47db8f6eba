//! The messages of an exchange, made and taken in.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use crate::id::NodeId;
use crate::knowledge::{Knowledge, Moment};
use crate::reconcile::{Budget, Delta, Known, News, news_of, pack};
use crate::wire::aiocluster::size::Sizes;
use crate::wire::tidings::{
    Entry, Kind, LOWEST_REVISION, Message, Named, NodeHash, Packet, ProbeOutcome, REVISION, Range, encode, entry_len,
};

use super::hear::Heard;
use super::{From, Purpose, Tidings, rumours};

/// The longest message, but for key-values and those who join.
const USUAL: usize = 1_200;

/// What a message holds beside its lists, at most.
const ENVELOPE: usize = 100;

/// Key-values that are told on as news take no more of a message than this.
const NEWS_KEYS: usize = 480;

/// A piece of a table for one who joins, or is far behind.
const PIECE: usize = 24 << 10;

/// Who differs in more buckets than this is far behind.
const FAR_BEHIND: usize = 24;

/// Where a table's service is used up, one who joins is sent so many nodes to ask instead.
const PASSED_ON_TO: usize = 12;

/// What is to be done with an exchange after a message.
pub(crate) struct Step {
    pub(crate) message: Option<Message>,
    pub(crate) reads_on: bool,
}

impl Tidings {
    fn blank(&self, knowledge: &mut Knowledge, kind: Kind) -> Message {
        knowledge.own.heartbeat += 1;
        Message {
            kind,
            revision: REVISION,
            lowest_revision: LOWEST_REVISION,
            sender: self.own,
            run: knowledge.run,
            counter: knowledge.own.heartbeat,
            fingerprint: self.table.fingerprint(),
            void_after_ms: 0,
            known: 0,
            who: false,
            own: None,
            rumours: Vec::new(),
            sums: Vec::new(),
            ranges: Vec::new(),
            wants: Vec::new(),
            delta: Delta::default(),
            ask: None,
            report: None,
            cursor: None,
            next: None,
            more: false,
        }
    }

    /// The bytes of a message. Who introduces itself says of which cluster it is.
    pub(crate) fn packet(&self, knowledge: &mut Knowledge, message: Message) -> Bytes {
        let cluster_id = if message.own.is_some() { knowledge.cluster_id.clone() } else { Arc::default() };
        let mut packet = Packet { cluster_id, message };
        let mut bytes = encode(&packet);
        // Lists are made to fit, each by itself; a large value may leave no room for the others.
        while bytes.len() > knowledge.config.max_payload_size && shorten(&mut packet.message) {
            bytes = encode(&packet);
        }
        let stats = &mut knowledge.stats;
        stats.bytes_sent += bytes.len() as u64;
        stats.max_packet_bytes_sent = stats.max_packet_bytes_sent.max(bytes.len() as u64);
        bytes
    }

    /// What opens an exchange. `is_known`: who is dialled knows this node by its hash, as far as can be told.
    pub(crate) fn open(
        &mut self,
        knowledge: &mut Knowledge,
        at: Moment,
        purpose: Purpose,
        is_known: bool,
        void_after: Duration,
    ) -> Bytes {
        let kind = match purpose {
            Purpose::Probe(_) | Purpose::Relay { .. } => Kind::Probe,
            _ => Kind::Open,
        };
        let mut message = self.blank(knowledge, kind);
        message.void_after_ms = u32::try_from(void_after.as_millis()).unwrap_or(u32::MAX);
        if !is_known {
            message.own = Some(self.own_entry(knowledge, true));
        }
        match purpose {
            Purpose::Ask { target } => message.ask = Some(target),
            Purpose::Report { target, is_alive, at: then } => {
                message.report = Some(Tidings::report_of(target, is_alive, then, at.now));
            }
            Purpose::Round(_) | Purpose::Try => {
                message.known = u32::try_from(self.table.live()).unwrap_or(u32::MAX);
                message.cursor = self.cursor;
            }
            Purpose::Farewell => self.rumours.tell_keys(self.own, 0),
            _ => {}
        }
        if kind == Kind::Open {
            message.more = self.has_more();
            self.tell_news(knowledge, at, &mut message, false);
        }
        self.packet(knowledge, message)
    }

    /// Tells news, the least told first; and of suspects, each time until there is a verdict.
    fn tell_news(&mut self, knowledge: &mut Knowledge, at: Moment, message: &mut Message, is_aged: bool) {
        let most = rumours::times(self.table.live());
        let own_len = message.own.as_ref().map_or(0, entry_len);
        let taken = own_len + 4 * message.sums.len() + 8 * message.wants.len();
        let mut room = USUAL.saturating_sub(ENVELOPE + knowledge.cluster_id.len() + taken);
        let mut keys_room = NEWS_KEYS.min(room / 2);
        let mut told = Vec::new();
        for (hash, rumour) in self.rumours.iter().take(256) {
            if room < 40 {
                break;
            }
            let mut is_told = false;
            if rumour.is_entry && (is_aged || !rumour.is_aged) {
                let entry = self.entry(knowledge, at, hash, rumour.is_in_full);
                let len = entry.as_ref().map_or(0, entry_len);
                if len <= room {
                    room -= len;
                    message.rumours.extend(entry);
                    is_told = true;
                }
            }
            if let Some(keys_from) = rumour.keys_from {
                let (delta, len) = self.keys_above(knowledge, hash, keys_from, keys_room.min(room));
                is_told |= !delta.node_deltas.is_empty() || !rumour.is_entry;
                message.delta.node_deltas.extend(delta.node_deltas);
                room = room.saturating_sub(len);
                keys_room = keys_room.saturating_sub(len);
            }
            if is_told {
                told.push(hash);
            }
        }
        if is_aged {
            let suspects: Vec<NodeHash> = self.cases.suspects().map(NodeHash).collect();
            for hash in suspects.into_iter().filter(|hash| !told.contains(hash)) {
                let Some(entry) = self.entry(knowledge, at, hash, false) else { continue };
                let len = entry_len(&entry);
                if len > room {
                    break;
                }
                room -= len;
                message.rumours.push(entry);
            }
        }
        told.into_iter().for_each(|hash| self.rumours.told(hash, most));
    }

    /// The small news of a node's key-values.
    fn keys_above(&self, knowledge: &mut Knowledge, hash: NodeHash, from: u64, room: usize) -> (Delta, usize) {
        let Knowledge { config, run, own, members, random, .. } = knowledge;
        let (id, run, state) = if hash == self.own {
            (&config.node_id, Some(*run), &**own.state())
        } else {
            let Some((id, peer)) = self.table.id_of(hash).and_then(|id| Some((id, members.get(id)?))) else {
                return (Delta::default(), 0);
            };
            (id, peer.run(), &*peer.state)
        };
        let known = Known { complete_version: from, last_gc_version: state.last_gc_version() };
        let news: Vec<News<'_>> = news_of(id, run, state, Some(known)).into_iter().collect();
        let packed = pack(&news, Budget::of(room), &Sizes, random);
        (packed.delta, packed.len)
    }

    /// Takes in a message that opens an exchange, and answers it.
    pub(crate) fn answer(&mut self, knowledge: &mut Knowledge, at: Moment, from: From<'_>, message: &Message) -> Step {
        self.take(knowledge, at, from, message, true);
        let mut answer = self.blank(knowledge, Kind::Answer);
        if message.own.is_some() {
            answer.own = Some(self.own_entry(knowledge, true));
        }
        if message.kind == Kind::Probe {
            return Step { message: Some(answer), reads_on: false };
        }
        let is_regular = message.known > 0;
        if is_regular && let Some(cursor) = message.cursor {
            self.serve(knowledge, at, cursor, &mut answer);
        } else if is_regular && message.fingerprint != answer.fingerprint {
            answer.sums = self.table.sums();
        }
        if answer.next.is_none() {
            self.tell_news(knowledge, at, &mut answer, true);
        }
        let reads_on = message.more || !answer.sums.is_empty() || answer.next.is_some();
        Step { message: Some(answer), reads_on }
    }

    /// The answer to one who is not known: it is to say who it is.
    pub(crate) fn who_are_you(&mut self, knowledge: &mut Knowledge) -> Message {
        let own = self.own_entry(knowledge, true);
        Message { who: true, own: Some(own), ..self.blank(knowledge, Kind::Answer) }
    }

    /// Goes on with an exchange that this node opened.
    pub(crate) fn go_on(
        &mut self,
        knowledge: &mut Knowledge,
        at: Moment,
        from: From<'_>,
        message: &Message,
        was_announced: bool,
    ) -> Step {
        let heard = self.take(knowledge, at, from, message, message.kind == Kind::Answer);
        let mut more = self.blank(knowledge, Kind::More);
        if message.who {
            more.own = Some(self.own_entry(knowledge, true));
            more.known = u32::try_from(self.table.live()).unwrap_or(u32::MAX);
            more.cursor = self.cursor;
            self.tell_news(knowledge, at, &mut more, true);
            return Step { message: Some(more), reads_on: true };
        }
        if !message.sums.is_empty() {
            self.show_differing(knowledge, at, &message.sums, &mut more);
            self.tell_news(knowledge, at, &mut more, true);
            return Step { message: Some(more), reads_on: true };
        }
        if self.cursor.is_some() && message.kind != Kind::More || message.next.is_some() {
            let is_progress = message.next > self.cursor;
            self.cursor = message.next.filter(|_| is_progress).or(self.cursor.filter(|_| message.next.is_some()));
            if is_progress {
                more.cursor = self.cursor;
                return Step { message: Some(more), reads_on: true };
            }
        } else if self.cursor.is_some() {
            self.cursor = None;
        }
        if !message.wants.is_empty() {
            self.give(knowledge, at, message, &mut more);
            return Step { message: Some(more), reads_on: false };
        }
        if was_announced && message.kind == Kind::Answer {
            self.tell_news(knowledge, at, &mut more, true);
            return Step { message: Some(more), reads_on: false };
        }
        let _ = heard;
        Step { message: None, reads_on: false }
    }

    /// Goes on with an exchange that the other side opened.
    pub(crate) fn reply(&mut self, knowledge: &mut Knowledge, at: Moment, from: From<'_>, message: &Message) -> Step {
        self.take(knowledge, at, from, message, false);
        let mut more = self.blank(knowledge, Kind::More);
        if let Some(cursor) = message.cursor {
            self.serve(knowledge, at, cursor, &mut more);
            let reads_on = more.next.is_some();
            return Step { message: Some(more), reads_on };
        }
        if !message.ranges.is_empty() {
            self.compare(knowledge, at, from, message, &mut more);
            let reads_on = !more.wants.is_empty();
            return Step { message: Some(more), reads_on };
        }
        Step { message: None, reads_on: false }
    }

    /// What every message may hold. `is_news`: what is new is passed on.
    fn take(
        &mut self,
        knowledge: &mut Knowledge,
        at: Moment,
        from: From<'_>,
        message: &Message,
        is_news: bool,
    ) -> Heard {
        let mut heard = Heard::default();
        self.hear_sender(knowledge, at, from, message);
        if message.fingerprint == self.table.fingerprint() {
            self.rumours.known_elsewhere(rumours::times(self.table.live()));
        }
        // A table in pieces, and what is told behind the answer, was asked for: others ask for themselves.
        let is_news = is_news && message.next.is_none();
        for entry in &message.rumours {
            self.hear_entry(knowledge, at, from, entry, is_news, &mut heard);
        }
        self.hear_delta(knowledge, at, from, &message.delta, is_news);
        if let Some(target) = message.ask {
            self.relay(knowledge, target, from.hash);
        }
        if let Some(report) = &message.report {
            let age_ms = match report.outcome {
                ProbeOutcome::Alive { age_ms } | ProbeOutcome::Failed { age_ms } => age_ms,
            };
            let is_alive = matches!(report.outcome, ProbeOutcome::Alive { .. });
            self.hear_report_of_probe(knowledge, at, from, report.target, is_alive, age_ms);
        }
        heard
    }

    // ---- reconciliation ----

    /// Shows all that is known in the buckets that differ, as far as it fits, beginning at a random one.
    fn show_differing(&mut self, knowledge: &mut Knowledge, at: Moment, sums: &[u32], more: &mut Message) {
        let mut buckets = self.table.differing(sums);
        let is_far = buckets.len() > FAR_BEHIND;
        let mut room = if is_far { PIECE.min(knowledge.config.max_payload_size / 2) } else { USUAL - ENVELOPE };
        let first = knowledge.random.index(buckets.len());
        buckets.rotate_left(first);
        // Who is far behind asks several at once, and each for another part.
        if is_far {
            buckets.truncate(buckets.len() / 2);
        }
        for bucket in buckets {
            let (from, mut to) = NodeHash::range_of(bucket);
            let mut entries = Vec::new();
            let mut len = 24;
            for (hash, _) in self.table.counted(from, to) {
                let Some(entry) = self.entry(knowledge, at, hash, false) else { continue };
                len += entry_len(&entry);
                if len > room {
                    to = NodeHash(hash.0.saturating_sub(1));
                    break;
                }
                entries.push(entry);
            }
            if len > room && entries.is_empty() {
                break;
            }
            more.ranges.push(Range { from, to, entries });
            room = room.saturating_sub(len);
            if room < 24 {
                break;
            }
        }
    }

    /// Compares what the sender has in some ranges with what is known here: tells what it lacks, and what is wanted.
    fn compare(
        &mut self,
        knowledge: &mut Knowledge,
        at: Moment,
        from: From<'_>,
        message: &Message,
        more: &mut Message,
    ) {
        let is_far = message.ranges.len() > FAR_BEHIND;
        let mut room = if is_far { PIECE.min(knowledge.config.max_payload_size / 3) } else { USUAL - ENVELOPE };
        let mut heard = Heard::default();
        let mut lacking: Vec<(NodeHash, Option<Known>)> = Vec::new();
        for range in &message.ranges {
            let theirs: BTreeMap<NodeHash, &Entry> = range
                .entries
                .iter()
                .filter_map(|entry| match &entry.node {
                    Named::Hash(hash) => Some((*hash, entry)),
                    Named::Id(_) => None,
                })
                .collect();
            for entry in theirs.values() {
                self.hear_entry(knowledge, at, from, entry, false, &mut heard);
            }
            let own: Vec<NodeHash> = self.table.counted(range.from, range.to).map(|(hash, _)| hash).collect();
            // Of what is dead here and has faded, one who takes it for live is told all the same.
            let faded = theirs.keys().filter(|hash| !own.contains(hash) && self.id_of(knowledge, **hash).is_some());
            for hash in own.iter().copied().chain(faded.copied()) {
                let entry_of_theirs = theirs.get(&hash);
                let Some(ours) = self.entry(knowledge, at, hash, entry_of_theirs.is_none()) else { continue };
                let differs = entry_of_theirs.is_none_or(|theirs| !says_the_same(theirs, &ours));
                let is_ahead = |known: &Known| {
                    ours.max_version > known.complete_version || ours.last_gc_version > known.last_gc_version
                };
                let known = entry_of_theirs.map(|theirs| Known {
                    complete_version: theirs.max_version,
                    last_gc_version: theirs.last_gc_version,
                });
                if ours.max_version > 0 && hash != from.hash && known.as_ref().is_none_or(is_ahead) {
                    lacking.push((hash, known));
                }
                let is_wanted = heard.wants.contains(&hash);
                if differs || is_wanted {
                    let len = entry_len(&ours);
                    if len > room {
                        continue;
                    }
                    room -= len;
                    more.rumours.push(ours);
                }
            }
        }
        heard.wants.truncate(room / 8);
        more.wants = heard.wants;
        more.delta = self.keys_of(knowledge, lacking);
    }

    /// What the sender asked for, of those nodes.
    fn give(&mut self, knowledge: &mut Knowledge, at: Moment, message: &Message, more: &mut Message) {
        let mut room = if message.wants.len() > 64 { PIECE } else { USUAL - ENVELOPE };
        let mut lacking = Vec::new();
        let shown: BTreeMap<NodeHash, &Entry> = message
            .rumours
            .iter()
            .filter_map(|entry| match &entry.node {
                Named::Hash(hash) => Some((*hash, entry)),
                Named::Id(_) => None,
            })
            .collect();
        for hash in &message.wants {
            let theirs = shown.get(hash);
            let Some(ours) = self.entry(knowledge, at, *hash, theirs.is_none()) else { continue };
            let len = entry_len(&ours);
            if len <= room {
                room -= len;
                more.rumours.push(ours);
            }
            let known = theirs
                .map(|theirs| Known { complete_version: theirs.max_version, last_gc_version: theirs.last_gc_version });
            lacking.push((*hash, known));
        }
        more.delta = self.keys_of(knowledge, lacking);
    }

    /// The key-values of these nodes above what is known of them, as far as a packet has room.
    fn keys_of(&self, knowledge: &mut Knowledge, lacking: Vec<(NodeHash, Option<Known>)>) -> Delta {
        let room = knowledge.config.max_payload_size.saturating_sub(PIECE + USUAL).max(512);
        let Knowledge { config, run, own, members, random, stats, .. } = knowledge;
        let mut news: Vec<News<'_>> = Vec::new();
        for (hash, known) in lacking {
            if hash == self.own {
                news.extend(news_of(&config.node_id, Some(*run), own.state(), known));
            } else if let Some((id, peer)) = self.table.id_of(hash).and_then(|id| Some((id, members.get(id)?))) {
                news.extend(news_of(id, peer.run(), &peer.state, known));
            }
        }
        // A single value may be as large as a packet that holds nothing else.
        let single = config.max_payload_size.saturating_sub(ENVELOPE);
        let packed = pack(&news, Budget { usual: room, single: single.max(room) }, &Sizes, random);
        stats.deltas_truncated += packed.truncated;
        packed.delta
    }

    /// Sends one who joins a piece of the table. Where too much was sent in this round, it is passed on to others.
    fn serve(&mut self, knowledge: &mut Knowledge, at: Moment, cursor: NodeHash, message: &mut Message) {
        let piece = PIECE.min(knowledge.config.max_payload_size / 2).min(self.service_left);
        let last = NodeHash(u64::MAX);
        let mut room = piece;
        for (hash, _) in self.table.counted(cursor, last) {
            let Some(entry) = self.entry(knowledge, at, hash, true) else { continue };
            let len = entry_len(&entry);
            if len > room {
                message.next = Some(hash);
                break;
            }
            room -= len;
            message.rumours.push(entry);
        }
        self.service_left = self.service_left.saturating_sub(piece - room);
        if message.rumours.is_empty() && message.next.is_some() {
            message.next = Some(cursor);
            for _ in 0..PASSED_ON_TO {
                let drawn = self.draw_live(knowledge, &[]);
                let entry = drawn.and_then(|(hash, _)| self.entry(knowledge, at, hash, true));
                message.rumours.extend(entry);
            }
        }
    }
}

/// Leaves out what can be said another time: all else before key-values. False: there is nothing left to leave out.
fn shorten(message: &mut Message) -> bool {
    let half = |len: usize| len / 2;
    match message {
        // The entries of a table in pieces are never said again.
        Message { rumours, next: None, .. } if !rumours.is_empty() => rumours.truncate(half(rumours.len())),
        Message { wants, .. } if !wants.is_empty() => wants.truncate(half(wants.len())),
        Message { ranges, .. } if !ranges.is_empty() => ranges.truncate(half(ranges.len())),
        Message { sums, .. } if !sums.is_empty() => sums.clear(),
        Message { delta, .. } if !delta.node_deltas.is_empty() => {
            delta.node_deltas.truncate(half(delta.node_deltas.len()));
        }
        _ => return false,
    }
    true
}

/// Whether two entries say the same of a node, ages left out.
fn says_the_same(a: &Entry, b: &Entry) -> bool {
    use core::mem::discriminant;
    let versions = |entry: &Entry| (entry.run, entry.life, entry.max_version, entry.last_gc_version);
    versions(a) == versions(b) && discriminant(&a.status) == discriminant(&b.status)
}

/// A node by its id, and by its hash.
pub(super) type Drawn = (NodeHash, NodeId);
