//! The failure detector: how long a node has been silent, measured in its own mean heartbeat intervals.
//!
//! From "The φ Accrual Failure Detector" (Hayashibara et al., 2004), in aiocluster's form: phi is the time since the
//! last heartbeat over the mean interval, with no logarithm, and the mean starts from a weighted prior. aiocluster
//! keeps the last 1,000 intervals (8 kB a peer); here a sum and a count stand for them: once the window is full, each
//! new sample replaces one of average length, so that old samples fade in the same time.

use core::time::Duration;

use crate::config::FailureDetectorConfig;
use crate::time::Instant;

/// One node's heartbeats, in constant memory. Instants are those of a clock that stands still while this process does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub struct HeartbeatWindow {
    last_heartbeat: Option<Instant>,
    sum_secs: f64,
    samples: u32,
}

impl HeartbeatWindow {
    /// Takes note of a heartbeat that was higher than the one before.
    ///
    /// The first makes no sample, nor does one after more than `max_interval`: the node was away.
    pub fn report_heartbeat(&mut self, now: Instant, config: &FailureDetectorConfig) {
        if let Some(last) = self.last_heartbeat {
            let interval = now.saturating_duration_since(last);
            if interval <= config.max_interval {
                self.add_sample(interval, config.sampling_window_size);
            }
        }
        self.last_heartbeat = Some(now);
    }

    /// When the last heartbeat was.
    pub(crate) fn last_heartbeat(&self) -> Option<Instant> {
        self.last_heartbeat
    }

    fn add_sample(&mut self, interval: Duration, window_size: u32) {
        if self.samples >= window_size {
            self.sum_secs -= self.sum_secs / f64::from(self.samples);
        } else {
            self.samples += 1;
        }
        self.sum_secs += interval.as_secs_f64();
    }

    /// Forgets the intervals, but not when the last heartbeat was: one more soon after revives the node.
    pub fn reset(&mut self) {
        self.sum_secs = 0.0;
        self.samples = 0;
    }

    /// The mean interval in seconds, prior included; `None` before the first sample.
    fn mean_secs(&self, config: &FailureDetectorConfig) -> Option<f64> {
        if self.samples == 0 {
            return None;
        }
        let prior_sum = config.prior_weight * config.initial_interval.as_secs_f64();
        Some((self.sum_secs + prior_sum) / (f64::from(self.samples) + config.prior_weight))
    }

    /// The suspicion that the node is dead, without unit; `None` until two heartbeats beyond the first value.
    #[must_use]
    pub fn phi(&self, now: Instant, config: &FailureDetectorConfig) -> Option<f64> {
        let elapsed = now.saturating_duration_since(self.last_heartbeat?).as_secs_f64();
        // A mean of zero (all heartbeats in one instant, no prior) would make the quotient a NaN.
        Some(elapsed / self.mean_secs(config)?.max(1e-9))
    }

    /// Whether phi is known and not above the threshold.
    #[must_use]
    pub fn is_alive(&self, now: Instant, config: &FailureDetectorConfig) -> bool {
        self.phi(now, config).is_some_and(|phi| phi <= config.phi_threshold)
    }
}

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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn phi_is_unknown_until_the_second_heartbeat() {
        let config = FailureDetectorConfig::default();
        let mut window = HeartbeatWindow::default();
        assert_eq!(window.phi(at(0), &config), None);
        window.report_heartbeat(at(1_000), &config);
        assert_eq!(window.phi(at(1_000), &config), None);
        window.report_heartbeat(at(2_000), &config);
        assert_eq!(window.phi(at(2_000), &config), Some(0.0));
    }

    #[test]
    fn phi_follows_aioclusters_formula() {
        let config = FailureDetectorConfig::default();
        let mut window = HeartbeatWindow::default();
        for beat in 0..=10 {
            window.report_heartbeat(at(1_000 * beat), &config);
        }
        // Ten samples of 1 s and five of 5 s: the mean is 35 / 15 s.
        let phi = window.phi(at(10_000 + 7_000), &config).unwrap();
        assert!((phi - 7.0 / (35.0 / 15.0)).abs() < 1e-9, "{phi}");
        let dead_after_ms = 8_000 * 35 / 15;
        assert!(window.is_alive(at(10_000 + dead_after_ms), &config));
        assert!(!window.is_alive(at(10_000 + dead_after_ms + 1), &config));
    }

    #[test]
    fn a_gap_beyond_max_interval_is_no_sample() {
        let config = FailureDetectorConfig::default();
        let mut window = HeartbeatWindow::default();
        window.report_heartbeat(at(0), &config);
        window.report_heartbeat(at(10_001), &config);
        assert_eq!(window.phi(at(10_001), &config), None);
        window.report_heartbeat(at(20_001), &config);
        assert!(window.is_alive(at(20_001), &config));
    }

    #[test]
    fn a_reset_keeps_the_last_heartbeat_so_that_one_more_revives() {
        let config = FailureDetectorConfig::default();
        let mut window = HeartbeatWindow::default();
        window.report_heartbeat(at(0), &config);
        window.report_heartbeat(at(1_000), &config);
        window.reset();
        assert_eq!(window.phi(at(2_000), &config), None);
        window.report_heartbeat(at(3_000), &config);
        assert!(window.is_alive(at(3_000), &config));
    }

    #[test]
    fn a_full_window_fades_old_samples() {
        let config = FailureDetectorConfig { sampling_window_size: 10, prior_weight: 0.0, ..Default::default() };
        let mut window = HeartbeatWindow::default();
        let mut now = 0;
        for interval in core::iter::repeat_n(1_000, 20).chain(core::iter::repeat_n(200, 100)) {
            now += interval;
            window.report_heartbeat(at(now), &config);
        }
        let mean = window.mean_secs(&config).unwrap();
        assert!((mean - 0.2).abs() < 0.001, "{mean}");
        assert_eq!(window.samples, 10);
    }

    #[test]
    fn no_prior_and_no_time_between_beats_gives_a_number() {
        let config = FailureDetectorConfig { prior_weight: 0.0, ..Default::default() };
        let mut window = HeartbeatWindow::default();
        window.report_heartbeat(at(5), &config);
        window.report_heartbeat(at(5), &config);
        assert_eq!(window.phi(at(5), &config), Some(0.0));
        assert!(window.phi(at(6), &config).unwrap().is_finite());
    }

    #[test]
    fn a_window_is_small() {
        assert!(size_of::<HeartbeatWindow>() <= 128);
    }

    #[test]
    fn a_pause_beyond_the_tolerance_is_left_out() {
        let tolerance = Duration::from_secs(1);
        let mut clock = ActiveClock::default();
        assert!(!clock.notice(at(5_000), at(4_000), tolerance));
        assert!(clock.notice(at(65_000), at(5_000), tolerance));
        assert!(!clock.notice(at(66_000), at(5_000), tolerance), "the same pause must not count twice");
        assert_eq!(clock.at(at(66_000)), at(6_000));
    }
}
