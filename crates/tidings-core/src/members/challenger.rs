//! A run that lays claim to a name that another one holds.

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::id::{NodeId, Run};
use crate::members::precedence::{Proof, Standing, Word};
use crate::members::proof::LastProof;
use crate::members::pulse::Pulse;
use crate::members::{Env, Report};
use crate::time::Instant;

/// The members whose view of a conflict is remembered.
const MAX_VOTES: usize = 64;

/// A run that is heard of under a name that another one holds. Nothing of it counts, none of its key-values are taken,
/// until it takes the holder's place: see [`rule`](super::precedence::rule). A name has one challenger at most.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Challenger {
    pub(super) id: NodeId,
    pub(super) run: Option<Run>,
    pub(super) pulse: Pulse,
    /// The highest version heard of. Told in its digest entry as if it were held, so that nobody sends its key-values.
    pub(super) heard_version: u64,
    /// Since when it has been held against the holder (in active time).
    pub(super) since: Instant,
    pub(super) proof: LastProof,
    /// It held the name before.
    pub(super) was_replaced: bool,
    pub(super) conflict_told: bool,
    /// Which members take it for the holder, as each last showed itself.
    votes: BTreeMap<NodeId, bool>,
}

impl Challenger {
    pub(super) fn new(env: &Env<'_>, report: &Report<'_>, was_replaced: bool, conflict_told: bool) -> Challenger {
        let mut challenger = Challenger {
            id: report.id.clone(),
            run: report.run,
            pulse: Pulse::new(env, report),
            heard_version: report.max_version,
            since: env.active,
            proof: LastProof::default(),
            was_replaced,
            conflict_told,
            votes: BTreeMap::new(),
        };
        challenger.proof.hear(env.active, env.detector.max_interval(), report.word);
        challenger
    }

    pub(crate) fn id(&self) -> &NodeId {
        &self.id
    }

    pub(crate) fn run(&self) -> Option<Run> {
        self.run
    }

    pub(crate) fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    pub(crate) fn heard_version(&self) -> u64 {
        self.heard_version
    }

    /// Whether it is the holder itself, which advertises another address by now: the same process in a later generation.
    pub(super) fn is_moved(&self, holder: &NodeId, run: Option<Run>) -> bool {
        self.run.is_some() && self.run == run && self.id.generation_id() > holder.generation_id()
    }

    /// Whether the report is about this very run. A Python relay tells of ids alone.
    pub(super) fn is(&self, report: &Report<'_>) -> bool {
        self.id == *report.id && !Run::differ(self.run, report.run)
    }

    pub(super) fn hear(&mut self, env: &mut Env<'_>, report: &Report<'_>) {
        self.pulse.hear(env, report);
        self.run = self.run.or(report.run);
        self.heard_version = self.heard_version.max(report.max_version);
        self.proof.hear(env.active, env.detector.max_interval(), report.word);
    }

    fn valid_proof(&self, env: &Env<'_>) -> Option<Proof> {
        self.proof.in_force(env.active, env.detector.max_interval())
    }

    pub(super) fn standing(&self, env: &Env<'_>) -> Standing<'_> {
        Standing { id: &self.id, run: self.run, beats: self.pulse.is_alive(env), proof: self.valid_proof(env) }
    }

    /// A member shows which of the two it takes for the holder.
    pub(super) fn vote(&mut self, member: &NodeId, for_challenger: bool) {
        if self.votes.len() < MAX_VOTES || self.votes.contains_key(member) {
            self.votes.insert(member.clone(), for_challenger);
        }
    }

    /// Whether more members take it for the holder than take the holder for it; this node is one of the latter. In a
    /// tie the later run counts.
    pub(super) fn has_majority(&self, is_later: bool) -> bool {
        let for_it = self.votes.values().filter(|vote| **vote).count();
        let against_it = 1 + self.votes.len() - for_it;
        for_it > against_it || (for_it == against_it && is_later)
    }

    /// Whether another run may have its place: it neither beats nor has it proved that it runs, or it has had its time.
    pub(super) fn gives_way(&self, env: &Env<'_>, to: Word) -> bool {
        let proof = self.valid_proof(env);
        let is_nobody = proof.is_none() && !self.pulse.is_alive(env);
        let rank = match to {
            Word::Own(proof) => Some(proof),
            Word::Relay | Word::UnmarkedRelay => None,
        };
        let had_its_time = env.active > self.since + env.detector.max_interval() && proof <= Some(Proof::Presence);
        is_nobody || rank > proof || had_its_time
    }

    /// Whether it is not worth being remembered any more.
    pub(super) fn is_spent(&self, env: &Env<'_>) -> bool {
        self.valid_proof(env).is_none() && self.pulse.is_spent(env)
    }

    /// Whether others are told of it: it may be the name's next holder.
    pub(super) fn is_told_of(&self, env: &Env<'_>) -> bool {
        self.pulse.is_alive(env) || self.valid_proof(env).is_some()
    }

    /// Whether it is worth being asked itself whether it runs: nothing but hearsay speaks for it, or two run.
    pub(super) fn is_worth_asking(&self, active: Instant, max_interval: Duration) -> bool {
        self.conflict_told || self.proof.in_force(active, max_interval) <= Some(Proof::Presence)
    }
}
