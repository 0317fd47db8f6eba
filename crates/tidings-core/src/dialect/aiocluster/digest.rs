//! Digests: made for a reader, fitted into a packet, and heard entry by entry.

use core::time::Duration;

use crate::config::Config;
use crate::event::EventKind;
use crate::id::{Address, NodeId, Run};
use crate::knowledge::{Knowledge, Moment};
use crate::limits::MAX_VERSION;
use crate::members::{Members, Proof, Report, Word};
use crate::reconcile::Known;
use crate::wire::aiocluster::size::{self, MessageLen};
use crate::wire::aiocluster::{Digest, EncodedDigest, FRESH_MS, NodeDigest, Subject, Subjects};

use super::{Aiocluster, PROTOCOL_REVISION, Sender, unmarked};

/// Whom a digest is for, as far as is known.
#[derive(Clone, Copy)]
pub(super) enum Reader<'a> {
    At(&'a Address),
    Node(&'a NodeId),
}

/// The least that `max_payload_size` may be: a digest must hold this node's own entry, and another as long, or nobody is
/// ever asked about.
pub(crate) fn smallest_payload(config: &Config) -> usize {
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
    let envelope = MessageLen::SynAck { digest: 0, delta: 0 };
    let envelope = size::packet_len_of(&config.cluster_id, PROTOCOL_REVISION, envelope) + size::GROWTH_OF_LENGTHS;
    (envelope + size::digest_len(2 * size::node_digest_len(&entry), true)).max(512)
}

/// A silence as a digest has it: rounded up, and left out where it is short.
fn silence_ms(silence: Duration) -> Option<u64> {
    let millis = u64::try_from(silence.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    (millis > FRESH_MS).then_some(millis)
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
            heartbeat: self.heartbeat,
            max_version: self.max_version,
            complete_version: self.complete_version(),
            last_gc_version: self.last_gc_version,
            released_version: self.released_version,
        }
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

    /// The digest for `reader`: this node's own entry, and those of all others that are still told of. A reader that has
    /// been dead for long is told of itself all the same: if it was started again with its generation, it has to know.
    pub(super) fn digest(&self, knowledge: &mut Knowledge, at: Moment, reader: Reader<'_>) -> EncodedDigest {
        let own_entry = self.own_entry(knowledge);
        let (members, env) = knowledge.members(at);
        // Behind an address of no known node, a seed's other name say, may be any of them.
        let may_be_anyone = match reader {
            Reader::At(address) => members.at(address).next().is_none(),
            Reader::Node(_) => false,
        };
        let mut digest = EncodedDigest::new(&own_entry, members.len());
        let is_reader = |id| matches!(reader, Reader::Node(node) if node == id);
        for (id, peer) in members.iter() {
            if peer.is_scheduled_for_deletion(at.now, env.config) && !is_reader(id) {
                continue;
            }
            let to_owner = || match reader {
                Reader::At(address) => may_be_anyone || id.gossip_advertise_addr() == address,
                Reader::Node(node) => id == node,
            };
            let (max_version, complete_version) = unmarked::versions_to_show(peer, to_owner);
            digest.push(&NodeDigest {
                node_id: id.clone(),
                heartbeat: peer.pulse.heartbeat(),
                last_gc_version: peer.last_gc_version,
                max_version,
                complete_version,
                run: peer.run(),
                released_version: peer.released_version,
                silence_ms: silence_ms(peer.silence(at.now)),
            });
        }
        // After the holders of their names. What is heard of their versions is shown as if it were held, so that nobody sends
        // key-values that count for nothing yet.
        for challenger in members.challengers(&env) {
            digest.push(&NodeDigest {
                node_id: challenger.id().clone(),
                heartbeat: challenger.pulse().heartbeat(),
                last_gc_version: 0,
                max_version: challenger.heard_version(),
                complete_version: None,
                run: challenger.run(),
                released_version: None,
                silence_ms: silence_ms(challenger.pulse().silence(at.now)),
            });
        }
        digest
    }

    pub(super) fn fit_digest(
        &mut self,
        knowledge: &mut Knowledge,
        digest: EncodedDigest,
        room: usize,
    ) -> EncodedDigest {
        let (digest, left_out) = digest.fit(room, &mut knowledge.random);
        if left_out > 0 {
            knowledge.stats.digests_truncated += 1;
            if !self.digest_truncation_told {
                self.digest_truncation_told = true;
                let max_payload_size = knowledge.config.max_payload_size;
                knowledge.tell(EventKind::DigestTruncated { left_out, max_payload_size });
            }
        }
        digest
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
        for (number, entry) in digest.entries.iter().enumerate() {
            let report = entry.report(sender);
            let (members, mut env) = knowledge.members(at);
            match subjects.of_entry(number) {
                Subject::Reader => self.refute(knowledge, at, &report),
                Subject::Peer(position) => members.hear_of_peer(&mut env, position, &report),
                Subject::Stranger => {
                    if let Some(position) = members.hear_of_stranger(&mut env, &report) {
                        subjects.admitted(number, position);
                    }
                }
            }
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
            self.update_released(knowledge, at);
        }
    }
}
