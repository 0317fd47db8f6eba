//! How long exchanges take here, and so when one has failed.

use core::time::Duration;

/// Mean and deviation of the time that exchanges take, as TCP has them for its own timeout.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Pace {
    mean: Duration,
    deviation: Duration,
}

/// No exchange is waited for longer, however slow all others are.
const LONGEST: Duration = Duration::from_secs(5);

impl Pace {
    /// An exchange was answered after so long.
    pub(super) fn took(&mut self, time: Duration) {
        if self.mean.is_zero() {
            (self.mean, self.deviation) = (time, time / 2);
            return;
        }
        let off = self.mean.abs_diff(time);
        self.deviation = self.deviation * 3 / 4 + off / 4;
        self.mean = self.mean * 7 / 8 + time / 8;
    }

    /// After so long an exchange has failed, and no sooner than after `least`.
    pub(super) fn timeout(&self, least: Duration) -> Duration {
        (self.mean + self.deviation * 4).clamp(least, LONGEST.max(least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: Duration = Duration::from_millis(500);

    #[test]
    fn quick_links_have_the_least_and_slow_ones_what_they_need() {
        let mut pace = Pace::default();
        assert_eq!(pace.timeout(LEAST), LEAST);
        (0..50).for_each(|_| pace.took(Duration::from_millis(40)));
        assert_eq!(pace.timeout(LEAST), LEAST);
        (0..50).for_each(|number| pace.took(Duration::from_millis(850 + number % 5 * 30)));
        let timeout = pace.timeout(LEAST);
        assert!((Duration::from_millis(970)..Duration::from_millis(1_400)).contains(&timeout), "{timeout:?}");
        (0..50).for_each(|_| pace.took(Duration::from_secs(3_600)));
        assert_eq!(pace.timeout(LEAST), LONGEST);
    }
}
