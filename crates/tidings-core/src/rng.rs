//! The node's own random numbers: a named, portable generator, so that a seed gives the same run everywhere.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};

use crate::id::Run;

/// Draws for the protocol's choices. Nothing here is secret.
#[derive(Clone, Debug)]
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// A generator that goes on from one seed drawn from `rng`.
    pub(crate) fn from_rng(rng: &mut impl rand_core::Rng) -> Random {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        Random(ChaCha8Rng::from_seed(seed))
    }

    /// A number in `0..bound`; 0 where `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.0.next_u64()) * u128::from(bound);
        // The high half of a product of two u64 fits a u64.
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// The number of a run: one that hardly any other process has.
    pub(crate) fn run(&mut self) -> Run {
        let number = 1 + self.below(u64::from(Run::END) - 1);
        u32::try_from(number).ok().and_then(Run::new).unwrap_or(Run::FIRST)
    }

    /// An index into something of `len` elements; 0 where it is empty.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// True with the probability `numerator / denominator`: never for 0 / x, always where it is 1 or more.
    pub(crate) fn chance(&mut self, numerator: usize, denominator: usize) -> bool {
        self.index(denominator.max(1)) < numerator
    }

    /// Moves `count` elements, chosen with equal chances, to the front of `items` (all of them if there are fewer).
    pub(crate) fn choose<T>(&mut self, items: &mut [T], count: usize) {
        for position in 0..count.min(items.len()) {
            let other = position + self.index(items.len() - position);
            items.swap(position, other);
        }
    }
}

/// As its seed and how far it has come.
#[cfg(feature = "record")]
impl serde::Serialize for Random {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.0.get_seed(), self.0.get_word_pos()).serialize(serializer)
    }
}

#[cfg(feature = "record")]
impl<'de> serde::Deserialize<'de> for Random {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Random, D::Error> {
        let (seed, word_pos) = <([u8; 32], u128)>::deserialize(deserializer)?;
        let mut random = ChaCha8Rng::from_seed(seed);
        random.set_word_pos(word_pos);
        Ok(Random(random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_has_its_chance() {
        let mut random = Random::from_rng(&mut ChaCha8Rng::seed_from_u64(1));
        let mut first = [0_u32; 5];
        for _ in 0..5_000 {
            let mut items = [0, 1, 2, 3, 4];
            random.choose(&mut items, 2);
            first[items[0]] += 1;
        }
        assert!(first.iter().all(|count| (850..1_150).contains(count)), "{first:?}");
    }

    #[test]
    fn chances_at_the_ends() {
        let mut random = Random::from_rng(&mut ChaCha8Rng::seed_from_u64(2));
        assert!((0..100).all(|_| !random.chance(0, 3) && random.chance(3, 3) && random.chance(1, 0)));
        assert_eq!((random.below(0), random.index(0)), (0, 0));
    }
}
