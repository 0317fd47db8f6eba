//! Reading and writing, against each other and against prost's.

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::limits::DecodeLimits;
use crate::testing::id;
use crate::wire::DecodeError;
use crate::wire::aiocluster::generated::TidingsPacketPb;

fn wide() -> DecodeLimits {
    DecodeLimits { max_packet_bytes: usize::MAX, ..DecodeLimits::default() }
}

fn plain() -> Message {
    Message {
        kind: Kind::Open,
        revision: REVISION,
        lowest_revision: LOWEST_REVISION,
        sender: NodeHash(u64::MAX),
        run: Run::new(Run::END - 1).unwrap(),
        counter: 1 << 20,
        fingerprint: u64::MAX,
        void_after_ms: 1_000,
        known: 0,
        who: false,
        own: None,
        rumours: vec![],
        sums: vec![],
        ranges: vec![],
        wants: vec![],
        delta: Delta::default(),
        ask: None,
        report: None,
        cursor: None,
        next: None,
        more: false,
    }
}

fn bytes_of(message: Message) -> Vec<u8> {
    encode(&Packet { cluster_id: Arc::default(), message }).to_vec()
}

proptest! {
    #[test]
    fn what_we_write_we_read(packet in arbitrary::packet()) {
        prop_assert_eq!(decode(&encode(&packet), &wide()), Ok(Decoded { packet, skipped_entries: 0 }));
    }

    #[test]
    fn what_we_write_prost_reads_and_writes_the_same(packet in arbitrary::packet()) {
        let bytes = encode(&packet);
        let pb = TidingsPacketPb::decode(bytes.clone()).unwrap();
        prop_assert_eq!(pb.encoded_len(), bytes.len());
        prop_assert_eq!(decode(&pb.encode_to_vec(), &wide()), Ok(Decoded { packet, skipped_entries: 0 }));
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
        prop_assert_eq!(not_protobuf, TidingsPacketPb::decode(bytes).is_err());
    }

    #[test]
    fn an_entry_is_no_longer_than_foretold(packet in arbitrary::packet()) {
        let without = encode(&Packet { message: plain(), ..packet.clone() }).len();
        for entry in &packet.message.rumours {
            let message = Message { rumours: vec![entry.clone()], ..plain() };
            let with = encode(&Packet { message, ..packet.clone() }).len();
            // The message's own length may take a byte more.
            prop_assert!(with <= without + entry_len(entry) + 1);
        }
    }
}

#[test]
fn a_quiet_message_is_forty_bytes() {
    assert!(bytes_of(plain()).len() <= 44, "{}", bytes_of(plain()).len());
}

#[test]
fn what_no_revision_of_ours_understands_is_no_message() {
    let wrong: [Message; 2] =
        [Message { revision: 0, ..plain() }, Message { revision: 9, lowest_revision: REVISION + 1, ..plain() }];
    for message in wrong {
        assert_eq!(decode(&bytes_of(message), &wide()), Err(DecodeError::NoMessage));
    }
    let later = Message { revision: 9, ..plain() };
    assert!(decode(&bytes_of(later), &wide()).is_ok());
}

#[test]
fn a_wrong_entry_is_left_out_and_counted() {
    let entry = |node, life| Entry {
        node,
        run: Run::FIRST,
        life,
        status: Status::Live { seen_ms: 1 },
        max_version: 1,
        last_gc_version: 0,
    };
    let rumours = vec![
        entry(Named::Id(id("", 1)), 1),
        entry(Named::Id(id("a", 1)), u64::MAX),
        entry(Named::Hash(NodeHash(3)), 1),
    ];
    let decoded = decode(&bytes_of(Message { rumours, ..plain() }), &wide()).unwrap();
    assert_eq!((decoded.packet.message.rumours.len(), decoded.skipped_entries), (1, 2));
}

#[test]
fn a_node_of_aiocluster_finds_no_message_in_it() {
    let bytes = bytes_of(plain());
    let read = crate::wire::aiocluster::decode(&bytes, &wide());
    assert_eq!(read.map(|_| ()), Err(DecodeError::NoMessage));
    assert_eq!(decode(&[], &wide()), Err(DecodeError::NoMessage));
}
