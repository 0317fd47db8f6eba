//! A Python aiocluster 1.1.0 node as far as it matters here: it speaks through the wire without any mark, and has the
//! defects by which keys are lost. And what tests need to let nodes of ours meet it, and each other.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tidings_core::reconcile::{Delta, NodeDelta};
use tidings_core::wire::aiocluster::{self, Digest, Message, NodeDigest, Packet};
use tidings_core::{
    Address, Config, DecodeLimits, EventKind, Instant, KeyValueUpdate, Next, Node, NodeId, Outcome, Reply, Transmit,
    ValueStatus, Via, invariants,
};

pub(crate) const CLUSTER_ID: &str = "default-cluster";
pub(crate) const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What a Python node here puts into one delta: a little less than its payload size, so that digest and envelope have
/// room as well (defect 2) and another Python node takes the packet.
const DELTA_BUDGET: usize = 60_000;

/// A key's value, version and status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) value: String,
    pub(crate) version: u64,
    pub(crate) status: ValueStatus,
}

/// A Python node's copy of one node's state, also of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replica {
    pub(crate) heartbeat: u64,
    pub(crate) max_version: u64,
    pub(crate) last_gc_version: u64,
    pub(crate) keys: BTreeMap<String, Held>,
}

/// A Python node.
#[derive(Clone, Debug)]
pub(crate) struct PythonPeer {
    pub(crate) id: NodeId,
    pub(crate) replicas: BTreeMap<NodeId, Replica>,
}

/// What a node of ours said in an exchange with a Python node: its digest, and what it sent.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) digest: Digest,
    pub(crate) delta: Delta,
}

impl Said {
    /// What it sent of this node.
    pub(crate) fn news_of(&self, id: &NodeId) -> Option<&NodeDelta> {
        self.delta.node_deltas.iter().find(|node_delta| node_delta.node_id == *id)
    }

    /// What its digest shows of this node.
    pub(crate) fn entry_of(&self, id: &NodeId) -> Option<&NodeDigest> {
        self.digest.entries.iter().find(|entry| entry.node_id == *id)
    }
}

impl PythonPeer {
    pub(crate) fn new(name: &str) -> PythonPeer {
        PythonPeer::run(name, 1)
    }

    /// A run of this generation.
    pub(crate) fn run(name: &str, generation: u64) -> PythonPeer {
        let id = NodeId::new(name, generation, address(name));
        let own = Replica { heartbeat: 1, ..Replica::default() };
        PythonPeer { replicas: [(id.clone(), own)].into(), id }
    }

    pub(crate) fn replica(&mut self, id: &NodeId) -> &mut Replica {
        self.replicas.entry(id.clone()).or_default()
    }

    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.write(key, value, ValueStatus::Set);
    }

    pub(crate) fn delete(&mut self, key: &str) {
        self.write(key, "", ValueStatus::Deleted);
    }

    pub(crate) fn write(&mut self, key: &str, value: &str, status: ValueStatus) {
        let own = self.replica(&self.id.clone());
        own.max_version += 1;
        own.keys.insert(key.into(), Held { value: value.into(), version: own.max_version, status });
    }

    /// The grace period of all tombstones is over on its clock, whoever their owner is (defect 20).
    pub(crate) fn collect(&mut self, owner: &NodeId) {
        let replica = self.replica(owner);
        let gone = replica.keys.values().filter(|held| held.status != ValueStatus::Set).map(|held| held.version);
        replica.last_gc_version = gone.max().unwrap_or(0).max(replica.last_gc_version);
        replica.keys.retain(|_, held| held.status == ValueStatus::Set);
    }

    /// The value it reads at a key of that node.
    pub(crate) fn value(&self, owner: &NodeId, key: &str) -> Option<&str> {
        let held = self.replicas.get(owner)?.keys.get(key)?;
        (held.status == ValueStatus::Set).then_some(&held.value)
    }

    fn beat(&mut self) {
        self.replica(&self.id.clone()).heartbeat += 1;
    }

    /// Opens an exchange with a node of ours and goes through with it.
    pub(crate) fn dials(&mut self, now: Instant, node: &mut Node) -> Said {
        let (said, delta) = self.dials_half(now, node);
        self.finish(now, node, said, delta)
    }

    /// As [`PythonPeer::dials`], but it ends the exchange with this delta.
    pub(crate) fn dials_and_sends(&mut self, now: Instant, node: &mut Node, delta: Delta) -> Said {
        let (said, _) = self.dials_half(now, node);
        self.finish(now, node, said, delta)
    }

    fn dials_half(&mut self, now: Instant, node: &mut Node) -> ((Via, Said), Delta) {
        self.beat();
        let via = Via::Accepted(node.accept(now, LOCALHOST).expect("there is room for an exchange"));
        let syn = packet(Message::Syn { digest: self.digest() });
        let reply = hand_in(now, node, via, &syn);
        assert_eq!((reply.rejected, reply.next), (None, Next::Read));
        let Message::SynAck { digest, delta } = read(&reply.packet.expect("a SynAck")).message else {
            panic!("a Syn is answered with a SynAck");
        };
        self.hear(&digest);
        self.apply(&delta);
        let answer = self.delta_for(&digest);
        ((via, Said { digest, delta }), answer)
    }

    fn finish(&mut self, now: Instant, node: &mut Node, (via, said): (Via, Said), delta: Delta) -> Said {
        let reply = hand_in(now, node, via, &packet(Message::Ack { delta }));
        assert_eq!((reply.packet, reply.rejected, reply.next), (None, None, Next::Close));
        close(now, node, via, Outcome::Done);
        said
    }

    /// A node of ours, which knows its address as a seed or by gossip, dials it and goes through with the exchange.
    pub(crate) fn is_dialled_by(&mut self, now: &mut Instant, node: &mut Node) -> Said {
        let syn = next_dial(now, node, &address(self.id.name()));
        self.answers(*now, node, syn)
    }

    /// Answers a Syn that a node of ours has sent, wherever it was sent to.
    pub(crate) fn answers(&mut self, now: Instant, node: &mut Node, syn: Transmit) -> Said {
        self.beat();
        let Message::Syn { digest } = read(&syn.packet).message else { panic!("an exchange begins with a Syn") };
        self.hear(&digest);
        let syn_ack = Message::SynAck { digest: self.digest(), delta: self.delta_for(&digest) };
        let via = Via::Dialled(syn.exchange);
        let reply = hand_in(now, node, via, &packet(syn_ack));
        assert_eq!((reply.rejected, reply.next), (None, Next::Close));
        let Message::Ack { delta } = read(&reply.packet.expect("an Ack")).message else {
            panic!("a SynAck is answered with an Ack");
        };
        self.apply(&delta);
        close(now, node, via, Outcome::Done);
        Said { digest, delta }
    }

    /// Opens an exchange with another Python node.
    pub(crate) fn dials_python(&mut self, other: &mut PythonPeer) {
        for peer in [&mut *self, &mut *other] {
            peer.beat();
        }
        let digest = self.digest();
        other.hear(&digest);
        let (answer, delta) = (other.digest(), other.delta_for(&digest));
        self.hear(&answer);
        self.apply(&delta);
        other.apply(&self.delta_for(&answer));
    }

    /// Its own entry comes first; nothing of ours is in it.
    pub(crate) fn digest(&self) -> Digest {
        let entry = |(id, replica): (&NodeId, &Replica)| NodeDigest {
            node_id: id.clone(),
            heartbeat: replica.heartbeat,
            last_gc_version: replica.last_gc_version,
            max_version: replica.max_version,
            complete_version: None,
            run: None,
            released_version: None,
            silence_ms: None,
        };
        Digest { entries: self.own_first().map(entry).collect(), partial: false }
    }

    fn own_first(&self) -> impl Iterator<Item = (&NodeId, &Replica)> {
        let own = self.replicas.iter().filter(|(id, _)| **id == self.id);
        own.chain(self.replicas.iter().filter(|(id, _)| **id != self.id))
    }

    fn hear(&mut self, digest: &Digest) {
        let own = self.id.clone();
        for entry in digest.entries.iter().filter(|entry| entry.node_id != own) {
            let replica = self.replica(&entry.node_id);
            replica.heartbeat = replica.heartbeat.max(entry.heartbeat);
        }
    }

    /// Key-values in order of version, as many as there is room for, with its full version (defect 1); of a node without
    /// key-values nothing (defect 5).
    pub(crate) fn delta_for(&self, digest: &Digest) -> Delta {
        let mut room = DELTA_BUDGET;
        let mut node_deltas = Vec::new();
        for (id, replica) in self.own_first() {
            let known = digest.entries.iter().find(|entry| entry.node_id == *id);
            let (version, last_gc) = known.map_or((0, 0), |entry| (entry.max_version, entry.last_gc_version));
            if replica.max_version <= version {
                continue;
            }
            let is_reset = last_gc < replica.last_gc_version && version < replica.last_gc_version;
            let from = if is_reset { 0 } else { version };
            let mut news: Vec<KeyValueUpdate> = replica.updates().filter(|update| update.version > from).collect();
            news.sort_by_key(|update| update.version);
            let fitting = news.iter().take_while(|update| {
                let len = update.key.len() + update.value.len() + 12;
                room.checked_sub(len).inspect(|left| room = *left).is_some()
            });
            let fitting = fitting.count();
            news.truncate(fitting);
            if !news.is_empty() {
                node_deltas.push(NodeDelta {
                    node_id: id.clone(),
                    from_version_excluded: from,
                    last_gc_version: replica.last_gc_version,
                    key_values: news,
                    max_version: Some(replica.max_version),
                    sender_complete_version: None,
                    run: None,
                });
            }
        }
        Delta { node_deltas }
    }

    /// A higher `last_gc_version` takes live keys along (defect 3), what is at or below the old `max_version` is left out
    /// even after that (defect 4), and the version claimed is believed (defect 1).
    fn apply(&mut self, delta: &Delta) {
        for node_delta in &delta.node_deltas {
            let replica = self.replica(&node_delta.node_id);
            if node_delta.last_gc_version > replica.last_gc_version {
                replica.last_gc_version = node_delta.last_gc_version;
                replica.keys.retain(|_, held| held.version > node_delta.last_gc_version);
            }
            for update in &node_delta.key_values {
                let is_collected = update.status != ValueStatus::Set && update.version <= replica.last_gc_version;
                if update.version > replica.max_version && !is_collected {
                    let KeyValueUpdate { key, value, version, status } = update;
                    let held = Held { value: value.to_string(), version: *version, status: *status };
                    replica.keys.insert(key.to_string(), held);
                    replica.max_version = *version;
                }
            }
            replica.max_version = replica.max_version.max(node_delta.max_version.unwrap_or(0));
        }
    }
}

impl Replica {
    fn updates(&self) -> impl Iterator<Item = KeyValueUpdate> {
        self.keys.iter().map(|(key, held)| KeyValueUpdate {
            key: Arc::from(key.as_str()),
            value: Arc::from(held.value.as_str()),
            version: held.version,
            status: held.status,
        })
    }
}

pub(crate) fn address(name: &str) -> Address {
    Address::new(name, 7000)
}

/// A node of ours.
pub(crate) fn ours(name: &str, change: impl FnOnce(&mut Config)) -> Node {
    let mut config = Config::new(NodeId::new(name, 1, address(name)));
    change(&mut config);
    Node::new(config, Instant::ZERO, &mut ChaCha8Rng::seed_from_u64(1)).expect("a valid config")
}

/// An unmarked packet.
pub(crate) fn packet(message: Message) -> Bytes {
    aiocluster::encode(&Packet { cluster_id: Arc::from(CLUSTER_ID), protocol_revision: 0, message })
}

/// Reads a packet of ours, which may be longer than the default limit.
pub(crate) fn read(packet: &[u8]) -> Packet {
    let limits = DecodeLimits { max_packet_bytes: 64 << 20, ..DecodeLimits::default() };
    let decoded = aiocluster::decode(packet, &limits).expect("ours sends packets");
    assert_eq!(decoded.skipped_entries, 0);
    decoded.packet
}

/// Hands in a packet. Whatever it is, what holds for every node at any time holds, and the answer is within its limit.
pub(crate) fn hand_in(now: Instant, node: &mut Node, via: Via, packet: &[u8]) -> Reply {
    let (after, reply) = invariants::rejection(now, node, via, packet).expect("no invariant is broken");
    *node = after;
    reply
}

pub(crate) fn close(now: Instant, node: &mut Node, via: Via, outcome: Outcome) {
    let (Via::Dialled(id) | Via::Accepted(id)) = via;
    node.handle_closed(now, id, outcome);
}

/// Lets a node's timers fire until it dials `to`; whomever else it dials is not there.
pub(crate) fn next_dial(now: &mut Instant, node: &mut Node, to: &Address) -> Transmit {
    for _ in 0..1_000 {
        *now = node.poll_timeout().expect("a node always waits for something").max(*now);
        let (found, others): (Vec<_>, Vec<_>) = dials_of(*now, node).into_iter().partition(|dial| dial.to == *to);
        for other in others {
            node.handle_closed(*now, other.exchange, Outcome::Refused);
        }
        if let Some(found) = found.into_iter().next() {
            return found;
        }
    }
    panic!("{} does not dial {to}", node.id());
}

/// What a node dials at this instant. The exchanges stay open, each until it is closed.
pub(crate) fn dials_of(now: Instant, node: &mut Node) -> Vec<Transmit> {
    node.handle_timeout(now);
    let transmits: Vec<Transmit> = std::iter::from_fn(|| node.poll_transmit()).collect();
    for transmit in &transmits {
        invariants::budget(node, &transmit.packet).expect("a Syn within its limit");
    }
    transmits
}

/// Lets time pass at a node that reaches nobody.
pub(crate) fn pass(now: &mut Instant, node: &mut Node, duration: Duration) {
    let end = *now + duration;
    while let Some(due) = node.poll_timeout().filter(|due| *due <= end) {
        *now = due.max(*now);
        for transmit in dials_of(*now, node) {
            node.handle_closed(*now, transmit.exchange, Outcome::Refused);
        }
    }
    *now = end;
}

/// One of ours dials another of ours: the Syn, the SynAck and the Ack, encoded.
pub(crate) fn talk(now: &mut Instant, dialler: &mut Node, responder: &mut Node) -> [Bytes; 3] {
    let syn = next_dial(now, dialler, responder.id().gossip_advertise_addr());
    let dialled = Via::Dialled(syn.exchange);
    let accepted = Via::Accepted(responder.accept(*now, LOCALHOST).expect("there is room for an exchange"));
    let syn_ack = hand_in(*now, responder, accepted, &syn.packet).packet.expect("a SynAck");
    let ack = hand_in(*now, dialler, dialled, &syn_ack).packet.expect("an Ack");
    assert_eq!(hand_in(*now, responder, accepted, &ack).rejected, None);
    close(*now, dialler, dialled, Outcome::Done);
    close(*now, responder, accepted, Outcome::Done);
    [syn.packet, syn_ack, ack]
}

/// What a node has to tell by now.
pub(crate) fn events(node: &mut Node) -> Vec<EventKind> {
    std::iter::from_fn(|| node.poll_event()).map(|event| event.kind).collect()
}

/// The changes of keys among what it has to tell: whose, which key, the new value or `None`.
pub(crate) fn key_changes(node: &mut Node) -> Vec<(NodeId, String, Option<String>)> {
    let change = |event| match event {
        EventKind::KeyChanged { node, key, new, .. } => {
            Some((node, key.to_string(), new.is_readable().then(|| new.value.to_string())))
        }
        _ => None,
    };
    events(node).into_iter().filter_map(change).collect()
}

/// How many keys of `owner` can be read at `node`.
pub(crate) fn held(node: &Node, owner: &NodeId) -> usize {
    node.node_state(owner).map_or(0, |state| state.len())
}

/// What `node` reads at a key of `owner`.
pub(crate) fn value(node: &Node, owner: &NodeId, key: &str) -> Option<String> {
    node.node_state(owner)?.get(key).map(str::to_owned)
}
