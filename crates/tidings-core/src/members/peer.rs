//! Another node as it is known here: its signs of life, its key-values, and what was told of it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use crate::config::Config;
use crate::id::{NodeId, Run};
use crate::members::challenger::Challenger;
use crate::members::precedence::{Proof, Standing, Word};
use crate::members::proof::LastProof;
use crate::members::pulse::Pulse;
use crate::members::{Env, Report};
use crate::reconcile::Known;
use crate::snapshot::Liveness;
use crate::state::{LEFT_KEY, NodeState};
use crate::suspicion::Detector;
use crate::time::Instant;

/// Another node as it is known here: the run that holds its name.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Peer {
    /// Which process it is; `None`: it is not known to be one of ours.
    run: Option<Run>,
    pub(crate) pulse: Pulse,
    /// Which of its refutations it has last made; see [`cases`](crate::suspicion).
    pub(crate) life: u64,
    /// It is accused of being dead, and may still refute it.
    pub(super) is_suspected: bool,
    /// The highest version heard of; `state.max_version()` is the one up to which the copy has no holes.
    pub(crate) heard_version: u64,
    /// The version up to which its key-values may go to unmarked peers.
    pub(crate) released_version: Option<u64>,
    pub(crate) state: Arc<NodeState>,
    /// As `state` has them. They are asked for at every exchange, and there so many peers' states would have to be fetched
    /// from memory.
    pub(crate) complete_version: u64,
    pub(crate) last_gc_version: u64,
    /// What it holds of this node, as it last said itself.
    pub(crate) holding: Option<Holding>,
    /// When a Python relay last told of it (in active time).
    pub(super) relayed_at: Option<Instant>,
    /// Another run that lays claim to its name.
    pub(crate) challenger: Option<Box<Challenger>>,
    /// The run that held the name before.
    pub(super) former: Option<Former>,
    pub(super) liveness: Liveness,
    /// Since when it has been what it is.
    pub(super) since: Instant,
    /// What it last proved that it runs by.
    proof: LastProof,
    /// It has said itself, and proved, which process it is. What others say of that counts no more.
    run_is_proved: bool,
    /// More was said of it than hearsay is believed: it has to be asked.
    pub(super) is_doubted: bool,
    /// It says in its key-values that it left.
    pub(super) has_left: bool,
    /// ... and has said so itself.
    pub(super) left_by_own_word: bool,
    /// It spoke itself when it was heard of first.
    pub(super) spoke: bool,
    /// The user was told that it joined.
    pub(super) announced: bool,
    /// The user was told of its key-values, if not of the node itself.
    pub(super) keys_told: bool,
    /// The user was told that another certificate was shown under its name.
    pub(super) refusal_told: bool,
}

/// What a peer holds of the node that knows it.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Holding {
    /// The version that it holds.
    pub(crate) version: u64,
    /// When it last said so (in active time).
    pub(crate) said_at: Instant,
    /// Since when it has lacked something and not taken any of it.
    pub(crate) behind_since: Option<Instant>,
}

/// A run that was replaced by the one that holds its name.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Former {
    pub(super) id: NodeId,
    pub(super) run: Option<Run>,
    pub(super) heartbeat: u64,
    pub(super) conflict_told: bool,
}

impl Peer {
    pub(super) fn new(env: &Env<'_>, report: &Report<'_>) -> Peer {
        Peer::with_pulse(env, Pulse::new(env, report), report.run)
    }

    fn with_pulse(env: &Env<'_>, pulse: Pulse, run: Option<Run>) -> Peer {
        Peer {
            run,
            pulse,
            life: 0,
            is_suspected: false,
            heard_version: 0,
            released_version: None,
            state: Arc::default(),
            complete_version: 0,
            last_gc_version: 0,
            holding: None,
            relayed_at: None,
            challenger: None,
            former: None,
            liveness: Liveness::Dead,
            since: env.now,
            proof: LastProof::default(),
            run_is_proved: false,
            is_doubted: false,
            has_left: false,
            left_by_own_word: false,
            spoke: false,
            announced: false,
            keys_told: false,
            refusal_told: false,
        }
    }

    /// The challenger as the name's holder, in the place of `old`, whose id was `old_id`.
    pub(super) fn succeeding(env: &Env<'_>, challenger: Challenger, old_id: &NodeId, old: &Peer) -> Peer {
        let former = Former {
            id: old_id.clone(),
            run: old.run,
            heartbeat: old.pulse.heartbeat(),
            conflict_told: challenger.conflict_told,
        };
        Peer {
            heard_version: challenger.heard_version,
            proof: challenger.proof,
            former: Some(former),
            ..Peer::with_pulse(env, challenger.pulse, challenger.run)
        }
    }

    /// The holder itself, `old`, under the id that it has since it advertises another address.
    pub(super) fn moved(env: &Env<'_>, challenger: Challenger, old_id: &NodeId, old: &Peer) -> Peer {
        let mut pulse = old.pulse.clone();
        pulse.go_on_as(env, &challenger.pulse);
        let heard_version = old.heard_version.max(challenger.heard_version);
        let successor = Peer::succeeding(env, challenger, old_id, old);
        Peer {
            pulse,
            heard_version,
            proof: successor.proof,
            former: successor.former,
            challenger: None,
            // What was proved was proved at the former address.
            run_is_proved: false,
            is_doubted: false,
            ..old.clone()
        }
    }

    pub(crate) fn liveness(&self) -> Liveness {
        self.liveness
    }

    /// What a user is shown: who is suspected still counts as live for all else.
    pub(crate) fn shown(&self) -> Liveness {
        if self.is_suspected && self.liveness == Liveness::Live { Liveness::Suspect } else { self.liveness }
    }

    /// Since when it has been live, dead or left.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// Changes what is known of its key-values. The only way to do so: it keeps what stands here of them.
    pub(crate) fn change_state<T>(&mut self, change: impl FnOnce(&mut NodeState) -> T) -> T {
        let result = change(Arc::make_mut(&mut self.state));
        self.complete_version = self.state.max_version();
        self.last_gc_version = self.state.last_gc_version();
        self.has_left = self.state.get(LEFT_KEY).is_some();
        self.left_by_own_word &= self.has_left;
        result
    }

    /// Whether a peer that shows these versions of it can learn nothing here: nearly always it is so.
    pub(crate) fn has_nothing_above(&self, known: Known) -> bool {
        self.complete_version <= known.complete_version && self.last_gc_version <= known.last_gc_version
    }

    /// Whether it was heard of but has not been live yet.
    pub(crate) fn is_unproven(&self) -> bool {
        self.liveness == Liveness::Dead && !self.announced
    }

    /// Where it stands among those that were never live here.
    pub(super) fn unproven_key(&self, id: &NodeId) -> (bool, Instant, NodeId) {
        (self.spoke, self.pulse.first_heard(), id.clone())
    }

    /// Whether it was ever live here.
    pub(crate) fn was_live(&self) -> bool {
        self.announced
    }

    /// Whether it has lately answered this node where it says that it is reached.
    pub(crate) fn answers(&self, active: Instant, config: &Config) -> bool {
        self.proof.in_force(active, config.max_interval()) > Some(Proof::Presence)
    }

    /// Whether it has ever answered this node where it says that it is reached, or shown its certificate.
    pub(crate) fn has_proved_itself(&self) -> bool {
        self.run_is_proved
    }

    /// Whether a Python relay has told of it lately.
    pub(super) fn is_relayed(&self, env: &Env<'_>) -> bool {
        self.relayed_at.is_some_and(|at| !env.detector.is_long_after(at, env.active))
    }

    /// Whether it says, or others say of it, that it leaves.
    pub(crate) fn is_leaving(&self) -> bool {
        self.has_left
    }

    /// Whether this is about another process than the one that is known here. A Python relay tells of ids alone.
    pub(crate) fn is_other_run(&self, run: Option<Run>) -> bool {
        Run::differ(self.run, run)
    }

    /// Takes note of who it is, from what it or another node says of it.
    pub(super) fn hear_who_it_is(&mut self, env: &Env<'_>, report: &Report<'_>) {
        let is_own_word = matches!(report.word, Word::Own(_));
        self.proof.hear(env.active, env.detector.max_interval(), report.word);
        self.is_doubted &= !report.word.is_proved();
        self.run_is_proved |= report.word.is_proved();
        if report.word.is_proved() || (is_own_word && !self.run_is_proved) {
            self.run = report.run;
        } else if !self.run_is_proved {
            self.run = self.run.or(report.run);
        }
    }

    /// Turns it into a Python peer.
    #[cfg(test)]
    pub(crate) fn be_python(&mut self) {
        self.run = None;
    }

    pub(crate) fn run(&self) -> Option<Run> {
        self.run
    }

    /// Whether it is known to be one of ours; a Python peer is not.
    pub(crate) fn is_marked(&self) -> bool {
        self.run.is_some()
    }

    /// It says itself what it holds of this node, which is at `own_version`.
    pub(crate) fn shows_holding(&mut self, active: Instant, version: u64, own_version: u64) {
        let unmoved = self.holding.filter(|before| before.version >= version);
        let since = unmoved.and_then(|before| before.behind_since).unwrap_or(active);
        let behind_since = (version < own_version).then_some(since);
        self.holding = Some(Holding { version, said_at: active, behind_since });
    }

    pub(super) fn standing<'a>(&self, id: &'a NodeId, env: &Env<'_>) -> Standing<'a> {
        let proof = self.proof.in_force(env.active, env.detector.max_interval());
        // A holder that took its place, or that proved that it runs, is given the time to be heard of.
        let is_worth_waiting = self.former.is_some() || proof > Some(Proof::Presence);
        let is_new = !self.announced && !self.pulse.is_silent(env);
        let beats = self.pulse.is_alive(env) || (is_new && is_worth_waiting);
        let has_gone = self.liveness == Liveness::Left;
        Standing { id, run: self.run, beats: beats && !has_gone, proof }
    }

    /// Whether nobody is to be told of this node any more: it has been silent for half its grace period.
    pub(crate) fn is_scheduled_for_deletion(&self, now: Instant, config: &Config) -> bool {
        let grace = config.failure_detector.dead_node_grace_period;
        self.liveness != Liveness::Live && self.pulse.silence(now) >= grace / 2
    }

    /// Whether it is remembered no longer: it has been silent for all its grace period, or was never seen beating and
    /// still is not.
    pub(super) fn is_over(&self, env: &Env<'_>) -> bool {
        // Who was heard of just now is given the time to beat, however long the message may have been under way.
        let is_gone = match self.is_unproven() {
            true => self.pulse.is_spent(env) || self.pulse.is_over(env),
            false => self.pulse.silence(env.now) >= env.config.failure_detector.dead_node_grace_period,
        };
        self.liveness != Liveness::Live && is_gone
    }

    /// How long it has been silent, if it is told of at all: at least so long as it really was.
    pub(crate) fn silence(&self, now: Instant) -> Duration {
        self.pulse.silence(now)
    }

    pub(crate) fn phi(&self, active: Instant, detector: &Detector) -> Option<f64> {
        self.pulse.phi(active, detector)
    }

    /// Whether it is live and has been silent for most of the time that it takes to be dead.
    pub(crate) fn is_overdue(&self, active: Instant, detector: &Detector) -> bool {
        const MOST: f64 = 2.0 / 3.0;
        self.liveness == Liveness::Live
            && self.phi(active, detector).is_some_and(|phi| phi > detector.phi_threshold() * MOST)
    }
}
