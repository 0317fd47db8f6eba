//! What this node answers to what others say of it.

use alloc::vec::Vec;
use core::time::Duration;

use crate::event::EventKind;
use crate::knowledge::{Knowledge, Moment};
use crate::limits::{FARTHEST_CLAIM, OWN_STEP};
use crate::members::Report;

use super::{Aiocluster, unmarked};

/// How much further than the peer that is heard first another peer may be about an earlier run of this node. Were the
/// versions of this run among those of the earlier one, that other peer would not see the difference.
pub(super) const MOST_UNHEARD_VERSIONS: u64 = 1 << 20;

/// After it has published all it has anew, a node does not do so again for so many rounds: by then everybody has heard of
/// it, and whoever makes such claims makes the cluster send no more than that.
pub(super) const ROUNDS_BETWEEN: u32 = 4;

impl Aiocluster {
    /// Answers what a peer says of this very node. Only this node writes its own state; where a peer knows of more, that is
    /// from an earlier run, a lie or corrupt, and this node moves past it: so what was believed elsewhere is believed no
    /// more.
    pub(super) fn refute(&mut self, knowledge: &mut Knowledge, at: Moment, said: &Report<'_>) {
        if said.run.is_some_and(|run| run != knowledge.run) {
            let (members, mut env) = knowledge.members(at);
            return members.hear_of_namesake(&mut env, said);
        }
        // Nobody else raises this node's heartbeat. A peer that is not one of us and knows a higher one knows an earlier run,
        // and so may be what it holds of it, even where the versions of both runs agree.
        let is_from_earlier_run = said.run.is_none() && said.heartbeat > knowledge.own.heartbeat;
        self.step_past(knowledge, at, said.heartbeat);

        let state = knowledge.own.state();
        let version = said.max_version.max(said.complete_version).max(said.last_gc_version);
        let (own_version, own_gc) = (state.max_version(), state.last_gc_version());
        if version.saturating_sub(own_version) > FARTHEST_CLAIM {
            self.refuse(knowledge, own_version, version);
        } else if is_from_earlier_run || version > own_version {
            if self.may_publish_again(knowledge, at) {
                knowledge.own.move_past(version + MOST_UNHEARD_VERSIONS);
                knowledge.stats.republished += 1;
            }
        } else if said.last_gc_version > own_gc && self.may_publish_again(knowledge, at) {
            let mut changes = Vec::new();
            knowledge.own.adopt_gc(at.now, said.last_gc_version, &mut changes);
            knowledge.tell_own_changes(at, changes);
            // Whoever has dropped what was deleted up to there may have dropped what was not.
            unmarked::keep_live_keys_above_gc(&mut knowledge.own);
        }
    }

    /// Moves the own heartbeat past a claim, however far that is, but so slowly that everybody follows.
    fn step_past(&mut self, knowledge: &mut Knowledge, at: Moment, claimed: u64) {
        const PAUSE: Duration = Duration::from_secs(1);
        let own = knowledge.own.heartbeat;
        if claimed <= own || self.stepped_at.is_some_and(|stepped_at| at.now < stepped_at + PAUSE) {
            return;
        }
        if claimed - own > FARTHEST_CLAIM {
            self.refuse(knowledge, own, claimed);
        }
        self.stepped_at = Some(at.now);
        knowledge.own.heartbeat = claimed.saturating_add(1).min(own.saturating_add(OWN_STEP));
    }

    fn may_publish_again(&mut self, knowledge: &Knowledge, at: Moment) -> bool {
        let pause = knowledge.config.gossip_interval * ROUNDS_BETWEEN;
        if self.published_at.is_some_and(|published_at| at.now < published_at + pause) {
            return false;
        }
        self.published_at = Some(at.now);
        true
    }

    fn refuse(&mut self, knowledge: &mut Knowledge, own: u64, claimed: u64) {
        knowledge.stats.jumps_refused += 1;
        if self.refused.replace(claimed) != Some(claimed) {
            knowledge.tell(EventKind::VersionRefused { own, claimed });
        }
    }
}
