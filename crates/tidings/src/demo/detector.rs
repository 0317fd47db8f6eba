//! The demo's failure detector: a death is to be seen within seconds.

use std::time::Duration;

use tidings_tokio::core::FailureDetectorConfig;

/// The expected interval stays half of the mean, and it is a second by default, however quick the rounds are. The demo's
/// nodes hear each other several times a round; with rounds of 200 ms, a silence of two to three seconds is a death.
const EXPECTED_ROUNDS: u32 = 4;

/// Changes the setting that [`describe`] names.
pub(crate) fn tune(config: &mut FailureDetectorConfig, gossip_interval: Duration) {
    config.initial_interval = Some(initial_interval(gossip_interval));
}

/// What is not as it is by default, in one line.
pub(crate) fn describe(gossip_interval: Duration) -> String {
    format!("initial_interval {}", humantime::format_duration(initial_interval(gossip_interval)))
}

fn initial_interval(gossip_interval: Duration) -> Duration {
    gossip_interval.saturating_mul(EXPECTED_ROUNDS)
}
