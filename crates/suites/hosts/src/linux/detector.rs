//! How soon the agents' failure detector has to see a death.

use std::time::Duration;

use tidings_core::{Address, Config, NodeId};

/// A member that others gossip with every round is heard of at least once in so many rounds. (With few hosts it is more
/// than once a round; this leaves room for a busy machine.)
const ROUNDS_FOR_A_BEAT: u32 = 2;

/// How long a member that was heard of for `known_for` may be silent before the agents' detector, which has the default
/// settings, has to take it for dead.
///
/// Dead is who is silent for longer than the threshold times the mean interval between beats, of which the interval that
/// is expected at first stays a part; and for several times as long where the own exchanges hang.
pub(crate) fn longest_silence(known_for: Duration, gossip_interval: Duration) -> Duration {
    let mut config = Config::new(NodeId::new("any", 1, Address::new("any", 1)));
    config.gossip_interval = gossip_interval;
    let settings = &config.failure_detector;
    let beat = (gossip_interval * ROUNDS_FOR_A_BEAT).as_secs_f64();
    let beats = (known_for.as_secs_f64() / beat).min(settings.sampling_window_size.into());
    let prior = settings.prior_weight * config.initial_interval().as_secs_f64();
    let mean = (beats * beat + prior) / (beats + settings.prior_weight);
    Duration::from_secs_f64(settings.phi_threshold * (1.0 + settings.local_health_weight) * mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_a_member_was_heard_the_shorter_its_silence_may_be() {
        let silence = |seconds| longest_silence(Duration::from_secs(seconds), Duration::from_millis(200)).as_millis();
        // Nothing but the prior: four times 6 times 1 s.
        assert_eq!(silence(0), 24_000);
        // 25 beats of 0.4 s and fifty of 1 s.
        assert_eq!(silence(10), 24_000 * 60 / 75);
        // The prior stays half of it.
        assert_eq!((silence(20), silence(3_600)), (16_800, 16_800));
    }
}
