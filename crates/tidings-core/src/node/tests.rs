//! A node from outside: what it is handed, what it answers, and what it counts.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use core::net::Ipv4Addr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::dialect::aiocluster::PROTOCOL_REVISION;
use crate::reconcile::Delta;
use crate::testing::{config, entry, id, secs};
use crate::wire::aiocluster::encode;

mod deadlines;
mod dials;
mod rejected;
mod suspicion;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9));

fn node(name: &str) -> Node {
    node_with(config(name))
}

fn node_with(config: Config) -> Node {
    Node::new(config, Instant::ZERO, &mut ChaCha8Rng::seed_from_u64(1)).unwrap()
}

fn address(name: &str) -> Address {
    id(name, 1).gossip_advertise_addr().clone()
}

fn events(node: &mut Node) -> Vec<String> {
    core::iter::from_fn(|| node.poll_event()).map(|event| event.kind.to_string()).collect()
}

fn packet(cluster_id: &str, message: Message) -> Bytes {
    encode(&Packet { cluster_id: cluster_id.into(), protocol_revision: PROTOCOL_REVISION, message })
}

fn digest_from(name: &str) -> Digest {
    Digest { entries: vec![entry(&id(name, 1), 1)], partial: false }
}

/// Nodes by address, and the network between them: a function call.
struct Net {
    now: Instant,
    nodes: BTreeMap<Address, Node>,
    /// Who cannot be reached.
    down: BTreeSet<Address>,
    /// How exchanges with those end.
    unreached: Outcome,
    events: BTreeMap<Address, Vec<String>>,
}

impl Net {
    /// Nodes of these names, all with the first for a seed.
    fn new(names: &[&str], tweak: impl Fn(&mut Config)) -> Net {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut net = Net {
            now: Instant::ZERO,
            nodes: BTreeMap::new(),
            down: BTreeSet::new(),
            unreached: Outcome::Refused,
            events: BTreeMap::new(),
        };
        for name in names {
            let mut config = config(name);
            config.seeds = vec![address(names[0])];
            tweak(&mut config);
            net.nodes.insert(address(name), Node::new(config, Instant::ZERO, &mut rng).unwrap());
        }
        net
    }

    fn node(&mut self, name: &str) -> &mut Node {
        self.nodes.get_mut(&address(name)).unwrap()
    }

    /// Wakes every node at its deadlines, for so many seconds.
    fn run(&mut self, seconds: u64) {
        self.run_until(self.now + Duration::from_secs(seconds));
    }

    fn run_until(&mut self, end: Instant) {
        loop {
            let running = self.nodes.iter().filter(|(address, _)| !self.down.contains(*address));
            let due = running.filter_map(|(address, node)| Some((node.poll_timeout()?, address.clone()))).min();
            let Some((deadline, address)) = due.filter(|(deadline, _)| *deadline <= end) else { break };
            self.now = self.now.max(deadline);
            let now = self.now;
            self.nodes.get_mut(&address).unwrap().handle_timeout(now);
            self.carry(&address);
        }
        self.now = end;
    }

    /// Carries what `from` wants to open, and tells it how each ended.
    fn carry(&mut self, from: &Address) {
        while let Some(syn) = self.nodes.get_mut(from).unwrap().poll_transmit() {
            let outcome = if self.exchange(from, &syn) { Outcome::Done } else { self.unreached };
            let now = self.now;
            self.nodes.get_mut(from).unwrap().handle_closed(now, syn.exchange, outcome);
        }
        for (address, node) in &mut self.nodes {
            self.events.entry(address.clone()).or_default().extend(events(node));
        }
    }

    /// Both sides' packets until one closes; false: there is nobody to answer.
    fn exchange(&mut self, from: &Address, syn: &Transmit) -> bool {
        let (now, plain) = (self.now, PeerIdentity::Plaintext);
        if self.down.contains(&syn.to) || from == &syn.to {
            return false;
        }
        let Some(there) = self.nodes.get_mut(&syn.to) else { return false };
        let Some(accepted) = there.accept(now, PEER) else { return false };
        let (mut bytes, mut is_there) = (syn.packet.clone(), true);
        loop {
            let (address, via) = match is_there {
                true => (&syn.to, Via::Accepted(accepted)),
                false => (from, Via::Dialled(syn.exchange)),
            };
            let reply = self.nodes.get_mut(address).unwrap().handle_packet(now, via, &bytes, &plain);
            is_there = !is_there;
            match reply.packet {
                Some(answer) => bytes = answer,
                None => break,
            }
        }
        self.nodes.get_mut(&syn.to).unwrap().handle_closed(now, accepted, Outcome::Done);
        true
    }

    fn events(&mut self, name: &str) -> Vec<String> {
        self.events.remove(&address(name)).unwrap_or_default()
    }

    fn live(&self, name: &str) -> Vec<String> {
        self.nodes[&address(name)].live_nodes().iter().map(|node| node.name().to_string()).collect()
    }
}

#[test]
fn the_first_round_comes_within_an_interval_and_the_others_one_apart() {
    let mut firsts = BTreeSet::new();
    for seed in 0..50 {
        let start = secs(1_000);
        let mut node = Node::new(config("a"), start, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap();
        let first = node.poll_timeout().unwrap();
        assert!(first >= start && first < start + Duration::from_secs(1), "{first:?}");
        firsts.insert(first);
        node.handle_timeout(first);
        assert_eq!(node.poll_timeout(), Some(first + Duration::from_secs(1)));
        assert_eq!(node.stats().rounds, 1);
    }
    assert_eq!(firsts.len(), 50);
}

#[test]
fn a_timeout_before_its_time_does_nothing() {
    let mut a = node("a");
    let before = (*a.stats(), a.snapshot(Instant::ZERO).member(&id("a", 1)).unwrap().heartbeat, a.poll_timeout());
    a.handle_timeout(Instant::from_nanos(1));
    let after = (*a.stats(), a.snapshot(Instant::ZERO).member(&id("a", 1)).unwrap().heartbeat, a.poll_timeout());
    assert_eq!(before, after);
}

#[test]
fn the_heartbeat_starts_at_one_and_goes_up_once_a_round_and_once_a_connection() {
    let mut a = node("a");
    let heartbeat = |a: &Node| a.snapshot(Instant::ZERO).member(&id("a", 1)).unwrap().heartbeat;
    assert_eq!(heartbeat(&a), 1);
    a.handle_timeout(secs(1));
    assert_eq!(heartbeat(&a), 2);
    a.accept(secs(1), PEER).unwrap();
    assert_eq!(heartbeat(&a), 3);
}

#[test]
fn three_nodes_find_each_other_and_a_dead_one_is_missed_and_comes_back() {
    let mut net = Net::new(&["a", "b", "c"], |_| {});
    net.run(10);
    for name in ["a", "b", "c"] {
        assert_eq!(net.live(name).len(), 3, "at {name}");
    }
    net.down.insert(address("c"));
    net.events("a");
    net.run(60);
    assert_eq!(net.events("a"), ["c-1-c:7000 died"]);
    net.down.clear();
    net.run(10);
    assert_eq!(net.events("a"), ["c-1-c:7000 joined"]);
    let c = net.node("c").stats();
    assert_eq!((c.pauses, c.rounds > 15), (1, true), "it was stopped, and accused nobody");
    assert!(!net.events("c").iter().any(|event| event.contains("died")));
}

#[test]
fn keys_and_their_ends_are_told_everywhere_in_order() {
    let mut net = Net::new(&["a", "b"], |_| {});
    let now = net.now;
    net.node("a").set(now, "k", "v", Lifetime::For(Duration::from_secs(5))).unwrap();
    net.node("a").set(now, "l", "v", Lifetime::Forever).unwrap();
    assert_eq!(net.node("a").poll_timeout().unwrap().max(secs(5)), secs(5));
    net.run(4);
    assert_eq!(net.node("b").node_state(&id("a", 1)).unwrap().get("k"), Some("v"));
    let now = net.now;
    assert_eq!(net.node("a").delete(now, "l"), Ok(Some(3)));
    net.run(6);
    let told = |events: Vec<String>| events.into_iter().filter(|event| event.contains('"')).collect::<Vec<_>>();
    let all = [
        "a-1-a:7000 set \"k\" to \"v\" (version 1)",
        "a-1-a:7000 set \"l\" to \"v\" (version 2)",
        "a-1-a:7000 deleted \"l\" (version 3)",
        "a-1-a:7000 deleted \"k\" (version 4)",
    ];
    assert_eq!(told(net.events("a")), all);
    assert_eq!(told(net.events("b")), all);
}

#[test]
fn what_cannot_be_set_changes_nothing() {
    let mut a = node("a");
    a.set(secs(1), "k", "v", Lifetime::Forever).unwrap();
    let largest = (0..65_507).rev().find(|len| a.set(secs(1), "large", &"v".repeat(*len), Lifetime::Forever).is_ok());
    let state = a.node_state(&id("a", 1)).unwrap().clone();
    let too_large = "v".repeat(largest.unwrap() + 1);
    assert!(matches!(a.set(secs(1), "large", &too_large, Lifetime::Forever), Err(SetError::TooLargeForPacket { .. })));
    assert!(matches!(a.set(secs(1), "tidings.left", "1", Lifetime::Forever), Err(SetError::ReservedKey { .. })));
    assert!(matches!(a.delete(secs(1), "tidings.left"), Err(SetError::ReservedKey { .. })));
    assert!(matches!(a.delete_after_ttl(secs(1), "tidings.left"), Err(SetError::ReservedKey { .. })));
    assert_eq!((a.delete(secs(1), "none"), a.delete_after_ttl(secs(1), "none")), (Ok(None), Ok(None)));
    assert_eq!(a.node_state(&id("a", 1)), Some(&state));
    assert_eq!(a.get("k").as_deref(), Some("v"));
}

#[test]
fn the_largest_value_that_can_be_set_reaches_a_peer() {
    let mut net = Net::new(&["a", "b"], |config| config.max_payload_size = 600);
    let now = net.now;
    let fits = (0..600).rev().find(|len| {
        let value = "v".repeat(*len);
        net.node("a").set(now, "k", &value, Lifetime::Forever).is_ok()
    });
    assert!(fits.is_some_and(|len| len > 300), "{fits:?}");
    net.run(20);
    assert_eq!(net.node("b").node_state(&id("a", 1)).unwrap().get("k").map(str::len), fits);
    assert!(net.node("a").stats().max_packet_bytes_sent <= 600);
}

#[test]
fn a_local_pause_accuses_nobody_and_counts_once() {
    for by_packet in [false, true] {
        let mut net = Net::new(&["a", "b", "c"], |_| {});
        net.run(20);
        net.events("a");
        // The whole machine of "a" stops, and what comes first afterwards may be the timeout or a peer.
        let others = [address("b"), address("c")];
        net.down.insert(address("a"));
        net.run(120);
        net.down.clear();
        let now = net.now;
        if by_packet {
            net.node("a").accept(now, PEER).unwrap();
        }
        net.node("a").handle_timeout(now);
        let phi = others.map(|other| net.node("a").phi(now, &id(other.host(), 1)).unwrap());
        assert!(phi.iter().all(|phi| *phi < 2.0), "{phi:?}");
        net.run(10);
        assert_eq!((net.events("a"), net.node("a").stats().pauses), (vec![], 1), "by_packet: {by_packet}");
    }
}

#[test]
fn a_round_a_little_late_is_no_pause() {
    let pauses = |late_ms: &[u64]| {
        let mut a = node("a");
        for millis in late_ms {
            let deadline = a.poll_timeout().unwrap();
            a.handle_timeout(deadline + Duration::from_millis(*millis));
        }
        a.stats().pauses
    };
    assert_eq!((pauses(&[0, 0, 1_000]), pauses(&[0, 0, 1_001])), (0, 1));
    assert_eq!(pauses(&[1_000; 50]), 0);
    assert!((1..20).contains(&pauses(&[2_000; 50])), "usual in the end");
}

#[test]
fn time_never_runs_backwards() {
    let mut a = node("a");
    a.set(secs(100), "k", "v", Lifetime::For(Duration::from_secs(10))).unwrap();
    a.handle_timeout(secs(50));
    a.set(secs(1), "l", "v", Lifetime::For(Duration::from_secs(10))).unwrap();
    assert_eq!(a.get_versioned("l").unwrap().changed_at, secs(100));
    a.handle_timeout(secs(109));
    assert_eq!(a.get("l").as_deref(), Some("v"));
    a.handle_timeout(secs(110));
    assert_eq!((a.get("k"), a.get("l")), (None, None));
}

#[test]
fn two_nodes_without_a_common_cluster_exchange_nothing() {
    let mut net = Net::new(&["a", "b"], |config| config.cluster_id = config.node_id.name().to_string());
    let now = net.now;
    net.node("a").set(now, "k", "v", Lifetime::Forever).unwrap();
    net.events("a");
    net.run(20);
    for (name, other) in [("a", "b"), ("b", "a")] {
        assert_eq!(net.live(name), [name]);
        assert!(net.node(name).node_state(&id(other, 1)).is_none());
    }
    let of_a = "b-1-b:7000 belongs to another cluster, \"b\"; see cluster_id and seeds of both";
    assert_eq!(net.events("a").iter().filter(|event| event.contains("cluster")).collect::<Vec<_>>(), [of_a]);
    // The dialling side hears of it by the answer.
    assert_eq!(net.events("b"), ["another cluster, \"a\", was heard; see cluster_id and seeds of both"]);
    let rejected = net.node("b").stats().rejected;
    assert!(rejected.other_cluster > 10 && rejected.total() == rejected.other_cluster, "{rejected:?}");
    assert_eq!(net.node("a").stats().packets_sent.bad_cluster, rejected.other_cluster);
}

#[test]
fn a_node_that_leaves_says_so_and_is_not_missed() {
    let mut net = Net::new(&["a", "b", "c", "d", "e"], |_| {});
    net.run(10);
    net.events("a");
    net.events("e");
    let now = net.now;
    net.node("e").leave(now);
    assert_eq!(net.node("e").left_nodes(), [id("e", 1)]);
    net.carry(&address("e"));
    // At once, without waiting for a round: all four were told by itself.
    assert_eq!(net.events("e"), ["left; told 4 nodes"]);
    let has_left = |net: &Net| {
        let names = ["a", "b", "c", "d"].into_iter();
        names.filter(|name| net.nodes[&address(name)].left_nodes() == [id("e", 1)]).count()
    };
    // It dialled them, as anybody might have; they believe it when it does not beat on.
    assert_eq!(has_left(&net), 0);
    let now = net.now;
    net.node("e").leave(now);
    assert_eq!(net.node("e").poll_transmit(), None, "a second time does nothing");
    net.down.insert(address("e"));
    net.run(6);
    assert_eq!(has_left(&net), 4);
    net.run(60);
    for name in ["a", "b", "c", "d"] {
        assert_eq!(net.nodes[&address(name)].left_nodes(), [id("e", 1)], "at {name}");
    }
    assert_eq!(net.events("a"), ["e-1-e:7000 left"]);
}

#[test]
fn a_farewell_that_reaches_nobody_ends_after_some_rounds() {
    let mut net = Net::new(&["a", "b", "c"], |_| {});
    net.run(10);
    net.down.extend([address("b"), address("c")]);
    net.events("a");
    let now = net.now;
    net.node("a").leave(now);
    net.carry(&address("a"));
    net.run(u64::from(crate::farewell::ROUNDS) - 1);
    assert_eq!(net.events("a"), [""; 0]);
    net.run(1);
    assert_eq!(net.events("a"), ["left; told 0 nodes"]);
}

#[test]
fn a_farewell_with_nobody_live_is_over_at_once() {
    let mut a = node("a");
    a.leave(secs(1));
    assert_eq!(events(&mut a), ["left; told 0 nodes"]);
    assert_eq!((a.live_nodes(), a.poll_transmit()), (vec![], None));
}

#[test]
fn no_more_exchanges_are_open_than_allowed_and_none_twice_to_one_address() {
    let mut config = config("a");
    config.seeds = vec![address("seed")];
    config.max_concurrent_gossip = 1;
    let mut a = node_with(config);
    a.handle_timeout(secs(1));
    let first = a.poll_transmit().unwrap();
    assert_eq!((a.poll_transmit(), a.stats().exchanges_not_opened), (None, 0));
    a.handle_timeout(secs(2));
    assert_eq!((a.poll_transmit(), a.stats().exchanges_not_opened), (None, 1));
    a.handle_closed(secs(2), first.exchange, Outcome::TimedOut);
    a.handle_timeout(secs(3));
    assert!(a.poll_transmit().is_some());
    assert_eq!((a.stats().exchanges_opened, a.stats().exchanges_failed), (2, 1));
}

#[test]
fn a_round_opens_no_more_exchanges_than_allowed() {
    let mut config = config("a");
    config.max_concurrent_gossip = 2;
    let mut a = node_with(config);
    let exchange = a.accept(secs(1), PEER).unwrap();
    let entries = ["b", "c", "d"].map(|name| entry(&id(name, 1), 1)).into();
    let syn = packet("default-cluster", Message::Syn { digest: Digest { entries, partial: false } });
    a.handle_packet(secs(1), Via::Accepted(exchange), &syn, &PeerIdentity::Plaintext);
    a.handle_timeout(secs(2));
    assert_eq!(core::iter::from_fn(|| a.poll_transmit()).count(), 2);
    assert!(a.stats().exchanges_not_opened > 0);
}

#[test]
fn past_the_limit_of_accepted_exchanges_a_peer_is_refused() {
    let mut config = config("a");
    config.limits.max_accepted_exchanges_per_ip = 2;
    let mut a = node_with(config);
    let first = a.accept(secs(1), PEER).unwrap();
    a.accept(secs(1), PEER).unwrap();
    assert_eq!(a.accept(secs(1), PEER), None);
    a.handle_closed(secs(1), first, Outcome::Failed);
    assert!(a.accept(secs(1), PEER).is_some());
    assert_eq!((a.stats().exchanges_accepted, a.stats().exchanges_refused), (3, 1));
}

#[test]
fn the_first_bad_field_of_a_config_is_an_error() {
    let mut config = config("a");
    config.gossip_count = 0;
    let error = Node::new(config, Instant::ZERO, &mut ChaCha8Rng::seed_from_u64(1)).map(Box::new).unwrap_err();
    assert_eq!(error.to_string(), "gossip_count is 0; allowed: 1 to 64");
}

#[test]
fn a_snapshot_stays_as_it_was_and_the_events_after_it_go_on_from_there() {
    let mut a = node("a");
    a.set(secs(1), "k", "1", Lifetime::Forever).unwrap();
    let snapshot = a.snapshot(secs(1));
    a.set(secs(2), "k", "2", Lifetime::Forever).unwrap();
    assert_eq!(snapshot.member(&id("a", 1)).unwrap().state.get("k"), Some("1"));
    assert_eq!(snapshot.member(&id("b", 1)).map(|member| &member.id), None);
    let later: Vec<u64> = core::iter::from_fn(|| a.poll_event()).map(|event| event.sequence).collect();
    assert_eq!((snapshot.sequence, later), (1, vec![1, 2]));
}

#[test]
fn new_seeds_are_dialled() {
    let mut a = node("a");
    a.handle_timeout(secs(1));
    assert_eq!(a.poll_transmit(), None);
    a.set_seeds(vec![address("a"), address("b")]);
    a.handle_timeout(secs(2));
    assert_eq!(a.poll_transmit().map(|transmit| transmit.to), Some(address("b")));
    assert_eq!(a.poll_transmit(), None, "never itself");
}

#[test]
fn a_dialled_nodes_certificate_name_goes_with_the_packet() {
    let mut a = node("a");
    let b = NodeId::with_tls_name("b", 1, address("b"), Some("b.example".into()));
    let exchange = a.accept(secs(1), PEER).unwrap();
    let digest = Digest { entries: vec![entry(&b, 1)], partial: false };
    let syn = packet("default-cluster", Message::Syn { digest });
    a.handle_packet(secs(1), Via::Accepted(exchange), &syn, &PeerIdentity::Plaintext);
    a.handle_timeout(secs(2));
    assert_eq!(a.poll_transmit().and_then(|transmit| transmit.tls_name).as_deref(), Some("b.example"));
}

#[test]
fn where_a_live_node_has_taken_a_dead_ones_place_its_certificate_is_expected() {
    let mut a = node("a");
    let at_b = |name| NodeId::with_tls_name(name, 1, address("b"), Some(format!("{name}.example")));
    for (node_id, heartbeats) in [(at_b("b"), 1), (at_b("c"), 4)] {
        for heartbeat in 1..=heartbeats {
            let exchange = a.accept(secs(heartbeat), PEER).unwrap();
            let digest = Digest { entries: vec![entry(&node_id, heartbeat)], partial: false };
            let syn = packet("default-cluster", Message::Syn { digest });
            a.handle_packet(secs(heartbeat), Via::Accepted(exchange), &syn, &PeerIdentity::Plaintext);
            a.handle_closed(secs(heartbeat), exchange, Outcome::Failed);
        }
    }
    assert_eq!((a.live_nodes().len(), a.dead_nodes()), (2, vec![at_b("b")]));
    a.handle_timeout(secs(5));
    assert_eq!(a.poll_transmit().and_then(|transmit| transmit.tls_name).as_deref(), Some("c.example"));
}

#[test]
fn an_empty_ack_ends_an_exchange() {
    let mut a = node("a");
    let exchange = a.accept(secs(1), PEER).unwrap();
    let via = Via::Accepted(exchange);
    let syn = packet("default-cluster", Message::Syn { digest: digest_from("b") });
    let reply = a.handle_packet(secs(1), via, &syn, &PeerIdentity::Plaintext);
    assert_eq!((reply.next, reply.rejected), (Next::Read, None));
    let ack = packet("default-cluster", Message::Ack { delta: Delta::default() });
    let reply = a.handle_packet(secs(1), via, &ack, &PeerIdentity::Plaintext);
    assert_eq!((reply.packet, reply.next, reply.rejected), (None, Next::Close, None));
    a.handle_closed(secs(1), exchange, Outcome::Done);
    assert_eq!((a.stats().exchanges_completed, a.stats().packets_received.total()), (1, 2));
}
