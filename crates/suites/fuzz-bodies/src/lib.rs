//! What the fuzz targets check, as functions: `fuzz/` only calls them, and this crate's tests replay the corpus.
//!
//! Every function takes the bytes that a peer could send, or that could stand in a file, and panics where a promise is
//! broken.

use bytes::Bytes;
use tidings_core::record::Recording;
use tidings_core::wire::aiocluster::{Decoded, Message, Packet, decode, encode};
use tidings_core::wire::frame::{self, FrameDecoder, FrameError};
use tidings_core::{DecodeLimits, MAX_VERSION};

pub mod crowd;
pub mod recordings;
pub mod seeds;

pub use crowd::dearest_packet;

/// Whatever decodes is within its limits, and is written as bytes that decode to the same, with the length foretold.
///
/// # Panics
///
/// When that does not hold.
pub fn packet_decode(data: &[u8]) {
    let small = DecodeLimits {
        max_packet_bytes: data.len(),
        max_name_bytes: 8,
        max_key_bytes: 4,
        max_value_bytes: 6,
        max_digest_entries: 3,
        max_node_deltas: 2,
        max_key_values: 3,
    };
    for limits in [DecodeLimits { max_packet_bytes: usize::MAX, ..DecodeLimits::default() }, small] {
        let Ok(Decoded { packet, .. }) = decode(data, &limits) else { continue };
        check_limits(&packet, &limits);
        let bytes = encode(&packet);
        assert_eq!(bytes.len(), packet.encoded_len());
        // What was left out on the way in may leave out less than empty parts add on the way out.
        let limits = DecodeLimits { max_packet_bytes: usize::MAX, ..limits };
        assert_eq!(decode(&bytes, &limits), Ok(Decoded { packet, skipped_entries: 0 }));
    }
}

/// The same of the messages between nodes of ours.
///
/// # Panics
///
/// When that does not hold.
pub fn message_decode(data: &[u8]) {
    use tidings_core::wire::tidings::{BUCKETS, Decoded, decode, encode};
    let small = DecodeLimits {
        max_packet_bytes: data.len(),
        max_name_bytes: 8,
        max_digest_entries: 3,
        ..DecodeLimits::default()
    };
    for limits in [DecodeLimits { max_packet_bytes: usize::MAX, ..DecodeLimits::default() }, small] {
        let Ok(Decoded { packet, .. }) = decode(data, &limits) else { continue };
        let message = &packet.message;
        let ranges = message.ranges.iter().flat_map(|range| &range.entries);
        let entries: Vec<_> = message.own.iter().chain(&message.rumours).chain(ranges).collect();
        assert!(entries.len() <= limits.max_digest_entries && message.ranges.len() <= BUCKETS);
        assert!(entries.iter().all(|entry| entry.life <= MAX_VERSION && entry.max_version <= MAX_VERSION));
        assert!(message.sums.is_empty() || message.sums.len() == BUCKETS);
        let limits = DecodeLimits { max_packet_bytes: usize::MAX, ..limits };
        assert_eq!(decode(&encode(&packet), &limits), Ok(Decoded { packet, skipped_entries: 0 }));
    }
}

fn check_limits(packet: &Packet, limits: &DecodeLimits) {
    let (digest, delta) = match &packet.message {
        Message::Syn { digest } => (Some(digest), None),
        Message::SynAck { digest, delta } => (Some(digest), Some(delta)),
        Message::Ack { delta } => (None, Some(delta)),
        Message::BadCluster => (None, None),
    };
    assert!(packet.cluster_id.len() <= limits.max_name_bytes);
    if let Some(digest) = digest {
        assert!((1..=limits.max_digest_entries).contains(&digest.entries.len()));
        assert!(digest.entries.iter().all(|entry| entry.heartbeat <= MAX_VERSION && entry.max_version <= MAX_VERSION));
    }
    let node_deltas = delta.map_or(&[][..], |delta| &delta.node_deltas);
    assert!(node_deltas.len() <= limits.max_node_deltas);
    assert!(node_deltas.iter().map(|node| node.key_values.len()).sum::<usize>() <= limits.max_key_values);
    for node in node_deltas {
        let mut above = node.from_version_excluded;
        for update in &node.key_values {
            assert!(update.version > above && update.version <= MAX_VERSION);
            assert!(update.key.len() <= limits.max_key_bytes && update.value.len() <= limits.max_value_bytes);
            above = update.version;
        }
    }
    let node_ids = digest.into_iter().flat_map(|digest| digest.entries.iter().map(|entry| &entry.node_id));
    for node_id in node_ids.chain(node_deltas.iter().map(|node| &node.node_id)) {
        let address = node_id.gossip_advertise_addr();
        assert!(!node_id.name().is_empty() && !address.host().is_empty() && address.port() != 0);
        let names = [node_id.name(), address.host(), node_id.tls_name().unwrap_or_default()];
        assert!(names.iter().all(|name| name.len() <= limits.max_name_bytes));
    }
}

/// However a stream is cut, it gives the same packets and then the same error, and the packets are those in it.
///
/// The first two bytes say the longest packet, the third into how long pieces the stream is cut; the rest is the
/// stream.
///
/// # Panics
///
/// When that does not hold.
pub fn frame_decode(data: &[u8]) {
    let [high, low, piece, stream @ ..] = data else { return };
    let max_len = usize::from(u16::from_be_bytes([*high, *low]));
    let whole = read_frames(stream, max_len, usize::MAX);
    assert_eq!(read_frames(stream, max_len, 1), whole);
    assert_eq!(read_frames(stream, max_len, usize::from(*piece).max(1)), whole);

    let written: Vec<u8> =
        whole.0.iter().flat_map(|packet| frame::encode(packet).expect("a packet that was read is in range")).collect();
    assert!(stream.starts_with(&written));
    assert!(whole.0.iter().all(|packet| packet.len() <= max_len));
    assert_eq!(whole.2, whole.1.is_none() && written.len() == stream.len());
}

/// The packets, the error that ended them, and whether the stream ends between two packets.
fn read_frames(mut stream: &[u8], max_len: usize, piece: usize) -> (Vec<Bytes>, Option<FrameError>, bool) {
    let mut decoder = FrameDecoder::new(max_len);
    let mut packets = Vec::new();
    while !stream.is_empty() {
        let space = decoder.space();
        let count = space.len().min(stream.len()).min(piece);
        let (now, later) = stream.split_at(count);
        space[..count].copy_from_slice(now);
        stream = later;
        match decoder.advance(count) {
            Ok(packet) => packets.extend(packet),
            Err(error) => {
                assert!(decoder.space().is_empty());
                return (packets, Some(error), decoder.is_between_packets());
            }
        }
    }
    (packets, None, decoder.is_between_packets())
}

/// Whatever stands in a file, it is read, and played as far as it can be, without a panic: as it is, and with all lengths
/// and checksums put right, so that the search gets behind them.
///
/// # Panics
///
/// When that does not hold.
pub fn recording(data: &[u8]) {
    play(data);
    play(&recordings::repaired(data));
}

fn play(data: &[u8]) {
    let Ok(mut recording) = Recording::new(data) else { return };
    let mut node = recording.start();
    while let Ok(Some(step)) = recording.next_step() {
        let fed = step.feed(&mut node);
        for text in [step.input.to_string(), step.difference(&fed).map_or_else(String::new, |it| it.to_string())] {
            // An input of so many bytes is not shown as so many times more.
            assert!(text.len() <= 16 * data.len() + 4_096, "{} bytes of text", text.len());
        }
    }
}
