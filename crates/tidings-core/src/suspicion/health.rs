//! How this node's own exchanges go: who hardly reaches anybody hears late from all, and should accuse nobody for it.
//!
//! From "Lifeguard: Local Health Awareness for More Accurate Failure Detection" (Dadgar et al., 2017), which lengthens
//! its timeouts while its own probes fail.

use crate::exchange::Outcome;

/// What the last exchange counts for: about eight of them make the share, those of two or three rounds.
const WEIGHT: f64 = 1.0 / 8.0;

/// The share of the exchanges opened to live nodes that failed lately.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct LocalHealth {
    failed_share: f64,
}

impl Default for LocalHealth {
    /// A node that has just started has reached nobody yet.
    fn default() -> LocalHealth {
        LocalHealth { failed_share: 1.0 }
    }
}

impl LocalHealth {
    /// Takes note of how an exchange ended that was opened to a live node. A refusal says nothing: the network has
    /// carried it, and the process there is gone.
    pub(crate) fn exchange_over(&mut self, outcome: Outcome) {
        let failed = match outcome {
            Outcome::Done => 0.0,
            Outcome::TimedOut | Outcome::Failed => 1.0,
            Outcome::Refused => return,
        };
        self.failed_share += (failed - self.failed_share) * WEIGHT;
    }

    /// From 0, all went well, to 1, none did.
    pub(crate) fn failed_share(&self) -> f64 {
        self.failed_share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_trusts_its_reach_after_some_rounds_and_no_longer_after_as_many_failures() {
        let mut health = LocalHealth::default();
        assert_eq!(health.failed_share(), 1.0);
        (0..30).for_each(|_| health.exchange_over(Outcome::Done));
        assert!((0.0..0.05).contains(&health.failed_share()), "{health:?}");
        (0..30).for_each(|_| health.exchange_over(Outcome::TimedOut));
        assert!((0.95..1.0).contains(&health.failed_share()), "{health:?}");
        (0..1_000).for_each(|_| health.exchange_over(Outcome::Failed));
        assert!(health.failed_share() <= 1.0, "{health:?}");
    }

    #[test]
    fn a_refusal_is_neither() {
        let mut health = LocalHealth::default();
        (0..16).for_each(|_| health.exchange_over(Outcome::Done));
        let before = health;
        health.exchange_over(Outcome::Refused);
        assert_eq!(health, before);
    }
}
