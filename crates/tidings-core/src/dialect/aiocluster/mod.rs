//! What two nodes tell each other: the contents of Syn, SynAck and Ack, made and taken in.
//!
//! ```text
//! initiator                     responder
//!     | -- Syn: digest ------------> |   hears the initiator's digest
//!     | <-- SynAck: digest, delta -- |   sends its own, and what the initiator lacks
//!     | -- Ack: delta -------------> |   takes what it lacks
//! ```

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::config::Config;
use crate::event::{EventKind, EventQueue};
use crate::id::{Address, NodeId};
use crate::limits::MAX_JUMP;
use crate::members::{Env, Members, Peer};
use crate::reconcile::{self, Delta, KeyValueUpdate, News, NodeDelta, Packed};
use crate::rng::Random;
use crate::snapshot::Liveness;
use crate::state::{Claim, KeyChange, NodeState, OwnState};
use crate::stats::Stats;
use crate::suspicion::Detector;
use crate::suspicion::LocalHealth;
use crate::time::Instant;
use crate::wire::aiocluster::size::{self, MessageLen};
use crate::wire::aiocluster::{self as wire, EncodedDigest, Outgoing};
use crate::wire::aiocluster::{Digest, NodeDigest, Subject, Subjects};

pub(crate) mod round;
pub(crate) mod unmarked;

pub(crate) use unmarked::{PROTOCOL_REVISION, Sender};

/// Other clusters' ids that the user has been told of; further ones pass without an event.
const MAX_OTHER_CLUSTERS: usize = 64;

/// How much further than the peer that is heard first another peer may be about an earlier run of this node. Were the
/// versions of this run among those of the earlier one, that other peer would not see the difference.
const MOST_UNHEARD_VERSIONS: u64 = 1 << 20;

/// All that a node knows, and how it is told to others.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Gossip {
    pub(crate) config: Config,
    pub(crate) cluster_id: Arc<str>,
    pub(crate) own: OwnState,
    pub(crate) members: Members,
    pub(crate) events: EventQueue,
    /// They decide nothing, so a checkpoint goes without.
    #[cfg_attr(feature = "record", serde(skip))]
    pub(crate) stats: Stats,
    pub(crate) random: Random,
    pub(crate) health: LocalHealth,
    /// The version up to which unmarked peers may be told the own key-values; `None`: no bound.
    released: Option<u64>,
    other_clusters: BTreeSet<Arc<str>>,
    digest_truncation_told: bool,
    refused: Option<u64>,
}

/// The time of an input: as it is, and as this process has been running.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    pub(crate) active: Instant,
}

/// Whom a digest is for, as far as is known.
#[derive(Clone, Copy)]
enum Reader<'a> {
    At(&'a Address),
    Node(&'a NodeId),
}

impl Gossip {
    pub(crate) fn new(config: Config, mut random: Random) -> Gossip {
        Gossip {
            cluster_id: Arc::from(config.cluster_id.as_str()),
            own: OwnState::default(),
            members: Members::new(config.node_id.clone(), random.below(u64::MAX)),
            events: EventQueue::new(config.limits.max_queued_events),
            stats: Stats::default(),
            random,
            health: LocalHealth::default(),
            released: None,
            other_clusters: BTreeSet::new(),
            digest_truncation_told: false,
            refused: None,
            config,
        }
    }

    /// The members beside what a change of them needs.
    pub(crate) fn members(&mut self, at: Moment) -> (&mut Members, Env<'_>) {
        let detector = self.detector();
        let Gossip { members, config, events, stats, .. } = self;
        (members, Env { now: at.now, active: at.active, detector, config, events, stats })
    }

    /// What the others' silence is held against now.
    pub(crate) fn detector(&self) -> Detector {
        Detector::new(&self.config, self.health.failed_share())
    }

    pub(crate) fn tell(&mut self, kind: EventKind) {
        self.events.push(kind, &mut self.stats);
    }

    /// Tells, once for each id, that there is another cluster about.
    pub(crate) fn tell_other_cluster(&mut self, cluster_id: &Arc<str>, from: Option<NodeId>) {
        if *cluster_id == self.cluster_id {
            return;
        }
        if self.other_clusters.len() < MAX_OTHER_CLUSTERS && self.other_clusters.insert(cluster_id.clone()) {
            self.tell(EventKind::OtherCluster { cluster_id: cluster_id.clone(), from });
        }
    }

    /// The Syn for whoever is at `to`.
    pub(crate) fn syn(&mut self, at: Moment, to: &Address) -> Bytes {
        let digest = self.digest(at, Reader::At(to));
        let digest = self.fit_digest(digest, self.room(MessageLen::Syn { digest: 0 }));
        self.packet(Outgoing::Syn(&digest))
    }

    /// Takes in a Syn and answers it.
    pub(crate) fn answer_syn(
        &mut self,
        at: Moment,
        digest: &Digest,
        mut subjects: Subjects,
        sender: Sender<'_>,
    ) -> Bytes {
        self.hear(at, digest, &mut subjects, sender);
        let own_digest = self.digest(at, Reader::Node(sender.id));
        let room = self.room(MessageLen::SynAck { digest: 0, delta: 0 });
        // Where both do not fit, each gets its part.
        let delta_part = if sender.is_marked() { room / 2 } else { room / unmarked::DELTA_PART };
        let delta_room = room.saturating_sub(own_digest.len()).max(delta_part);
        let Packed { delta, len, .. } = self.delta(at, digest, &subjects, sender, delta_room);
        let own_digest = self.fit_digest(own_digest, room.saturating_sub(len));
        self.packet(Outgoing::SynAck(&own_digest, &delta))
    }

    /// Takes in the SynAck that came from `dialled` and answers it. Also the version of this node's own state that the
    /// peer then holds, if it holds all there is.
    pub(crate) fn answer_syn_ack(
        &mut self,
        at: Moment,
        dialled: &Address,
        (digest, mut subjects): (&Digest, Subjects),
        delta: &Delta,
        sender: Sender<'_>,
    ) -> (Bytes, Option<u64>) {
        self.hear(at, digest, &mut subjects, sender);
        self.apply(at, delta, sender);
        if let Some((owner, claim)) = unmarked::claim_of_silence(dialled, digest, delta, sender) {
            self.apply_claim(at, owner, claim, &[]);
        }
        let room = self.room(MessageLen::Ack { delta: 0 });
        let Packed { delta, .. } = self.delta(at, digest, &subjects, sender, room);
        let own_version = self.own.state().max_version();
        let told = |delta: &Delta| {
            delta
                .node_deltas
                .iter()
                .any(|own| own.node_id == self.config.node_id && own.max_version == Some(own_version))
        };
        let knew = |entry: &NodeDigest| entry.complete_version() >= own_version;
        let is_told_all = told(&delta) || subjects.entry_of_reader(digest).is_some_and(knew);
        (self.packet(Outgoing::Ack(&delta)), is_told_all.then_some(own_version))
    }

    /// Takes in an Ack.
    pub(crate) fn take_ack(&mut self, at: Moment, delta: &Delta, sender: Sender<'_>) {
        self.apply(at, delta, sender);
    }

    /// A SynAck that says who this is and nothing else.
    pub(crate) fn introduction(&mut self) -> Bytes {
        let digest = EncodedDigest::new(&self.own_entry(), 0).into_partial();
        self.packet(Outgoing::SynAck(&digest, &Delta::default()))
    }

    pub(crate) fn bad_cluster(&mut self) -> Bytes {
        self.packet(Outgoing::BadCluster)
    }

    /// Ends lifetimes and grace periods, looks at every node, forgets. Once a round.
    pub(crate) fn maintain(&mut self, at: Moment) {
        self.expire_lifetimes(at);
        let mut changes = Vec::new();
        let collected = self.own.collect(at.now, self.config.marked_for_deletion_grace_period, &mut changes);
        if collected && unmarked::has_unmarked(&self.members) {
            unmarked::keep_live_keys_above_gc(&mut self.own);
        }
        self.tell_own_changes(at, changes);
        let (members, mut env) = self.members(at);
        members.refresh_all(&mut env);
        self.update_released(at);
    }

    /// Between rounds: looks at the nodes whose silence is too long by now.
    pub(crate) fn refresh_due(&mut self, at: Moment) {
        let (members, mut env) = self.members(at);
        members.refresh_due(&mut env);
    }

    /// Deletes the own keys whose lifetime is over.
    pub(crate) fn expire_lifetimes(&mut self, at: Moment) {
        let mut changes = Vec::new();
        self.own.expire_lifetimes(at.now, &mut changes);
        self.tell_own_changes(at, changes);
    }

    pub(crate) fn tell_own_changes(&mut self, at: Moment, changes: Vec<KeyChange>) {
        let node = self.config.node_id.clone();
        let (_, mut env) = self.members(at);
        env.tell_changes(&node, changes);
    }

    fn packet(&mut self, message: Outgoing<'_>) -> Bytes {
        let bytes = wire::encode_outgoing(&self.cluster_id, PROTOCOL_REVISION, message);
        self.stats.packets_sent.count(message.kind());
        self.stats.bytes_sent += bytes.len() as u64;
        self.stats.max_packet_bytes_sent = self.stats.max_packet_bytes_sent.max(bytes.len() as u64);
        bytes
    }

    /// The room that a packet has for its digest and delta: what the envelope leaves, when the lengths in it are as
    /// long as they can be.
    fn room(&self, empty: MessageLen) -> usize {
        let envelope = size::packet_len_of(&self.cluster_id, PROTOCOL_REVISION, empty);
        self.config.max_payload_size.saturating_sub(envelope + size::GROWTH_OF_LENGTHS)
    }

    /// The bytes of a packet that carries one key-value of this node, and the smallest digest.
    pub(crate) fn packet_len_with(&self, key_value_len: usize) -> usize {
        let max = u64::MAX >> 1;
        let header = NodeDelta {
            node_id: self.config.node_id.clone(),
            from_version_excluded: max,
            last_gc_version: max,
            key_values: Vec::new(),
            max_version: Some(max),
            sender_complete_version: Some(max),
        };
        let delta = size::node_delta_len(size::node_delta_header_len(&header), key_value_len);
        self.config.max_payload_size - self.room(MessageLen::Ack { delta: 0 }) + delta
    }

    /// Gives every live key of this node a new version, so that it is news to everybody. Returns how many there were.
    pub(crate) fn republish(&mut self, at: Moment) -> usize {
        let count = self.own.republish();
        self.update_released(at);
        count
    }

    fn update_released(&mut self, at: Moment) {
        let own = self.own.state();
        self.released = unmarked::version_to_release(own, &self.members, at.active, &self.config);
    }

    fn own_entry(&self) -> NodeDigest {
        let state = self.own.state();
        NodeDigest {
            node_id: self.config.node_id.clone(),
            heartbeat: self.own.heartbeat,
            last_gc_version: state.last_gc_version(),
            max_version: state.max_version(),
            complete_version: None,
            protocol_revision: PROTOCOL_REVISION,
            released_version: self.released,
        }
    }

    /// The digest for `reader`: this node's own entry, and those of all others that are still told of. A reader that has
    /// been dead for long is told of itself all the same: if it was started again with its generation, it has to know.
    fn digest(&self, at: Moment, reader: Reader<'_>) -> EncodedDigest {
        // Behind an address of no known node, a seed's other name say, may be any of them.
        let may_be_anyone = match reader {
            Reader::At(address) => self.members.at(address).next().is_none(),
            Reader::Node(_) => false,
        };
        let mut digest = EncodedDigest::new(&self.own_entry(), self.members.len());
        let is_reader = |id| matches!(reader, Reader::Node(node) if node == id);
        for (id, peer) in self.members.iter() {
            if peer.is_scheduled_for_deletion(at.now, &self.config) && !is_reader(id) {
                continue;
            }
            let to_owner = || match reader {
                Reader::At(address) => may_be_anyone || id.gossip_advertise_addr() == address,
                Reader::Node(node) => id == node,
            };
            let (max_version, complete_version) = unmarked::versions_to_show(peer, to_owner);
            digest.push(&NodeDigest {
                node_id: id.clone(),
                heartbeat: peer.heartbeat,
                last_gc_version: peer.last_gc_version,
                max_version,
                complete_version,
                protocol_revision: peer.protocol_revision,
                released_version: peer.released_version,
            });
        }
        digest
    }

    fn fit_digest(&mut self, digest: EncodedDigest, room: usize) -> EncodedDigest {
        let (digest, left_out) = digest.fit(room, &mut self.random);
        if left_out > 0 {
            self.stats.digests_truncated += 1;
            if !self.digest_truncation_told {
                self.digest_truncation_told = true;
                let max_payload_size = self.config.max_payload_size;
                self.tell(EventKind::DigestTruncated { left_out, max_payload_size });
            }
        }
        digest
    }

    /// What the sender of `digest` lacks, packed into `room` bytes.
    fn delta(&mut self, at: Moment, digest: &Digest, subjects: &Subjects, reader: Sender<'_>, room: usize) -> Packed {
        // Nodes absent from an unmarked peer's digest are unknown to it; those absent from a partial one are not asked
        // about.
        let own_id = &self.config.node_id;
        let known_of_own = subjects.entry_of_reader(digest);
        let released_by = |peer: &Peer| peer.released_version.filter(|_| peer.liveness() == Liveness::Live);
        let is_told_of = |peer: &Peer| !peer.is_scheduled_for_deletion(at.now, &self.config);
        let bound = |news, known, released: Option<u64>, is_owner| {
            if reader.is_marked() { Some(news) } else { unmarked::bound_news(news, known, released, is_owner) }
        };
        let mut news: Vec<News<'_>> = Vec::new();
        if !digest.partial || known_of_own.is_some() {
            let own = news_of(own_id, self.own.state(), known_of_own);
            news.extend(own.and_then(|own| bound(own, known_of_own, self.released, true)));
        }
        for (position, (id, peer)) in self.members.iter().enumerate() {
            let known = subjects.entry_of_peer(digest, position);
            let may_lack_some = known.map_or(!digest.partial, |known| !peer.has_nothing_above(known));
            if !may_lack_some || !is_told_of(peer) {
                continue;
            }
            // Its own news the reader knows best.
            if let Some(of_peer) = news_of(id, &peer.state, known).filter(|_| id != reader.id) {
                news.extend(bound(of_peer, known, released_by(peer), false));
            }
        }
        let packed = reconcile::pack(&news, room, &mut self.random);
        self.stats.deltas_truncated += packed.truncated;
        packed
    }

    /// Takes in a digest: who is about, how their hearts beat, and what the sender holds of this node.
    fn hear(&mut self, at: Moment, digest: &Digest, subjects: &mut Subjects, sender: Sender<'_>) {
        for (number, entry) in digest.entries.iter().enumerate() {
            let of_sender;
            let entry = if number == 0 && entry.node_id == *sender.id {
                of_sender = NodeDigest { protocol_revision: sender.protocol_revision, ..entry.clone() };
                &of_sender
            } else {
                entry
            };
            let trusted = sender.is_trusted_about(&entry.node_id);
            let (members, mut env) = self.members(at);
            match subjects.of_entry(number) {
                Subject::Reader => self.refute(at, entry, sender),
                Subject::Peer(position) => members.hear_of_peer(&mut env, position, entry, trusted),
                Subject::Stranger => {
                    if let Some(position) = members.hear_of_stranger(&mut env, entry, trusted) {
                        subjects.admitted(number, position);
                    }
                }
            }
        }
        let of_me = subjects.entry_of_reader(digest);
        if (of_me.is_some() || !digest.partial)
            && let Some(peer) = self.members.get_mut(sender.id)
        {
            peer.direct_word = Some((at.active, of_me.map_or(0, NodeDigest::complete_version)));
        }
        if !sender.is_marked() {
            if of_me.is_some() {
                unmarked::keep_live_keys_above_gc(&mut self.own);
            }
            self.update_released(at);
        }
    }

    /// Answers what a peer says of this very node. Only this node writes its own state; where a peer knows of more,
    /// that is from an earlier run or corrupt, and this node moves past it.
    fn refute(&mut self, at: Moment, entry: &NodeDigest, sender: Sender<'_>) {
        let state = self.own.state();
        let version = entry.max_version.max(entry.complete_version()).max(entry.last_gc_version);
        let (own_version, own_gc, own_heartbeat) = (state.max_version(), state.last_gc_version(), self.own.heartbeat);
        for (claimed, own) in [(version, own_version), (entry.heartbeat, own_heartbeat)] {
            // Half of what a peer accepts: else the others, which may be behind, would refuse this node's own next word.
            if claimed.saturating_sub(own) > MAX_JUMP / 2 {
                self.refuse(own, claimed);
                return;
            }
        }
        // Nobody else raises this node's heartbeat: a higher one is from an earlier run, and so may be what the peer holds
        // of it, even where the versions of both runs agree.
        let is_from_earlier_run = entry.heartbeat > own_heartbeat;
        if is_from_earlier_run {
            self.own.heartbeat = entry.heartbeat + 1;
        }
        if is_from_earlier_run || version > own_version {
            self.own.move_past(version + MOST_UNHEARD_VERSIONS);
            self.stats.republished += 1;
        } else if entry.last_gc_version > own_gc {
            let mut changes = Vec::new();
            self.own.adopt_gc(at.now, entry.last_gc_version, &mut changes);
            self.tell_own_changes(at, changes);
            if !sender.is_marked() || unmarked::has_unmarked(&self.members) {
                unmarked::keep_live_keys_above_gc(&mut self.own);
            }
        }
    }

    fn refuse(&mut self, own: u64, claimed: u64) {
        self.stats.jumps_refused += 1;
        if self.refused.replace(claimed) != Some(claimed) {
            self.tell(EventKind::VersionRefused { own, claimed });
        }
    }

    /// Takes in a delta.
    fn apply(&mut self, at: Moment, delta: &Delta, sender: Sender<'_>) {
        let self_id = self.config.node_id.clone();
        for node_delta in &delta.node_deltas {
            if node_delta.node_id == self_id {
                self.stats.own_deltas_rejected += 1;
                continue;
            }
            self.apply_claim(at, &node_delta.node_id, unmarked::claim_of(node_delta, sender), &node_delta.key_values);
        }
    }

    /// Takes in what a peer says of one other node.
    fn apply_claim(&mut self, at: Moment, id: &NodeId, claim: Claim, key_values: &[KeyValueUpdate]) {
        let highest = claim.as_of.max(key_values.last().map_or(0, |last| last.version));
        let heard = self.members.get(id).map_or(0, |peer| peer.heard_version);
        if highest.saturating_sub(heard) > MAX_JUMP {
            self.stats.jumps_refused += 1;
            return;
        }
        let (members, mut env) = self.members(at);
        let Some(applied) = members.apply(&mut env, id, claim, key_values) else {
            self.stats.deltas_ignored += 1;
            return;
        };
        self.stats.deltas_ignored += u64::from(applied.ignored);
        self.stats.resets += u64::from(applied.reset);
        self.stats.key_values_applied += applied.taken;
        self.stats.entries_skipped += applied.over_limit;
    }
}

/// What a peer that knows `known` lacks of one node's state.
///
/// It has to start again where it has not seen all tombstones that were collected here. A copy that is itself older
/// than the tombstones the peer has collected has nothing to tell.
pub(crate) fn news_of<'a>(node_id: &'a NodeId, state: &'a NodeState, known: Option<&NodeDigest>) -> Option<News<'a>> {
    let (version, last_gc) = known.map_or((0, 0), |entry| (entry.complete_version(), entry.last_gc_version));
    if state.as_of() < last_gc {
        return None;
    }
    let is_reset = state.last_gc_version() > version.max(last_gc);
    if !is_reset && state.max_version() <= version {
        return None;
    }
    let from = if is_reset { 0 } else { version };
    Some(News { node_id, state, from, up_to: state.max_version(), last_gc: state.last_gc_version() })
}

#[cfg(test)]
mod tests;
