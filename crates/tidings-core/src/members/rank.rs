//! Whom to tell of first, where there is no room for all.

use crate::members::{Env, Peer};
use crate::snapshot::Liveness;

/// How much others need to be told of a node. The first come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// It is live, and its heartbeat has just gone up here.
    News,
    /// It is live.
    Live,
    /// It has just died or left, or lays claim to a name.
    Suspect,
    /// It ended long ago, or was never live here.
    Rest,
}

impl Rank {
    pub(crate) const COUNT: usize = 4;

    /// In order.
    pub(crate) const ALL: [Rank; Rank::COUNT] = [Rank::News, Rank::Live, Rank::Suspect, Rank::Rest];
}

/// A heartbeat is news for so many rounds.
const NEWS_ROUNDS: u32 = 2;

/// A node has just ended for so many times `max_interval`.
const SUSPECT_INTERVALS: u32 = 3;

impl Peer {
    /// How much others need to be told of it.
    pub(crate) fn rank(&self, env: &Env<'_>) -> Rank {
        if self.liveness == Liveness::Live {
            let news = env.config.gossip_interval * NEWS_ROUNDS;
            let is_news = self.pulse.last_beat().is_some_and(|at| env.active <= at + news);
            return if is_news { Rank::News } else { Rank::Live };
        }
        let suspect = || env.config.max_interval() * SUSPECT_INTERVALS;
        if self.announced && env.now <= self.since + suspect() { Rank::Suspect } else { Rank::Rest }
    }
}
