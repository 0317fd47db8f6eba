//! What is wrong with a packet or an entry, and every limit at it and past it.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use prost::Message as _;

use super::generated::packet_pb::Msg;
use super::generated::*;
use super::*;
use crate::id::{Address, NodeId, encoded};
use crate::limits::{DecodeLimits, MAX_VERSION};
use crate::reconcile::NodeDelta;
use crate::state::ValueStatus;
use crate::wire::DecodeError;
use crate::wire::aiocluster::Subject;

mod against_prost;

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
    let cases: [(Vec<u8>, DecodeError); 9] = [
        (vec![0; 101], DecodeError::TooLong { len: 101, limit: 100 }),
        (vec![0xff; 100], DecodeError::NotProtobuf { message: "PacketPb" }),
        (vec![0x08, 1], DecodeError::NotProtobuf { message: "PacketPb" }),
        (no_utf8, DecodeError::NotProtobuf { message: "PacketPb" }),
        (
            PacketPb { cluster_id: "abcd".into(), ..bad_cluster() }.encode_to_vec(),
            DecodeError::ClusterIdTooLong { len: 4, limit: 3 },
        ),
        (
            PacketPb { cluster_id: "a\nb".into(), ..bad_cluster() }.encode_to_vec(),
            DecodeError::ClusterIdRefused { character: '\n' },
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
fn a_known_id_is_found_however_it_is_written_and_not_made_anew() {
    let nested_id = |fields: &[Vec<u8>]| nested(tag::node_digest::NODE_ID, &fields.concat());
    let name = nested(encoded::NAME, b"b");
    let address = nested(encoded::GOSSIP_ADVERTISE_ADDR, &id("b").gossip_advertise_addr.unwrap().encode_to_vec());
    let whole = nested_id(&[name.clone(), address.clone()]);
    let reversed = nested_id(&[address.clone(), name.clone()]);
    let in_pieces = [nested_id(&[address]), nested_id(&[name])].concat();

    let held = NodeId::new("b", 0, Address::new("host", 7_001));
    let known = |encoded: &[u8]| (encoded == held.encoded()).then(|| (held.clone(), Subject::Peer(7)));
    for id in [whole.clone(), reversed.clone(), in_pieces.clone()] {
        let entries = [entry("a").encode_to_vec(), id, whole.clone()];
        let digest = entries.map(|entry| nested(tag::digest::NODE_DIGESTS, &entry)).concat();
        let bytes = nested(tag::packet::SYN, &nested(tag::message::DIGEST, &digest));
        let (decoded, subjects) = decode_known(&bytes, &wide(), &known).unwrap();
        let Message::Syn { digest } = decoded.packet.message else { panic!() };
        assert_eq!((names(&digest), decoded.skipped_entries), (vec!["a", "b"], 1));
        assert_eq!((subjects.of_entry(0), subjects.of_entry(1)), (Subject::Stranger, Subject::Peer(7)));
        assert_eq!((subjects.has_peer(7), subjects.has_peer(6), subjects.has_peer(700)), (true, false, false));
        assert_eq!(subjects.entry_of_reader(&digest), None);
        assert!(core::ptr::eq(digest.entries[1].node_id.name(), held.name()));
    }
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
fn what_is_left_out_of_a_synack_is_counted_in_both_parts() {
    let digest = DigestPb { node_digests: vec![entry("a"), entry("a")], partial: false };
    let delta = DeltaPb { node_deltas: vec![NodeDeltaPb::default(), node_delta(vec![key_value(0), key_value(2)])] };
    let synack = SynAckPb { digest: Some(digest), delta: Some(delta) };
    let bytes = PacketPb { msg: Some(Msg::Synack(synack)), ..bad_cluster() }.encode_to_vec();
    assert_eq!(decode(&bytes, &DecodeLimits::default()).map(|decoded| decoded.skipped_entries), Ok(1 + 1 + 2));
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
    assert_eq!((entry.run, entry.complete_version, entry.released_version, entry.silence_ms), (None, None, None, None));
    assert_eq!(entry.complete_version(), 1);
}

#[test]
fn fields_that_we_do_not_know_are_ignored_everywhere() {
    let unknown = [0x98, 0x7d, 1, 0xa2, 0x7d, 1, b'x'];
    let with_unknown = |tag, body: &[u8]| nested(tag, &[body, &unknown[..]].concat());
    let digest_entry = with_unknown(tag::digest::NODE_DIGESTS, &entry("a").encode_to_vec());
    let node_delta = node_delta(vec![key_value(2)]).encode_to_vec();
    let delta = with_unknown(tag::message::DELTA, &with_unknown(tag::delta::NODE_DELTAS, &node_delta));
    let digest = with_unknown(tag::message::DIGEST, &digest_entry);
    let bytes = [with_unknown(tag::packet::SYNACK, &[digest, delta].concat()), unknown.to_vec()].concat();
    let Decoded { packet, skipped_entries: 0 } = decode(&bytes, &DecodeLimits::default()).unwrap() else { panic!() };
    let Message::SynAck { digest, delta } = packet.message else { panic!() };
    assert_eq!((names(&digest), versions(&delta.node_deltas[0])), (vec!["a"], vec![2]));
}

#[test]
fn a_field_of_another_type_than_the_schema_s_is_an_error() {
    let varint = |tag: u8| vec![tag << 3, 1];
    let in_digest = |bytes: Vec<u8>| nested(tag::packet::SYN, &nested(tag::message::DIGEST, &bytes));
    let in_delta = |bytes: Vec<u8>| nested(tag::packet::ACK, &nested(tag::message::DELTA, &bytes));
    let in_node_delta = |bytes: Vec<u8>| in_delta(nested(tag::delta::NODE_DELTAS, &bytes));
    let cases = [
        (varint(1), "PacketPb"),
        (varint(2), "PacketPb"),
        (nested(tag::packet::PROTOCOL_REVISION, b"1"), "PacketPb"),
        (nested(tag::packet::SYN, &varint(2)), "SynPb"),
        (nested(tag::packet::SYNACK, &varint(3)), "SynAckPb"),
        (nested(tag::packet::ACK, &varint(3)), "AckPb"),
        (in_digest(varint(1)), "DigestPb"),
        (in_digest(nested(tag::digest::PARTIAL, b"1")), "DigestPb"),
        (in_digest(nested(tag::digest::NODE_DIGESTS, &varint(1))), "NodeDigestPb"),
        (in_delta(varint(1)), "DeltaPb"),
        (in_node_delta(varint(1)), "NodeDeltaPb"),
        (in_node_delta(nested(tag::node_delta::NODE_ID, &varint(1))), "NodeIdPb"),
        (in_node_delta(nested(tag::node_delta::MAX_VERSION, b"1")), "NodeDeltaPb"),
        (in_node_delta(nested(tag::node_delta::SENDER_COMPLETE_VERSION, b"1")), "NodeDeltaPb"),
    ];
    for (bytes, message) in cases {
        assert_eq!(decode(&bytes, &wide()), Err(DecodeError::NotProtobuf { message }), "{bytes:?}");
        assert!(PacketPb::decode(&bytes[..]).is_err(), "prost reads {bytes:?}");
    }
    let key_value = [entry("a").node_id.map(|id| nested(1, &id.encode_to_vec())).unwrap(), nested(4, &varint(1))];
    let message = "KeyValueUpdatePb";
    assert_eq!(decode(&in_node_delta(key_value.concat()), &wide()), Err(DecodeError::NotProtobuf { message }));
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
        Some(id("two\nlines")),
        Some(id("\u{202e}turned around")),
        Some(with_address("ho\u{200b}st", 7_001)),
        Some(NodeIdPb { tls_name: "separated\u{2028}".into(), ..id("x") }),
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
