//! Taking note of what is said of a node.

use alloc::vec::Vec;

use crate::id::NodeId;
use crate::limits::{FARTHEST_CLAIM, HEARSAY_STEP, HEARSAY_STEP_PER_SEC};
use crate::members::pulse::{Heard, UNPROVEN_INTERVALS};
use crate::members::{Env, Members, Peer, Report, Word};
use crate::snapshot::Liveness;

impl Members {
    /// Takes note of what is said of a node that is not known. Gives the position it has from now on, where it is taken in
    /// or takes another run's place; `None`: it stays out.
    pub(crate) fn hear_of_stranger(&mut self, env: &mut Env<'_>, report: &Report<'_>) -> Option<usize> {
        if report.id.name() == self.self_id.name() {
            self.hear_of_namesake(env, report);
            return None;
        }
        if self.refuses_name(env, report.id).is_some() {
            return None;
        }
        if let Some(position) = self.holder_of(report.id.name()) {
            return self.hear_of_challenger(env, position, report).then_some(position);
        }
        if !self.is_welcome(env, report) {
            return None;
        }
        let Some(position) = self.take_place(env, report) else {
            env.stats.nodes_refused += 1;
            return None;
        };
        self.hear_of_peer(env, position, report);
        Some(position)
    }

    /// Takes note of what is said of the node that was known at `position` when the message was read.
    pub(crate) fn hear_of_peer(&mut self, env: &mut Env<'_>, position: usize, report: &Report<'_>) {
        let Some((id, peer)) = self.peers.get_index_mut(position) else { return };
        if id != report.id || peer.is_other_run(report.run) {
            // Where the names differ, it stood there when the message was read, and an earlier entry has taken its place.
            if id.name() == report.id.name() && self.refuses_name(env, report.id).is_none() {
                self.hear_of_challenger(env, position, report);
            }
            return;
        }
        let heard = peer.pulse.hear(env, report);
        if heard == Heard::Doubtful {
            peer.is_doubted = true;
            return;
        }
        let is_relayed = report.word == Word::UnmarkedRelay;
        if is_relayed {
            peer.relayed_at = Some(env.active);
        }
        if matches!(report.word, Word::Own(_)) || peer.run() != report.run {
            peer.hear_who_it_is(env, report);
        }
        if report.heartbeat == peer.pulse.heartbeat() && report.word.is_trusted() {
            peer.released_version = report.released_version;
        }
        peer.hear_versions(env, report);
        // Nearly always a live node has beaten again, and nothing changes by it.
        let is_plain = peer.liveness == Liveness::Live && !peer.has_left && peer.challenger.is_none();
        match heard {
            Heard::Beat if is_plain => self.note_beat(position),
            Heard::Beat => self.refresh(env, position),
            Heard::Nothing if is_relayed => self.note_relayed(env, position),
            Heard::Nothing | Heard::Doubtful => {}
        }
    }

    /// Whether a stranger is none of those that have ended.
    fn is_welcome(&mut self, env: &mut Env<'_>, report: &Report<'_>) -> bool {
        if is_ended(env, report) {
            env.stats.departed_ignored += 1;
            return false;
        }
        self.forgotten.lets_return(env, report)
    }

    /// The node that holds a name.
    pub(crate) fn holder(&self, name: &str) -> Option<&NodeId> {
        self.ids.range(NodeId::lowest_of_name(name)..).next().filter(|id| id.name() == name)
    }

    /// The position of the node that holds a name.
    pub(super) fn holder_of(&self, name: &str) -> Option<usize> {
        self.peers.get_index_of(self.holder(name)?)
    }
}

impl Peer {
    /// Takes note of the versions that are said of it. Hearsay counts up and only so far; the node itself sets what counts.
    fn hear_versions(&mut self, env: &mut Env<'_>, report: &Report<'_>) {
        if report.word.is_proved() {
            self.heard_version = report.max_version.max(self.complete_version);
            if self.complete_version.saturating_sub(report.max_version) > HEARSAY_STEP {
                let mut changes = Vec::new();
                self.change_state(|state| state.distrust(env.now, report.max_version, &mut changes));
                self.heard_version = report.max_version;
                env.tell_changes(report.id, changes);
            }
        } else if report.max_version > self.heard_version {
            if self.believes_version(report.max_version, env) {
                self.heard_version = report.max_version;
            } else {
                env.stats.jumps_refused += 1;
                self.is_doubted = true;
            }
        }
        let can_follow = self.last_gc_version + 1..=self.complete_version;
        if report.word.is_trusted() && can_follow.contains(&report.last_gc_version) {
            let mut changes = Vec::new();
            self.change_state(|state| state.follow_gc(env.now, report.last_gc_version, &mut changes));
            env.tell_changes(report.id, changes);
        }
    }

    /// Whether hearsay of this version is believed: it is one that the node can have reached since it was last heard, or
    /// the first that is heard of it.
    pub(crate) fn believes_version(&self, version: u64, env: &Env<'_>) -> bool {
        self.is_within(HEARSAY_STEP, version, env)
    }

    /// The same of a version in a delta. It may be further ahead: a node that moves past a claim goes beyond it at once.
    pub(crate) fn believes_delta(&self, version: u64, env: &Env<'_>) -> bool {
        self.is_within(FARTHEST_CLAIM + HEARSAY_STEP, version, env)
    }

    fn is_within(&self, step: u64, version: u64, env: &Env<'_>) -> bool {
        let known = self.heard_version.max(self.complete_version);
        let secs = self.pulse.silence(env.now).as_secs();
        let step = step.saturating_add(HEARSAY_STEP_PER_SEC.saturating_mul(secs));
        known == 0 || version.saturating_sub(known) <= step
    }
}

/// Whether others say that it was silent for longer than a node that lives is. It does not say so itself.
///
/// Not merely for `max_interval`: what they say may be more than it was, by the time that messages may have been under way.
/// A node that hears of another by nothing but Syns takes it to have been silent for a dozen seconds more.
pub(super) fn is_ended(env: &Env<'_>, report: &Report<'_>) -> bool {
    let allowed = env.detector.max_interval() * UNPROVEN_INTERVALS + report.allowance;
    let is_silent = report.silence.is_some_and(|silence| silence > allowed);
    is_silent && !matches!(report.word, Word::Own(_)) && report.lives != Some(true)
}
