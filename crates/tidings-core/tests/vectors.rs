//! The packets recorded from Python aiocluster (proto/vectors): we read in them what Python reads, and write them
//! byte for byte as Python does.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tidings_core::reconcile::{Delta, NodeDelta};
use tidings_core::wire::aiocluster::{Decoded, Digest, Message, NodeDigest, Packet, decode, encode};
use tidings_core::{DecodeLimits, KeyValueUpdate, NodeId, ValueStatus};

#[test]
fn we_read_in_every_packet_what_python_reads() {
    for vector in vectors() {
        let Decoded { packet, skipped_entries } = decode_file(&vector);
        let kind = match packet.message {
            Message::Syn { .. } => "syn",
            Message::SynAck { .. } => "synack",
            Message::Ack { .. } => "ack",
            Message::BadCluster => "bad_cluster",
        };
        assert_eq!(skipped_entries, 0, "{vector}");
        assert_eq!(packet.protocol_revision, 0, "aiocluster is unmarked: {vector}");
        assert_eq!((kind, &*packet.cluster_id), (text(&vector, "kind"), text(&vector, "cluster_id")), "{vector}");
        assert_eq!(packet_json(&packet, kind), vector["packet"], "{}", text(&vector, "file"));
    }
}

#[test]
fn we_write_every_packet_as_python_writes_it() {
    for vector in vectors() {
        let packet = decode_file(&vector).packet;
        assert_eq!(encode(&packet), read(&vector), "{}", text(&vector, "file"));
        assert_eq!(packet.encoded_len(), read(&vector).len(), "{}", text(&vector, "file"));
    }
}

#[test]
fn every_packet_is_in_the_index_and_every_kind_among_them() {
    let in_folder = fs::read_dir(folder())
        .expect("proto/vectors is there")
        .map(|entry| entry.expect("it can be listed").file_name().into_string().expect("its names are UTF-8"));
    let in_folder: BTreeSet<String> = in_folder.filter(|name| name.ends_with(".bin")).collect();
    let vectors = vectors();
    assert_eq!(vectors.iter().map(|vector| text(vector, "file").to_owned()).collect::<BTreeSet<_>>(), in_folder);
    let kinds: BTreeSet<_> = vectors.iter().map(|vector| text(vector, "kind")).collect();
    assert_eq!(kinds, BTreeSet::from(["syn", "synack", "ack", "bad_cluster"]));
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/vectors")
}

/// The index's rows, of which there must be some.
fn vectors() -> Vec<Value> {
    let index = fs::read_to_string(folder().join("index.json")).expect("proto/vectors/index.json is there");
    let vectors: Vec<Value> = serde_json::from_str(&index).expect("the index is an array in JSON");
    assert!(!vectors.is_empty(), "proto/vectors holds no packets");
    vectors
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap_or_else(|| panic!("no {field} in {vector}"))
}

fn read(vector: &Value) -> Vec<u8> {
    let path = folder().join(text(vector, "file"));
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn decode_file(vector: &Value) -> Decoded {
    let decoded = decode(&read(vector), &DecodeLimits::default());
    decoded.unwrap_or_else(|error| panic!("{}: {error}", text(vector, "file")))
}

/// The packet as the index has it: the schema's names, and nothing that is not on the wire.
fn packet_json(packet: &Packet, kind: &str) -> Value {
    let message = match &packet.message {
        Message::Syn { digest } => json!({ "digest": digest_json(digest) }),
        Message::SynAck { digest, delta } => json!({ "digest": digest_json(digest), "delta": delta_json(delta) }),
        Message::Ack { delta } => json!({ "delta": delta_json(delta) }),
        Message::BadCluster => json!({}),
    };
    fields([("cluster_id", json!(&*packet.cluster_id)), (kind, message)])
}

fn digest_json(digest: &Digest) -> Value {
    assert!(!digest.partial);
    list("node_digests", digest.entries.iter().map(node_digest_json).collect())
}

fn node_digest_json(entry: &NodeDigest) -> Value {
    assert_eq!((entry.complete_version, entry.run, entry.released_version, entry.silence_ms), (None, None, None, None));
    fields([
        ("node_id", node_id_json(&entry.node_id)),
        ("heartbeat", json!(entry.heartbeat)),
        ("last_gc_version", json!(entry.last_gc_version)),
        ("max_version", json!(entry.max_version)),
    ])
}

fn delta_json(delta: &Delta) -> Value {
    list("node_deltas", delta.node_deltas.iter().map(node_delta_json).collect())
}

fn node_delta_json(node_delta: &NodeDelta) -> Value {
    assert_eq!(node_delta.sender_complete_version, None);
    let mut json = fields([
        ("node_id", node_id_json(&node_delta.node_id)),
        ("from_version_excluded", json!(node_delta.from_version_excluded)),
        ("last_gc_version", json!(node_delta.last_gc_version)),
    ]);
    if !node_delta.key_values.is_empty() {
        json["key_values"] = node_delta.key_values.iter().map(key_value_json).collect();
    }
    if let Some(max_version) = node_delta.max_version {
        json["max_version"] = json!(max_version);
    }
    json
}

fn key_value_json(update: &KeyValueUpdate) -> Value {
    let status = match update.status {
        ValueStatus::Set => "",
        ValueStatus::Deleted => "DELETED",
        ValueStatus::DeleteAfterTtl => "DELETE_AFTER_TTL",
    };
    fields([
        ("key", json!(&*update.key)),
        ("value", json!(&*update.value)),
        ("version", json!(update.version)),
        ("status", json!(status)),
    ])
}

fn node_id_json(node_id: &NodeId) -> Value {
    let address = node_id.gossip_advertise_addr();
    fields([
        ("name", json!(node_id.name())),
        ("generation_id", json!(node_id.generation_id())),
        ("gossip_advertise_addr", fields([("host", json!(address.host())), ("port", json!(address.port()))])),
        ("tls_name", json!(node_id.tls_name().unwrap_or_default())),
    ])
}

/// A repeated field, left out when it is empty.
fn list(name: &str, values: Vec<Value>) -> Value {
    if values.is_empty() { json!({}) } else { json!({ name: values }) }
}

/// Those fields that do not have their default value.
fn fields<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let is_there = |(_, value): &(&str, Value)| *value != json!("") && *value != json!(0);
    Value::Object(
        fields.into_iter().filter(is_there).map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>(),
    )
}
