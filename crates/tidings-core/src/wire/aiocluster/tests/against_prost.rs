//! Our reading and writing against prost's, with arbitrary packets.

use alloc::string::ToString;
use alloc::vec::Vec;

use proptest::prelude::*;
use prost::Message as _;

use super::wide;
use crate::id::{NodeId, Run};
use crate::limits::DecodeLimits;
use crate::reconcile::{Delta, NodeDelta};
use crate::state::{KeyValueUpdate, ValueStatus};
use crate::wire::DecodeError;
use crate::wire::aiocluster::generated::packet_pb::Msg;
use crate::wire::aiocluster::generated::*;
use crate::wire::aiocluster::*;
use crate::wire::aiocluster::{Digest, NodeDigest};

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

/// Of a node that a digest has twice, the first entry counts.
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
        run: entry.run.map_or(0, Run::number),
        released_version: entry.released_version,
        silence_ms: entry.silence_ms,
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
        run: node_delta.run.map_or(0, Run::number),
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
