//! Uses tidings-core without std. Its panic handler clashes with std's as soon as anything links std.
//!
//! A library, since a program would need an allocator too, which is unsafe code; the clash is the same.
#![no_std]

use tidings_core::{Instant, Next, Node, PeerIdentity, Via};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// What a driver does when a packet comes: whether to read on, and when to wake the node.
pub fn drive(node: &mut Node, now: Instant, via: Via, packet: &[u8]) -> (Next, Option<Instant>) {
    node.handle_timeout(now);
    let reply = node.handle_packet(now, via, packet, &PeerIdentity::default());
    while node.poll_transmit().is_some() || node.poll_abort().is_some() || node.poll_event().is_some() {}
    (reply.next, node.poll_timeout())
}
