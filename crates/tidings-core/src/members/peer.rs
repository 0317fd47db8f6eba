//! Another node as it is known here: its heartbeats, its key-values, and what was told of it.

use alloc::sync::Arc;

use crate::config::Config;
use crate::members::{Env, Report};
use crate::reconcile::Known;
use crate::snapshot::Liveness;
use crate::state::{LEFT_KEY, NodeState};
use crate::suspicion::{Detector, HeartbeatWindow};
use crate::time::Instant;

/// Another node as it is known here.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Peer {
    pub(crate) heartbeat: u64,
    /// The highest version heard of; `state.max_version()` is the one up to which the copy has no holes.
    pub(crate) heard_version: u64,
    /// 0: not known to be one of us.
    pub(crate) protocol_revision: u32,
    /// The version up to which its key-values may go to unmarked peers.
    pub(crate) released_version: Option<u64>,
    pub(crate) state: Arc<NodeState>,
    /// As `state` has them. They are asked for at every exchange, and there so many peers' states would have to be fetched
    /// from memory.
    pub(crate) complete_version: u64,
    pub(crate) last_gc_version: u64,
    /// What it last said itself: when, and the version it held of this node.
    pub(crate) direct_word: Option<(Instant, u64)>,
    pub(crate) first_heard: Instant,
    pub(super) window: HeartbeatWindow,
    pub(super) liveness: Liveness,
    /// It says in its key-values that it left.
    pub(super) has_left: bool,
    /// It is a run of the node that knows it.
    pub(super) is_own_namesake: bool,
    /// Since when it has not been live.
    pub(super) since: Instant,
    /// The user was told that it joined.
    pub(super) announced: bool,
    /// The user was told of its key-values, if not of the node itself.
    pub(super) keys_told: bool,
    /// Since when another node of the same name has counted instead (in active time).
    pub(super) superseded_at: Option<Instant>,
    pub(super) conflict_told: bool,
}

impl Peer {
    pub(super) fn new(env: &Env<'_>, report: Report<'_>, is_own_namesake: bool) -> Peer {
        Peer {
            heartbeat: report.heartbeat,
            heard_version: 0,
            protocol_revision: 0,
            released_version: None,
            state: Arc::default(),
            complete_version: 0,
            last_gc_version: 0,
            direct_word: None,
            first_heard: env.active,
            window: HeartbeatWindow::default(),
            liveness: Liveness::Dead,
            has_left: false,
            is_own_namesake,
            since: env.now,
            announced: false,
            keys_told: false,
            superseded_at: None,
            conflict_told: false,
        }
    }

    pub(crate) fn liveness(&self) -> Liveness {
        self.liveness
    }

    /// Changes what is known of its key-values. The only way to do so: it keeps what stands here of them.
    pub(crate) fn change_state<T>(&mut self, change: impl FnOnce(&mut NodeState) -> T) -> T {
        let result = change(Arc::make_mut(&mut self.state));
        self.complete_version = self.state.max_version();
        self.last_gc_version = self.state.last_gc_version();
        self.has_left = self.state.get(LEFT_KEY).is_some();
        result
    }

    /// Whether a peer that shows these versions of it can learn nothing here: nearly always it is so.
    pub(crate) fn has_nothing_above(&self, known: Known) -> bool {
        self.complete_version <= known.complete_version && self.last_gc_version <= known.last_gc_version
    }

    /// Whether it was heard of but has not been live yet.
    pub(crate) fn is_unproven(&self) -> bool {
        self.liveness == Liveness::Dead && !self.announced && !self.is_superseded()
    }

    pub(crate) fn is_superseded(&self) -> bool {
        self.superseded_at.is_some()
    }

    pub(crate) fn phi(&self, active: Instant, detector: &Detector) -> Option<f64> {
        self.window.phi(active, detector)
    }

    pub(super) fn is_alive(&self, env: &Env<'_>) -> bool {
        self.window.is_alive(env.active, &env.detector)
    }

    /// Whether nobody is to be told of this node any more: it has been gone for half its grace period.
    pub(crate) fn is_scheduled_for_deletion(&self, now: Instant, config: &Config) -> bool {
        self.liveness != Liveness::Live && now >= self.since + config.failure_detector.dead_node_grace_period / 2
    }

    /// Whether it is alive and went on beating for long after `at`. The last heartbeats of a stopped node trickle in
    /// through slow relays for a while, and prove nothing.
    pub(super) fn has_beaten_on_since(&self, at: Instant, env: &Env<'_>) -> bool {
        self.is_alive(env) && self.window.has_beaten_long_after(at, &env.detector)
    }

    /// Whether it has had time to beat, and does not.
    pub(super) fn is_silent(&self, env: &Env<'_>) -> bool {
        !self.is_alive(env) && env.detector.is_long_after(self.first_heard, env.active)
    }
}
