//! How long a packet may have waited for this process.

use alloc::collections::VecDeque;
use core::time::Duration;

use crate::time::Instant;

/// When this process may have been away lately.
///
/// While a process is stopped its system goes on taking connections and packets for it, and it finds them when it is back.
/// What a packet says was true when it was written, so its reader has to know how long it may have lain there. From one
/// input to the next a process may have been away for all of the time, and no timer need be late. What waited meanwhile is
/// handed in one after the other, which takes a moment itself.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Attention {
    last_input: Instant,
    /// The times without any input that ended a moment ago, from when to when.
    gaps: VecDeque<(Instant, Instant)>,
}

/// By then all that waited has been handed in.
const CATCHING_UP: Duration = Duration::from_secs(3);

/// A shorter time without input is left out of account: twice that is added to all.
const SHORT: Duration = Duration::from_millis(250);

impl Attention {
    /// Nothing has waited for a node before it began.
    pub(crate) fn new(now: Instant) -> Attention {
        Attention { last_input: now, gaps: VecDeque::new() }
    }

    /// Something is handed in.
    pub(crate) fn input(&mut self, now: Instant) {
        if now.saturating_duration_since(self.last_input) > SHORT {
            self.gaps.push_back((self.last_input, now));
        }
        self.last_input = now;
        while self.gaps.front().is_some_and(|(_, end)| *end + CATCHING_UP < now) {
            self.gaps.pop_front();
        }
    }

    /// For how long something that is handed in now may have waited.
    pub(crate) fn longest_wait(&self, now: Instant) -> Duration {
        let since = self.gaps.front().map_or(now, |(start, _)| *start);
        now.saturating_duration_since(since) + SHORT * 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::secs;

    #[test]
    fn what_is_handed_in_after_a_stop_may_have_waited_since_it_began() {
        let mut attention = Attention::new(Instant::ZERO);
        for tenth in 0..100 {
            attention.input(Instant::from_millis(100 * tenth));
        }
        assert_eq!(attention.longest_wait(secs(10)), SHORT * 2, "it was there all the time");
        // It was stopped from 9.9 s to 40 s, and so is the whole backlog handed in.
        for tenth in 0..30 {
            let now = secs(40) + Duration::from_millis(100 * tenth);
            attention.input(now);
            assert!(attention.longest_wait(now) >= now.saturating_duration_since(Instant::from_millis(9_900)));
        }
        for tenth in 31..40 {
            attention.input(secs(40) + Duration::from_millis(100 * tenth));
        }
        assert_eq!(attention.longest_wait(secs(44)), SHORT * 2, "that is over");
    }

    #[test]
    fn nothing_has_waited_for_a_node_that_has_only_just_begun() {
        let mut attention = Attention::new(secs(1_000));
        attention.input(Instant::from_millis(1_000_100));
        assert_eq!(attention.longest_wait(Instant::from_millis(1_000_100)), SHORT * 2);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut attention = Attention::new(Instant::ZERO);
        for number in 0..1_000 {
            attention.input(Instant::from_millis(251 * number));
            assert!(attention.gaps.len() <= 13, "{}", attention.gaps.len());
        }
    }
}
