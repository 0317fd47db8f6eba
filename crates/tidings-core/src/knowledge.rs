//! All that a node knows: what the dialects tell others, and what they take in.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::Config;
use crate::event::{EventKind, EventQueue};
use crate::id::{NodeId, Run};
use crate::members::{Env, Members, Word};
use crate::rng::Random;
use crate::state::{Claim, KeyChange, KeyValueUpdate, OwnState};
use crate::stats::Stats;
use crate::suspicion::{Detector, LocalHealth, ToldShare};
use crate::time::Instant;

/// All that a node knows.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Knowledge {
    pub(crate) config: Config,
    pub(crate) cluster_id: Arc<str>,
    /// Which process this is.
    pub(crate) run: Run,
    pub(crate) own: OwnState,
    pub(crate) members: Members,
    pub(crate) events: EventQueue,
    /// They decide nothing, so a checkpoint goes without.
    #[cfg_attr(feature = "record", serde(skip))]
    pub(crate) stats: Stats,
    pub(crate) random: Random,
    pub(crate) health: LocalHealth,
    pub(crate) told: ToldShare,
}

/// The time of an input: as it is, and as this process has been running.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    pub(crate) active: Instant,
}

impl Knowledge {
    pub(crate) fn new(config: Config, mut random: Random) -> Knowledge {
        let hash_seed = random.below(u64::MAX);
        let run = random.run();
        Knowledge {
            cluster_id: Arc::from(config.cluster_id.as_str()),
            run,
            own: OwnState::default(),
            members: Members::new(config.node_id.clone(), hash_seed),
            events: EventQueue::new(&config.limits),
            stats: Stats::default(),
            random,
            health: LocalHealth::default(),
            told: ToldShare::default(),
            config,
        }
    }

    /// The members beside what a change of them needs.
    pub(crate) fn members(&mut self, at: Moment) -> (&mut Members, Env<'_>) {
        let detector = self.detector();
        let Knowledge { members, config, events, stats, .. } = self;
        (members, Env { now: at.now, active: at.active, detector, config, events, stats })
    }

    /// What the others' silence is held against now.
    pub(crate) fn detector(&self) -> Detector {
        Detector::new(&self.config, self.health.failed_share()).told_of(self.told.share())
    }

    pub(crate) fn tell(&mut self, kind: EventKind) {
        self.events.push(kind, &mut self.stats);
    }

    pub(crate) fn tell_own_changes(&mut self, at: Moment, changes: Vec<KeyChange>) {
        let node = self.config.node_id.clone();
        let (_, mut env) = self.members(at);
        env.tell_changes(&node, changes);
    }

    /// Deletes the own keys whose lifetime is over.
    pub(crate) fn expire_lifetimes(&mut self, at: Moment) {
        let mut changes = Vec::new();
        self.own.expire_lifetimes(at.now, &mut changes);
        self.tell_own_changes(at, changes);
    }

    /// Between rounds: looks at the nodes whose silence is too long by now.
    pub(crate) fn refresh_due(&mut self, at: Moment) {
        let (members, mut env) = self.members(at);
        members.refresh_due(&mut env);
    }

    /// Takes in what a peer says of the key-values of one other node.
    pub(crate) fn apply_claim(
        &mut self,
        at: Moment,
        id: &NodeId,
        run: Option<Run>,
        claim: Claim,
        key_values: &[KeyValueUpdate],
        word: Word,
    ) {
        let (members, mut env) = self.members(at);
        let Some(peer) = members.get(id).filter(|peer| !peer.is_other_run(run)) else {
            self.stats.deltas_ignored += 1;
            return;
        };
        let highest = claim.as_of.max(key_values.last().map_or(0, |last| last.version));
        if !word.is_proved() && !peer.believes_delta(highest, &env) {
            self.stats.jumps_refused += 1;
            return;
        }
        // Who may have holes tells of nothing that it has not shown before: else the owner would never hear of a lie.
        let shown = if claim.complete_to.is_none() { peer.heard_version } else { u64::MAX };
        let key_values = &key_values[..key_values.partition_point(|update| update.version <= shown)];
        let Some(applied) = members.apply(&mut env, id, claim, key_values, word) else { return };
        self.stats.deltas_ignored += u64::from(applied.ignored);
        self.stats.resets += u64::from(applied.reset);
        self.stats.key_values_applied += applied.taken;
        self.stats.entries_skipped += applied.over_limit;
    }
}
