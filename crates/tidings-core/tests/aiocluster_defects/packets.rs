//! What fits a packet, and what a peer makes of what did not: 1, 2, 11, 12, 19.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tidings_core::reconcile::Delta;
use tidings_core::wire::aiocluster::{self, Digest, Message, NodeDigest, Packet};
use tidings_core::{EventKind, Instant, Lifetime, Node, NodeId, Outcome, PeerIdentity, SetError, Via, invariants};

use crate::python_peer::{
    CLUSTER_ID, LOCALHOST, PythonPeer, address, close, dials_of, events, hand_in, held, ours, packet, read, talk, value,
};

const START: Instant = Instant::from_secs(1);
const MAX_PAYLOAD: usize = 65_507;

/// Keys of about 80 bytes each with its value: 2,000 are more than two packets.
fn set_many(node: &mut Node, count: usize) {
    for number in 0..count {
        let value = format!("{number:060}");
        node.set(START, &format!("item/{number:05}"), &value, Lifetime::Forever).expect("a short key");
    }
}

fn python_owner(count: usize) -> PythonPeer {
    let mut owner = PythonPeer::new("owner");
    for number in 0..count {
        owner.set(&format!("item/{number:05}"), &format!("{number:060}"));
    }
    owner
}

/// A packet of ours.
fn marked(message: Message) -> Bytes {
    aiocluster::encode(&Packet { cluster_id: Arc::from(CLUSTER_ID), protocol_revision: 1, message })
}

/// A digest of a Python node that has heard once of so many others.
fn digest_of(peer: &str, others: std::ops::Range<usize>) -> Digest {
    let mut python = PythonPeer::new(peer);
    for number in others {
        let name = format!("node-{number:04}");
        python.replica(&NodeId::new(&name, 1, address(&name))).heartbeat = 1;
    }
    python.digest()
}

/// Lets `node` hear a digest. Gives the length of the Syn that carried it.
fn tell(node: &mut Node, digest: Digest) -> usize {
    let via = Via::Accepted(node.accept(START, LOCALHOST).expect("there is room for an exchange"));
    let syn = packet(Message::Syn { digest });
    assert_eq!(hand_in(START, node, via, &syn).rejected, None);
    close(START, node, via, Outcome::Failed);
    syn.len()
}

#[test]
fn defect_01_a_delta_cut_short_says_where_it_was_cut() {
    let mut now = START;
    let mut owner = ours("owner", |_| ());
    let mut replica = ours("replica", |config| config.seeds = vec![address("owner")]);
    set_many(&mut owner, 2_000);
    let mut exchanges = 0;
    while held(&replica, owner.id()) < 2_000 {
        exchanges += 1;
        assert!(exchanges < 10, "after {exchanges} exchanges it holds {}", held(&replica, owner.id()));
        let [_, syn_ack, _] = talk(&mut now, &mut replica, &mut owner);
        let Message::SynAck { delta, .. } = read(&syn_ack).message else { panic!("a Syn is answered with a SynAck") };
        let news = delta.node_deltas.iter().find(|news| news.node_id == *owner.id()).expect("there is more");
        assert_eq!(news.max_version, news.key_values.last().map(|last| last.version));
        invariants::prefix_completeness(&owner, &replica).expect("a prefix");
    }
    assert!(exchanges > 2, "it was cut short");
}

#[test]
fn survives_defect_01_of_an_owner() {
    let mut node = ours("node", |_| ());
    let mut owner = python_owner(2_000);
    let said = owner.dials(START, &mut node);
    let claimed = owner.delta_for(&said.digest).node_deltas[0].max_version;
    assert!(claimed == Some(2_000) && held(&node, &owner.id) < 2_000, "it was cut short, and claims all");
    for _ in 0..3 {
        owner.dials(START, &mut node);
    }
    assert_eq!(held(&node, &owner.id), 2_000);
    assert_eq!(node.node_state(&owner.id).expect("known").max_version(), 2_000);
}

/// The relay has the owner's first keys and its last ones, and claims all. We take what it has, do not ask it for what it
/// has not, and get that from the owner.
#[test]
fn survives_defect_01_of_a_relay_with_holes() {
    let mut now = START;
    let mut node = ours("node", |config| config.seeds = vec![address("relay")]);
    let (mut owner, mut relay) = (python_owner(2_000), PythonPeer::new("relay"));
    relay.dials_python(&mut owner);
    owner.set("last", "news");
    relay.dials_python(&mut owner);
    let has = relay.replica(&owner.id).keys.len();
    assert!((500..1_500).contains(&has) && relay.value(&owner.id, "last").is_some(), "it has {has}, with a hole");

    relay.is_dialled_by(&mut now, &mut node);
    let copy = node.node_state(&owner.id).expect("known");
    assert!(copy.len() > 500 && copy.max_version() == 0, "it can be read, and nothing is concluded");
    let again = relay.is_dialled_by(&mut now, &mut node);
    assert_eq!(relay.delta_for(&again.digest), Delta::default(), "it is not asked for the same again and again");

    for _ in 0..4 {
        owner.dials(now, &mut node);
    }
    assert_eq!(held(&node, &owner.id), 2_001);
}

/// One Python node that gets ahead of another by more than a packet would hand on a hole for ever.
#[test]
fn survives_defect_01_of_python_nodes_among_themselves() {
    let mut owner = ours("owner", |_| ());
    let mut python = [PythonPeer::new("py1"), PythonPeer::new("py2")];
    for peer in &mut python {
        peer.dials(START, &mut owner);
    }
    set_many(&mut owner, 2_000);
    for round in 1..=40 {
        let now = START + Duration::from_secs(round);
        let [first, second] = &mut python;
        // The first is much more often in touch with the owner.
        for _ in 0..4 {
            first.dials(now, &mut owner);
        }
        second.dials_python(first);
        if round % 3 == 0 {
            second.dials(now, &mut owner);
        }
    }
    for peer in &mut python {
        let name = peer.id.clone();
        assert_eq!(peer.replica(owner.id()).keys.len(), 2_000, "at {name}");
    }
}

/// That none is too long is checked with every packet. Here they are filled, in spite of all that is not delta, and the
/// lengths of the first value differ, so that what is left of the room differs too.
#[test]
fn defect_02_no_packet_passes_the_limit_however_much_there_is_of_digest_and_delta() {
    for padding in (0..90).step_by(9) {
        let mut now = START;
        let mut nodes = ["a", "b"].map(|name| ours(name, |config| config.seeds = vec![address("a"), address("b")]));
        for node in &mut nodes {
            tell(node, digest_of("py", 0..700));
            node.set(now, "first", &"v".repeat(padding), Lifetime::Forever).expect("a short key");
            set_many(node, 1_000);
            let mut third = PythonPeer::new(&format!("known-to-{}", node.id().name()));
            (0..1_000).for_each(|number| third.set(&format!("{number:05}"), &format!("{number:060}")));
            third.dials(START, node);
            third.dials(START, node);
        }
        let [a, b] = &mut nodes;
        let [syn, syn_ack, ack] = talk(&mut now, a, b);
        assert!((20_000..MAX_PAYLOAD).contains(&syn.len()), "{}", syn.len());
        let is_full = |packet: &[u8]| (MAX_PAYLOAD - 200..=MAX_PAYLOAD).contains(&packet.len());
        assert!(is_full(&syn_ack) && is_full(&ack), "{} {}", syn_ack.len(), ack.len());
        let Message::SynAck { digest, delta } = read(&syn_ack).message else {
            panic!("a Syn is answered with a SynAck")
        };
        assert!(!digest.partial && digest.entries.len() > 700 && !delta.node_deltas.is_empty());
        talk(&mut now, a, b);
        talk(&mut now, b, a);
    }
}

#[test]
fn survives_defect_02_a_packet_over_the_limit_is_taken() {
    let mut now = START;
    let mut node = ours("node", |config| config.seeds = vec![address("owner")]);
    let mut owner = python_owner(2_000);
    for entry in digest_of("owner", 0..700).entries {
        owner.replica(&entry.node_id).heartbeat += 1;
    }
    let syn_ack = Message::SynAck { digest: owner.digest(), delta: owner.delta_for(&Digest::default()) };
    assert!(packet(syn_ack).len() > MAX_PAYLOAD);
    owner.is_dialled_by(&mut now, &mut node);
    assert!(held(&node, &owner.id) > 500);
    assert_eq!((node.stats().rejected.total(), node.snapshot(now).members.len()), (0, 702));
}

/// 10,000 keys into one delta: tens of milliseconds where each key-value is measured once, many seconds where the delta so
/// far is measured again with each. A busy machine has three tries.
#[test]
#[allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "it is the time that is tested")]
fn defect_11_packing_takes_linear_time() {
    const KEYS: usize = 10_000;
    let mut owner = ours("owner", |config| {
        config.max_payload_size = 8 << 20;
        config.limits.decode.max_packet_bytes = 16 << 20;
    });
    for number in 0..KEYS {
        owner.set(START, &format!("{number:05}"), "v", Lifetime::Forever).expect("a short key");
    }
    let syn = marked(Message::Syn { digest: PythonPeer::new("py").digest() });
    let mut times = (0..3).map(|_| {
        let mut owner = owner.clone();
        let via = Via::Accepted(owner.accept(START, LOCALHOST).expect("there is room for an exchange"));
        let begin = std::time::Instant::now();
        let reply = owner.handle_packet(START, via, &syn, &PeerIdentity::default());
        let elapsed = begin.elapsed();
        let Message::SynAck { delta, .. } = read(&reply.packet.expect("a SynAck")).message else { panic!("a SynAck") };
        assert_eq!(delta.node_deltas[0].key_values.len(), KEYS);
        elapsed
    });
    assert!(times.any(|elapsed| elapsed < Duration::from_secs(1)), "each of three times it took over a second");
}

#[test]
fn defect_12_a_value_that_fits_no_packet_is_refused_and_one_that_just_fits_arrives() {
    let mut now = START;
    let mut owner = ours("owner", |config| config.seeds = vec![address("replica")]);
    let mut replica = ours("replica", |_| ());
    let too_long = "v".repeat(MAX_PAYLOAD);
    let error = owner.set(now, "large", &too_long, Lifetime::Forever).expect_err("it fits no packet");
    let SetError::TooLargeForPacket { bytes, max, .. } = &error else { panic!("{error}") };
    assert!(error.to_string().contains("large") && error.to_string().contains("max_payload_size"), "{error}");

    let longest = too_long.len() - (bytes - max);
    assert!(owner.set(now, "large", &too_long[..=longest], Lifetime::Forever).is_err(), "one byte more");
    owner.set(now, "large", &too_long[..longest], Lifetime::Forever).expect("it just fits");
    owner.set(now, "next", "news", Lifetime::Forever).expect("a short key");
    for _ in 0..3 {
        talk(&mut now, &mut owner, &mut replica);
    }
    assert_eq!(value(&replica, owner.id(), "large").map(|value| value.len()), Some(longest));
    assert_eq!(value(&replica, owner.id(), "next").as_deref(), Some("news"));
}

#[test]
fn survives_defect_12_what_a_python_node_cannot_send_holds_up_nobody_else() {
    let mut now = START;
    let mut node = ours("node", |config| config.seeds = vec![address("stuck")]);
    let (mut stuck, mut other) = (PythonPeer::new("stuck"), PythonPeer::new("other"));
    stuck.set("before", "1");
    stuck.set("large", &"v".repeat(70_000));
    stuck.set("after", "3");
    other.set("key", "value");
    stuck.dials_python(&mut other);
    stuck.is_dialled_by(&mut now, &mut node);
    let stuck_at = node.node_state(&stuck.id).expect("known");
    assert_eq!((stuck_at.get("before"), stuck_at.get("after"), stuck_at.max_version()), (Some("1"), None, 1));
    assert_eq!(value(&node, &other.id, "key").as_deref(), Some("value"));
    assert_eq!(node.set(now, "own", "1", Lifetime::Forever), Ok(1));
    stuck.dials(now, &mut node);
    assert_eq!(stuck.value(node.id(), "own"), Some("1"));
}

#[test]
fn defect_19_with_more_nodes_than_fit_a_digest_it_becomes_partial_and_news_go_on() {
    let mut now = START;
    let mut nodes = ["a", "b"].map(|name| ours(name, |config| config.seeds = vec![address("a"), address("b")]));
    for node in &mut nodes {
        for thousand in 0..3_usize {
            tell(node, digest_of("py", thousand * 1_000..(thousand + 1) * 1_000));
        }
        let name = node.id().name().to_owned();
        node.set(now, "of", &name, Lifetime::Forever).expect("a short key");
    }
    let [a, b] = &mut nodes;
    let [syn, ..] = talk(&mut now, a, b);
    let Message::Syn { digest } = read(&syn).message else { panic!("an exchange begins with a Syn") };
    assert!(digest.partial && digest.entries[0].node_id == *a.id() && digest.entries.len() > 1_000);
    let all_is_known = |a: &Node, b: &Node| value(a, b.id(), "of").is_some() && value(b, a.id(), "of").is_some();
    let exchanges = (0..30).take_while(|_| {
        talk(&mut now, a, b);
        !all_is_known(a, b)
    });
    assert!(exchanges.count() < 30, "each has its turn in time");
    let told = events(a).into_iter().filter(|event| matches!(event, EventKind::DigestTruncated { .. }));
    let told: Vec<EventKind> = told.collect();
    assert_eq!(told.len(), 1, "the user is told, once");
    assert!(told[0].to_string().contains("raise max_payload_size"), "{}", told[0]);

    // Those that a partial digest does not show were not asked about.
    let entry: Vec<NodeDigest> = vec![digest.entries[0].clone()];
    let shown = Digest { entries: entry, partial: true };
    let via = Via::Accepted(b.accept(now, LOCALHOST).expect("there is room for an exchange"));
    let answer = hand_in(now, b, via, &marked(Message::Syn { digest: shown })).packet.expect("a SynAck");
    let Message::SynAck { delta, .. } = read(&answer).message else { panic!("a Syn is answered with a SynAck") };
    assert_eq!(delta.node_deltas, [], "nothing of the node itself, which was not asked about");
}

#[test]
fn survives_defect_19_a_digest_over_the_limit_is_taken_whole() {
    let mut node = ours("node", |_| ());
    let len = tell(&mut node, digest_of("py", 0..2_000));
    assert!(len > MAX_PAYLOAD, "{len}");
    assert_eq!((node.snapshot(START).members.len(), node.stats().entries_skipped), (1 + 1 + 2_000, 0));
    let mut now = START;
    now = node.poll_timeout().expect("a round").max(now);
    let syn = dials_of(now, &mut node).pop().expect("it dials somebody");
    assert!(syn.packet.len() <= MAX_PAYLOAD, "and it is not handed on like that");
}
