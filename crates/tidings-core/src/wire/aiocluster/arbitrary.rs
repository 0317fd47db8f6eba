//! Packets of every shape that the wire can carry, for tests.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::id::{Address, NodeId, Run, refused_char};
use crate::limits::MAX_VERSION;
use crate::reconcile::{Delta, NodeDelta};
use crate::state::{KeyValueUpdate, ValueStatus};
use crate::wire::aiocluster::{Digest, NodeDigest};
use crate::wire::aiocluster::{Message, Packet};

pub(super) fn packet() -> impl Strategy<Value = Packet> {
    let message = prop_oneof![
        digest().prop_map(|digest| Message::Syn { digest }),
        (digest(), delta()).prop_map(|(digest, delta)| Message::SynAck { digest, delta }),
        delta().prop_map(|delta| Message::Ack { delta }),
        Just(Message::BadCluster),
    ];
    (name(0..200), revision(), message).prop_map(|(cluster_id, protocol_revision, message)| Packet {
        cluster_id: Arc::from(cluster_id),
        protocol_revision,
        message,
    })
}

/// At least one entry, and no node twice.
fn digest() -> impl Strategy<Value = Digest> {
    (prop::collection::btree_map(node_id(), node_digest(), 1..20), any::<bool>()).prop_map(|(entries, partial)| {
        Digest {
            entries: entries.into_iter().map(|(node_id, entry)| NodeDigest { node_id, ..entry }).collect(),
            partial,
        }
    })
}

fn node_digest() -> impl Strategy<Value = NodeDigest> {
    let versions = (version(), version(), version(), option::of(version()), option::of(version()));
    let silence = option::of(any::<u64>());
    (node_id(), versions, run(), silence).prop_map(|(node_id, versions, run, silence_ms)| {
        let (heartbeat, last_gc_version, max_version, complete_version, released_version) = versions;
        NodeDigest {
            node_id,
            heartbeat,
            last_gc_version,
            max_version,
            complete_version,
            run,
            released_version,
            silence_ms,
        }
    })
}

fn run() -> impl Strategy<Value = Option<Run>> {
    (0_u32..1 << 28).prop_map(Run::new)
}

pub(in crate::wire) fn delta() -> impl Strategy<Value = Delta> {
    prop::collection::vec(node_delta(), 0..6).prop_map(|node_deltas| Delta { node_deltas })
}

/// The key-values lie above `from_version_excluded`, in increasing order of version.
fn node_delta() -> impl Strategy<Value = NodeDelta> {
    let versions = (version(), option::of(version()), option::of(version()));
    let key_values = prop::collection::btree_map(version(), key_value(), 0..12);
    (node_id(), versions, key_values, run()).prop_map(|(node_id, versions, mut key_values, run)| {
        let (last_gc_version, max_version, sender_complete_version) = versions;
        let from_version_excluded = match key_values.pop_first() {
            Some((first, _)) => first,
            None => last_gc_version,
        };
        let key_values: Vec<KeyValueUpdate> =
            key_values.into_iter().map(|(version, update)| KeyValueUpdate { version, ..update }).collect();
        NodeDelta {
            node_id,
            from_version_excluded,
            last_gc_version,
            key_values,
            max_version,
            sender_complete_version,
            run,
        }
    })
}

fn key_value() -> impl Strategy<Value = KeyValueUpdate> {
    let status = select(&[ValueStatus::Set, ValueStatus::Deleted, ValueStatus::DeleteAfterTtl][..]);
    (text(0..140), text(0..600), status).prop_map(|(key, value, status)| KeyValueUpdate {
        key: Arc::from(key),
        value: if status == ValueStatus::Deleted { Arc::default() } else { Arc::from(value) },
        version: 0,
        status,
    })
}

pub(in crate::wire) fn node_id() -> impl Strategy<Value = NodeId> {
    let address = (name(1..140), 1..=u16::MAX).prop_map(|(host, port)| Address::new(host, port));
    (name(1..140), any::<u64>(), address, option::of(name(0..20))).prop_map(
        |(name, generation_id, address, tls_name)| NodeId::with_tls_name(name, generation_id, address, tls_name),
    )
}

/// Lengths on both sides of where a length takes a second byte.
fn text(chars: core::ops::Range<usize>) -> impl Strategy<Value = String> {
    let char = prop_oneof![9 => prop::char::range('a', 'z'), 1 => any::<char>()];
    (char, chars).prop_map(|(char, count)| core::iter::repeat_n(char, count).collect())
}

/// The same without the characters that no name may hold.
fn name(chars: core::ops::Range<usize>) -> impl Strategy<Value = String> {
    text(chars).prop_filter("no name", |text| refused_char(text).is_none())
}

/// Every length of a varint is as likely.
pub(in crate::wire) fn version() -> impl Strategy<Value = u64> {
    (0..=63_u32, any::<u64>()).prop_map(|(bits, value)| (value & MAX_VERSION).checked_shr(63 - bits).unwrap_or(0))
}

fn revision() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(1), any::<u32>()]
}
