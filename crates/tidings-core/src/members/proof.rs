//! What a node last proved that it runs by.

use core::time::Duration;

use crate::members::precedence::{Proof, Word};
use crate::time::Instant;

/// A proof counts for so many times `max_interval`.
const INTERVALS: u32 = 3;

/// What a node last proved that it runs by, and when (in active time).
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct LastProof(Option<(Proof, Instant)>);

impl LastProof {
    /// Takes note of a word. A lesser proof takes the place of a better one when that has lost its force.
    pub(super) fn hear(&mut self, active: Instant, max_interval: Duration, word: Word) {
        if let Word::Own(proof) = word
            && self.in_force(active, max_interval).is_none_or(|old| proof >= old)
        {
            self.0 = Some((proof, active));
        }
    }

    /// The proof, if it is not too old to count.
    pub(super) fn in_force(self, active: Instant, max_interval: Duration) -> Option<Proof> {
        let (proof, at) = self.0?;
        (active <= at + max_interval * INTERVALS).then_some(proof)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::secs;

    const MAX_INTERVAL: Duration = Duration::from_secs(10);

    #[test]
    fn the_better_proof_counts_until_it_is_too_old() {
        let mut proof = LastProof::default();
        proof.hear(secs(100), MAX_INTERVAL, Word::Relay);
        assert_eq!(proof.in_force(secs(100), MAX_INTERVAL), None);
        proof.hear(secs(100), MAX_INTERVAL, Word::Own(Proof::Address));
        proof.hear(secs(120), MAX_INTERVAL, Word::Own(Proof::Presence));
        assert_eq!(proof.in_force(secs(130), MAX_INTERVAL), Some(Proof::Address));
        assert_eq!(proof.in_force(secs(131), MAX_INTERVAL), None);
        proof.hear(secs(131), MAX_INTERVAL, Word::Own(Proof::Presence));
        assert_eq!(proof.in_force(secs(131), MAX_INTERVAL), Some(Proof::Presence));
    }
}
