//! What a packet costs, counted: at most a constant and so much for each byte that comes or goes, however much is known.

use std::net::{IpAddr, Ipv4Addr};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tidings_core::reconcile::Delta;
use tidings_core::wire::aiocluster::{Digest, Message, NodeDigest, Packet, encode};
use tidings_core::{
    Address, Config, Instant, Next, Node, NodeId, Outcome, PeerIdentity, Reply, Run, Transmit, Via, Work, invariants,
};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9));

/// A node that is fed packets, each of which is held against what it may cost.
struct Fed {
    node: Node,
    now: Instant,
    heartbeat: u64,
    /// Whether a packet that costs too much is a failure at once.
    is_bounded: bool,
}

fn id(name: &str) -> NodeId {
    NodeId::new(name, 1, Address::new(name, 7000))
}

fn config() -> Config {
    let mut config = Config::new(id("me"));
    config.limits.decode.max_packet_bytes = 8 << 20;
    config
}

fn entry(id: &NodeId, heartbeat: u64) -> NodeDigest {
    NodeDigest {
        node_id: id.clone(),
        heartbeat,
        last_gc_version: 0,
        max_version: 0,
        complete_version: None,
        run: Run::new(1),
        released_version: None,
        silence_ms: None,
    }
}

/// A digest of this sender, that says it is all it knows.
fn digest_of(sender: &NodeId, heartbeat: u64, others: impl Iterator<Item = NodeDigest>) -> Digest {
    let entries = std::iter::once(entry(sender, heartbeat)).chain(others.filter(|other| other.node_id != *sender));
    Digest { entries: entries.collect(), partial: false }
}

fn packet(message: Message) -> Vec<u8> {
    encode(&Packet { cluster_id: "default-cluster".into(), protocol_revision: 1, message }).to_vec()
}

impl Fed {
    fn new(config: Config) -> Fed {
        let now = Instant::from_secs(1_000);
        let node = Node::new(config, now, &mut ChaCha8Rng::seed_from_u64(1)).expect("a valid config");
        Fed { node, now, heartbeat: 0, is_bounded: true }
    }

    /// A node that knows so many others, all of them live.
    fn knowing(count: usize, config: Config) -> (Fed, Vec<NodeId>) {
        let mut fed = Fed::new(config);
        fed.is_bounded = false;
        let others: Vec<NodeId> = (0..count).map(|number| id(&format!("node{number}"))).collect();
        // Few places are for those that were never live.
        others.chunks(4_000).for_each(|some| fed.beat(some));
        fed.beat(&others);
        assert_eq!(fed.node.live_nodes().len(), count + 1);
        fed.is_bounded = true;
        (fed, others)
    }

    /// Has these nodes beat until they are live.
    fn beat(&mut self, nodes: &[NodeId]) {
        for _ in 0..4 {
            self.heartbeat += 1;
            let heartbeat = self.heartbeat;
            for some in nodes.chunks(2_000) {
                let digest = digest_of(&some[0], heartbeat, some.iter().map(|node| entry(node, heartbeat)));
                self.syn(&packet(Message::Syn { digest }));
            }
            self.pass(1);
        }
    }

    /// So many seconds pass. What it dials meanwhile is refused.
    fn pass(&mut self, secs: u64) {
        let until = self.now + std::time::Duration::from_secs(secs);
        while let Some(due) = self.node.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.node.handle_timeout(self.now);
            for Transmit { exchange, .. } in self.transmits() {
                self.node.handle_closed(self.now, exchange, Outcome::Refused);
            }
        }
        self.now = until;
        while self.node.poll_event().is_some() {}
    }

    fn transmits(&mut self) -> Vec<Transmit> {
        std::iter::from_fn(|| self.node.poll_transmit()).collect()
    }

    /// Hands in a packet, and gives the answer and what it cost.
    fn handle(&mut self, via: Via, bytes: &[u8]) -> (Reply, Work) {
        let before = self.node.stats().work;
        let reply = self.node.handle_packet(self.now, via, bytes, &PeerIdentity::default());
        let len = bytes.len() + reply.packet.as_ref().map_or(0, |packet| packet.len());
        let work = self.node.stats().work - before;
        if self.is_bounded {
            invariants::work(before, &self.node, len).expect("a packet costs what its bytes allow");
        }
        (reply, work)
    }

    /// A peer dials in with this Syn, and goes.
    fn syn(&mut self, bytes: &[u8]) -> (Reply, Work) {
        let exchange = self.node.accept(self.now, PEER).expect("a place");
        let answer = self.handle(Via::Accepted(exchange), bytes);
        self.node.handle_closed(self.now, exchange, Outcome::Failed);
        answer
    }

    /// Whoever is dialled in the next round answers so.
    fn syn_ack(&mut self, answer: impl Fn(&Address) -> Vec<u8>) -> (Reply, Work) {
        let mut transmits = Vec::new();
        while transmits.is_empty() {
            let due = self.node.poll_timeout().expect("a round");
            self.now = self.now.max(due);
            self.node.handle_timeout(self.now);
            transmits = self.transmits();
        }
        let Transmit { exchange, to, .. } = transmits.first().expect("somebody is dialled");
        self.node.handle_connected(self.now, *exchange);
        let answered = self.handle(Via::Dialled(*exchange), &answer(to));
        for Transmit { exchange, .. } in &transmits {
            self.node.handle_closed(self.now, *exchange, Outcome::Failed);
        }
        answered
    }
}

#[test]
fn a_packet_among_few_nodes_costs_what_its_bytes_allow() {
    let (mut fed, others) = Fed::knowing(200, config());
    let (reply, work) = fed.syn(&packet(Message::Syn { digest: digest_of(&others[3], 9, std::iter::empty()) }));
    assert!(reply.packet.is_some() && work.visited > 200, "{work:?}");
    let answer = |to: &Address| {
        let digest = digest_of(&id(to.host()), 9, others.iter().map(|node| entry(node, 9)));
        packet(Message::SynAck { digest, delta: Delta::default() })
    };
    let (reply, work) = fed.syn_ack(answer);
    assert_eq!((reply.next, reply.rejected), (Next::Close, None));
    assert!(work.visited > 200, "{work:?}");
}

/// What a packet of one entry costs, and how long it and its answer are.
struct Cost {
    what: &'static str,
    bytes: usize,
    work: Work,
}

fn short_syn(fed: &mut Fed, what: &'static str, revision: u32, partial: bool, from: &NodeId) -> Cost {
    let digest = Digest { partial, ..digest_of(from, 99, std::iter::empty()) };
    let packet = encode(&Packet {
        cluster_id: "default-cluster".into(),
        protocol_revision: revision,
        message: Message::Syn { digest },
    });
    let (reply, work) = fed.syn(&packet);
    Cost { what, bytes: packet.len() + reply.packet.map_or(0, |packet| packet.len()), work }
}

fn short_syn_ack(fed: &mut Fed, what: &'static str, revision: u32, partial: bool) -> Cost {
    let len = std::cell::Cell::new(0);
    let (reply, work) = fed.syn_ack(|to| {
        let digest = Digest { partial, ..digest_of(&id(to.host()), 99, std::iter::empty()) };
        let message = Message::SynAck { digest, delta: Delta::default() };
        let packet = encode(&Packet { cluster_id: "default-cluster".into(), protocol_revision: revision, message });
        len.set(packet.len());
        packet.to_vec()
    });
    Cost { what, bytes: len.get() + reply.packet.map_or(0, |packet| packet.len()), work }
}

fn assert_bounded(costs: &[Cost]) {
    let mut over = Vec::new();
    for Cost { what, bytes, work } in costs {
        let (total, allowed) = (work.total(), Work::allowed(*bytes));
        if total > allowed {
            over.push(format!("{what}: {bytes} bytes: {work:?}, {total} of {allowed}"));
        }
    }
    assert!(over.is_empty(), "packets that cost too much: {over:#?}");
}

#[test]
fn short_packets_cost_little_where_20_000_members_are_known() {
    let mut costs = Vec::new();
    for max_payload_size in [65_507, 512] {
        let mut config = config();
        config.max_payload_size = max_payload_size;
        config.failure_detector.dead_node_grace_period = std::time::Duration::from_secs(120);
        let (mut fed, others) = Fed::knowing(20_000, config);
        fed.is_bounded = false;
        for revision in [1, 0] {
            for partial in [false, true] {
                for from in [&others[0], &others[19_999]] {
                    costs.push(short_syn(&mut fed, "Syn", revision, partial, from));
                }
                costs.push(short_syn_ack(&mut fed, "SynAck", revision, partial));
            }
        }
        // Nearly all have been dead for so long that nobody is told of them.
        fed.pass(70);
        fed.beat(&others[..100]);
        costs.push(short_syn(&mut fed, "Syn among the dead", 1, false, &others[0]));
        costs.push(short_syn(&mut fed, "partial Syn among the dead", 1, true, &others[0]));
    }
    assert_bounded(&costs);
}

/// A full packet for each thing that once cost far more than its bytes.
fn full_digests(known: &[NodeId]) -> Vec<(&'static str, Vec<NodeDigest>)> {
    let generation = |of: &NodeId, generation| NodeId::new(of.name(), generation, of.gossip_advertise_addr().clone());
    let strangers = |len: usize, count: usize| {
        let long = "n".repeat(len);
        (0..count).map(|number| entry(&id(&format!("{long}{number}")), 1)).collect()
    };
    let at_one_address = |number| NodeId::new(format!("stranger{number}"), 1, Address::new("everyone", 7000));
    vec![
        ("strangers", strangers(1, 3_000)),
        ("strangers with long names", strangers(1_000, 60)),
        ("strangers at one address", (0..3_000).map(|number| entry(&at_one_address(number), 1)).collect()),
        ("generations of a known name", (2..5_500).map(|number| entry(&generation(&known[7], number), 1)).collect()),
        ("generations of a new name", (2..5_500).map(|number| entry(&generation(&id("new"), number), 1)).collect()),
        ("a challenger of each", known[..3_000].iter().map(|known| entry(&generation(known, 2), 1)).collect()),
        ("heartbeats", known[..3_000].iter().map(|known| entry(known, 500)).collect()),
        ("jumps", known[..3_000].iter().map(|known| entry(known, 1 << 60)).collect()),
        (
            "versions",
            known[3_000..6_000].iter().map(|known| NodeDigest { max_version: 9, ..entry(known, 1) }).collect(),
        ),
        ("this very node", vec![NodeDigest { max_version: 10, run: None, ..entry(&id("me"), 1 << 20) }]),
        ("one entry again and again", vec![entry(&known[9], 501); 1_000]),
    ]
}

#[test]
fn full_packets_cost_what_their_bytes_allow_where_20_000_members_are_known() {
    let (mut fed, others) = Fed::knowing(19_000, config());
    for key in 0..50 {
        fed.node.set(fed.now, &format!("key{key}"), "value", tidings_core::Lifetime::Forever).expect("a key");
    }
    let packet = |from: NodeId, revision, heartbeat, entries: &[NodeDigest], is_answer| {
        let digest = digest_of(&from, heartbeat, entries.iter().cloned());
        let message = match is_answer {
            true => Message::SynAck { digest, delta: Delta::default() },
            false => Message::Syn { digest },
        };
        encode(&Packet { cluster_id: "default-cluster".into(), protocol_revision: revision, message }).to_vec()
    };
    // Each is held against its bounds; the second time they meet what the first ones left behind.
    for heartbeat in [900, 901] {
        for (what, entries) in full_digests(&others) {
            for revision in [0, 1] {
                let (reply, work) = fed.syn(&packet(id("teller"), revision, heartbeat, &entries, false));
                assert_eq!(reply.rejected, None, "{what}");
                assert!(work.visited > entries.len() as u64, "{what}: {work:?}");
                fed.syn_ack(|to| packet(id(to.host()), revision, heartbeat, &entries, true));
            }
        }
    }
    assert!(fed.node.stats().republished <= 1 + fed.node.stats().rounds / 4, "{:?}", fed.node.stats());
}
