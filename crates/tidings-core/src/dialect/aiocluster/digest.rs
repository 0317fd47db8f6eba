//! Digests: made for a reader, fitted into a packet, and heard entry by entry.

use alloc::vec::Vec;
use core::time::Duration;

use crate::config::Config;
use crate::event::EventKind;
use crate::id::{Address, NodeId, Run};
use crate::knowledge::{Knowledge, Moment};
use crate::limits::MAX_VERSION;
use crate::members::{Challenger, Echo, Env, Members, Peer, Proof, Rank, Report, Word};
use crate::reconcile::Known;
use crate::time::Instant;
use crate::wire::aiocluster::size::{self, MessageLen};
use crate::wire::aiocluster::{Digest, EncodedDigest, FRESH_MS, NodeDigest, Subject, Subjects};

use super::{Aiocluster, MOST_TO_RELEASE_AT_ONCE, PROTOCOL_REVISION, Sender, unmarked};

/// So many nodes at most are told of in the first packet to an address that nothing but hearsay speaks for.
const MOST_AT_FIRST: usize = 4;

/// Whom a digest is for, as far as is known.
#[derive(Clone, Copy)]
pub(super) enum Reader<'a> {
    At(&'a Address),
    Node(&'a NodeId),
}

/// No entry of a digest is shorter, in bytes: it has a name, a host and a port.
const SHORTEST_ENTRY: usize = 16;

/// Of more nodes that say they are at one address no more are looked at.
pub(crate) const MOST_AT_ONE_ADDRESS: usize = 64;

/// The least that `max_payload_size` may be: a digest must hold this node's own entry, and another as long, or nobody is
/// ever asked about.
pub(crate) fn smallest_payload(config: &Config) -> usize {
    let envelope = MessageLen::SynAck { digest: 0, delta: 0 };
    let envelope = size::packet_len_of(&config.cluster_id, PROTOCOL_REVISION, envelope) + size::GROWTH_OF_LENGTHS;
    (envelope + room_for_two(config)).max(512)
}

/// The bytes of a digest of this node's own entry, as long as it may become, and of another one as long.
pub(super) fn room_for_two(config: &Config) -> usize {
    let entry = NodeDigest {
        node_id: config.node_id.clone(),
        heartbeat: MAX_VERSION,
        last_gc_version: MAX_VERSION,
        max_version: MAX_VERSION,
        complete_version: Some(MAX_VERSION),
        run: Run::new(Run::END - 1),
        released_version: Some(MAX_VERSION),
        silence_ms: None,
    };
    size::digest_len(2 * size::node_digest_len(&entry), true)
}

/// A silence as a digest has it: rounded up, and left out where it is short.
fn silence_ms(silence: Duration) -> Option<u64> {
    let millis = u64::try_from(silence.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    (millis > FRESH_MS).then_some(millis)
}

/// A forgotten node as it was shown here.
fn echo_entry(echo: Echo<'_>) -> NodeDigest {
    NodeDigest {
        node_id: echo.id.clone(),
        heartbeat: echo.heartbeat,
        last_gc_version: echo.last_gc_version,
        max_version: echo.max_version,
        complete_version: None,
        run: None,
        released_version: None,
        silence_ms: None,
    }
}

/// The id that is known by this encoded form, and who that is.
pub(crate) fn known_id(members: &Members, encoded: &[u8]) -> Option<(NodeId, Subject)> {
    if let Some((position, id)) = members.by_encoded(encoded) {
        return Some((id.clone(), Subject::Peer(position)));
    }
    let own = members.self_id();
    (encoded == own.encoded()).then(|| (own.clone(), Subject::Reader))
}

impl NodeDigest {
    /// What its sender holds of the node.
    pub(crate) fn known(&self) -> Known {
        Known { complete_version: self.complete_version(), last_gc_version: self.last_gc_version }
    }

    /// What it says, to be heard by the members.
    pub(crate) fn report(&self, sender: Sender<'_>) -> Report<'_> {
        let word = sender.word_about(&self.node_id);
        let (said, unsaid) = match (word, self.silence_ms) {
            (Word::Own(_), _) => (Some(0), 0),
            (Word::Relay, Some(said)) => (Some(said), 0),
            (Word::Relay, None) => (Some(0), FRESH_MS),
            (Word::UnmarkedRelay, _) => (None, 0),
        };
        let allowance = Duration::from_millis(unsaid) + sender.transit;
        Report {
            id: &self.node_id,
            // A Python peer knows of no such thing.
            run: self.run.filter(|_| sender.is_marked()),
            word,
            written: sender.written,
            silence: said.map(|said| Duration::from_millis(said) + allowance),
            allowance,
            lives: None,
            heartbeat: self.heartbeat,
            max_version: self.max_version,
            complete_version: self.complete_version(),
            last_gc_version: self.last_gc_version,
            released_version: self.released_version,
        }
    }
}

/// Whether it is about this very process, at an address that it advertised before.
fn is_former_self(knowledge: &Knowledge, entry: &NodeDigest) -> bool {
    let own = &knowledge.config.node_id;
    entry.run == Some(knowledge.run)
        && entry.node_id.name() == own.name()
        && entry.node_id.generation_id() < own.generation_id()
}

/// What a digest says of each node, given who reads it and when.
struct Page<'a> {
    now: Instant,
    reader: Reader<'a>,
    /// Behind an address of no known node, a seed's other name say, may be any of them.
    may_be_anyone: bool,
}

impl<'a> Page<'a> {
    fn new(members: &Members, env: &Env<'_>, reader: Reader<'a>) -> Page<'a> {
        let may_be_anyone = match reader {
            Reader::At(address) => members.at(address).next().is_none(),
            Reader::Node(_) => false,
        };
        Page { now: env.now, reader, may_be_anyone }
    }

    /// Whether it is the reader.
    fn is_for(&self, id: &NodeId) -> bool {
        match self.reader {
            Reader::At(address) => id.gossip_advertise_addr() == address,
            Reader::Node(node) => id == node,
        }
    }

    /// Whether the reader is known, and is no node of ours.
    fn is_for_python(&self, members: &Members) -> bool {
        match self.reader {
            Reader::At(address) => members.at(address).take(MOST_AT_ONE_ADDRESS).any(|(_, peer)| !peer.is_marked()),
            Reader::Node(node) => members.get(node).is_some_and(|peer| !peer.is_marked()),
        }
    }

    /// The reader, if it is known, or as many of those at its address as it may well be.
    fn readers<'m>(&self, members: &'m Members) -> impl Iterator<Item = (&'m NodeId, &'m Peer)> {
        let (at, node) = match self.reader {
            Reader::At(address) => (Some(members.at(address)), None),
            Reader::Node(node) => (None, members.get_full(node)),
        };
        at.into_iter().flatten().take(MOST_AT_ONE_ADDRESS).chain(node)
    }

    /// The reader, where others are told of it no more.
    fn readers_beyond<'m>(&self, members: &'m Members) -> impl Iterator<Item = (&'m NodeId, &'m Peer)> {
        let node = match self.reader {
            Reader::At(_) => None,
            Reader::Node(node) => members.get_full(node).filter(|_| !members.is_told(node)),
        };
        node.into_iter()
    }

    fn entry(&self, id: &NodeId, peer: &Peer) -> NodeDigest {
        let (max_version, complete_version) =
            unmarked::versions_to_show(peer, || self.may_be_anyone || self.is_for(id));
        NodeDigest {
            node_id: id.clone(),
            heartbeat: peer.pulse.heartbeat(),
            last_gc_version: peer.last_gc_version,
            max_version,
            complete_version,
            run: peer.run(),
            released_version: peer.released_version,
            silence_ms: silence_ms(peer.silence(self.now)),
        }
    }
}

/// What is heard of its versions is shown as if it were held, so that nobody sends key-values that count for nothing yet.
fn challenger_entry(challenger: &Challenger, at: Moment) -> NodeDigest {
    NodeDigest {
        node_id: challenger.id().clone(),
        heartbeat: challenger.pulse().heartbeat(),
        last_gc_version: 0,
        max_version: challenger.heard_version(),
        complete_version: None,
        run: challenger.run(),
        released_version: None,
        silence_ms: silence_ms(challenger.pulse().silence(at.now)),
    }
}

impl Aiocluster {
    pub(super) fn own_entry(&self, knowledge: &Knowledge) -> NodeDigest {
        let state = knowledge.own.state();
        NodeDigest {
            node_id: knowledge.config.node_id.clone(),
            heartbeat: knowledge.own.heartbeat,
            last_gc_version: state.last_gc_version(),
            max_version: state.max_version(),
            complete_version: None,
            run: Some(knowledge.run),
            released_version: self.released,
            silence_ms: None,
        }
    }

    /// The digest for `reader`, if it fits `room`: this node's own entry, and those of all others that are still told of. A
    /// reader that has been dead for long is told of itself all the same: if it was started again with its generation, it
    /// has to know.
    pub(super) fn whole_digest(
        &self,
        knowledge: &mut Knowledge,
        at: Moment,
        reader: Reader<'_>,
        room: usize,
    ) -> Option<EncodedDigest> {
        let own_entry = self.own_entry(knowledge);
        let begin = knowledge.members.challengers_begin(&mut knowledge.random);
        let (members, env) = knowledge.members(at);
        if members.told_len() * SHORTEST_ENTRY > room {
            return None;
        }
        let page = Page::new(members, &env, reader);
        let mut digest = EncodedDigest::new(&own_entry, members.told_len(), room);
        env.stats.work.visit(members.told_len() + members.challengers_looked_at());
        for (id, peer) in page.readers_beyond(members).chain(members.told()) {
            digest.push(&page.entry(id, peer));
            if digest.len() > room {
                env.stats.work.touch(digest.len());
                return None;
            }
        }
        // After the holders of their names.
        for challenger in members.challengers(&env, begin) {
            digest.push(&challenger_entry(challenger, at));
        }
        if page.is_for_python(members) {
            let is_reader = |echo: &Echo<'_>| matches!(page.reader, Reader::Node(node) if node == echo.id);
            for echo in members.echoes().filter(|echo| !is_reader(echo)) {
                env.stats.work.visit(1);
                if !digest.push_within(&echo_entry(echo), room) {
                    break;
                }
            }
        }
        env.stats.work.touch(digest.len());
        (digest.len() <= room).then_some(digest)
    }

    /// The digest for `reader` where it does not fit `room`: this node's own entry and the reader's, and then the others by
    /// [`Rank`]. Within a rank chance decides, so that each has its turn. The user is told once, unless a single large value
    /// has left less than the `usual` room.
    pub(super) fn cut_digest(
        &mut self,
        knowledge: &mut Knowledge,
        at: Moment,
        reader: Reader<'_>,
        (room, usual): (usize, usize),
    ) -> EncodedDigest {
        let own_entry = self.own_entry(knowledge);
        // Chance is drawn from a copy while the members are looked at.
        let mut random = knowledge.random.clone();
        let (members, env) = knowledge.members(at);
        let page = Page::new(members, &env, reader);
        let mut digest = EncodedDigest::new(&own_entry, members.told_len(), room).into_partial();
        for (id, peer) in page.readers(members) {
            digest.push_within(&page.entry(id, peer), room);
        }
        let begin = members.challengers_begin(&mut random);
        let mut challengers: Vec<_> =
            members.challengers(&env, begin).map(|challenger| challenger_entry(challenger, at)).collect();
        let count = members.told_len() + challengers.len() + 1;
        let mut looked_at = members.challengers_looked_at();
        'full: for rank in Rank::ALL {
            let (mut drawn, of_rank) = (0, members.ranked_len(rank));
            loop {
                looked_at += 1;
                let waiting = if rank == Rank::Suspect { challengers.len() } else { 0 };
                let entry = match random.chance(waiting, of_rank - drawn + waiting) {
                    true => challengers.swap_remove(random.index(waiting)),
                    false => {
                        let Some((id, peer)) = members.draw(rank, drawn, &mut random) else { break };
                        drawn += 1;
                        if page.is_for(id) {
                            continue;
                        }
                        page.entry(id, peer)
                    }
                };
                if !digest.push_within(&entry, room) {
                    break 'full;
                }
            }
        }
        env.stats.work.visit(looked_at);
        env.stats.work.touch(digest.len());
        knowledge.random = random;
        self.tell_truncation(knowledge, count.saturating_sub(digest.count()), room >= usual);
        digest
    }

    /// The digest for an address that nothing but hearsay speaks for: this node's own entry, and those of the nodes that are
    /// said to be there.
    pub(super) fn first_digest(
        &self,
        knowledge: &mut Knowledge,
        at: Moment,
        to: &Address,
        room: usize,
    ) -> EncodedDigest {
        let own_entry = self.own_entry(knowledge);
        let (members, env) = knowledge.members(at);
        let page = Page::new(members, &env, Reader::At(to));
        let mut digest = EncodedDigest::new(&own_entry, MOST_AT_FIRST, room).into_partial();
        let some = members.at(to).take(MOST_AT_ONE_ADDRESS);
        for (id, peer) in some.filter(|(id, _)| members.is_told(id)).take(MOST_AT_FIRST) {
            digest.push_within(&page.entry(id, peer), room);
        }
        digest
    }

    fn tell_truncation(&mut self, knowledge: &mut Knowledge, left_out: usize, is_usual: bool) {
        knowledge.stats.digests_truncated += 1;
        if is_usual && !core::mem::replace(&mut self.digest_truncation_told, true) {
            let max_payload_size = knowledge.config.max_payload_size;
            knowledge.tell(EventKind::DigestTruncated { left_out, max_payload_size });
        }
    }

    /// Takes in a digest: who is about, how their hearts beat, and what the sender holds of this node.
    pub(super) fn hear(
        &mut self,
        knowledge: &mut Knowledge,
        at: Moment,
        digest: &Digest,
        subjects: &mut Subjects,
        sender: Sender<'_>,
    ) {
        let mut live_told = 0;
        knowledge.stats.work.visit(digest.entries.len());
        for (number, entry) in digest.entries.iter().enumerate() {
            let report = entry.report(sender);
            let subject = subjects.of_entry(number);
            let is_former_self = matches!(subject, Subject::Stranger) && is_former_self(knowledge, entry);
            let (members, mut env) = knowledge.members(at);
            live_told += usize::from(matches!(subject, Subject::Peer(position) if members.is_live_at(position)));
            match subject {
                Subject::Reader => self.refute(knowledge, at, &report),
                Subject::Peer(position) => members.hear_of_peer(&mut env, position, &report),
                // What is said of this very process under a former address is said of it.
                Subject::Stranger if is_former_self => self.refute(knowledge, at, &report),
                Subject::Stranger => {
                    if let Some(position) = members.hear_of_stranger(&mut env, &report) {
                        subjects.admitted(number, position);
                    }
                }
            }
        }
        // An answer, and not what anybody sends unasked: a flood of short digests would put off all deaths.
        if sender.proof > Proof::Presence {
            let live = if digest.partial { knowledge.members.live_len() } else { live_told };
            knowledge.told.digest_heard(live_told, live);
        }
        if sender.is_marked() && !digest.partial && sender.proof > Proof::Presence {
            knowledge.members.take_votes(sender.id, digest.entries.iter().map(|entry| &entry.node_id));
        }
        let of_me = subjects.entry_of_reader(digest);
        if (of_me.is_some() || !digest.partial)
            && let Some(peer) = knowledge.members.get_mut(sender.id)
        {
            let own_version = knowledge.own.state().max_version();
            peer.shows_holding(at.active, of_me.map_or(0, NodeDigest::complete_version), own_version);
        }
        if !sender.is_marked() {
            if of_me.is_some() {
                unmarked::keep_live_keys_above_gc(&mut knowledge.own);
            }
            if knowledge.members.len() <= MOST_TO_RELEASE_AT_ONCE {
                self.update_released(knowledge, at);
            }
        }
    }
}
