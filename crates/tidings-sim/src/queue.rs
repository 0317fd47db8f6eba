//! What is going to happen, soonest first.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use bytes::Bytes;
use tidings_core::{Instant, Via};

use crate::connection::{ConnectionId, Side};

/// Something that is going to happen.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// A node's timer goes off, unless it was set anew since.
    Timer { node: usize, setting: u64 },
    /// The dialler's SYN reaches the other host.
    Connect(ConnectionId),
    /// The process at the other end gets the connection.
    Accept(ConnectionId),
    /// The handshake is over, at the dialler.
    Connected(ConnectionId),
    /// Nobody listens there, the dialler learns.
    Refused(ConnectionId),
    /// A packet reaches a node.
    Packet(Arrival),
    /// `side` learns that the other end has closed.
    PeerClosed { connection: ConnectionId, side: Side },
    /// A stranger at `side` has waited long enough.
    GivenUp { connection: ConnectionId, side: Side },
}

/// A packet that reaches `side` of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) connection: ConnectionId,
    pub(crate) side: Side,
    pub(crate) from: usize,
    pub(crate) node: usize,
    /// The run of the process at that node that the packet is for: a later one never sees it.
    pub(crate) run: u64,
    /// The node's exchange; `None`: it had not accepted it when the packet was sent.
    pub(crate) via: Option<Via>,
    pub(crate) packet: Bytes,
    pub(crate) copy: Copy,
}

/// Whether a packet comes for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copy {
    Original,
    /// Once more, for the same exchange.
    Again,
    /// Once more, on a connection of its own.
    Anew,
}

#[derive(Debug)]
struct Scheduled<H> {
    at: Instant,
    /// What was scheduled first happens first.
    sequence: u64,
    happening: H,
}

impl<H> PartialEq for Scheduled<H> {
    fn eq(&self, other: &Scheduled<H>) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<H> Eq for Scheduled<H> {}

impl<H> PartialOrd for Scheduled<H> {
    fn partial_cmp(&self, other: &Scheduled<H>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<H> Ord for Scheduled<H> {
    fn cmp(&self, other: &Scheduled<H>) -> Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

/// What is going to happen, soonest first; what is due at the same time in the order in which it was put in.
#[derive(Debug)]
pub struct Queue<H> {
    heap: BinaryHeap<Reverse<Scheduled<H>>>,
    sequence: u64,
}

impl<H> Default for Queue<H> {
    fn default() -> Queue<H> {
        Queue { heap: BinaryHeap::new(), sequence: 0 }
    }
}

impl<H> Queue<H> {
    /// Lets it happen at `at`.
    pub fn push(&mut self, at: Instant, happening: H) {
        self.sequence += 1;
        self.heap.push(Reverse(Scheduled { at, sequence: self.sequence, happening }));
    }

    /// What happens next, and when, if that is not after `until`.
    pub fn pop(&mut self, until: Instant) -> Option<(Instant, H)> {
        if self.heap.peek()?.0.at > until {
            return None;
        }
        self.heap.pop().map(|Reverse(next)| (next.at, next.happening))
    }
}
