//! The time this process has been running.

use core::time::Duration;

use crate::time::Instant;

/// A clock that stands still while this process does.
///
/// When the caller comes back later than the deadline it was given, this process (or its machine) was stopped, and
/// every peer would look silent. The clock leaves out that time, so that a local pause accuses nobody.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct ActiveClock {
    paused: Duration,
    last_input: Instant,
}

impl ActiveClock {
    /// Compares an input's time with the deadline that stood before it. True: a pause was noticed and left out.
    pub(crate) fn notice(&mut self, now: Instant, deadline: Instant, tolerance: Duration) -> bool {
        // Of several inputs after a stop only the first is late.
        let expected = deadline.max(self.last_input);
        self.last_input = now;
        let late = now.saturating_duration_since(expected);
        if late <= tolerance {
            return false;
        }
        self.paused = self.paused.saturating_add(late);
        true
    }

    /// The time this process has been running at `now`.
    pub(crate) fn at(&self, now: Instant) -> Instant {
        now - self.paused
    }

    /// When this process will have been running until `active`, if it is not stopped before.
    pub(crate) fn when(&self, active: Instant) -> Instant {
        active + self.paused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn a_pause_beyond_the_tolerance_is_left_out() {
        let tolerance = Duration::from_secs(1);
        let mut clock = ActiveClock::default();
        assert!(!clock.notice(at(5_000), at(4_000), tolerance));
        assert!(clock.notice(at(65_000), at(5_000), tolerance));
        assert!(!clock.notice(at(66_000), at(5_000), tolerance), "the same pause must not count twice");
        assert_eq!(clock.at(at(66_000)), at(6_000));
        assert_eq!(clock.when(at(6_000)), at(66_000));
    }
}
