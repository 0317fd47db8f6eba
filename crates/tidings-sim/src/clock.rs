//! A node's own clock, which may run fast or slow and jump ahead.

use std::time::Duration;

use tidings_core::Instant;

use crate::random::nanos;

const MILLION: i128 = 1_000_000;

/// What one process reads as its monotonic clock, as a function of the world's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    world: Instant,
    local: Instant,
    /// By how many millionths it runs too fast; negative: too slow.
    rate_ppm: i32,
}

impl Clock {
    /// A clock that reads zero at `world` and runs right.
    #[must_use]
    pub(crate) fn started_at(world: Instant) -> Clock {
        Clock { world, local: Instant::ZERO, rate_ppm: 0 }
    }

    /// What it reads at `world`.
    #[must_use]
    pub(crate) fn read(&self, world: Instant) -> Instant {
        let elapsed = i128::from(nanos(world.saturating_duration_since(self.world)));
        let local = elapsed * (MILLION + i128::from(self.rate_ppm)) / MILLION;
        self.local + Duration::from_nanos(u64::try_from(local).unwrap_or(u64::MAX))
    }

    /// The first instant of the world at which it reads `local` or later.
    #[must_use]
    pub(crate) fn when(&self, local: Instant) -> Instant {
        let elapsed = i128::from(nanos(local.saturating_duration_since(self.local)));
        let rate = MILLION + i128::from(self.rate_ppm);
        let world = (elapsed * MILLION + rate - 1) / rate;
        self.world + Duration::from_nanos(u64::try_from(world).unwrap_or(u64::MAX))
    }

    /// Lets it run `rate_ppm` millionths too fast from `world` on; at most half a million either way.
    pub(crate) fn set_rate(&mut self, world: Instant, rate_ppm: i32) {
        const MAX: i32 = 500_000;
        *self = Clock { world, local: self.read(world), rate_ppm: rate_ppm.clamp(-MAX, MAX) };
    }

    /// Lets it jump ahead. (A monotonic clock does not jump back.)
    pub(crate) fn jump(&mut self, world: Instant, by: Duration) {
        *self = Clock { world, local: self.read(world) + by, rate_ppm: self.rate_ppm };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_never_met_too_early_nor_a_nanosecond_late() {
        let mut clock = Clock::started_at(Instant::from_secs(5));
        for (rate, jump) in [(0, 0), (100, 0), (-333, 7), (499_999, 31_536_000), (-500_000, 1)] {
            let world = Instant::from_secs(9);
            clock.set_rate(world, rate);
            clock.jump(world, Duration::from_secs(jump));
            for local_nanos in [1, 999_999_937, 86_400_000_000_001] {
                let local = clock.read(world) + Duration::from_nanos(local_nanos);
                let when = clock.when(local);
                assert!(clock.read(when) >= local, "{rate} {jump} {local_nanos}");
                assert!(clock.read(when - Duration::from_nanos(1)) < local, "{rate} {jump} {local_nanos}");
            }
        }
    }
}
