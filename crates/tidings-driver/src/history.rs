//! The exchanges that ended last: who gossips with whom, and how it went.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tidings_core::{Address, NodeId};

use crate::stats::{Counter, OutcomeCounts};

/// So many ended exchanges are remembered.
const REMEMBERED: usize = 256;

/// One exchange that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecentExchange {
    /// Counts up by one from 1, in the order in which exchanges end.
    pub sequence: u64,
    /// Who opened it.
    pub direction: Direction,
    /// Where it was dialled, by the name or address that the node knew; or from where it came, which is not where the
    /// peer listens.
    pub address: Address,
    /// Who spoke there; `None` where nothing was said that the node took.
    pub peer: Option<NodeId>,
    /// How it went.
    pub outcome: ExchangeOutcome,
    /// When it was over.
    pub ended: Instant,
    /// How long it took, connecting included.
    pub duration: Duration,
    /// Bytes sent in it, length prefixes included.
    pub bytes_sent: u64,
    /// Bytes received in it, length prefixes included.
    pub bytes_received: u64,
}

/// Which side opened an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// This node did.
    Dialled,
    /// The peer did.
    Accepted,
}

/// How an exchange went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExchangeOutcome {
    /// Both sides said all they had to say.
    Completed,
    /// A packet was not taken, or what came was no frame.
    Rejected,
    /// Nobody was reached: the host did not resolve, or no address of it answered in time.
    Refused,
    /// It was not made: all addresses of the host are this node's own.
    Skipped,
    /// A deadline passed after it was connected.
    TimedOut,
    /// The connection broke or was closed too early.
    Failed,
    /// TLS ended it: one side refused the other.
    TlsRefused,
    /// A shutdown ended it, or the drop of the last handle.
    Cancelled,
}

/// Remembers and counts ended exchanges.
#[derive(Debug, Default)]
pub(crate) struct History {
    dialled: [Counter; OUTCOMES],
    accepted: [Counter; OUTCOMES],
    recent: Mutex<Recent>,
}

const OUTCOMES: usize = ExchangeOutcome::Cancelled as usize + 1;

#[derive(Debug, Default)]
struct Recent {
    exchanges: VecDeque<RecentExchange>,
    last_sequence: u64,
}

impl History {
    /// Takes in an exchange; its sequence number is given here.
    pub(crate) fn push(&self, mut exchange: RecentExchange) {
        self.counters(exchange.direction)[exchange.outcome as usize].increment();
        let mut recent = self.lock();
        recent.last_sequence += 1;
        exchange.sequence = recent.last_sequence;
        if recent.exchanges.len() >= REMEMBERED {
            recent.exchanges.pop_front();
        }
        recent.exchanges.push_back(exchange);
    }

    /// Those that are remembered, the newest last.
    pub(crate) fn recent(&self) -> Vec<RecentExchange> {
        self.lock().exchanges.iter().cloned().collect()
    }

    pub(crate) fn counts(&self, direction: Direction) -> OutcomeCounts {
        let count = |outcome| self.counters(direction)[outcome as usize].get();
        OutcomeCounts {
            completed: count(ExchangeOutcome::Completed),
            rejected: count(ExchangeOutcome::Rejected),
            refused: count(ExchangeOutcome::Refused),
            skipped: count(ExchangeOutcome::Skipped),
            timed_out: count(ExchangeOutcome::TimedOut),
            failed: count(ExchangeOutcome::Failed),
            tls_refused: count(ExchangeOutcome::TlsRefused),
            cancelled: count(ExchangeOutcome::Cancelled),
        }
    }

    fn counters(&self, direction: Direction) -> &[Counter; OUTCOMES] {
        match direction {
            Direction::Dialled => &self.dialled,
            Direction::Accepted => &self.accepted,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(direction: Direction, outcome: ExchangeOutcome) -> RecentExchange {
        RecentExchange {
            sequence: 0,
            direction,
            address: Address::new("h", 1),
            peer: None,
            outcome,
            ended: Instant::now(),
            duration: Duration::ZERO,
            bytes_sent: 0,
            bytes_received: 0,
        }
    }

    #[test]
    fn the_last_are_remembered_and_all_are_counted() {
        let history = History::default();
        for _ in 0..REMEMBERED {
            history.push(exchange(Direction::Dialled, ExchangeOutcome::Completed));
        }
        assert_eq!(history.recent().len(), REMEMBERED);
        history.push(exchange(Direction::Accepted, ExchangeOutcome::Cancelled));

        let recent = history.recent();
        let last = REMEMBERED as u64 + 1;
        assert_eq!((recent.len(), recent[0].sequence, recent[REMEMBERED - 1].sequence), (REMEMBERED, 2, last));
        assert_eq!(recent[REMEMBERED - 1].direction, Direction::Accepted);
        assert_eq!(history.counts(Direction::Dialled).completed, REMEMBERED as u64);
        assert_eq!(history.counts(Direction::Accepted), OutcomeCounts { cancelled: 1, ..OutcomeCounts::default() });
    }
}
