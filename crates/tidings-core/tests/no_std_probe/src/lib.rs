//! Uses tidings-core without std. Its panic handler clashes with std's as soon as anything links std.
//!
//! A library, since a program would need an allocator too, which is unsafe code; the clash is the same.
#![no_std]

use tidings_core::DecodeLimits;
use tidings_core::wire::{DecodeError, decode};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The length of a packet once it is decoded and written again.
pub fn decode_a_packet(bytes: &[u8]) -> Result<usize, DecodeError> {
    decode(bytes, &DecodeLimits::default()).map(|decoded| decoded.packet.encoded_len())
}
