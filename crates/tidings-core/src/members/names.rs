//! Names that more than one process goes by.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::event::EventKind;
use crate::id::{Address, NodeId, Run};
use crate::members::challenger::Challenger;
use crate::members::hear::is_ended;
use crate::members::peer::Former;
use crate::members::precedence::{History, Proof, Ruling, is_later, rule};
use crate::members::{Env, Members, Peer, Report};
use crate::snapshot::Liveness;
use crate::suspicion::Detector;
use crate::time::Instant;

impl Members {
    /// Takes note of what is said of a run that does not hold its name. True: it holds it from now on.
    pub(super) fn hear_of_challenger(&mut self, env: &mut Env<'_>, position: usize, report: &Report<'_>) -> bool {
        // The two that are weighed against each other.
        env.stats.work.visit(2);
        let Some((_, peer)) = self.peers.get_index_mut(position) else { return false };
        let is_former = |former: &&Former| former.id == *report.id && !Run::differ(former.run, report.run);
        let former = peer.former.as_ref().filter(is_former);
        let is_old_news =
            former.is_some_and(|former| report.heartbeat <= former.heartbeat) || self.forgotten.is_old_news(report);
        let (was_replaced, conflict_told) = (former.is_some(), former.is_some_and(|former| former.conflict_told));
        match &mut peer.challenger {
            Some(challenger) if challenger.is(report) => challenger.hear(env, report),
            Some(challenger) if !challenger.gives_way(env, report.word) => return false,
            _ if is_ended(env, report) || is_old_news => {
                env.stats.departed_ignored += 1;
                return false;
            }
            place => *place = Some(Box::new(Challenger::new(env, report, was_replaced, conflict_told))),
        }
        self.settle(env, position)
    }

    /// Decides whether the challenger of the node at `position` takes its place, and tells of a conflict. True: it does.
    pub(super) fn settle(&mut self, env: &mut Env<'_>, position: usize) -> bool {
        let Some((id, peer)) = self.peers.get_index_mut(position) else { return false };
        let Some(mut challenger) = peer.challenger.take() else { return false };
        let (standing, other) = (peer.standing(id, env), challenger.standing(env));
        let since = challenger.since;
        let both_beat_on =
            challenger.pulse.has_beaten_on_since(since, env) && peer.pulse.has_beaten_on_since(since, env);
        let history = History {
            was_replaced: challenger.was_replaced,
            both_beat_on,
            has_majority: challenger.has_majority(is_later(other, standing)),
        };
        let ruling = rule(standing, other, history);
        let is_seen_twice = history.was_replaced && standing.beats && other.proof > Some(Proof::Presence);
        let is_conflict = both_beat_on || is_seen_twice;
        challenger.conflict_told &= challenger.pulse.is_alive(env) || other.proof.is_some();
        if is_conflict {
            self.conflicts.insert(id.clone());
            if !core::mem::replace(&mut challenger.conflict_told, true) {
                env.tell(EventKind::NodeConflict { node: id.clone(), other: challenger.id.clone() });
            }
        }
        if ruling == Ruling::Yields {
            self.take_over(env, position, *challenger);
            return true;
        }
        peer.challenger = Some(challenger);
        self.note(env, position);
        false
    }

    /// Lets a challenger hold the name of the node at `position`.
    fn take_over(&mut self, env: &mut Env<'_>, position: usize, challenger: Challenger) {
        let Some((old_id, old)) = self.peers.get_index_mut(position) else { return };
        let (old_id, new_id) = (old_id.clone(), challenger.id.clone());
        let has_moved = challenger.is_moved(&old_id, old.run());
        let successor = match has_moved {
            true => Peer::moved(env, challenger, &old_id, old),
            false => Peer::succeeding(env, challenger, &old_id, old),
        };
        let new_key = Some(successor.unproven_key(&new_id)).filter(|_| !successor.was_live());
        let old = core::mem::replace(old, successor);
        if let Some(former) = old.former.as_ref().filter(|former| former.id != old_id) {
            self.forgotten.remember_former(env, former, &new_id);
        }
        self.unproven.remove(&old.unproven_key(&old_id));
        self.unproven.extend(new_key);
        if old_id != new_id {
            // No other node has this id: of each name one is known.
            let _ = self.peers.replace_index(position, new_id.clone());
            self.ids.remove(&old_id);
            self.ids.insert(new_id.clone());
            self.addresses.remove(old_id.gossip_advertise_addr(), position);
            self.addresses.insert(new_id.gossip_advertise_addr().clone(), position);
            self.forgotten.remove(&new_id);
            if self.conflicts.remove(&old_id) {
                self.conflicts.insert(new_id.clone());
            }
        }
        match old.liveness {
            _ if has_moved && old.announced => env.tell(EventKind::NodeMoved { old: old_id, new: new_id }),
            Liveness::Live => env.tell(EventKind::NodeRestarted { old: old_id, new: new_id }),
            _ if old.announced || old.keys_told => env.tell(EventKind::NodeForgotten { node: old_id }),
            _ => {}
        }
        self.refresh(env, position);
    }

    /// Takes note of another process under this node's own name. Here this node counts, whatever others say; that both
    /// are running is told.
    pub(crate) fn hear_of_namesake(&mut self, env: &mut Env<'_>, report: &Report<'_>) {
        match &mut self.namesake {
            Some(namesake) if namesake.is(report) => namesake.hear(env, report),
            Some(namesake) if !namesake.gives_way(env, report.word) => return,
            _ if is_ended(env, report) => {
                env.stats.departed_ignored += 1;
                return;
            }
            place => *place = Some(Box::new(Challenger::new(env, report, false, false))),
        }
        self.settle_namesake(env);
    }

    pub(super) fn settle_namesake(&mut self, env: &mut Env<'_>) {
        let Some(namesake) = &mut self.namesake else { return };
        namesake.conflict_told &= namesake.pulse.is_alive(env);
        let runs = namesake.pulse.has_beaten_on_since(namesake.since, env);
        if runs && !core::mem::replace(&mut namesake.conflict_told, true) {
            env.tell(EventKind::NodeConflict { node: self.self_id.clone(), other: namesake.id.clone() });
        }
        if namesake.is_spent(env) {
            self.namesake = None;
        }
    }

    /// The `tls_name` that a name belongs to, where a node goes by it with another one, or with none. Such a node is
    /// counted and told of.
    pub(crate) fn refuses_name(&mut self, env: &mut Env<'_>, id: &NodeId) -> Option<String> {
        let belongs_to = self.bindings.refuses(id).map(String::from)?;
        env.stats.names_refused += 1;
        if let Some((holder, peer)) = self.holder_of(id.name()).and_then(|p| self.peers.get_index_mut(p))
            && !core::mem::replace(&mut peer.refusal_told, true)
        {
            env.tell(EventKind::NameRefused { node: holder.clone(), other: id.clone() });
        }
        Some(belongs_to)
    }

    /// A node has spoken by its certificate: its name belongs to that from now on.
    pub(crate) fn bind(&mut self, id: &NodeId, max: usize) {
        self.bindings.bind(id, max);
    }

    /// A member shows itself which run of each name in conflict it takes for the holder.
    pub(crate) fn take_votes<'a>(&mut self, member: &NodeId, told: impl Iterator<Item = &'a NodeId>) {
        const MOST_AT_A_TIME: usize = 8;
        let holders = self.conflicts.iter().take(MOST_AT_A_TIME).filter(|holder| holder.name() != member.name());
        let mut votes: Vec<(&NodeId, Option<&NodeId>)> = holders.map(|holder| (holder, None)).collect();
        if votes.is_empty() {
            return;
        }
        for id in told {
            for (holder, shown) in &mut votes {
                // A name's holder is told of before its challenger.
                if shown.is_none() && id.name() == holder.name() {
                    *shown = Some(id);
                }
            }
        }
        for (holder, shown) in votes {
            let challenger = self.peers.get_mut(holder).and_then(|peer| peer.challenger.as_mut());
            if let (Some(challenger), Some(shown)) = (challenger, shown) {
                challenger.vote(member, *shown == challenger.id);
            }
        }
    }

    /// The addresses whose nodes are to be asked themselves: who lays claim to a name and has not proved that it runs, of
    /// whom others say what cannot be believed, and who has answered before and will soon be dead.
    pub(crate) fn in_question(
        &self,
        active: Instant,
        detector: Detector,
        max_interval: Duration,
    ) -> impl Iterator<Item = &Address> {
        self.peers.iter().flat_map(move |(id, peer)| {
            let challenger = peer.challenger.as_deref();
            let challenger = challenger.filter(|challenger| challenger.is_worth_asking(active, max_interval));
            let holder = peer.is_doubted
                || challenger.is_some_and(|challenger| challenger.conflict_told)
                || (peer.has_proved_itself() && peer.is_overdue(active, &detector));
            let holder = holder.then(|| id.gossip_advertise_addr());
            challenger.map(|challenger| challenger.id.gossip_advertise_addr()).into_iter().chain(holder)
        })
    }

    /// Whether a node is known to be live, by its id.
    pub(crate) fn is_live(&self, id: &NodeId) -> bool {
        self.peers.get(id).is_some_and(|peer| peer.liveness == Liveness::Live)
    }
}
