//! Chance, from a seed: the same on every machine.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};

/// A stream of random numbers. ChaCha8, and integer arithmetic wherever a platform's floats could differ.
#[derive(Clone, Debug)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream that belongs to `seed`.
    #[must_use]
    pub fn from_seed(seed: u64) -> Random {
        Random(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A stream of its own, so that more draws here leave the draws there as they are.
    #[must_use]
    pub fn fork(&mut self) -> Random {
        Random::from_seed(self.0.next_u64())
    }

    /// The generator itself, for [`Node::new`](tidings_core::Node::new).
    pub fn generator(&mut self) -> &mut ChaCha8Rng {
        &mut self.0
    }

    /// A number in `0..bound`; 0 where `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.0.next_u64()) * u128::from(bound);
        // The high half of a product of two u64 fits a u64.
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// An index into something of `len` elements; 0 where it is empty.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// True with this probability; never at 0, always at 1.
    pub fn chance(&mut self, probability: f64) -> bool {
        const STEPS: f64 = (1_u64 << 53) as f64;
        probability > 0.0 && ((self.0.next_u64() >> 11) as f64) < probability * STEPS
    }

    /// A duration from `low` to `high`, in nanoseconds.
    pub fn duration(&mut self, low: Duration, high: Duration) -> Duration {
        Duration::from_nanos(self.between(nanos(low), nanos(high)))
    }

    /// One of these.
    pub fn choose<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.index(items.len()))
    }

    /// `count` different indexes below `len` (all of them if there are fewer), in random order.
    pub fn sample(&mut self, len: usize, count: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..len).collect();
        let count = count.min(len);
        for position in 0..count {
            let other = position + self.index(len - position);
            all.swap(position, other);
        }
        all.truncate(count);
        all
    }
}

/// A duration in nanoseconds, at most 584 years.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_a_seed_is_fixed() {
        // A change of these numbers makes every seed that was ever written down mean something else.
        let mut random = Random::from_seed(7);
        let drawn: Vec<u64> = (0..4).map(|_| random.below(1_000)).collect();
        assert_eq!(drawn, [157, 167, 704, 726]);
    }

    #[test]
    fn chances_keep_their_odds_and_their_ends() {
        let mut random = Random::from_seed(1);
        let hits = (0..10_000).filter(|_| random.chance(0.3)).count();
        assert!((2_800..3_200).contains(&hits), "{hits}");
        assert!((0..1_000).all(|_| !random.chance(0.0) && random.chance(1.0)));
    }

    #[test]
    fn a_sample_repeats_nothing() {
        let mut random = Random::from_seed(2);
        let mut sample = random.sample(10, 20);
        sample.sort_unstable();
        assert_eq!(sample, (0..10).collect::<Vec<_>>());
        assert_eq!(random.sample(10, 3).len(), 3);
    }
}
