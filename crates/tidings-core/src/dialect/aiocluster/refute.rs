//! What this node answers to what others say of it.

use alloc::vec::Vec;

use crate::event::EventKind;
use crate::knowledge::{Knowledge, Moment};
use crate::limits::MAX_JUMP;
use crate::members::Report;

use super::{Aiocluster, Sender, unmarked};

/// How much further than the peer that is heard first another peer may be about an earlier run of this node. Were the
/// versions of this run among those of the earlier one, that other peer would not see the difference.
pub(super) const MOST_UNHEARD_VERSIONS: u64 = 1 << 20;

impl Aiocluster {
    /// Answers what a peer says of this very node. Only this node writes its own state; where a peer knows of more,
    /// that is from an earlier run or corrupt, and this node moves past it.
    pub(super) fn refute(&mut self, knowledge: &mut Knowledge, at: Moment, said: Report<'_>, sender: Sender<'_>) {
        let state = knowledge.own.state();
        let version = said.max_version.max(said.complete_version).max(said.last_gc_version);
        let (own_version, own_gc) = (state.max_version(), state.last_gc_version());
        let own_heartbeat = knowledge.own.heartbeat;
        for (claimed, own) in [(version, own_version), (said.heartbeat, own_heartbeat)] {
            // Half of what a peer accepts: else the others, which may be behind, would refuse this node's own next word.
            if claimed.saturating_sub(own) > MAX_JUMP / 2 {
                self.refuse(knowledge, own, claimed);
                return;
            }
        }
        // Nobody else raises this node's heartbeat: a higher one is from an earlier run, and so may be what the peer holds
        // of it, even where the versions of both runs agree.
        let is_from_earlier_run = said.heartbeat > own_heartbeat;
        if is_from_earlier_run {
            knowledge.own.heartbeat = said.heartbeat + 1;
        }
        if is_from_earlier_run || version > own_version {
            knowledge.own.move_past(version + MOST_UNHEARD_VERSIONS);
            knowledge.stats.republished += 1;
        } else if said.last_gc_version > own_gc {
            let mut changes = Vec::new();
            knowledge.own.adopt_gc(at.now, said.last_gc_version, &mut changes);
            knowledge.tell_own_changes(at, changes);
            if !sender.is_marked() || unmarked::has_unmarked(&knowledge.members) {
                unmarked::keep_live_keys_above_gc(&mut knowledge.own);
            }
        }
    }

    fn refuse(&mut self, knowledge: &mut Knowledge, own: u64, claimed: u64) {
        knowledge.stats.jumps_refused += 1;
        if self.refused.replace(claimed) != Some(claimed) {
            knowledge.tell(EventKind::VersionRefused { own, claimed });
        }
    }
}
