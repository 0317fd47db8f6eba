//! The failure detector: how long a node has been silent, measured in its own mean heartbeat intervals.
//!
//! From "The φ Accrual Failure Detector" (Hayashibara et al., 2004), in aiocluster's form: phi is the time since the
//! last heartbeat over the mean interval, with no logarithm, and the mean starts from a weighted prior. aiocluster
//! keeps the last 1,000 intervals (8 kB a peer); here a sum and a count stand for them: once the window is full, each
//! new sample replaces one of average length, so that old samples fade in the same time.
//!
//! Two things are not aiocluster's, and its own settings ([`FailureDetectorConfig::aiocluster`]) do without them. The
//! prior weighs as much as the full window, so that it never fades away. And the mean is taken for longer while this
//! node's own exchanges fail, as in Lifeguard ([`crate::FailureDetectorConfig::local_health_weight`]).
//!
//! [`FailureDetectorConfig::aiocluster`]: crate::FailureDetectorConfig::aiocluster

use core::time::Duration;

use crate::config::Config;
use crate::time::Instant;

/// What silence is held against, at one moment: the settings, and how this node's own exchanges go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detector {
    phi_threshold: f64,
    window_size: u32,
    max_interval: Duration,
    prior_sum_secs: f64,
    prior_weight: f64,
    /// How many times as long as usual others may be silent.
    patience: f64,
}

impl Detector {
    /// The detector of these settings. `failed_share` of this node's own exchanges fail, from 0 to 1.
    #[must_use]
    pub fn new(config: &Config, failed_share: f64) -> Detector {
        let settings = &config.failure_detector;
        Detector {
            phi_threshold: settings.phi_threshold,
            window_size: settings.sampling_window_size,
            max_interval: config.max_interval(),
            prior_sum_secs: settings.prior_weight * config.initial_interval().as_secs_f64(),
            prior_weight: settings.prior_weight,
            // Squared, so that a few failures count for little: those with hosts that have just vanished, say.
            patience: 1.0 + settings.local_health_weight * failed_share * failed_share,
        }
    }

    /// The same for a node that is told of no more than this share of the live nodes at a time. The others have to wait
    /// for their turn, so all times grow by half of what the share shrinks by, up to 16 times.
    #[must_use]
    pub fn told_of(self, share: f64) -> Detector {
        if share.is_nan() || share >= 1.0 {
            return self;
        }
        // Half of what the share makes of it: the digests tell first of those that have just beaten.
        let longer = (0.5 + 0.5 / share).clamp(1.0, MOST_PATIENCE);
        let max_interval = Duration::try_from_secs_f64(self.max_interval.as_secs_f64() * longer);
        Detector { patience: self.patience * longer, max_interval: max_interval.unwrap_or(Duration::MAX), ..self }
    }

    pub(crate) fn max_interval(&self) -> Duration {
        self.max_interval
    }

    pub(crate) fn phi_threshold(&self) -> f64 {
        self.phi_threshold
    }

    /// Whether `now` is longer after `at` than a node that lives goes without a heartbeat.
    pub(crate) fn is_long_after(&self, at: Instant, now: Instant) -> bool {
        now > at + self.max_interval
    }
}

/// However little a node is told, it waits no more than so many times as long.
const MOST_PATIENCE: f64 = 16.0;

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
    pub fn report_heartbeat(&mut self, now: Instant, detector: &Detector) {
        if let Some(last) = self.last_heartbeat {
            let interval = now.saturating_duration_since(last);
            if interval <= detector.max_interval {
                self.add_sample(interval, detector.window_size);
            }
        }
        self.last_heartbeat = Some(now);
    }

    /// When the last heartbeat was.
    pub(crate) fn last_heartbeat(&self) -> Option<Instant> {
        self.last_heartbeat
    }

    /// Whether it has beaten for long after `at`.
    pub(crate) fn has_beaten_long_after(&self, at: Instant, detector: &Detector) -> bool {
        self.last_heartbeat.is_some_and(|last| detector.is_long_after(at, last))
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

    /// What one unit of phi is now, in seconds: the mean interval, prior and patience included. `None` before the first
    /// sample.
    fn unit_secs(&self, detector: &Detector) -> Option<f64> {
        if self.samples == 0 {
            return None;
        }
        let mean = (self.sum_secs + detector.prior_sum_secs) / (f64::from(self.samples) + detector.prior_weight);
        // A mean of zero (all heartbeats in one instant, no prior) would make phi a NaN.
        Some((mean * detector.patience).max(1e-9))
    }

    /// The suspicion that the node is dead, without unit; `None` until two heartbeats beyond the first value.
    #[must_use]
    pub fn phi(&self, now: Instant, detector: &Detector) -> Option<f64> {
        let elapsed = now.saturating_duration_since(self.last_heartbeat?).as_secs_f64();
        Some(elapsed / self.unit_secs(detector)?)
    }

    /// Whether phi is known and not above the threshold.
    #[must_use]
    pub fn is_alive(&self, now: Instant, detector: &Detector) -> bool {
        self.phi(now, detector).is_some_and(|phi| phi <= detector.phi_threshold)
    }

    /// From when on phi is above the threshold, if nothing more is heard; `None` while phi is unknown.
    #[must_use]
    pub fn suspect_at(&self, detector: &Detector) -> Option<Instant> {
        self.exceeds_at(detector.phi_threshold, detector)
    }

    /// From when on phi is above `phi`, if nothing more is heard; `None` while phi is unknown.
    pub(crate) fn exceeds_at(&self, phi: f64, detector: &Detector) -> Option<Instant> {
        // Beyond what rounding could take away.
        const ABOVE: Duration = Duration::from_micros(1);
        let silence = phi * self.unit_secs(detector)?;
        let silence = Duration::try_from_secs_f64(silence).unwrap_or(Duration::MAX);
        Some(self.last_heartbeat? + silence + ABOVE)
    }
}

#[cfg(test)]
mod tests;
