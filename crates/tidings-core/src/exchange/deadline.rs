//! The deadlines of the open exchanges, soonest first.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;

use crate::exchange::ExchangeId;
use crate::time::Instant;

/// Which deadline of an exchange passed: a field of [`ExchangeTimeouts`](crate::ExchangeTimeouts).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Deadline {
    /// `connect`: the connection was not made in time.
    Connect,
    /// `packet`: our packet was not written, or the peer's was not whole, in time.
    Packet,
    /// `whole`: each step was in time, all of them together were not.
    Whole,
}

/// By the field's name.
impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Deadline::Connect => "connect",
            Deadline::Packet => "packet",
            Deadline::Whole => "whole",
        })
    }
}

/// When each open exchange is due. All instants are those of the active clock.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Deadlines {
    by_due: BTreeSet<(Instant, ExchangeId)>,
    /// Nothing is overdue before this.
    spared_until: Instant,
}

impl Deadlines {
    pub(crate) fn insert(&mut self, due: Instant, exchange: ExchangeId) {
        self.by_due.insert((due, exchange));
    }

    pub(crate) fn remove(&mut self, due: Instant, exchange: ExchangeId) {
        self.by_due.remove(&(due, exchange));
    }

    /// Lets no deadline pass before `active`.
    pub(crate) fn spare_until(&mut self, active: Instant) {
        self.spared_until = active;
    }

    /// When the next deadline passes.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.by_due.first().map(|(due, _)| self.spared_until.max(*due))
    }

    /// The exchanges whose deadline has passed, the soonest first.
    pub(crate) fn overdue(&self, active: Instant) -> Vec<ExchangeId> {
        if active < self.spared_until {
            return Vec::new();
        }
        self.by_due.iter().take_while(|(due, _)| *due <= active).map(|(_, exchange)| *exchange).collect()
    }

    /// Whether these, and no others, are due.
    pub(crate) fn are(&self, due: impl Iterator<Item = (Instant, ExchangeId)>) -> bool {
        self.by_due == due.collect()
    }
}
