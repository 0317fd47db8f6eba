//! How soon the agents' failure detector has to see a death.

use std::time::Duration;

use tidings_core::FailureDetectorConfig;

/// A member that others gossip with every round is heard of at least once in so many rounds. (With few hosts it is more
/// than once a round; this leaves room for a busy machine.)
const ROUNDS_FOR_A_BEAT: u32 = 2;

/// How long a member that was heard of for a while, between `shortest` and `longest`, may be silent before the agents'
/// detector, which has the default settings, has to take it for dead.
///
/// Dead is who is silent for longer than the threshold times the mean interval between beats; the mean begins with a
/// few samples of the interval that is expected at first, and the more beats there were, the less those weigh.
pub(crate) fn longest_silence(shortest: Duration, longest: Duration, gossip_interval: Duration) -> Duration {
    let config = FailureDetectorConfig::default();
    let beats = shortest.as_secs_f64() / (gossip_interval * ROUNDS_FOR_A_BEAT).as_secs_f64();
    let beats = beats.min(config.sampling_window_size.into());
    let prior = config.prior_weight * config.initial_interval.as_secs_f64();
    let mean = (longest.as_secs_f64() + prior) / (beats + config.prior_weight);
    Duration::from_secs_f64(config.phi_threshold * mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_a_member_was_heard_the_shorter_its_silence_may_be() {
        let silence = |seconds| {
            let age = Duration::from_secs(seconds);
            longest_silence(age, age, Duration::from_millis(200))
        };
        // Nothing but the prior: 8 times 5 s.
        assert_eq!(silence(0), Duration::from_secs(40));
        // 25 beats in 10 s and five of 5 s: 8 * 35 / 30 s.
        assert_eq!(silence(10).as_millis(), 9_333);
        assert!(silence(60) < Duration::from_secs(5));
    }
}
