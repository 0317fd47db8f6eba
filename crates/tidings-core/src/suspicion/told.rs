//! How much this node is told: who hears of few in each answer hears late from all, and should take no silence for death.

/// What the last answer counts for: about eight of them make the share.
const WEIGHT: f64 = 1.0 / 8.0;

/// The share of the live nodes that the answers to this node tell of, of late.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct ToldShare {
    share: f64,
}

impl Default for ToldShare {
    /// Nearly every digest fits.
    fn default() -> ToldShare {
        ToldShare { share: 1.0 }
    }
}

impl ToldShare {
    /// Takes note of an answer that told of `told` of the `live` nodes.
    pub(crate) fn digest_heard(&mut self, told: usize, live: usize) {
        let share = if told >= live { 1.0 } else { told as f64 / live as f64 };
        self.share += (share - self.share) * WEIGHT;
    }

    /// From 0, of nobody, to 1, of all.
    pub(crate) fn share(&self) -> f64 {
        self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_follows_what_is_told_in_some_rounds() {
        let mut told = ToldShare::default();
        assert_eq!(told.share(), 1.0);
        (0..40).for_each(|_| told.digest_heard(20, 100));
        assert!((0.2..0.21).contains(&told.share()), "{told:?}");
        (0..40).for_each(|_| told.digest_heard(100, 100));
        assert!((0.99..=1.0).contains(&told.share()), "{told:?}");
    }

    #[test]
    fn where_nobody_is_live_nothing_is_missing() {
        let mut told = ToldShare::default();
        told.digest_heard(0, 0);
        told.digest_heard(5, 0);
        assert_eq!(told.share(), 1.0);
    }
}
