//! What the driver counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// Everything one node has counted since it started.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ClusterStats {
    /// The protocol's counters: packets by kind, rejections by reason, truncations.
    pub core: tidings_core::Stats,
    /// The network's counters.
    pub driver: DriverStats,
    /// The events' counters.
    pub events: EventStats,
}

/// Connections and bytes, counted from the node's start, except `exchanges_open`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DriverStats {
    /// Inbound connections that became an exchange.
    pub accepted: u64,
    /// Inbound connections closed at once, because a limit was reached.
    pub accept_refused: u64,
    /// Times the system failed to hand over an inbound connection, as when out of file descriptors.
    pub accept_errors: u64,
    /// Exchanges this node set out to open.
    pub dialled: u64,
    /// Of the dialled, those that found nobody: the host did not resolve, or no address of it answered in time.
    pub dial_failed: u64,
    /// Of the dialled, those not made: all addresses of the host are this node's own.
    pub dial_skipped: u64,
    /// Exchanges, of either direction, that missed a deadline after they were connected.
    pub timed_out: u64,
    /// Exchanges, of either direction, whose connection broke or was closed too early.
    pub failed: u64,
    /// Exchanges, of either direction, closed for what is not a frame: too long, empty, or followed by more.
    pub frames_rejected: u64,
    /// Exchanges, of either direction, closed for a packet that the core rejected; it counts the reasons.
    pub packets_rejected: u64,
    /// Exchanges, of either direction, that TLS ended: this node refused the peer's certificate or handshake, or the
    /// peer refused this node's. A certificate that is good, but not for the node that the peer speaks as, is counted
    /// under `packets_rejected` and by the core.
    pub tls_refused: u64,
    /// Exchanges cancelled by a shutdown or because the last handle was dropped.
    pub cancelled: u64,
    /// Bytes received, length prefixes included.
    pub bytes_received: u64,
    /// Bytes sent, length prefixes included.
    pub bytes_sent: u64,
    /// Exchanges, of both directions, that are open now.
    pub exchanges_open: u64,
    /// Bytes written to the recording, checkpoints too.
    pub recorded_bytes: u64,
    /// Times the disk was too slow for the recording, so that it was begun anew with a gap between.
    pub record_gaps: u64,
    /// Errors that ended the recording; the log has the reason.
    pub record_errors: u64,
    /// The dialled exchanges that are over, by how they went.
    pub dialled_outcomes: OutcomeCounts,
    /// The accepted exchanges that are over, by how they went.
    pub accepted_outcomes: OutcomeCounts,
}

/// Exchanges that are over, by how they went; see [`ExchangeOutcome`](crate::ExchangeOutcome).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutcomeCounts {
    /// Both sides said all they had to say.
    pub completed: u64,
    /// A packet was not taken, or what came was no frame.
    pub rejected: u64,
    /// Nobody was reached.
    pub refused: u64,
    /// All addresses of the host are this node's own.
    pub skipped: u64,
    /// A deadline passed after it was connected.
    pub timed_out: u64,
    /// The connection broke or was closed too early.
    pub failed: u64,
    /// One side refused the other over TLS.
    pub tls_refused: u64,
    /// A shutdown, or the drop of the last handle.
    pub cancelled: u64,
}

/// Events, by kind, counted from the node's start, except `subscribers`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventStats {
    /// All events, of kinds not listed here too.
    pub published: u64,
    /// Events that subscribers missed because they read too slowly, summed over subscribers.
    pub lost: u64,
    /// Subscriptions that exist now.
    pub subscribers: u64,
    /// `NodeJoined` events.
    pub joined: u64,
    /// `NodeLeft` events.
    pub left: u64,
    /// `NodeDied` events.
    pub died: u64,
    /// `NodeForgotten` events.
    pub forgotten: u64,
    /// `NodeRestarted` events.
    pub restarted: u64,
    /// `NameRefused` events.
    pub names_refused: u64,
    /// `NodeConflict` events.
    pub conflicts: u64,
    /// `OtherCluster` events.
    pub other_cluster: u64,
    /// `KeyChanged` events.
    pub keys_changed: u64,
}

impl OutcomeCounts {
    /// All of them together.
    #[must_use]
    pub fn total(&self) -> u64 {
        let OutcomeCounts { completed, rejected, refused, skipped, timed_out, failed, tls_refused, cancelled } = *self;
        completed + rejected + refused + skipped + timed_out + failed + tls_refused + cancelled
    }
}

/// One counter that tasks share.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn increment(&self) {
        self.add(1);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The live form of [`DriverStats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) accepted: Counter,
    pub(crate) accept_refused: Counter,
    pub(crate) accept_errors: Counter,
    pub(crate) dialled: Counter,
    pub(crate) frames_rejected: Counter,
    pub(crate) packets_rejected: Counter,
    pub(crate) bytes_received: Counter,
    pub(crate) bytes_sent: Counter,
    pub(crate) recorded_bytes: Counter,
    pub(crate) record_gaps: Counter,
    pub(crate) record_errors: Counter,
}

impl Counters {
    pub(crate) fn read(
        &self,
        exchanges_open: u64,
        dialled_outcomes: OutcomeCounts,
        accepted_outcomes: OutcomeCounts,
    ) -> DriverStats {
        let both = |count: fn(&OutcomeCounts) -> u64| count(&dialled_outcomes) + count(&accepted_outcomes);
        DriverStats {
            accepted: self.accepted.get(),
            accept_refused: self.accept_refused.get(),
            accept_errors: self.accept_errors.get(),
            dialled: self.dialled.get(),
            dial_failed: dialled_outcomes.refused,
            dial_skipped: dialled_outcomes.skipped,
            timed_out: both(|counts| counts.timed_out),
            failed: both(|counts| counts.failed),
            frames_rejected: self.frames_rejected.get(),
            packets_rejected: self.packets_rejected.get(),
            tls_refused: both(|counts| counts.tls_refused),
            cancelled: both(|counts| counts.cancelled),
            bytes_received: self.bytes_received.get(),
            bytes_sent: self.bytes_sent.get(),
            exchanges_open,
            recorded_bytes: self.recorded_bytes.get(),
            record_gaps: self.record_gaps.get(),
            record_errors: self.record_errors.get(),
            dialled_outcomes,
            accepted_outcomes,
        }
    }
}
