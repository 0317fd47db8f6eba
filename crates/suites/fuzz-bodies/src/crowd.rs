//! A node that knows a crowd, and the dearest packet that anybody can hand it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tidings_core::reconcile::{Delta, NodeDelta};
use tidings_core::wire::aiocluster::{Digest, Message, NodeDigest, Packet, encode};
use tidings_core::{
    Address, Config, ExchangeId, Instant, KeyValueUpdate, Node, NodeId, Outcome, PeerIdentity, Run, ValueStatus, Via,
    Work, invariants,
};

/// So many nodes are known: one visit to each is more than any packet may cost beside its bytes.
const NODES: usize = 6_000;

const _: () = assert!(NODES as u64 * Work::VISIT_WEIGHT > Work::MOST_PER_INPUT);

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9));

const CLUSTER_ID: &str = "c";

/// One of the crowd.
#[must_use]
pub fn member(number: usize) -> NodeId {
    NodeId::new(format!("n{number}"), 1, Address::new("h", 7_000))
}

/// The node, and when it is.
static NODE: LazyLock<(Node, Instant)> = LazyLock::new(|| {
    let mut config = Config::new(NodeId::new("me", 1, Address::new("me", 7_000)));
    config.cluster_id = CLUSTER_ID.into();
    config.limits.max_nodes = NODES + 100;
    config.limits.decode.max_packet_bytes = 1 << 20;
    config.seeds = vec![Address::new("h", 7_000)];
    let mut now = Instant::from_secs(1_000);
    let mut node = Node::new(config, now, &mut ChaCha8Rng::seed_from_u64(1)).expect("a valid config");
    for some in (0..NODES).collect::<Vec<_>>().chunks(1_000) {
        for heartbeat in 1..=4 {
            let entries = some.iter().map(|number| entry(member(*number), heartbeat)).collect();
            let syn = packet(Message::Syn { digest: Digest { entries, partial: false } });
            let exchange = node.accept(now, PEER).expect("a place");
            node.handle_packet(now, Via::Accepted(exchange), &syn, &PeerIdentity::default());
            let node_deltas = some.iter().map(|number| news(*number)).collect();
            let ack = packet(Message::Ack { delta: Delta { node_deltas } });
            node.handle_packet(now, Via::Accepted(exchange), &ack, &PeerIdentity::default());
            node.handle_closed(now, exchange, Outcome::Done);
            now += Duration::from_millis(200);
        }
    }
    assert_eq!(node.live_nodes().len(), NODES + 1, "all are live");
    (node, now)
});

fn entry(node_id: NodeId, heartbeat: u64) -> NodeDigest {
    NodeDigest {
        node_id,
        heartbeat,
        last_gc_version: 0,
        max_version: 1,
        complete_version: None,
        run: Run::new(1),
        released_version: None,
        silence_ms: None,
    }
}

/// A key of its own.
fn news(number: usize) -> NodeDelta {
    let update = KeyValueUpdate { key: "k".into(), value: "v".into(), version: 1, status: ValueStatus::Set };
    NodeDelta {
        node_id: member(number),
        from_version_excluded: 0,
        last_gc_version: 0,
        key_values: vec![update],
        max_version: Some(1),
        sender_complete_version: Some(1),
        run: Run::new(1),
    }
}

/// A packet of the crowd's cluster.
#[must_use]
pub fn packet(message: Message) -> Vec<u8> {
    encode(&Packet { cluster_id: CLUSTER_ID.into(), protocol_revision: 1, message }).to_vec()
}

/// Seeds: what once cost a look at everybody.
#[must_use]
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let digest = |entries, partial| Digest { entries, partial };
    let short = |partial| digest(vec![entry(member(NODES - 1), 9)], partial);
    let generations = (0..400).map(|number| entry(NodeId::new("n7", 2 + number, Address::new("h", 7_000)), 1));
    let claims = vec![entry(member(3), 9), entry(NodeId::new("me", 1, Address::new("me", 7_000)), 1 << 20)];
    let of_kind = |kind: u8, message| [&[kind][..], &packet(message)].concat();
    let syn_ack = |digest| Message::SynAck { digest, delta: Delta::default() };
    vec![
        ("short_syn", of_kind(0, Message::Syn { digest: short(false) })),
        ("short_partial_syn", of_kind(0, Message::Syn { digest: short(true) })),
        ("short_synack", of_kind(1, syn_ack(short(false)))),
        ("short_partial_synack", of_kind(1, syn_ack(short(true)))),
        ("generations", of_kind(0, Message::Syn { digest: digest(generations.collect(), true) })),
        ("claims", of_kind(1, syn_ack(digest(claims, false)))),
        ("ack", of_kind(2, Message::Ack { delta: Delta { node_deltas: vec![news(5), news(6)] } })),
    ]
}

/// Whatever a peer sends to a node that knows a crowd, it costs no more than its bytes and those of the answer allow.
///
/// The first byte says what the node waits for: a Syn, a SynAck or an Ack. The rest is the packet. How dear it was, for a
/// search.
///
/// # Panics
///
/// When it costs more.
pub fn dearest_packet(data: &[u8]) -> Option<Work> {
    let (kind, bytes) = data.split_first()?;
    let (node, now) = &*NODE;
    let (mut node, mut now) = (node.clone(), *now);
    let via = match kind % 3 {
        0 => Via::Accepted(node.accept(now, PEER)?),
        1 => Via::Dialled(dialled(&mut node, &mut now)?),
        _ => {
            let exchange = Via::Accepted(node.accept(now, PEER)?);
            let digest = Digest { entries: vec![entry(member(0), 9)], partial: true };
            node.handle_packet(now, exchange, &packet(Message::Syn { digest }), &PeerIdentity::default());
            exchange
        }
    };
    let before = node.stats().work;
    let reply = node.handle_packet(now, via, bytes, &PeerIdentity::default());
    let len = bytes.len() + reply.packet.map_or(0, |packet| packet.len());
    if let Err(violation) = invariants::work(before, &node, len) {
        panic!("{violation}");
    }
    Some(node.stats().work - before)
}

/// An exchange that the node has opened.
fn dialled(node: &mut Node, now: &mut Instant) -> Option<ExchangeId> {
    for _ in 0..10 {
        if let Some(transmit) = node.poll_transmit() {
            node.handle_connected(*now, transmit.exchange);
            return Some(transmit.exchange);
        }
        *now = node.poll_timeout()?.max(*now);
        node.handle_timeout(*now);
    }
    None
}
