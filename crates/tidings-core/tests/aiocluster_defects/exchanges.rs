//! Who may say what to whom, and who waits for whom: 10, 13, 15, 18; and versions that nobody can have reached.

use std::sync::Arc;

use tidings_core::reconcile::{Delta, NodeDelta};
use tidings_core::wire::aiocluster::{self, Digest, Message, NodeDigest, Packet};
use tidings_core::{
    Address, CertificateNames, EventKind, ExchangeId, Instant, KeyValueUpdate, Lifetime, Node, NodeId, Outcome,
    PeerIdentity, Rejected, ValueStatus, Via,
};

use crate::python_peer::{
    CLUSTER_ID, Held, LOCALHOST, PythonPeer, Replica, address, close, dials_of, events, hand_in, next_dial, ours,
    packet, value,
};

const START: Instant = Instant::from_secs(1);

fn delta_of(id: &NodeId, key: &str, text: &str, version: u64) -> Delta {
    let update = KeyValueUpdate { key: Arc::from(key), value: Arc::from(text), version, status: ValueStatus::Set };
    let news = NodeDelta {
        node_id: id.clone(),
        from_version_excluded: 0,
        last_gc_version: 0,
        key_values: vec![update],
        max_version: Some(version),
        sender_complete_version: None,
        run: None,
    };
    Delta { node_deltas: vec![news] }
}

/// In the core an exchange that hangs is no more than an entry in a table.
#[test]
fn defect_10_an_exchange_that_hangs_holds_up_no_round() {
    let mut now = START;
    let mut node = ours("node", |config| config.seeds = vec![address("silent")]);
    let mut other = PythonPeer::new("other");
    let hanging = next_dial(&mut now, &mut node, &address("silent"));
    other.dials(now, &mut node);
    let rounds = node.stats().rounds;
    for number in 0..20 {
        node.set(now, "n", &number.to_string(), Lifetime::Forever).expect("a short key");
        other.is_dialled_by(&mut now, &mut node);
        assert_eq!(other.value(node.id(), "n"), Some(&*number.to_string()));
    }
    assert_eq!(node.stats().rounds, rounds + 20, "each round reached it");
    assert!(node.stats().exchanges_not_opened > 0, "the silent one is not dialled meanwhile");
    assert_eq!(node.poll_abort().map(|abort| abort.exchange), Some(hanging.exchange), "it does not hang for ever");
    next_dial(&mut now, &mut node, &address("silent"));
}

#[test]
fn defect_13_nobody_else_writes_this_nodes_state() {
    for revision in [0, 1] {
        let mut now = START;
        let mut node = ours("node", |config| config.seeds = vec![address("py")]);
        node.set(now, "colour", "blue", Lifetime::Forever).expect("a short key");
        let python = PythonPeer::new("py");
        let lie = delta_of(node.id(), "colour", "red", 2);
        let encoded = |message| {
            aiocluster::encode(&Packet { cluster_id: Arc::from(CLUSTER_ID), protocol_revision: revision, message })
        };

        let syn = next_dial(&mut now, &mut node, &address("py"));
        let syn_ack = encoded(Message::SynAck { digest: python.digest(), delta: lie.clone() });
        assert_eq!(hand_in(now, &mut node, Via::Dialled(syn.exchange), &syn_ack).rejected, None);
        let via = Via::Accepted(node.accept(now, LOCALHOST).expect("there is room for an exchange"));
        hand_in(now, &mut node, via, &encoded(Message::Syn { digest: python.digest() }));
        assert_eq!(hand_in(now, &mut node, via, &encoded(Message::Ack { delta: lie })).rejected, None);

        let own = node.node_state(node.id()).expect("its own");
        assert_eq!((own.get("colour"), own.max_version()), (Some("blue"), 1), "revision {revision}");
        assert_eq!(node.stats().own_deltas_rejected, 2, "revision {revision}");
    }
}

/// What a peer holds of it is corrupt, and newer than all it ever said: it moves past that, and the peer gets the truth.
#[test]
fn survives_defect_13_it_moves_past_what_others_wrote() {
    let mut node = ours("node", |_| ());
    node.set(START, "colour", "blue", Lifetime::Forever).expect("a short key");
    let mut python = PythonPeer::new("py");
    let corrupt = |value: &str, version| Held { value: value.into(), version, status: ValueStatus::Set };
    let keys = [("colour".into(), corrupt("red", 49)), ("size".into(), corrupt("large", 50))];
    *python.replica(node.id()) = Replica { max_version: 50, keys: keys.into(), ..Replica::default() };
    for _ in 0..2 {
        python.dials(START, &mut node);
    }
    assert_eq!((node.get("colour").as_deref(), node.get("size")), (Some("blue"), None));
    assert_eq!(node.stats().republished, 1);
    assert_eq!((python.value(node.id(), "colour"), python.value(node.id(), "size")), (Some("blue"), None));
}

/// The way past such a claim would use up all versions.
#[test]
fn survives_defect_13_a_claim_that_cannot_be_is_refused_and_told() {
    let mut node = ours("node", |_| ());
    node.set(START, "colour", "blue", Lifetime::Forever).expect("a short key");
    let mut python = PythonPeer::new("py");
    let claimed = 1 + (1 << 25) + 1;
    python.replica(node.id()).max_version = claimed;
    python.dials(START, &mut node);
    assert_eq!(node.node_state(node.id()).expect("its own").max_version(), 1);
    assert_eq!((node.stats().jumps_refused, node.stats().republished), (1, 0));
    assert!(events(&mut node).contains(&EventKind::VersionRefused { own: 1, claimed }));
    python.replica(node.id()).max_version = claimed - 1;
    python.dials(START, &mut node);
    assert_eq!(node.stats().republished, 1, "one less could be, and is moved past");
}

/// The same in what is said of others, where nothing proves that it is their own word: up to 2^25 and 2^23 ahead of what was
/// heard a moment ago is taken, and 2^22 more for each of the seven seconds that a Syn may have been under way and have waited.
#[test]
fn a_delta_whose_versions_nobody_can_have_reached_is_left_out() {
    let limit = 1 + (1_u64 << 25) + (1 << 23) + 7 * (1 << 22);
    let mut node = ours("node", |_| ());
    let mut python = PythonPeer::new("py");
    python.set("a", "1");
    python.dials(START, &mut node);
    let own = python.id.clone();
    for (version, claimed) in [(limit + 1, limit + 1), (2, limit + 1)] {
        let mut delta = delta_of(&own, "b", "2", version);
        delta.node_deltas[0].max_version = Some(claimed);
        let refused = node.stats().jumps_refused;
        python.dials_and_sends(START, &mut node, delta);
        assert_eq!((value(&node, &own, "b"), node.stats().jumps_refused), (None, refused + 1), "{version} {claimed}");
        assert_eq!(node.node_state(&own).map(|state| state.max_version()), Some(1));
    }
    let mut delta = delta_of(&own, "b", "2", limit);
    delta.node_deltas[0].from_version_excluded = 1;
    python.dials_and_sends(START, &mut node, delta);
    assert_eq!(value(&node, &own, "b").as_deref(), Some("2"));
    assert_eq!(node.node_state(&own).map(|state| state.max_version()), Some(limit));
    assert_eq!(node.stats().jumps_refused, 2);
}

/// Of all nodes in a digest only the first is the sender, and a certificate without names proves nothing.
#[test]
fn defect_14_a_peer_speaks_only_as_the_node_whose_name_its_certificate_holds() {
    let named = |name: &str| NodeId::with_tls_name(name, 1, address(name), Some(format!("{name}.example")));
    let digest = Digest { entries: ["py", "other"].map(|name| entry(named(name))).to_vec(), partial: false };
    let syn = packet(Message::Syn { digest });
    let mut node = ours("node", |_| ());
    let mut says = |held: &[&str]| {
        let held = Arc::new(CertificateNames::new(held.iter().map(|name| (*name).into()).collect(), Vec::new()));
        let via = Via::Accepted(node.accept(START, LOCALHOST).expect("there is room for an exchange"));
        let reply = node.handle_packet(START, via, &syn, &PeerIdentity::Demanded(held));
        close(START, &mut node, via, Outcome::Failed);
        (reply.rejected.is_none(), node.dead_nodes().len())
    };
    assert_eq!(says(&[]), (false, 0), "no name");
    assert_eq!(says(&["other.example"]), (false, 0), "the name of another node of the digest");
    assert_eq!(says(&["py.example"]), (true, 2), "its own");
}

fn entry(node_id: NodeId) -> NodeDigest {
    NodeDigest {
        node_id,
        heartbeat: 1,
        last_gc_version: 0,
        max_version: 0,
        complete_version: None,
        run: None,
        released_version: None,
        silence_ms: None,
    }
}

#[test]
fn defect_15_the_cluster_id_is_checked_on_every_packet() {
    let mut now = START;
    let mut node = ours("node", |config| config.seeds = vec![address("py")]);
    let mut python = PythonPeer::new("py");
    python.set("key", "value");
    let foreign =
        |message| aiocluster::encode(&Packet { cluster_id: Arc::from("another"), protocol_revision: 0, message });
    let other = Some(Rejected::OtherCluster { cluster_id: Arc::from("another") });
    let delta = delta_of(&python.id, "key", "value", 1);

    let syn = next_dial(&mut now, &mut node, &address("py"));
    let syn_ack = foreign(Message::SynAck { digest: python.digest(), delta: delta.clone() });
    assert_eq!(hand_in(now, &mut node, Via::Dialled(syn.exchange), &syn_ack).rejected, other);
    assert_eq!(node.snapshot(now).members.len(), 1, "nothing of it was taken");

    let via = Via::Accepted(node.accept(now, LOCALHOST).expect("there is room for an exchange"));
    hand_in(now, &mut node, via, &packet(Message::Syn { digest: python.digest() }));
    assert_eq!(hand_in(now, &mut node, via, &foreign(Message::Ack { delta: delta.clone() })).rejected, other);
    assert_eq!(value(&node, &python.id, "key"), None, "nor of this");
    assert_eq!(node.stats().rejected.other_cluster, 2);
    python.dials_and_sends(now, &mut node, delta);
    assert_eq!(value(&node, &python.id, "key").as_deref(), Some("value"), "in its own cluster it is taken");
}

/// One list of seeds serves all nodes in practice, and this node is on it by two addresses.
#[test]
fn defect_18_a_node_does_not_gossip_with_itself() {
    let mut now = START;
    let alias = Address::new("192.0.2.1", 7000);
    let mut node = ours("node", |config| config.seeds = vec![address("node"), Address::new("192.0.2.1", 7000)]);
    let syn = next_dial(&mut now, &mut node, &alias);
    reach_itself(now, &mut node, syn.exchange, &syn.packet);
    let mut dialled = 0;
    for _ in 0..100 {
        now = node.poll_timeout().expect("there is a next round");
        for tidings_core::Transmit { exchange, to, packet, .. } in dials_of(now, &mut node) {
            assert_eq!(to, alias, "by the address it advertises it never dials itself");
            reach_itself(now, &mut node, exchange, &packet);
            dialled += 1;
        }
    }
    // Others may be reached there, too: it tries again after 1, 2, 4, 8, 16 rounds, and then after 32.
    assert_eq!(dialled, 6);
}

/// What was dialled by an alias comes back to the node itself, and both sides of it are this node.
fn reach_itself(now: Instant, node: &mut Node, dialled: ExchangeId, syn: &[u8]) {
    let accepted = Via::Accepted(node.accept(now, LOCALHOST).expect("there is room for an exchange"));
    let reply = hand_in(now, node, accepted, syn);
    assert_eq!(reply.rejected, Some(Rejected::OwnPacket));
    let answer = reply.packet.expect("the side that dialled is told");
    assert_eq!(hand_in(now, node, Via::Dialled(dialled), &answer).rejected, Some(Rejected::OwnPacket));
    close(now, node, Via::Dialled(dialled), Outcome::Failed);
    close(now, node, accepted, Outcome::Failed);
}
