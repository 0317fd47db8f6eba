//! Reading and writing against prost's own reading and writing, and every limit at it and past it.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;
use prost::Message as _;

use super::arbitrary;
use super::generated::packet_pb::Msg;
use super::generated::*;
use super::*;
use crate::delta::{KeyValueUpdate, NodeDelta};
use crate::digest::NodeDigest;
use crate::id::NodeId;
use crate::limits::{DecodeLimits, MAX_VERSION};
use crate::state::ValueStatus;

proptest! {
    #[test]
    fn what_we_write_prost_reads_and_the_sizes_are_exact(packet in arbitrary::packet()) {
        let bytes = encode(&packet);
        prop_assert_eq!(bytes.len(), packet.encoded_len());
        let pb = PacketPb::decode(bytes.clone()).unwrap();
        prop_assert_eq!(&pb, &packet_pb(&packet));
        prop_assert_eq!(pb.encoded_len(), bytes.len());
    }

    #[test]
    fn what_prost_writes_we_read(packet in arbitrary::packet()) {
        let bytes = packet_pb(&packet).encode_to_vec();
        prop_assert_eq!(decode(&bytes, &wide()), Ok(Decoded { packet, skipped_entries: 0 }));
    }

    #[test]
    fn what_we_write_we_read(packet in arbitrary::packet()) {
        let bytes = encode(&packet);
        prop_assert_eq!(decode(&bytes, &wide()), Ok(Decoded { packet, skipped_entries: 0 }));
    }

    #[test]
    fn two_packets_in_a_row_are_merged_as_prost_merges_them(
        first in arbitrary::packet(),
        second in arbitrary::packet(),
    ) {
        let bytes = [encode(&first), encode(&second)].concat();
        let merged = packet_pb_without_repeated_nodes(PacketPb::decode(bytes.as_slice()).unwrap());
        let decoded = decode(&bytes, &wide()).unwrap();
        prop_assert_eq!(packet_pb(&decoded.packet), merged);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes, &DecodeLimits::default());
    }

    #[test]
    fn a_packet_cut_off_anywhere_is_read_as_prost_reads_it(packet in arbitrary::packet(), cut in any::<prop::sample::Index>()) {
        let bytes = encode(&packet);
        let bytes = &bytes[..cut.index(bytes.len() + 1)];
        let not_protobuf = matches!(decode(bytes, &wide()), Err(DecodeError::NotProtobuf { message: _ }));
        prop_assert_eq!(not_protobuf, PacketPb::decode(bytes).is_err());
    }
}

#[test]
fn the_fields_go_out_in_the_order_of_their_numbers() {
    let packet = Packet {
        cluster_id: Arc::from("c"),
        protocol_revision: 1,
        message: Message::Syn { digest: Digest { entries: vec![], partial: true } },
    };
    let bytes = encode(&packet);
    assert_eq!(&bytes[..], [0x0a, 1, b'c', 0x12, 5, 0x12, 3, 0xa0, 0x06, 1, 0xa0, 0x06, 1]);
}

#[test]
fn what_is_no_packet_says_why() {
    let limits = DecodeLimits { max_name_bytes: 3, max_packet_bytes: 100, ..DecodeLimits::default() };
    let no_utf8 = PacketPb { cluster_id: "abc".into(), ..bad_cluster() };
    let mut no_utf8 = no_utf8.encode_to_vec();
    no_utf8[2] = 0xff;
    let cases: [(Vec<u8>, DecodeError); 8] = [
        (vec![0; 101], DecodeError::TooLong { len: 101, limit: 100 }),
        (vec![0xff; 100], DecodeError::NotProtobuf { message: "PacketPb" }),
        (vec![0x08, 1], DecodeError::NotProtobuf { message: "PacketPb" }),
        (no_utf8, DecodeError::NotProtobuf { message: "PacketPb" }),
        (
            PacketPb { cluster_id: "abcd".into(), ..bad_cluster() }.encode_to_vec(),
            DecodeError::ClusterIdTooLong { len: 4, limit: 3 },
        ),
        (vec![], DecodeError::NoMessage),
        (PacketPb { msg: None, ..bad_cluster() }.encode_to_vec(), DecodeError::NoMessage),
        (
            PacketPb { msg: Some(Msg::Syn(SynPb { digest: None })), ..bad_cluster() }.encode_to_vec(),
            DecodeError::NoSender,
        ),
    ];
    for (bytes, error) in cases {
        assert_eq!(decode(&bytes, &limits), Err(error.clone()));
        assert!(error.to_string().contains("nothing of"), "{error}");
    }
    let at_the_limit = PacketPb { cluster_id: "abc".into(), ..bad_cluster() }.encode_to_vec();
    let limits = DecodeLimits { max_packet_bytes: at_the_limit.len(), ..limits };
    assert!(decode(&at_the_limit, &limits).is_ok());
}

#[test]
fn a_sender_with_a_wrong_entry_is_none() {
    for wrong in wrong_entries() {
        let bytes = syn(vec![wrong.clone(), entry("b")]).encode_to_vec();
        assert_eq!(decode(&bytes, &DecodeLimits::default()), Err(DecodeError::NoSender), "{wrong:?}");
    }
}

#[test]
fn a_wrong_entry_further_on_is_left_out_and_counted() {
    for wrong in wrong_entries() {
        let bytes = syn(vec![entry("a"), wrong.clone(), entry("b")]).encode_to_vec();
        let (digest, skipped) = decode_digest(&bytes, &DecodeLimits::default());
        assert_eq!((names(&digest), skipped, digest.partial), (vec!["a", "b"], 1, false), "{wrong:?}");
    }
}

#[test]
fn of_a_node_twice_in_a_digest_the_first_counts() {
    let again = NodeDigestPb { max_version: 9, ..entry("b") };
    let bytes = syn(vec![entry("a"), entry("b"), again, entry("a")]).encode_to_vec();
    let (digest, skipped) = decode_digest(&bytes, &DecodeLimits::default());
    assert_eq!((names(&digest), skipped), (vec!["a", "b"], 2));
    assert_eq!(digest.entries[1].max_version, 1);
}

#[test]
fn a_digest_over_its_limit_is_cut_off_and_so_partial() {
    let bytes = syn(vec![entry("a"), entry("b"), entry("c"), entry("d")]).encode_to_vec();
    let (digest, skipped) = decode_digest(&bytes, &DecodeLimits { max_digest_entries: 4, ..DecodeLimits::default() });
    assert_eq!((digest.entries.len(), skipped, digest.partial), (4, 0, false));
    let (digest, skipped) = decode_digest(&bytes, &DecodeLimits { max_digest_entries: 3, ..DecodeLimits::default() });
    assert_eq!((names(&digest), skipped, digest.partial), (vec!["a", "b", "c"], 1, true));
}

#[test]
fn a_name_host_or_certificate_name_may_be_as_long_as_its_limit() {
    let limits = DecodeLimits { max_name_bytes: 9, ..DecodeLimits::default() };
    let with = |change: fn(&mut NodeIdPb, String), len| {
        let mut entry = entry("b");
        change(entry.node_id.as_mut().unwrap(), "x".repeat(len));
        decode_digest(&syn(vec![self::entry("a"), entry]).encode_to_vec(), &limits).1
    };
    let changes: [fn(&mut NodeIdPb, String); 3] = [
        |id, text| id.name = text,
        |id, text| id.gossip_advertise_addr.as_mut().unwrap().host = text,
        |id, text| id.tls_name = text,
    ];
    for change in changes {
        assert_eq!((with(change, 9), with(change, 10)), (0, 1));
    }
}

#[test]
fn the_highest_version_and_heartbeat_are_taken() {
    let highest = NodeDigestPb { heartbeat: MAX_VERSION, max_version: MAX_VERSION, ..entry("b") };
    let (digest, skipped) = decode_digest(&syn(vec![entry("a"), highest]).encode_to_vec(), &DecodeLimits::default());
    assert_eq!((digest.entries[1].max_version, digest.entries[1].heartbeat, skipped), (MAX_VERSION, MAX_VERSION, 0));
}

#[test]
fn news_of_a_node_end_before_a_wrong_key_value() {
    let limits = DecodeLimits { max_key_bytes: 4, max_value_bytes: 5, ..DecodeLimits::default() };
    let wrong = [
        KeyValueUpdatePb { status: 3, ..key_value(4) },
        KeyValueUpdatePb { status: -1, ..key_value(4) },
        KeyValueUpdatePb { version: MAX_VERSION + 1, ..key_value(4) },
        KeyValueUpdatePb { key: "12345".into(), ..key_value(4) },
        KeyValueUpdatePb { value: "123456".into(), ..key_value(4) },
        key_value(2),
        key_value(3),
    ];
    for wrong in wrong {
        let first = node_delta(vec![key_value(2), key_value(3), wrong.clone(), key_value(5)]);
        let second = node_delta(vec![KeyValueUpdatePb { key: "1234".into(), value: "12345".into(), ..key_value(2) }]);
        let (delta, skipped) = decode_delta(&ack(vec![first, second]).encode_to_vec(), &limits);
        let [first, second] = &delta.node_deltas[..] else { panic!("{delta:?}") };
        assert_eq!((versions(first), first.max_version, skipped), (vec![2, 3], None, 2), "{wrong:?}");
        assert_eq!((versions(second), second.max_version), (vec![2], Some(7)), "{wrong:?}");
    }
}

#[test]
fn a_key_value_at_or_below_the_version_to_start_from_is_out_of_order() {
    let (delta, skipped) = decode_delta(&ack(vec![node_delta(vec![key_value(1)])]).encode_to_vec(), &wide());
    assert_eq!((versions(&delta.node_deltas[0]), skipped), (vec![], 1));
}

#[test]
fn an_empty_key_and_an_empty_value_are_taken_and_a_tombstone_has_no_value() {
    let empty = KeyValueUpdatePb { version: 2, ..KeyValueUpdatePb::default() };
    let tombstone = KeyValueUpdatePb { status: 1, value: "left over".into(), ..key_value(3) };
    let (delta, skipped) = decode_delta(&ack(vec![node_delta(vec![empty, tombstone])]).encode_to_vec(), &wide());
    let [empty, tombstone] = &delta.node_deltas[0].key_values[..] else { panic!("{delta:?}") };
    assert_eq!((&*empty.key, &*empty.value, empty.status), ("", "", ValueStatus::Set));
    assert_eq!((&*tombstone.value, tombstone.status, skipped), ("", ValueStatus::Deleted, 0));
}

#[test]
fn key_values_are_limited_over_all_nodes_together() {
    let bytes = ack(vec![
        node_delta(vec![key_value(2), key_value(3)]),
        node_delta(vec![key_value(2), key_value(3)]),
        node_delta(vec![key_value(2)]),
    ])
    .encode_to_vec();
    let with = |max_key_values| {
        let (delta, skipped) = decode_delta(&bytes, &DecodeLimits { max_key_values, ..DecodeLimits::default() });
        let counts: Vec<_> =
            delta.node_deltas.iter().map(|node| (node.key_values.len(), node.max_version.is_some())).collect();
        (counts, skipped)
    };
    assert_eq!(with(5), (vec![(2, true), (2, true), (1, true)], 0));
    assert_eq!(with(3), (vec![(2, true), (1, false), (0, false)], 2));
}

#[test]
fn a_wrong_node_delta_and_one_over_the_limit_are_left_out_and_counted() {
    let limits = DecodeLimits { max_node_deltas: 2, ..DecodeLimits::default() };
    let fine = || node_delta(vec![key_value(2)]);
    let wrong = [
        NodeDeltaPb { node_id: None, ..fine() },
        NodeDeltaPb { from_version_excluded: MAX_VERSION + 1, ..fine() },
        NodeDeltaPb { last_gc_version: MAX_VERSION + 1, ..fine() },
        NodeDeltaPb { max_version: Some(MAX_VERSION + 1), ..fine() },
        NodeDeltaPb { sender_complete_version: Some(MAX_VERSION + 1), ..fine() },
    ];
    for wrong in wrong {
        let (delta, skipped) = decode_delta(&ack(vec![wrong.clone(), fine(), fine()]).encode_to_vec(), &limits);
        assert_eq!((delta.node_deltas.len(), skipped), (2, 1), "{wrong:?}");
    }
    let (delta, skipped) = decode_delta(&ack(vec![fine(), fine(), fine()]).encode_to_vec(), &limits);
    assert_eq!((delta.node_deltas.len(), skipped), (2, 1));
}

#[test]
fn a_packet_of_empty_entries_costs_no_memory() {
    let limits = DecodeLimits::default();
    let empty_entries = |tag: u8| [tag, 0].repeat(60_000);
    // Left out one by one: of 60,000 generated node deltas there is never more than one.
    let delta = nested(tag::message::DELTA, &empty_entries(0x0a));
    let (delta, skipped) = decode_delta(&nested(tag::packet::ACK, &delta), &limits);
    assert_eq!((delta.node_deltas.capacity(), skipped), (0, 60_000));
    // The first key-value has version 0, which is not above 0; the rest of them is not even read.
    let node = NodeDeltaPb { from_version_excluded: 0, ..node_delta(vec![]) }.encode_to_vec();
    let node = nested(tag::delta::NODE_DELTAS, &[node, empty_entries(0x22)].concat());
    let (delta, skipped) = decode_delta(&nested(tag::packet::ACK, &nested(tag::message::DELTA, &node)), &limits);
    assert_eq!((delta.node_deltas[0].key_values.capacity(), skipped), (0, 60_000));
    // A digest of them has no sender.
    let digest = nested(tag::message::DIGEST, &empty_entries(0x0a));
    assert_eq!(decode(&nested(tag::packet::SYN, &digest), &limits), Err(DecodeError::NoSender));
}

#[test]
fn an_unmarked_peer_has_revision_zero_and_none_of_our_fields() {
    let (digest, _) = decode_digest(&syn(vec![entry("a")]).encode_to_vec(), &DecodeLimits::default());
    let entry = &digest.entries[0];
    assert_eq!((entry.protocol_revision, entry.complete_version, entry.released_version), (0, None, None));
    assert_eq!(entry.complete_version(), 1);
}

fn wide() -> DecodeLimits {
    DecodeLimits { max_packet_bytes: usize::MAX, ..DecodeLimits::default() }
}

fn bad_cluster() -> PacketPb {
    PacketPb { cluster_id: String::new(), protocol_revision: 0, msg: Some(Msg::BadCluster(BadClusterPb {})) }
}

fn syn(node_digests: Vec<NodeDigestPb>) -> PacketPb {
    let digest = DigestPb { node_digests, partial: false };
    PacketPb { msg: Some(Msg::Syn(SynPb { digest: Some(digest) })), ..bad_cluster() }
}

fn ack(node_deltas: Vec<NodeDeltaPb>) -> PacketPb {
    PacketPb { msg: Some(Msg::Ack(AckPb { delta: Some(DeltaPb { node_deltas }) })), ..bad_cluster() }
}

fn id(name: &str) -> NodeIdPb {
    let address = AddressPb { host: "host".into(), port: 7_001 };
    NodeIdPb { name: name.into(), gossip_advertise_addr: Some(address), ..NodeIdPb::default() }
}

fn entry(name: &str) -> NodeDigestPb {
    NodeDigestPb { node_id: Some(id(name)), heartbeat: 1, max_version: 1, ..NodeDigestPb::default() }
}

/// From version 1 to 7.
fn node_delta(key_values: Vec<KeyValueUpdatePb>) -> NodeDeltaPb {
    NodeDeltaPb {
        node_id: Some(id("a")),
        from_version_excluded: 1,
        key_values,
        max_version: Some(7),
        ..NodeDeltaPb::default()
    }
}

fn key_value(version: u64) -> KeyValueUpdatePb {
    KeyValueUpdatePb { key: "k".into(), value: "v".into(), version, status: 0 }
}

/// One entry for each thing that can be wrong with one.
fn wrong_entries() -> Vec<NodeDigestPb> {
    let limit = DecodeLimits::default().max_name_bytes;
    let over = MAX_VERSION + 1;
    let with_address =
        |host: &str, port| NodeIdPb { gossip_advertise_addr: Some(AddressPb { host: host.into(), port }), ..id("x") };
    let ids = [
        None,
        Some(NodeIdPb { gossip_advertise_addr: None, ..id("x") }),
        Some(id("")),
        Some(id(&"x".repeat(limit + 1))),
        Some(NodeIdPb { tls_name: "x".repeat(limit + 1), ..id("x") }),
        Some(with_address("", 7_001)),
        Some(with_address(&"x".repeat(limit + 1), 7_001)),
        Some(with_address("host", 0)),
        Some(with_address("host", 65_536)),
    ];
    let mut entries: Vec<_> = ids.into_iter().map(|node_id| NodeDigestPb { node_id, ..entry("x") }).collect();
    entries.extend([
        NodeDigestPb { heartbeat: over, ..entry("x") },
        NodeDigestPb { last_gc_version: over, ..entry("x") },
        NodeDigestPb { max_version: over, ..entry("x") },
        NodeDigestPb { complete_version: Some(over), ..entry("x") },
        NodeDigestPb { released_version: Some(over), ..entry("x") },
    ]);
    entries
}

fn decode_digest(bytes: &[u8], limits: &DecodeLimits) -> (Digest, usize) {
    match decode(bytes, limits).unwrap() {
        Decoded { packet: Packet { message: Message::Syn { digest }, .. }, skipped_entries } => {
            (digest, skipped_entries)
        }
        other => panic!("{other:?}"),
    }
}

fn decode_delta(bytes: &[u8], limits: &DecodeLimits) -> (Delta, usize) {
    match decode(bytes, limits).unwrap() {
        Decoded { packet: Packet { message: Message::Ack { delta }, .. }, skipped_entries } => (delta, skipped_entries),
        other => panic!("{other:?}"),
    }
}

fn names(digest: &Digest) -> Vec<&str> {
    digest.entries.iter().map(|entry| entry.node_id.name()).collect()
}

fn versions(node_delta: &NodeDelta) -> Vec<u64> {
    node_delta.key_values.iter().map(|update| update.version).collect()
}

/// A length-delimited field.
fn nested(tag: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::encode_key(tag, prost::encoding::WireType::LengthDelimited, &mut out);
    prost::encoding::encode_varint(body.len() as u64, &mut out);
    out.extend_from_slice(body);
    out
}

fn packet_pb_without_repeated_nodes(mut pb: PacketPb) -> PacketPb {
    let digest = match &mut pb.msg {
        Some(Msg::Syn(SynPb { digest })) | Some(Msg::Synack(SynAckPb { digest, .. })) => digest,
        _ => return pb,
    };
    let mut seen = Vec::new();
    if let Some(digest) = digest {
        digest.node_digests.retain(|entry| {
            let is_new = !seen.contains(&entry.node_id);
            seen.push(entry.node_id.clone());
            is_new
        });
    }
    pb
}

fn packet_pb(packet: &Packet) -> PacketPb {
    let msg = match &packet.message {
        Message::Syn { digest } => Msg::Syn(SynPb { digest: Some(digest_pb(digest)) }),
        Message::SynAck { digest, delta } => {
            Msg::Synack(SynAckPb { digest: Some(digest_pb(digest)), delta: Some(delta_pb(delta)) })
        }
        Message::Ack { delta } => Msg::Ack(AckPb { delta: Some(delta_pb(delta)) }),
        Message::BadCluster => Msg::BadCluster(BadClusterPb {}),
    };
    PacketPb { cluster_id: packet.cluster_id.to_string(), protocol_revision: packet.protocol_revision, msg: Some(msg) }
}

fn digest_pb(digest: &Digest) -> DigestPb {
    let entry_pb = |entry: &NodeDigest| NodeDigestPb {
        node_id: Some(node_id_pb(&entry.node_id)),
        heartbeat: entry.heartbeat,
        last_gc_version: entry.last_gc_version,
        max_version: entry.max_version,
        complete_version: entry.complete_version,
        protocol_revision: entry.protocol_revision,
        released_version: entry.released_version,
    };
    DigestPb { node_digests: digest.entries.iter().map(entry_pb).collect(), partial: digest.partial }
}

fn delta_pb(delta: &Delta) -> DeltaPb {
    let key_value_pb = |update: &KeyValueUpdate| KeyValueUpdatePb {
        key: update.key.to_string(),
        value: update.value.to_string(),
        version: update.version,
        status: match update.status {
            ValueStatus::Set => 0,
            ValueStatus::Deleted => 1,
            ValueStatus::DeleteAfterTtl => 2,
        },
    };
    let node_delta_pb = |node_delta: &NodeDelta| NodeDeltaPb {
        node_id: Some(node_id_pb(&node_delta.node_id)),
        from_version_excluded: node_delta.from_version_excluded,
        last_gc_version: node_delta.last_gc_version,
        key_values: node_delta.key_values.iter().map(key_value_pb).collect(),
        max_version: node_delta.max_version,
        sender_complete_version: node_delta.sender_complete_version,
    };
    DeltaPb { node_deltas: delta.node_deltas.iter().map(node_delta_pb).collect() }
}

fn node_id_pb(node_id: &NodeId) -> NodeIdPb {
    let address = node_id.gossip_advertise_addr();
    NodeIdPb {
        name: node_id.name().into(),
        generation_id: node_id.generation_id(),
        gossip_advertise_addr: Some(AddressPb { host: address.host().into(), port: address.port().into() }),
        tls_name: node_id.tls_name().unwrap_or_default().into(),
    }
}
