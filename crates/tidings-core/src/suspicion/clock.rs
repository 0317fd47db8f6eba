//! The time this process has been running.

use core::time::Duration;

use crate::time::Instant;

/// A clock that stands still while this process does.
///
/// When the caller comes back later than the deadline it was given, this process (or its machine) was stopped, and
/// every peer would look silent. The clock leaves out that time, so that a local pause accuses nobody.
///
/// Timers that are late by much the same time every round are no pause: the process runs, slowly. Such usual lateness,
/// learnt and bounded, counts as running time, or the clock would hardly go on at all and no death would be seen.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct ActiveClock {
    paused: Duration,
    last_input: Instant,
    /// By how much timers are late on average.
    usual_lateness: Duration,
}

/// When lateness is a pause.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tolerance {
    /// So much beyond the usual is none.
    pub(crate) lateness: Duration,
    /// No more than this can become usual.
    pub(crate) usual: Duration,
}

/// The last eight timers make the average.
const WEIGHT: u32 = 8;

impl ActiveClock {
    /// Compares an input's time with the deadline that stood before it. True: a pause was noticed and left out.
    pub(crate) fn notice(&mut self, now: Instant, deadline: Instant, tolerance: Tolerance) -> bool {
        // Of several inputs after a stop only the first is late.
        let expected = deadline.max(self.last_input);
        self.last_input = now;
        let late = now.saturating_duration_since(expected);
        let pause = late.saturating_sub(self.usual_lateness);
        if pause <= tolerance.lateness {
            return false;
        }
        self.paused = self.paused.saturating_add(pause);
        true
    }

    /// Takes note of a timer that was set for `deadline`, after its input was noticed.
    pub(crate) fn timer_came(&mut self, now: Instant, deadline: Instant, tolerance: Tolerance) {
        if now >= deadline {
            let late = now.saturating_duration_since(deadline).min(tolerance.usual);
            self.usual_lateness = self.usual_lateness - self.usual_lateness / WEIGHT + late / WEIGHT;
        }
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

    const TOLERANCE: Tolerance = Tolerance { lateness: Duration::from_secs(1), usual: Duration::from_secs(2) };

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn a_pause_beyond_the_tolerance_is_left_out() {
        let mut clock = ActiveClock::default();
        assert!(!clock.notice(at(4_000), at(4_000), TOLERANCE));
        assert!(clock.notice(at(65_000), at(5_000), TOLERANCE));
        assert!(!clock.notice(at(66_000), at(5_000), TOLERANCE), "the same pause must not count twice");
        assert_eq!(clock.at(at(66_000)), at(6_000));
        assert_eq!(clock.when(at(6_000)), at(66_000));
    }

    /// What the clock shows after so many timers, set a tenth of a second ahead, have each been late by this much.
    fn shows_after(timers: u64, late_ms: u64) -> (u64, u64) {
        let mut clock = ActiveClock::default();
        let mut now = 0;
        for _ in 0..timers {
            let deadline = now + 100;
            now = deadline + late_ms;
            clock.notice(at(now), at(deadline), TOLERANCE);
            clock.timer_came(at(now), at(deadline), TOLERANCE);
        }
        let active = clock.at(at(now)).saturating_duration_since(Instant::ZERO);
        (u64::try_from(active.as_millis()).unwrap_or(u64::MAX), now)
    }

    #[test]
    fn what_is_late_every_time_is_no_pause() {
        for late_ms in [900, 1_100, 2_000, 2_900] {
            let (active, now) = shows_after(100, late_ms);
            assert!(active * 10 > now * 8, "late by {late_ms} ms: {active} of {now}");
        }
        // Of more than can become usual the rest is left out.
        let (active, now) = shows_after(100, 10_000);
        assert!((now / 6..now / 4).contains(&active), "{active} of {now}");
    }

    #[test]
    fn one_long_stop_makes_no_other_one_usual() {
        let mut clock = ActiveClock::default();
        let hour = 3_600_000;
        assert!(clock.notice(at(hour), at(0), TOLERANCE));
        clock.timer_came(at(hour), at(0), TOLERANCE);
        assert!(clock.notice(at(2 * hour), at(hour), TOLERANCE));
        let shown = clock.at(at(2 * hour)).saturating_duration_since(Instant::ZERO);
        assert!(shown <= TOLERANCE.usual, "{shown:?}");
    }
}
