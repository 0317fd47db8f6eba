//! The core's instants and the system's monotonic clock.

use std::time::{Duration, Instant};

/// Maps the monotonic clock to the core's [`Instant`](tidings_core::Instant): nanoseconds since the node started.
///
/// On Linux this clock stands still while the machine is suspended, so a suspended node neither expires values nor
/// accuses its peers on waking. Where it goes on counting (Windows), the core sees a long local pause, and forgives it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start_now() -> Clock {
        Clock { start: Instant::now() }
    }

    pub(crate) fn now(&self) -> tidings_core::Instant {
        tidings_core::Instant::ZERO + self.start.elapsed()
    }

    /// The system's instant for `at`; a far one is brought near enough to be represented.
    pub(crate) fn system(&self, at: tidings_core::Instant) -> Instant {
        const A_DAY: Duration = Duration::from_secs(86_400);
        let from_now = at.saturating_duration_since(self.now()).min(A_DAY);
        Instant::now() + from_now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_there_and_back_keep_their_place() {
        let clock = Clock::start_now();
        let soon = clock.now() + Duration::from_secs(5);
        let left = clock.system(soon).saturating_duration_since(Instant::now());
        assert!(left <= Duration::from_secs(5) && left > Duration::from_secs(2), "{left:?}");
    }

    #[test]
    fn the_far_future_is_a_day_away() {
        let clock = Clock::start_now();
        let left = clock.system(tidings_core::Instant::FAR_FUTURE).saturating_duration_since(Instant::now());
        assert!(left > Duration::from_secs(86_000), "{left:?}");
    }
}
