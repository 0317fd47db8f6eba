//! Packets on a stream: each follows its length, 4 bytes, big-endian.
//!
//! The codec touches no socket. A driver reads into [`FrameDecoder::space`] and says how much came; the decoder never
//! asks for more than the packet it is in, so that nothing of the next one is ever held.
//!
//! ```
//! use tidings_core::wire::frame::{self, FrameDecoder};
//! use std::io::Read;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut stream = std::collections::VecDeque::from(frame::encode(b"a packet")?.to_vec());
//!
//! let mut decoder = FrameDecoder::new(65_507);
//! let packet = loop {
//!     let count = stream.read(decoder.space())?;
//!     if count == 0 {
//!         return Err("the peer closed the connection".into());
//!     }
//!     if let Some(packet) = decoder.advance(count)? {
//!         break packet;
//!     }
//! };
//! assert_eq!(packet, "a packet");
//! # Ok(())
//! # }
//! ```

use alloc::vec::Vec;
use core::fmt;
use core::mem;

use bytes::Bytes;

/// The length of the length, in bytes.
pub const HEADER_LEN: usize = 4;

/// The space made for a packet beyond what came of it, in bytes, however long the packet says it is.
const CHUNK: usize = 4_096;

/// Why a stream can hold no further packet. The connection is of no use any more: close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// A packet is announced, or was given to [`encode`], that is longer than the limit. Nothing of it was read or
    /// written.
    TooLong {
        /// The packet's length, in bytes.
        len: usize,
        /// The decoder's limit; for [`encode`], what 4 bytes can say.
        limit: usize,
    },
    /// A packet of no bytes is announced, or was given to [`encode`]. No packet is empty.
    Empty,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::TooLong { len, limit } => write!(
                f,
                "a frame of {len} bytes is over the limit of {limit}; nothing of it was taken; close the connection, \
                 and raise the limit if the frame is honest"
            ),
            FrameError::Empty => {
                f.write_str("a frame of 0 bytes holds no packet; nothing of it was taken; close the connection")
            }
        }
    }
}

impl core::error::Error for FrameError {}

/// The packet with its length before it, ready to be written.
///
/// # Errors
///
/// The packet is empty, or longer than 4 bytes can say.
pub fn encode(packet: &[u8]) -> Result<Bytes, FrameError> {
    let len = packet.len();
    let header = u32::try_from(len).map_err(|_| FrameError::TooLong { len, limit: u32::MAX as usize })?;
    if packet.is_empty() {
        return Err(FrameError::Empty);
    }
    let mut out = Vec::with_capacity(HEADER_LEN + len);
    out.extend_from_slice(&header.to_be_bytes());
    out.extend_from_slice(packet);
    Ok(Bytes::from(out))
}

/// Takes packets off a stream, however the stream cuts them.
///
/// It holds at most twice what came of one packet, and 4 KiB. After an error it takes nothing more:
/// [`space`](FrameDecoder::space) is empty, and [`advance`](FrameDecoder::advance) repeats the error.
#[derive(Debug)]
pub struct FrameDecoder {
    max_len: usize,
    part: Part,
}

#[derive(Debug)]
enum Part {
    Header { bytes: [u8; HEADER_LEN], filled: usize },
    Packet { bytes: Vec<u8>, filled: usize, len: usize },
    Failed(FrameError),
}

impl Part {
    const START: Part = Part::Header { bytes: [0; HEADER_LEN], filled: 0 };

    /// What follows a whole header.
    fn after(header: [u8; HEADER_LEN], max_len: usize) -> Part {
        // Where usize has 16 bits, what does not fit is over any limit.
        let len = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
        match len {
            0 => Part::Failed(FrameError::Empty),
            _ if len > max_len => Part::Failed(FrameError::TooLong { len, limit: max_len }),
            _ => Part::Packet { bytes: Vec::new(), filled: 0, len },
        }
    }
}

impl FrameDecoder {
    /// A decoder for packets of 1 to `max_len` bytes.
    #[must_use]
    pub const fn new(max_len: usize) -> FrameDecoder {
        FrameDecoder { max_len, part: Part::START }
    }

    /// Where to read into: never more than is left of the current length or packet. Empty only after an error.
    pub fn space(&mut self) -> &mut [u8] {
        match &mut self.part {
            Part::Header { bytes, filled } => bytes.get_mut(*filled..).unwrap_or_default(),
            Part::Packet { bytes, filled, len } => {
                if bytes.len() == *filled {
                    let more = (*len - *filled).min((*filled).max(CHUNK));
                    bytes.reserve_exact(more);
                    bytes.resize(*filled + more, 0);
                }
                bytes.get_mut(*filled..).unwrap_or_default()
            }
            Part::Failed(_) => &mut [],
        }
    }

    /// Says that `count` bytes were read into [`space`](FrameDecoder::space); more than fit there count as all of it.
    ///
    /// Returns the packet, without its length, once it is whole; the decoder is then ready for the next.
    ///
    /// # Errors
    ///
    /// The announced length is over the limit or zero: known as soon as the length is there.
    pub fn advance(&mut self, count: usize) -> Result<Option<Bytes>, FrameError> {
        match &mut self.part {
            Part::Header { bytes, filled } => {
                *filled = filled.saturating_add(count).min(HEADER_LEN);
                if *filled == HEADER_LEN {
                    self.part = Part::after(*bytes, self.max_len);
                }
            }
            Part::Packet { bytes, filled, len } => {
                *filled = filled.saturating_add(count).min(bytes.len());
                if *filled == *len {
                    let packet = mem::take(bytes);
                    self.part = Part::START;
                    return Ok(Some(Bytes::from(packet)));
                }
            }
            Part::Failed(_) => {}
        }
        match self.part {
            Part::Failed(error) => Err(error),
            _ => Ok(None),
        }
    }

    /// Whether no part of a packet is held: a peer that closes the connection here cut nothing off.
    #[must_use]
    pub const fn is_between_packets(&self) -> bool {
        matches!(self.part, Part::Header { filled: 0, .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    /// Gives `decoder` what `input` holds, at most `at_most` bytes at a time.
    fn feed(decoder: &mut FrameDecoder, mut input: &[u8], at_most: usize) -> Result<Vec<Bytes>, FrameError> {
        let mut packets = Vec::new();
        while !input.is_empty() {
            let space = decoder.space();
            let count = space.len().min(input.len()).min(at_most);
            space[..count].copy_from_slice(&input[..count]);
            input = &input[count..];
            packets.extend(decoder.advance(count)?);
        }
        Ok(packets)
    }

    fn held(decoder: &FrameDecoder) -> usize {
        match &decoder.part {
            Part::Packet { bytes, .. } => bytes.capacity(),
            _ => 0,
        }
    }

    #[test]
    fn a_length_of_4_gib_is_an_error_at_once_and_for_good() {
        let mut decoder = FrameDecoder::new(100);
        let error = FrameError::TooLong { len: 0xffff_ffff, limit: 100 };
        assert_eq!(feed(&mut decoder, &[0xff; 4], 1), Err(error));
        assert!(decoder.space().is_empty());
        assert_eq!(decoder.advance(1), Err(error));
        assert!(!decoder.is_between_packets());
    }

    #[test]
    fn the_limit_is_the_longest_packet_and_zero_is_none() {
        let frame = encode(&[7; 100]).unwrap();
        assert_eq!(feed(&mut FrameDecoder::new(100), &frame, 9), Ok(vec![Bytes::from(vec![7; 100])]));
        let error = FrameError::TooLong { len: 100, limit: 99 };
        assert_eq!(feed(&mut FrameDecoder::new(99), &frame, 9), Err(error));
        assert_eq!(feed(&mut FrameDecoder::new(100), &[0; 4], 4), Err(FrameError::Empty));
        assert_eq!(encode(&[]), Err(FrameError::Empty));
    }

    #[test]
    fn a_frame_that_never_ends_holds_little_more_than_what_came() {
        let mut decoder = FrameDecoder::new(usize::MAX);
        feed(&mut decoder, &u32::MAX.to_be_bytes(), 4).unwrap();
        let mut came = 0;
        for _ in 0..300 {
            decoder.space();
            assert!(held(&decoder) <= 2 * came + CHUNK, "{} bytes held of {came}", held(&decoder));
            came += feed(&mut decoder, &[1; 997], 997).map(|_| 997).unwrap();
        }
        assert!(!decoder.is_between_packets());
    }

    #[test]
    fn a_count_past_the_space_is_all_of_it() {
        let mut decoder = FrameDecoder::new(100);
        feed(&mut decoder, &[0, 0, 0, 2, b'h'], 5).unwrap();
        decoder.space()[0] = b'i';
        assert_eq!(decoder.advance(usize::MAX), Ok(Some(Bytes::from_static(b"hi"))));
        assert!(decoder.is_between_packets());
    }

    proptest! {
        #[test]
        fn however_the_stream_is_cut_the_packets_are_the_same(
            packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..10_000), 0..4),
            cuts in prop::collection::vec(1..6_000_usize, 1..50),
        ) {
            let mut stream: Vec<u8> = Vec::new();
            for packet in &packets {
                stream.extend_from_slice(&encode(packet).unwrap());
            }
            let mut decoder = FrameDecoder::new(10_000);
            let mut taken = Vec::new();
            let mut rest = stream.as_slice();
            for cut in cuts.into_iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at(cut.min(rest.len()));
                taken.extend(feed(&mut decoder, now, usize::MAX).unwrap());
                rest = later;
            }
            prop_assert_eq!(taken, packets);
            prop_assert!(decoder.is_between_packets());
        }
    }
}
