//! The other nodes: live, dead, left, scheduled for deletion, forgotten.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use foldhash::fast::FixedState;
use indexmap::{Equivalent, IndexMap};

use crate::config::Config;
use crate::event::{EventKind, EventQueue};
use crate::id::{Address, NodeId};
use crate::limits::{Limits, MAX_JUMP};
use crate::snapshot::Liveness;
use crate::state::KeyValueUpdate;
#[cfg(feature = "record")]
use crate::state::NodeState;
use crate::state::{Applied, Claim, KeyChange, LEFT_KEY, RESERVED_PREFIX};
use crate::stats::Stats;
use crate::suspicion::{Detector, HeartbeatWindow};
use crate::time::Instant;

mod addresses;
mod forgotten;
mod peer;
mod report;

use addresses::Addresses;
use forgotten::Forgotten;
pub(crate) use peer::Peer;
pub(crate) use report::Report;

/// What every change needs to know and to tell. `active` is the time this process has been running; see
/// [`ActiveClock`](crate::suspicion::ActiveClock).
pub(crate) struct Env<'a> {
    pub(crate) now: Instant,
    pub(crate) active: Instant,
    pub(crate) detector: Detector,
    pub(crate) config: &'a Config,
    pub(crate) events: &'a mut EventQueue,
    pub(crate) stats: &'a mut Stats,
}

impl Env<'_> {
    pub(crate) fn tell(&mut self, kind: EventKind) {
        self.events.push(kind, self.stats);
    }

    /// Tells of changed keys, but not of those that are the protocol's own.
    pub(crate) fn tell_changes(&mut self, node: &NodeId, changes: Vec<KeyChange>) {
        for KeyChange { key, old, new } in changes.into_iter().filter(|c| !c.key.starts_with(RESERVED_PREFIX)) {
            self.tell(EventKind::KeyChanged { node: node.clone(), key, old, new });
        }
    }
}

/// The other nodes, by id.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Members {
    self_id: NodeId,
    /// In the order in which they were heard of, but for what removals move: the same on every machine.
    #[cfg_attr(feature = "record", serde(with = "crate::record::in_order"))]
    peers: IndexMap<NodeId, Peer, FixedState>,
    /// The same ids in order, so that the runs of one name are found beside each other.
    ids: BTreeSet<NodeId>,
    addresses: Addresses,
    forgotten: Forgotten,
    /// Live peers that will have been silent for too long before the next look at all of them, and from when on (in
    /// active time). Who beats meanwhile stays in here until then.
    due: BTreeSet<(Instant, NodeId)>,
    /// Bytes of all peers' keys and values; exact once a round, and never too low.
    state_bytes: usize,
}

impl Members {
    /// `hash_seed` keeps peers from choosing ids that collide.
    pub(crate) fn new(self_id: NodeId, hash_seed: u64) -> Members {
        let peers = IndexMap::with_hasher(FixedState::with_seed(hash_seed));
        Members {
            self_id,
            peers,
            ids: BTreeSet::new(),
            addresses: Addresses::default(),
            forgotten: Forgotten::default(),
            due: BTreeSet::new(),
            state_bytes: 0,
        }
    }

    pub(crate) fn get(&self, id: &NodeId) -> Option<&Peer> {
        self.peers.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &NodeId) -> Option<&mut Peer> {
        self.peers.get_mut(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&NodeId, &Peer)> {
        self.peers.iter()
    }

    /// All peers in order of id.
    pub(crate) fn iter_sorted(&self) -> impl Iterator<Item = (&NodeId, &Peer)> {
        self.ids.iter().filter_map(|id| Some((id, self.peers.get(id)?)))
    }

    /// The peers at this address.
    pub(crate) fn at(&self, address: &Address) -> impl Iterator<Item = (&NodeId, &Peer)> {
        self.addresses.at(address).iter().filter_map(|position| self.peers.get_index(*position))
    }

    /// The addresses, in order, where one of these peers is.
    pub(crate) fn addresses_of(&self, is_wanted: impl Fn(&Peer) -> bool) -> Vec<&Address> {
        let is_wanted = |position: &usize| self.peers.get_index(*position).is_some_and(|(_, peer)| is_wanted(peer));
        let wanted = self.addresses.iter().filter(|(_, positions)| positions.iter().any(is_wanted));
        wanted.map(|(address, _)| address).collect()
    }

    /// The peer whose id has this encoded form, and where it stands.
    #[inline]
    pub(crate) fn by_encoded(&self, encoded: &[u8]) -> Option<(usize, &NodeId)> {
        self.peers.get_full(&Encoded(encoded)).map(|(position, id, _)| (position, id))
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(crate) fn state_bytes(&self) -> usize {
        self.peers.values().map(|peer| peer.state.bytes()).sum()
    }

    /// Applies a delta to a peer's state, within the limits of that peer and of all together. `None`: it is unknown.
    pub(crate) fn apply(
        &mut self,
        env: &mut Env<'_>,
        id: &NodeId,
        claim: Claim,
        key_values: &[KeyValueUpdate],
    ) -> Option<Applied> {
        let (position, _, peer) = self.peers.get_full_mut(id)?;
        let limits = &env.config.limits;
        let before = peer.state.bytes();
        let room = before.saturating_add(limits.max_state_bytes.saturating_sub(self.state_bytes));
        let limits = Limits { max_state_bytes_per_node: limits.max_state_bytes_per_node.min(room), ..limits.clone() };
        let mut changes = Vec::new();
        let applied = peer.change_state(|state| state.apply(env.now, claim, key_values, &limits, &mut changes));
        self.state_bytes += peer.state.bytes().saturating_sub(before);
        peer.heard_version = peer.heard_version.max(peer.complete_version);
        peer.keys_told |= !changes.is_empty();
        env.tell_changes(id, changes);
        self.refresh(env, position);
        Some(applied)
    }

    pub(crate) fn forgotten_len(&self) -> usize {
        self.forgotten.len()
    }

    pub(crate) fn with_liveness(&self, liveness: Liveness) -> impl Iterator<Item = (&NodeId, &Peer)> {
        self.peers.iter().filter(move |(_, peer)| peer.liveness == liveness)
    }

    /// Takes note of what is said of a node heard of for the first time, or again after it was forgotten. Gives the
    /// position it has from now on; `None`: it stays out.
    pub(crate) fn hear_of_stranger(&mut self, env: &mut Env<'_>, report: Report<'_>) -> Option<usize> {
        if !self.admit(env, report) {
            return None;
        }
        let position = self.peers.len() - 1;
        self.hear_of_peer(env, position, report);
        Some(position)
    }

    /// Takes note of what is said of the node at `position`.
    pub(crate) fn hear_of_peer(&mut self, env: &mut Env<'_>, position: usize, report: Report<'_>) {
        let Some((_, peer)) = self.peers.get_index_mut(position) else { return };

        let is_newest = report.heartbeat >= peer.heartbeat;
        let beat = report.heartbeat > peer.heartbeat;
        if is_newest && report.heartbeat - peer.heartbeat > MAX_JUMP {
            env.stats.jumps_refused += 1;
            return;
        }
        if beat {
            peer.heartbeat = report.heartbeat;
            peer.window.report_heartbeat(env.active, &env.detector);
        }
        peer.protocol_revision = peer.protocol_revision.max(report.protocol_revision);
        if is_newest && report.trusted {
            peer.released_version = report.released_version;
        }
        if report.max_version.saturating_sub(peer.heard_version) <= MAX_JUMP || peer.heard_version == 0 {
            peer.heard_version = peer.heard_version.max(report.max_version);
        } else {
            env.stats.jumps_refused += 1;
        }
        let can_follow = peer.last_gc_version + 1..=peer.complete_version;
        if report.trusted && can_follow.contains(&report.last_gc_version) {
            let mut changes = Vec::new();
            peer.change_state(|state| state.follow_gc(env.now, report.last_gc_version, &mut changes));
            env.tell_changes(report.id, changes);
        }
        // Nearly always a live node has beaten again, and nothing changes by it.
        let is_plain = peer.liveness == Liveness::Live && !peer.is_superseded() && !peer.is_own_namesake;
        if beat && !is_plain {
            self.refresh(env, position);
        }
    }

    /// Takes in a node heard of for the first time, or again. False: it stays out.
    fn admit(&mut self, env: &mut Env<'_>, report: Report<'_>) -> bool {
        let id = report.id;
        if !self.forgotten.lets_return(env, id, report.heartbeat) {
            return false;
        }
        if self.peers.len() >= env.config.limits.max_nodes {
            env.stats.nodes_refused += 1;
            return false;
        }
        self.forgotten.remove(id);
        let is_own_namesake = id.name() == self.self_id.name();
        let mut peer = Peer::new(env, report, is_own_namesake);

        let namesakes: Vec<NodeId> = self.namesakes(id).cloned().collect();
        let is_highest = namesakes.last().is_none_or(|highest| highest < id);
        let counts_here = !is_own_namesake || *id > self.self_id;
        if is_highest && counts_here {
            for old in &namesakes {
                self.supersede(env, old, id);
            }
        } else {
            peer.superseded_at = Some(env.active);
        }
        let (position, _) = self.peers.insert_full(id.clone(), peer);
        self.ids.insert(id.clone());
        self.addresses.insert(id.gossip_advertise_addr().clone(), position);
        true
    }

    /// The known nodes of the same name, `id` itself left out, lowest generation first.
    fn namesakes<'a>(&'a self, id: &'a NodeId) -> impl Iterator<Item = &'a NodeId> {
        let lowest = NodeId::lowest_of_name(id.name());
        self.ids.range(lowest..).take_while(|o| o.name() == id.name()).filter(move |o| *o != id)
    }

    /// Lets `new` count in place of `old`.
    fn supersede(&mut self, env: &mut Env<'_>, old: &NodeId, new: &NodeId) {
        let Some(peer) = self.peers.get_mut(old) else { return };
        if peer.superseded_at.is_some() {
            return;
        }
        peer.superseded_at = Some(env.active);
        peer.window = HeartbeatWindow::default();
        if peer.liveness == Liveness::Live {
            peer.liveness = Liveness::Dead;
            peer.since = env.now;
            env.tell(EventKind::NodeRestarted { old: old.clone(), new: new.clone() });
        }
    }

    /// Looks again at the node at `position`: its heartbeats, its namesakes, its farewell.
    fn refresh(&mut self, env: &mut Env<'_>, position: usize) {
        let Some((id, peer)) = self.peers.get_index(position) else { return };
        if peer.is_superseded() {
            self.refresh_superseded(env, &id.clone());
        } else if peer.is_own_namesake {
            self.refresh_own_successor(env, &id.clone());
        }
        let Some((id, peer)) = self.peers.get_index_mut(position) else { return };
        let is_alive = peer.is_alive(env);
        let liveness = if peer.is_superseded() {
            Liveness::Dead
        } else if peer.has_left {
            Liveness::Left
        } else if is_alive {
            Liveness::Live
        } else {
            Liveness::Dead
        };
        if !is_alive {
            peer.window.reset();
        }
        let before = core::mem::replace(&mut peer.liveness, liveness);
        if before == liveness {
            return;
        }
        if before == Liveness::Live || liveness == Liveness::Left {
            peer.since = env.now;
        }
        peer.announced |= liveness == Liveness::Live;
        let node = id.clone();
        match (before, liveness) {
            (_, Liveness::Live) => env.tell(EventKind::NodeJoined { node }),
            (Liveness::Live, Liveness::Left) => env.tell(EventKind::NodeLeft { node }),
            (Liveness::Live, Liveness::Dead) => env.tell(EventKind::NodeDied { node }),
            (Liveness::Left | Liveness::Dead, _) => {}
        }
    }

    /// A node whose name another has taken: if both beat, that is a conflict; if only this one does, it counts again.
    fn refresh_superseded(&mut self, env: &mut Env<'_>, id: &NodeId) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        peer.conflict_told &= peer.is_alive(env);
        let Some(at) = peer.superseded_at.filter(|at| peer.has_beaten_on_since(*at, env)) else { return };

        let holder = self.namesakes(id).find(|o| self.peers.get(*o).is_some_and(|p| !p.is_superseded())).cloned();
        match holder.as_ref().and_then(|holder| self.peers.get(holder)) {
            // It may have stopped just now, and will be silent or beat again.
            Some(holder) if !holder.is_silent(env) && !holder.has_beaten_on_since(at, env) => return,
            Some(holder) if !holder.is_silent(env) => {}
            None if id.name() == self.self_id.name() => {}
            Some(_) | None => return self.count_again(env, holder.as_ref(), id),
        }
        let holder = holder.unwrap_or_else(|| self.self_id.clone());
        self.tell_conflict(env, id, EventKind::NodeConflict { node: holder, other: id.clone() });
    }

    /// Lets a superseded node count in place of `holder`, or of one that was forgotten.
    fn count_again(&mut self, env: &mut Env<'_>, holder: Option<&NodeId>, id: &NodeId) {
        if let Some(holder) = holder {
            self.supersede(env, holder, id);
        }
        if let Some(peer) = self.peers.get_mut(id) {
            peer.superseded_at = None;
            peer.conflict_told = false;
        }
    }

    /// Tells once of a conflict that `id` is in.
    fn tell_conflict(&mut self, env: &mut Env<'_>, id: &NodeId, conflict: EventKind) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        if !core::mem::replace(&mut peer.conflict_told, true) {
            env.tell(conflict);
        }
    }

    /// A newer run of this very node counts, but this one is running too.
    fn refresh_own_successor(&mut self, env: &mut Env<'_>, id: &NodeId) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        peer.conflict_told &= peer.is_alive(env);
        if peer.has_beaten_on_since(peer.first_heard, env) {
            let other = self.self_id.clone();
            self.tell_conflict(env, id, EventKind::NodeConflict { node: id.clone(), other });
        }
    }

    /// Once a round: looks at every node, ends grace periods, forgets.
    pub(crate) fn refresh_all(&mut self, env: &mut Env<'_>) {
        let grace = env.config.marked_for_deletion_grace_period;
        let mut over = Vec::new();
        self.due.clear();
        for position in 0..self.peers.len() {
            self.refresh(env, position);
            self.watch(env, position);
            let Some((id, peer)) = self.peers.get_index_mut(position) else { continue };
            if peer.state.has_expired(env.now, grace) {
                let mut changes = Vec::new();
                peer.change_state(|state| state.expire(env.now, grace, &mut changes));
                env.tell_changes(id, changes);
            }
            let dead_grace = env.config.failure_detector.dead_node_grace_period;
            if peer.liveness != Liveness::Live && env.now >= peer.since + dead_grace {
                over.push(id.clone());
            }
        }
        for id in &over {
            self.forget(env, id);
        }
        self.state_bytes = self.state_bytes();
    }

    /// When the next peer will have been silent for too long, in active time, if that is before the next round.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Looks at the peers that have been silent for too long by now, unless they have beaten meanwhile.
    pub(crate) fn refresh_due(&mut self, env: &mut Env<'_>) {
        while let Some((at, id)) = self.due.pop_first() {
            if at > env.active {
                self.due.insert((at, id));
                return;
            }
            let Some(position) = self.peers.get_index_of(&id) else { continue };
            self.refresh(env, position);
            self.watch(env, position);
        }
    }

    /// Has a live peer looked at again when its silence is too long, if that is before the next look at all.
    fn watch(&mut self, env: &Env<'_>, position: usize) {
        let Some((id, peer)) = self.peers.get_index(position) else { return };
        if peer.liveness != Liveness::Live {
            return;
        }
        let until = env.active + env.config.gossip_interval;
        if let Some(at) = peer.window.suspect_at(&env.detector).filter(|at| *at > env.active && *at < until) {
            self.due.insert((at, id.clone()));
        }
    }

    fn forget(&mut self, env: &mut Env<'_>, id: &NodeId) {
        let Some((position, _, peer)) = self.peers.swap_remove_full(id) else { return };
        self.ids.remove(id);
        self.addresses.remove(id.gossip_advertise_addr(), position);
        if let Some((moved, _)) = self.peers.get_index(position) {
            self.addresses.moved(moved.gossip_advertise_addr(), self.peers.len(), position);
        }
        self.forgotten.remember(env, id.clone(), peer.heartbeat);
        if peer.announced || peer.keys_told {
            env.tell(EventKind::NodeForgotten { node: id.clone() });
        }
    }

    /// What `invariants` holds against the members.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.peers.contains_key(&self.self_id) {
            return Err("this node stands among its own peers");
        }
        if self.ids.len() != self.peers.len() || self.ids.iter().any(|id| !self.peers.contains_key(id)) {
            return Err("the ids in order are not those of the peers");
        }
        if self.peers.keys().any(|id| self.forgotten.contains(id)) {
            return Err("a known node is also a forgotten one");
        }
        let is_found =
            |(position, id): (usize, &NodeId)| self.addresses.at(id.gossip_advertise_addr()).contains(&position);
        let placed = self.addresses.iter().map(|(_, positions)| positions.len()).sum::<usize>();
        if placed != self.peers.len() || !self.peers.keys().enumerate().all(is_found) {
            return Err("the addresses are not those of the peers");
        }
        for (id, peer) in &self.peers {
            let kept = (peer.complete_version, peer.last_gc_version, peer.has_left);
            if kept != (peer.state.max_version(), peer.state.last_gc_version(), peer.state.get(LEFT_KEY).is_some()) {
                return Err("what is kept of a state is not what it says");
            }
            if peer.is_superseded() && peer.liveness == Liveness::Live {
                return Err("a superseded node is live");
            }
            let holders = self.namesakes(id).filter(|o| self.peers.get(*o).is_some_and(|p| !p.is_superseded())).count();
            if !peer.is_superseded() && holders > 0 {
                return Err("two nodes of one name count");
            }
            peer.state.check()?;
        }
        Ok(())
    }

    /// The highest of all numbers that are counted up from here.
    #[cfg(feature = "record")]
    pub(crate) fn highest_number(&self) -> u64 {
        let of_state = |state: &NodeState| state.max_version().max(state.last_gc_version());
        let of_peer = |peer: &Peer| peer.heartbeat.max(peer.heard_version).max(of_state(&peer.state));
        let numbers = self.peers.values().map(of_peer);
        numbers.chain([self.forgotten.highest_number(), self.state_bytes as u64]).max().unwrap_or(0)
    }

    /// Whose members these are.
    pub(crate) fn self_id(&self) -> &NodeId {
        &self.self_id
    }
}

/// An id by its encoded form, to look it up before it is made.
struct Encoded<'a>(&'a [u8]);

impl Hash for Encoded<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // As the id itself does.
        state.write(self.0);
    }
}

impl Equivalent<NodeId> for Encoded<'_> {
    fn equivalent(&self, id: &NodeId) -> bool {
        self.0 == id.encoded()
    }
}

#[cfg(test)]
mod tests;
