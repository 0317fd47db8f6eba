//! Where fuzzing starts: inputs of every shape, each in a file of `fuzz/corpus`.
//!
//! `cargo run -p tidings-fuzz-bodies` writes them anew. Inputs that fuzzing found may lie beside them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidings_core::reconcile::{Delta, NodeDelta};
use tidings_core::wire::aiocluster::{Digest, Message, NodeDigest, Packet, encode};
use tidings_core::wire::frame;
use tidings_core::{Address, KeyValueUpdate, MAX_VERSION, NodeId, ValueStatus};

use crate::{crowd, recordings};

/// The folder of a target's inputs.
#[must_use]
pub fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus").join(target)
}

/// Every seed: its target, its file's name, its content.
#[must_use]
pub fn all() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let packets = packets().into_iter().map(|(name, input)| ("packet_decode", name, input));
    let messages = messages().into_iter().map(|(name, input)| ("message_decode", name, input));
    let frames = frames().into_iter().map(|(name, input)| ("frame_decode", name, input));
    let recordings = recordings::seeds().into_iter().map(|(name, input)| ("recording", name, input));
    let dear = crowd::seeds().into_iter().map(|(name, input)| ("dearest_packet", name, input));
    packets.chain(messages).chain(frames).chain(recordings).chain(dear).collect()
}

fn packets() -> Vec<(&'static str, Vec<u8>)> {
    let packet = |message| encode(&Packet { cluster_id: Arc::from("fuzz"), protocol_revision: 1, message }).to_vec();
    let syn = |entries| packet(Message::Syn { digest: Digest { entries, partial: false } });
    let ack = |node_deltas| packet(Message::Ack { delta: Delta { node_deltas } });
    let entry_of = |node_id| NodeDigest { node_id, ..unmarked_entry("x") };
    let at = |host, port| NodeId::new("x", 1, Address::new(host, port));
    let digest = Digest { entries: vec![unmarked_entry("a"), marked_entry("b")], partial: true };
    let delta = Delta { node_deltas: vec![node_delta("a", &[2, 3, 4]), node_delta("b", &[])] };
    let mut unmarked = Packet { cluster_id: Arc::default(), protocol_revision: 0, message: Message::BadCluster };
    let bad_cluster = encode(&unmarked).to_vec();
    unmarked.message = Message::Syn { digest: Digest { entries: vec![unmarked_entry("a")], partial: false } };
    vec![
        ("syn", packet(Message::Syn { digest: digest.clone() })),
        ("syn_unmarked", encode(&unmarked).to_vec()),
        ("synack", packet(Message::SynAck { digest, delta: delta.clone() })),
        ("ack", packet(Message::Ack { delta })),
        ("ack_empty", ack(vec![])),
        ("bad_cluster", bad_cluster.clone()),
        ("no_sender", syn(vec![])),
        ("same_node_twice", syn(vec![unmarked_entry("a"), marked_entry("b"), unmarked_entry("b")])),
        (
            "wrong_entries",
            syn(vec![
                unmarked_entry("a"),
                unmarked_entry(""),
                entry_of(at("", 1)),
                entry_of(at("h", 0)),
                NodeDigest { heartbeat: MAX_VERSION + 1, ..unmarked_entry("x") },
                unmarked_entry("b"),
            ]),
        ),
        ("versions_out_of_order", ack(vec![node_delta("a", &[2, 4, 3, 5]), node_delta("b", &[1])])),
        ("version_too_high", ack(vec![node_delta("a", &[2, MAX_VERSION, MAX_VERSION + 1])])),
        ("unknown_fields", [&bad_cluster[..], &[0x98, 0x7d, 1, 0xa1, 0x7d, 1, 2, 3, 4, 5, 6, 7, 8]].concat()),
        ("arm_twice", [syn(vec![unmarked_entry("a")]), syn(vec![unmarked_entry("b")])].concat()),
        ("two_arms", [syn(vec![unmarked_entry("a")]), ack(vec![node_delta("b", &[2])])].concat()),
        ("empty_entries", [&[0x22, 42, 0x1a, 40][..], &[0x0a, 0].repeat(20)].concat()),
        ("cut_off", vec![0x12, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x12]),
        ("empty", vec![]),
    ]
}

fn messages() -> Vec<(&'static str, Vec<u8>)> {
    use tidings_core::wire::tidings::{
        BUCKETS, Entry, Kind, Message, Named, NodeHash, Packet, ProbeOutcome, Range, Report, Status, encode,
    };
    let run = || tidings_core::Run::new(7).expect("a run");
    let entry = |node, status| Entry { node, run: run(), life: 3, status, max_version: 12, last_gc_version: 2 };
    let by_id = |name| entry(Named::Id(node_id(name)), Status::Live { seen_ms: 300 });
    let by_hash = |hash, status| entry(Named::Hash(NodeHash(hash)), status);
    let dead = Status::Dead { silent_ms: 4_000, failed_ms: 500 };
    let plain = || Message {
        kind: Kind::Open,
        revision: 1,
        lowest_revision: 1,
        sender: NodeHash(u64::MAX),
        run: run(),
        counter: 300,
        fingerprint: 7,
        void_after_ms: 1_000,
        known: 0,
        who: false,
        own: None,
        rumours: Vec::new(),
        sums: Vec::new(),
        ranges: Vec::new(),
        wants: Vec::new(),
        delta: Delta::default(),
        ask: None,
        report: None,
        cursor: None,
        next: None,
        more: false,
    };
    let packet = |message| encode(&Packet { cluster_id: Arc::default(), message }).to_vec();
    let introduction = Message { own: Some(by_id("a")), known: 1, who: true, ..plain() };
    let introduction = encode(&Packet { cluster_id: Arc::from("fuzz"), message: introduction }).to_vec();
    let rumours = vec![by_id("b"), by_hash(9, Status::Suspect { silent_ms: 2_000, failed_ms: 500 }), by_hash(10, dead)];
    let range = Range {
        from: NodeHash(5),
        to: NodeHash(99),
        entries: vec![by_hash(7, Status::Left { seen_ms: 1 }), by_id("c")],
    };
    let delta = Delta { node_deltas: vec![node_delta("a", &[2, 3, 4])] };
    let report = |outcome| Some(Report { target: NodeHash(9), outcome });
    vec![
        ("quiet", packet(plain())),
        ("introduction", introduction),
        ("rumours", packet(Message { kind: Kind::Answer, rumours, sums: vec![8; BUCKETS], ..plain() })),
        (
            "ranges",
            packet(Message {
                kind: Kind::More,
                ranges: vec![range],
                wants: vec![NodeHash(1), NodeHash(2)],
                next: Some(NodeHash(99)),
                delta,
                ..plain()
            }),
        ),
        ("probe", packet(Message { kind: Kind::Probe, ask: Some(NodeHash(9)), ..plain() })),
        ("alive", packet(Message { report: report(ProbeOutcome::Alive { age_ms: 20 }), ..plain() })),
        ("failed", packet(Message { report: report(ProbeOutcome::Failed { age_ms: 600 }), ..plain() })),
        ("joining", packet(Message { cursor: Some(NodeHash(0)), ..plain() })),
        ("later_revision", packet(Message { revision: 9, lowest_revision: 8, ..plain() })),
        ("empty", vec![]),
    ]
}

fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let frame = |packet: &[u8]| frame::encode(packet).map(|frame| frame.to_vec()).unwrap_or_default();
    let input = |max_len: u16, piece: u8, stream: &[u8]| [&max_len.to_be_bytes()[..], &[piece], stream].concat();
    vec![
        ("one", input(100, 7, &frame(b"a packet"))),
        ("two", input(100, 3, &[frame(b"a packet"), frame(b"and another")].concat())),
        ("longer_than_a_chunk", input(u16::MAX, 200, &frame(&[7; 9_000]))),
        ("at_the_limit_and_past_it", input(8, 5, &[frame(b"a packet"), frame(b"and another")].concat())),
        ("four_gib", input(u16::MAX, 1, &[0xff, 0xff, 0xff, 0xff, 1])),
        ("zero_length", input(100, 1, &[frame(b"a"), vec![0; 4]].concat())),
        ("never_ends", input(u16::MAX, 2, &[0, 0, 0xff, 0xff, 1, 2, 3])),
        ("half_a_length", input(100, 1, &[0, 0])),
    ]
}

fn node_id(name: &str) -> NodeId {
    NodeId::new(name, 1, Address::new("h", 7_001))
}

fn unmarked_entry(name: &str) -> NodeDigest {
    NodeDigest {
        node_id: node_id(name),
        heartbeat: 300,
        last_gc_version: 0,
        max_version: 7,
        complete_version: None,
        run: None,
        released_version: None,
        silence_ms: None,
    }
}

fn marked_entry(name: &str) -> NodeDigest {
    NodeDigest {
        node_id: NodeId::with_tls_name(name, u64::MAX, Address::new("::1", u16::MAX), Some("tls".into())),
        heartbeat: MAX_VERSION,
        last_gc_version: 2,
        max_version: 9,
        complete_version: Some(8),
        run: tidings_core::Run::new(7),
        released_version: Some(0),
        silence_ms: None,
    }
}

/// With the statuses in turn.
fn node_delta(name: &str, versions: &[u64]) -> NodeDelta {
    let statuses = [ValueStatus::Set, ValueStatus::Deleted, ValueStatus::DeleteAfterTtl];
    let key_value = |(version, status): (&u64, &ValueStatus)| KeyValueUpdate {
        key: Arc::from("key"),
        value: if *status == ValueStatus::Deleted { Arc::default() } else { Arc::from("välue") },
        version: *version,
        status: *status,
    };
    NodeDelta {
        node_id: node_id(name),
        from_version_excluded: 1,
        last_gc_version: 1,
        key_values: versions.iter().zip(statuses.iter().cycle()).map(key_value).collect(),
        max_version: Some(0),
        sender_complete_version: Some(9),
        run: tidings_core::Run::new(7),
    }
}
