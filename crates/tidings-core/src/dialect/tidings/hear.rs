//! Taking in what is said of nodes.

use alloc::vec::Vec;
use core::time::Duration;

use crate::event::EventKind;
use crate::id::{NodeId, Run};
use crate::knowledge::{Knowledge, Moment};
use crate::members::{self, LastSeen, Proof, Word};
use crate::reconcile::{Delta, NodeDelta};
use crate::snapshot::Liveness;
use crate::state::Claim;
use crate::suspicion::{Accused, Seen};
use crate::wire::tidings::{Entry, Message, Named, NodeHash, Status, hash_of};

use super::{From, Obituary, Tidings};

/// What others say of a node's refutations is believed so far ahead of what is known.
const LIFE_STEP: u64 = 1 << 16;

/// More runs than this nobody tells of as replaced at a time.
const MOST_OBITUARIES: usize = 256;

/// What came of hearing entries.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Nodes that are named and not known, or whose key-values are newer there.
    pub(super) wants: Vec<NodeHash>,
}

impl Tidings {
    /// The sender speaks: a sign of life, and what it says of itself.
    pub(super) fn hear_sender(&mut self, knowledge: &mut Knowledge, at: Moment, from: From<'_>, message: &Message) {
        let known = knowledge.members.get(from.id);
        let is_same_run = known.is_some_and(|peer| !peer.is_other_run(Some(message.run)));
        let last_counter = known.filter(|_| is_same_run).map_or(0, |peer| peer.pulse.heartbeat());
        // What is played again, or has been overtaken, is no sign of life.
        let is_fresh = message.counter > last_counter;
        if is_same_run && !is_fresh && from.proof == Proof::Presence {
            return;
        }
        let versions = known.filter(|_| is_same_run).map_or((0, 0), |peer| (peer.heard_version, peer.last_gc_version));
        let (max_version, last_gc_version) =
            message.own.as_ref().map_or(versions, |own| (own.max_version, own.last_gc_version));
        let report = members::Report {
            id: from.id,
            run: Some(message.run),
            word: Word::Own(from.proof),
            written: from.lived,
            silence: Some(from.slack),
            allowance: from.slack,
            lives: Some(true),
            heartbeat: message.counter,
            max_version,
            complete_version: max_version,
            last_gc_version,
            released_version: None,
        };
        if !self.hear_report(knowledge, at, from.hash, &report) {
            return;
        }
        if let Some(own) = &message.own {
            knowledge.members.raise_life(from.id, own.life);
        }
        self.hear_alive(knowledge, at, (from.hash, from.id), from.seen(), true);
    }

    /// Hands a report to the members. False: the node is not the one that is known by this name, or is not taken in.
    fn hear_report(
        &mut self,
        knowledge: &mut Knowledge,
        at: Moment,
        hash: NodeHash,
        report: &members::Report<'_>,
    ) -> bool {
        let run_before = knowledge.members.get(report.id).map(|peer| peer.run());
        // Who is not known may take the place of another run of its name.
        let former = match run_before {
            Some(_) => None,
            None => {
                let holder = knowledge.members.holder_of_name(report.id);
                holder.and_then(|id| {
                    Some((id.clone(), knowledge.members.get(id)?.run()?, knowledge.members.get(id)?.life))
                })
            }
        };
        let run_before = run_before.flatten();
        let (members, mut env) = knowledge.members(at);
        match members.position_of(report.id) {
            Some(position) => members.hear_of_peer(&mut env, position, report),
            None => {
                members.hear_of_stranger(&mut env, report);
            }
        }
        let peer = knowledge.members.get(report.id);
        let is_known = peer.is_some_and(|peer| !peer.is_other_run(report.run));
        let is_new_run = is_known && Run::differ(run_before, report.run);
        if let Some((former, run, life)) = former.filter(|_| is_known) {
            let former_hash = hash_of(&knowledge.cluster_id, &former);
            self.touch(knowledge, at, former_hash, &former);
            if self.obituaries.len() < MOST_OBITUARIES && report.word.is_proved() {
                self.obituaries.insert(former_hash, Obituary { run, life, at: at.now });
                self.rumours.tell(former_hash, false, true);
                self.hurry(at.now);
            }
        }
        if is_new_run {
            self.cases.forget(hash.0);
        }
        is_known
    }

    /// A node lived then. `is_own_word`: it is there now, whatever else is said.
    pub(super) fn hear_alive(
        &mut self,
        knowledge: &mut Knowledge,
        at: Moment,
        (hash, id): (NodeHash, &NodeId),
        seen: LastSeen,
        is_own_word: bool,
    ) {
        let was_live = knowledge.members.is_live(id);
        let was_known = self.table.id_of(hash).is_some();
        let outcome = self.cases.seen(hash.0, seen);
        let is_accused = self.cases.accusation(hash.0).is_some_and(crate::suspicion::Accusation::is_decided);
        if outcome == Seen::Recovered {
            self.recover(knowledge, id);
        }
        if !was_live && !is_accused && (is_own_word || outcome != Seen::Nothing || !self.cases.is_about(hash.0)) {
            let (members, mut env) = knowledge.members(at);
            members.judge(&mut env, id, true, Some(seen));
        }
        let is_live = knowledge.members.is_live(id);
        if outcome != Seen::Nothing {
            self.rumours.tell(hash, false, true);
            self.hurry(at.now);
        } else if is_live && (!was_live || !was_known) && is_own_word {
            self.rumours.tell(hash, true, false);
            self.hurry(at.now);
        }
        self.touch(knowledge, at, hash, id);
    }

    fn recover(&mut self, knowledge: &mut Knowledge, id: &NodeId) {
        if knowledge.members.suspect(id, false) {
            knowledge.tell(EventKind::NodeRecovered { node: id.clone() });
        }
    }

    /// Takes in what the sender says of one node. `is_news`: it is to be passed on if it is new.
    pub(super) fn hear_entry(
        &mut self,
        knowledge: &mut Knowledge,
        at: Moment,
        from: From<'_>,
        entry: &Entry,
        is_news: bool,
        heard: &mut Heard,
    ) {
        let (hash, id) = match &entry.node {
            Named::Id(id) => (hash_of(&knowledge.cluster_id, id), id.clone()),
            Named::Hash(hash) => match self.id_of(knowledge, *hash) {
                Some(id) => (*hash, id.clone()),
                None => return heard.wants.push(*hash),
            },
        };
        if hash == self.own {
            return self.refute(knowledge, at, from, entry);
        }
        // Of itself it speaks elsewhere.
        if hash == from.hash {
            return;
        }
        let was_known = knowledge.members.get(&id).is_some();
        // Since when a suspect is silent, it has been so at least: that it lived just before nobody says.
        let seen_ms = match entry.status {
            Status::Live { seen_ms } | Status::Left { seen_ms } => Some(seen_ms),
            Status::Suspect { .. } | Status::Dead { .. } => None,
        };
        // Who is not live and was never known is nothing that anybody has to learn.
        if !was_known && !matches!(entry.status, Status::Live { .. }) {
            return;
        }
        let allowance = from.transit;
        let report = members::Report {
            id: &id,
            run: Some(entry.run),
            word: Word::Relay,
            written: from.lived,
            silence: seen_ms.map(|seen_ms| Duration::from_millis(seen_ms).saturating_add(allowance)),
            allowance,
            lives: (!was_known).then_some(true),
            heartbeat: 0,
            max_version: entry.max_version,
            complete_version: entry.max_version,
            last_gc_version: entry.last_gc_version,
            released_version: None,
        };
        if !self.hear_report(knowledge, at, hash, &report) {
            return;
        }
        let life = knowledge.members.get(&id).map_or(0, |peer| peer.life);
        if entry.life < life {
            return;
        }
        if entry.life > life {
            if entry.life - life > LIFE_STEP && was_known {
                return;
            }
            knowledge.members.raise_life(&id, entry.life);
            let acquitted = self.cases.acquit(hash.0);
            if was_known && acquitted != Seen::Nothing {
                self.recover(knowledge, &id);
                let (members, mut env) = knowledge.members(at);
                members.judge(&mut env, &id, true, None);
            }
            if was_known && is_news {
                self.rumours.tell(hash, false, false);
                self.hurry(at.now);
            }
        }
        match entry.status {
            Status::Live { seen_ms } => {
                self.hear_alive(knowledge, at, (hash, &id), from.instant(seen_ms), !was_known);
            }
            Status::Suspect { silent_ms, failed_ms } | Status::Dead { silent_ms, failed_ms } => {
                let said = (from.instant(silent_ms), from.instant(failed_ms), false);
                self.hear_accusation(knowledge, at, (hash, &id), said, (from.id, None));
            }
            Status::Left { .. } => {}
        }
        let is_behind = knowledge.members.get(&id).is_some_and(|peer| peer.complete_version < entry.max_version);
        if is_behind && !is_news {
            heard.wants.push(hash);
        }
        if !was_known && is_news {
            self.rumours.tell(hash, true, false);
            self.hurry(at.now);
        }
        self.touch(knowledge, at, hash, &id);
    }

    /// A node is said to be silent.
    pub(super) fn hear_accusation(
        &mut self,
        knowledge: &mut Knowledge,
        at: Moment,
        (hash, id): (NodeHash, &NodeId),
        said: (LastSeen, LastSeen, bool),
        (by, evidence): (&NodeId, Option<f64>),
    ) {
        let Some(peer) = knowledge.members.get(id).filter(|peer| peer.liveness() != Liveness::Left) else { return };
        let proof = peer.pulse.last_seen();
        let config = &knowledge.config.detection;
        match self.cases.accuse(at.now, hash.0, said, proof, config) {
            Accused::Known => {}
            Accused::Refuted | Accused::Later => {
                self.rumours.tell(hash, false, true);
                self.hurry(at.now);
            }
            Accused::New => {
                if !said.2 {
                    self.rumours.tell(hash, false, true);
                    self.hurry(at.now);
                }
                if knowledge.members.suspect(id, true) {
                    let silent_for = said.0.silence(at.now);
                    let (node, by) = (id.clone(), by.clone());
                    knowledge.tell(EventKind::NodeSuspected { node, silent_for, by, evidence });
                }
            }
        }
    }

    /// Answers what others say of this very node: it lives, and raises its life number so that everybody sees it.
    fn refute(&mut self, knowledge: &mut Knowledge, at: Moment, from: From<'_>, entry: &Entry) {
        if entry.run != knowledge.run {
            let report = members::Report {
                id: &knowledge.config.node_id.clone(),
                run: Some(entry.run),
                word: Word::Relay,
                written: from.lived,
                silence: Some(from.transit),
                allowance: from.transit,
                lives: None,
                heartbeat: 0,
                max_version: entry.max_version,
                complete_version: entry.max_version,
                last_gc_version: entry.last_gc_version,
                released_version: None,
            };
            let (members, mut env) = knowledge.members(at);
            return members.hear_of_namesake(&mut env, &report);
        }
        let is_accused = matches!(entry.status, Status::Suspect { .. } | Status::Dead { .. });
        if entry.life > self.life || (is_accused && entry.life == self.life) {
            self.life = entry.life.saturating_add(1).min(crate::limits::MAX_VERSION);
        } else if !is_accused {
            return;
        }
        self.touch_own(knowledge);
        self.rumours.tell(self.own, false, false);
        self.hurry(at.now);
    }

    /// Takes in key-values. `is_news`: they are passed on.
    pub(super) fn hear_delta(
        &mut self,
        knowledge: &mut Knowledge,
        at: Moment,
        from: From<'_>,
        delta: &Delta,
        is_news: bool,
    ) {
        for node_delta in &delta.node_deltas {
            let id = &node_delta.node_id;
            if *id == knowledge.config.node_id {
                knowledge.stats.own_deltas_rejected += 1;
                continue;
            }
            let before = knowledge.members.get(id).map(|peer| peer.complete_version);
            let word = if id == from.id { Word::Own(from.proof) } else { Word::Relay };
            knowledge.apply_claim(at, id, node_delta.run, claim_of(node_delta), &node_delta.key_values, word);
            let Some((before, peer)) = before.zip(knowledge.members.get(id)) else { continue };
            let has_advanced = peer.complete_version > before;
            let hash = hash_of(&knowledge.cluster_id, id);
            if has_advanced && is_news {
                self.rumours.tell_keys(hash, before);
                self.hurry(at.now);
            }
            self.touch(knowledge, at, hash, id);
        }
    }
}

fn claim_of(delta: &NodeDelta) -> Claim {
    let last_sent = delta.key_values.last().map_or(delta.from_version_excluded, |last| last.version);
    let complete_to = delta.max_version.unwrap_or(last_sent);
    Claim {
        from: delta.from_version_excluded,
        complete_to: Some(complete_to),
        as_of: delta.sender_complete_version.unwrap_or(complete_to),
        last_gc: delta.last_gc_version,
        says_if_cut: true,
    }
}
