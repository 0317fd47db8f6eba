//! How long ago a node lived, by every account there is.

use core::time::Duration;

use crate::time::Instant;

/// The latest instant at which a node is known to have lived.
///
/// Nodes share no clock, so what one tells another is an age: *silent for so long*. The reader takes the longest time
/// that the message can have been under way into account, so the instant it arrives at is never later than the true
/// one. Of several accounts the latest is the best. So the silence of a node that has stopped grows at everybody alike,
/// however often it is told and whoever hears of it for the first time: it never starts anew.
///
/// In nanoseconds of this node's clock. It may lie before that clock began: hence the sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct LastSeen(i64);

impl LastSeen {
    /// It lived at `instant`.
    pub(crate) fn at(instant: Instant) -> LastSeen {
        LastSeen(i64::try_from(instant.as_nanos()).unwrap_or(i64::MAX))
    }

    /// It had been silent for `silence` when a message was written, at `written` or later.
    pub(crate) fn told(written: Instant, silence: Duration) -> LastSeen {
        let silence = i64::try_from(silence.as_nanos()).unwrap_or(i64::MAX);
        LastSeen(LastSeen::at(written).0.saturating_sub(silence))
    }

    /// So much later.
    pub(crate) fn plus(self, later: Duration) -> LastSeen {
        LastSeen(self.0.saturating_add(i64::try_from(later.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// The same as an instant; the beginning of the clock where it lies before that.
    pub(crate) fn instant(self) -> Instant {
        Instant::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }

    /// How long it has been silent at `now`, or longer than it has been.
    pub(crate) fn silence(self, now: Instant) -> Duration {
        Duration::from_nanos(u64::try_from(LastSeen::at(now).0.saturating_sub(self.0)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_grows_by_what_passes_and_never_by_less() {
        let seen = LastSeen::told(Instant::from_secs(100), Duration::from_secs(30));
        assert_eq!(seen.silence(Instant::from_secs(107)), Duration::from_secs(37));
        assert_eq!(seen.silence(Instant::from_secs(10)), Duration::ZERO);
    }

    #[test]
    fn a_node_that_died_before_this_one_was_started_has_been_silent_for_as_long_as_it_is_told() {
        let hour = Duration::from_secs(3_600);
        let seen = LastSeen::told(Instant::from_secs(5), hour);
        assert_eq!(seen.silence(Instant::from_secs(5)), hour);
        assert!(seen < LastSeen::at(Instant::ZERO));
    }

    #[test]
    fn no_age_however_long_overflows() {
        let seen = LastSeen::told(Instant::ZERO, Duration::MAX);
        assert!(seen.silence(Instant::FAR_FUTURE) > Duration::from_secs(1 << 33));
        assert_eq!(LastSeen::at(Instant::FAR_FUTURE).silence(Instant::ZERO), Duration::ZERO);
    }
}
