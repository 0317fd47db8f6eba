//! The demo's failure detector: a death is to be seen within seconds.

use std::time::Duration;

use tidings_tokio::core::FailureDetectorConfig;

/// A few nodes that all gossip with each other hear a heartbeat several times a round, so that the mean interval is a
/// fraction of a round, and a stutter of a loaded machine would look like a death. A short window with a strong prior
/// keeps the mean near half of the prior: with rounds of 200 ms, a silence of two to three seconds is a death.
const PRIOR_ROUNDS: u32 = 3;
const PRIOR_WEIGHT: f64 = 20.0;
const WINDOW: u32 = 20;

/// Changes the settings that [`describe`] names.
pub(crate) fn tune(config: &mut FailureDetectorConfig, gossip_interval: Duration) {
    config.initial_interval = initial_interval(gossip_interval);
    config.prior_weight = PRIOR_WEIGHT;
    config.sampling_window_size = WINDOW;
}

/// What is not as it is by default, in one line.
pub(crate) fn describe(gossip_interval: Duration) -> String {
    let initial_interval = humantime::format_duration(initial_interval(gossip_interval));
    format!("initial_interval {initial_interval}, prior_weight {PRIOR_WEIGHT}, window {WINDOW}")
}

fn initial_interval(gossip_interval: Duration) -> Duration {
    gossip_interval.saturating_mul(PRIOR_ROUNDS)
}
