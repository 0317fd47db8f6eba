//! Aiocluster's dialect: the contents of Syn, SynAck and Ack, made and taken in.
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

use crate::event::EventKind;
use crate::id::{Address, NodeId};
use crate::knowledge::{Knowledge, Moment};
use crate::members::Peer;
use crate::reconcile::{Budget, Delta, News, NodeDelta, Packed, news_of, pack};
use crate::snapshot::Liveness;
use crate::state::ValueStatus;
use crate::time::Instant;
use crate::wire::aiocluster::size::{self, MessageLen, Sizes};
use crate::wire::aiocluster::{Digest, EncodedDigest, NodeDigest, Outgoing, Subjects, encode_outgoing};

mod digest;
mod refute;
pub(crate) mod round;
mod sender;
pub(crate) mod unmarked;

use digest::Reader;
use digest::room_for_two;
pub(crate) use digest::{MOST_AT_ONE_ADDRESS, known_id, smallest_payload};
pub(crate) use sender::{PROTOCOL_REVISION, Sender};

/// Other clusters' ids that the user has been told of; further ones pass without an event.
const MAX_OTHER_CLUSTERS: usize = 64;

/// Of the nodes that a digest does not tell of, so many are looked at for one delta, and others for the next.
const MOST_UNTOLD: usize = 1_024;

/// In a larger cluster what unmarked peers may be told is found out once a round, and not with each of their packets.
const MOST_TO_RELEASE_AT_ONCE: usize = 1_024;

/// What this dialect keeps in mind beside what the node knows.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Aiocluster {
    /// The version up to which unmarked peers may be told the own key-values; `None`: no bound.
    released: Option<u64>,
    other_clusters: BTreeSet<Arc<str>>,
    digest_truncation_told: bool,
    refused: Option<u64>,
    /// When the own heartbeat was last moved past a claim.
    stepped_at: Option<Instant>,
    /// When all own key-values were last published anew, because of a claim.
    published_at: Option<Instant>,
}

impl Aiocluster {
    /// Tells, once for each id, that there is another cluster about.
    pub(crate) fn tell_other_cluster(
        &mut self,
        knowledge: &mut Knowledge,
        cluster_id: &Arc<str>,
        from: Option<NodeId>,
    ) {
        if *cluster_id == knowledge.cluster_id {
            return;
        }
        if self.other_clusters.len() < MAX_OTHER_CLUSTERS && self.other_clusters.insert(cluster_id.clone()) {
            knowledge.tell(EventKind::OtherCluster { cluster_id: cluster_id.clone(), from });
        }
    }

    /// The Syn for whoever is at `to`. An address that `is_proven` by nothing but hearsay is not told who else is a member:
    /// anybody may have invented its node.
    pub(crate) fn syn(&mut self, knowledge: &mut Knowledge, at: Moment, to: &Address, is_proven: bool) -> Bytes {
        let room = room(knowledge, MessageLen::Syn { digest: 0 });
        if !is_proven {
            let digest = self.first_digest(knowledge, at, to, room);
            return packet(knowledge, Outgoing::Syn(&digest));
        }
        let whole = self.whole_digest(knowledge, at, Reader::At(to), room);
        let digest = whole.unwrap_or_else(|| self.cut_digest(knowledge, at, Reader::At(to), (room, room)));
        packet(knowledge, Outgoing::Syn(&digest))
    }

    /// Takes in a Syn and answers it.
    pub(crate) fn answer_syn(
        &mut self,
        knowledge: &mut Knowledge,
        at: Moment,
        digest: &Digest,
        mut subjects: Subjects,
        sender: Sender<'_>,
    ) -> Bytes {
        self.hear(knowledge, at, digest, &mut subjects, sender);
        let (room, reader) = (room(knowledge, MessageLen::SynAck { digest: 0, delta: 0 }), Reader::Node(sender.id));
        let whole = self.whole_digest(knowledge, at, reader, room);
        // Where both do not fit, each gets its part. A value that needs more may have all but the own entry: who is never
        // dialled has nothing but SynAcks.
        let delta_part = if sender.is_marked() { room / 2 } else { room / unmarked::DELTA_PART };
        let own_entry = size::node_digest_len(&self.own_entry(knowledge));
        let budget = Budget {
            usual: whole.as_ref().map_or(0, |whole| room - whole.len()).max(delta_part),
            single: room.saturating_sub(size::digest_len(own_entry, true)),
        };
        let Packed { delta, len, .. } = self.delta(knowledge, at, digest, &subjects, sender, budget);
        let left = room.saturating_sub(len);
        let whole = whole.filter(|whole| whole.len() <= left);
        let own_digest = whole.unwrap_or_else(|| self.cut_digest(knowledge, at, reader, (left, room - delta_part)));
        packet(knowledge, Outgoing::SynAck(&own_digest, &delta))
    }

    /// Takes in the SynAck that came from `dialled` and answers it. Also the version of this node's own state that the
    /// peer then holds, if it holds all there is.
    pub(crate) fn answer_syn_ack(
        &mut self,
        knowledge: &mut Knowledge,
        at: Moment,
        dialled: &Address,
        (digest, mut subjects): (&Digest, Subjects),
        delta: &Delta,
        sender: Sender<'_>,
    ) -> (Bytes, Option<u64>) {
        self.hear(knowledge, at, digest, &mut subjects, sender);
        apply(knowledge, at, delta, sender);
        if let Some((owner, claim)) = unmarked::claim_of_silence(dialled, digest, delta, sender) {
            knowledge.apply_claim(at, owner, None, claim, &[], sender.word_about(owner));
        }
        let room = room(knowledge, MessageLen::Ack { delta: 0 });
        let budget = Budget::of(room);
        let Packed { delta, .. } = self.delta(knowledge, at, digest, &subjects, sender, budget);
        let own_id = &knowledge.config.node_id;
        let own_version = knowledge.own.state().max_version();
        let told = |own: &NodeDelta| own.node_id == *own_id && own.max_version == Some(own_version);
        let knew = |entry: &NodeDigest| entry.complete_version() >= own_version;
        let is_told_all = delta.node_deltas.iter().any(told) || subjects.entry_of_reader(digest).is_some_and(knew);
        (packet(knowledge, Outgoing::Ack(&delta)), is_told_all.then_some(own_version))
    }

    /// Takes in an Ack.
    pub(crate) fn take_ack(&mut self, knowledge: &mut Knowledge, at: Moment, delta: &Delta, sender: Sender<'_>) {
        apply(knowledge, at, delta, sender);
    }

    /// A SynAck that says who this is and nothing else.
    pub(crate) fn introduction(&mut self, knowledge: &mut Knowledge) -> Bytes {
        let digest = EncodedDigest::new(&self.own_entry(knowledge), 0, 0).into_partial();
        packet(knowledge, Outgoing::SynAck(&digest, &Delta::default()))
    }

    pub(crate) fn bad_cluster(&mut self, knowledge: &mut Knowledge) -> Bytes {
        packet(knowledge, Outgoing::BadCluster)
    }

    /// Ends lifetimes and grace periods, looks at every node, forgets. Once a round.
    pub(crate) fn maintain(&mut self, knowledge: &mut Knowledge, at: Moment) {
        knowledge.expire_lifetimes(at);
        let mut changes = Vec::new();
        let grace = knowledge.config.marked_for_deletion_grace_period;
        let collected = knowledge.own.collect(at.now, grace, &mut changes);
        if collected && unmarked::has_unmarked(&knowledge.members) {
            unmarked::keep_live_keys_above_gc(&mut knowledge.own);
        }
        knowledge.tell_own_changes(at, changes);
        let (members, mut env) = knowledge.members(at);
        members.refresh_all(&mut env);
        self.update_released(knowledge, at);
    }

    /// Gives every live key of this node a new version, so that it is news to everybody. Returns how many there were.
    pub(crate) fn republish(&mut self, knowledge: &mut Knowledge, at: Moment) -> usize {
        let count = knowledge.own.republish();
        self.update_released(knowledge, at);
        count
    }

    fn update_released(&mut self, knowledge: &mut Knowledge, at: Moment) {
        let Knowledge { own, members, config, stats, .. } = knowledge;
        self.released = unmarked::version_to_release(own.state(), members, at.active, config);
        stats.work.visit(members.len());
    }

    /// What the sender of `digest` lacks, packed into a budget.
    fn delta(
        &self,
        knowledge: &mut Knowledge,
        at: Moment,
        digest: &Digest,
        subjects: &Subjects,
        reader: Sender<'_>,
        budget: Budget,
    ) -> Packed {
        let Knowledge { config, run, own, members, random, stats, .. } = knowledge;
        // Nodes absent from an unmarked peer's digest are unknown to it; those absent from a partial one are not asked
        // about.
        let of_own = subjects.entry_of_reader(digest);
        // It knows another process under this node's id, and takes nothing of this one before it knows better.
        let knows_other = of_own.is_some_and(|entry| entry.run.is_some_and(|known| known != *run));
        let known_of_own = of_own.map(NodeDigest::known);
        let released_by = |peer: &Peer| peer.released_version.filter(|_| peer.liveness() == Liveness::Live);
        let is_told_of = |peer: &Peer| !peer.is_scheduled_for_deletion(at.now, config);
        // Of another run than the one that is known here the reader can take nothing, and shows nothing that matters.
        let is_same =
            |id: &NodeId, peer: &Peer, entry: &NodeDigest| entry.node_id == *id && !peer.is_other_run(entry.run);
        let bound = |news, known, released: Option<u64>, is_owner| {
            if reader.is_marked() { Some(news) } else { unmarked::bound_news(news, known, released, is_owner) }
        };
        let mut news: Vec<News<'_>> = Vec::new();
        if (!digest.partial || known_of_own.is_some()) && !knows_other {
            let own = news_of(&config.node_id, Some(*run), own.state(), known_of_own);
            news.extend(own.and_then(|own| bound(own, known_of_own, self.released, true)));
        }
        let told_of = digest.entries.iter().enumerate().filter_map(|(number, entry)| {
            let (id, peer) = members.at_position(subjects.of_entry(number).position()?)?;
            Some((id, peer, Some(entry)))
        });
        // All have their turn, where they are many.
        let most = if digest.partial { 0 } else { digest.entries.len() + MOST_UNTOLD };
        let begin = if members.stateful_len() > most { random.index(members.stateful_len()) } else { 0 };
        let untold = members.stateful_from(begin).take(most).filter(|(position, ..)| !subjects.has_peer(*position));
        let mut looked_at = 0;
        for (id, peer, entry) in told_of.chain(untold.map(|(_, id, peer)| (id, peer, None))) {
            looked_at += 1;
            if entry.is_some_and(|entry| !is_same(id, peer, entry)) {
                continue;
            }
            let known = entry.map(NodeDigest::known);
            if known.is_some_and(|known| peer.has_nothing_above(known)) || !is_told_of(peer) {
                continue;
            }
            // Its own news the reader knows best.
            if let Some(of_peer) = news_of(id, peer.run(), &peer.state, known).filter(|_| id != reader.id) {
                news.extend(bound(of_peer, known, released_by(peer), false));
            }
        }
        let packed = pack(&news, budget, &Sizes, random);
        stats.work.visit(looked_at + members.stateful_len().min(most));
        stats.work += packed.work;
        stats.deltas_truncated += packed.truncated;
        packed
    }
}

/// Takes in a delta.
fn apply(knowledge: &mut Knowledge, at: Moment, delta: &Delta, sender: Sender<'_>) {
    for node_delta in &delta.node_deltas {
        knowledge.stats.work.visit(1 + node_delta.key_values.len());
        if node_delta.node_id == knowledge.config.node_id {
            knowledge.stats.own_deltas_rejected += 1;
            continue;
        }
        let (id, run) = (&node_delta.node_id, node_delta.run);
        let claim = unmarked::claim_of(node_delta, sender);
        knowledge.apply_claim(at, id, run, claim, &node_delta.key_values, sender.word_about(id));
    }
}

fn packet(knowledge: &mut Knowledge, message: Outgoing<'_>) -> Bytes {
    let bytes = encode_outgoing(&knowledge.cluster_id, PROTOCOL_REVISION, message);
    let stats = &mut knowledge.stats;
    stats.work.touch(bytes.len());
    stats.packets_sent.count(message.kind());
    stats.bytes_sent += bytes.len() as u64;
    stats.max_packet_bytes_sent = stats.max_packet_bytes_sent.max(bytes.len() as u64);
    bytes
}

/// The room that a packet has for its digest and delta: what the envelope leaves, when the lengths in it are as long as
/// they can be.
fn room(knowledge: &Knowledge, empty: MessageLen) -> usize {
    let envelope = size::packet_len_of(&knowledge.cluster_id, PROTOCOL_REVISION, empty);
    knowledge.config.max_payload_size.saturating_sub(envelope + size::GROWTH_OF_LENGTHS)
}

/// The bytes of the largest packet that must be able to carry this key-value of the node itself: a SynAck, whose digest
/// has the entries of its sender and its reader. A member that nobody can dial hears of it in SynAcks alone.
pub(crate) fn packet_len_with(knowledge: &Knowledge, key: &str, value: &str) -> usize {
    let max = u64::MAX >> 1;
    let header = NodeDelta {
        node_id: knowledge.config.node_id.clone(),
        from_version_excluded: max,
        last_gc_version: max,
        key_values: Vec::new(),
        max_version: Some(max),
        sender_complete_version: Some(max),
        run: Some(knowledge.run),
    };
    let key_value = size::key_value_len(key, value, max, ValueStatus::DeleteAfterTtl);
    let delta = size::node_delta_len(size::node_delta_header_len(&header), key_value);
    let envelope = knowledge.config.max_payload_size - room(knowledge, MessageLen::SynAck { digest: 0, delta: 0 });
    envelope + room_for_two(&knowledge.config) + delta
}

#[cfg(test)]
mod tests;
