//! What time does to the members: they fall silent, come back, are forgotten.

use alloc::vec::Vec;

use crate::error::ForgetError;
use crate::event::EventKind;
use crate::id::NodeId;
use crate::members::{Challenger, Env, Members};
use crate::snapshot::Liveness;
use crate::time::Instant;

impl Members {
    /// Looks again at the node at `position`: its signs of life, and its farewell.
    pub(super) fn refresh(&mut self, env: &mut Env<'_>, position: usize) {
        let Some((id, peer)) = self.peers.get_index_mut(position) else { return };
        let is_alive = peer.pulse.is_alive(env);
        let moves = |challenger: &Challenger| challenger.is_moved(id, peer.run());
        // It is not dead if it is heard of under its next id.
        if !is_alive
            && peer.liveness == Liveness::Live
            && peer.challenger.as_deref().is_some_and(moves)
            && self.settle(env, position)
        {
            return;
        }
        let Some((id, peer)) = self.peers.get_index_mut(position) else { return };
        // Others may say that it leaves while it does not: as long as it beats they are not believed.
        let has_left = peer.has_left && (peer.left_by_own_word || !peer.pulse.beats_now(env));
        let liveness = match (has_left, is_alive) {
            (true, _) => Liveness::Left,
            (false, true) => Liveness::Live,
            (false, false) => Liveness::Dead,
        };
        if !is_alive {
            peer.pulse.stop();
        }
        let before = core::mem::replace(&mut peer.liveness, liveness);
        if before == liveness {
            return self.note(env, position);
        }
        peer.since = env.now;
        if liveness == Liveness::Live && !core::mem::replace(&mut peer.announced, true) {
            self.unproven.remove(&peer.unproven_key(id));
        }
        let node = id.clone();
        self.note(env, position);
        match (before, liveness) {
            (_, Liveness::Live) => env.tell(EventKind::NodeJoined { node }),
            (Liveness::Live, Liveness::Left) => env.tell(EventKind::NodeLeft { node }),
            (Liveness::Live, Liveness::Dead) => env.tell(EventKind::NodeDied { node }),
            (Liveness::Left | Liveness::Dead | Liveness::Suspect, _) | (_, Liveness::Suspect) => {}
        }
    }

    /// Once a round: looks at every node, ends grace periods, forgets.
    pub(crate) fn refresh_all(&mut self, env: &mut Env<'_>) {
        let mut over = Vec::new();
        self.due.clear();
        env.stats.work.visit(self.peers.len());
        self.live = 0;
        for position in 0..self.peers.len() {
            over.extend(self.refresh_and_expire(env, position));
            self.watch(env, position);
            let is_live = self.peers.get_index(position).is_some_and(|(_, peer)| peer.liveness == Liveness::Live);
            self.live += usize::from(is_live);
        }
        for id in &over {
            self.forget(env, id);
        }
        self.free_places(env);
        self.settle_namesake(env);
        self.forgotten.expire(env);
        self.state_bytes = self.state_bytes();
    }

    /// Looks at the `count` nodes from `from` on, ends their grace periods, and forgets. Gives the forgotten ones. A dialect
    /// whose nodes change by what is told of them alone looks at a few each round, whatever the number of all.
    pub(crate) fn refresh_some(&mut self, env: &mut Env<'_>, from: usize, count: usize) -> Vec<NodeId> {
        let mut over = Vec::new();
        for position in (from..self.peers.len()).take(count) {
            over.extend(self.refresh_and_expire(env, position));
        }
        for id in &over {
            self.forget(env, id);
        }
        if from == 0 {
            self.free_places(env);
            self.state_bytes = self.state_bytes();
        }
        self.settle_namesake(env);
        self.forgotten.expire(env);
        over
    }

    /// Looks at the node at `position` and its challenger, and ends what is over of its key-values. Gives it where all of it
    /// is over.
    fn refresh_and_expire(&mut self, env: &mut Env<'_>, position: usize) -> Option<NodeId> {
        self.refresh(env, position);
        self.refresh_challenger(env, position);
        let (id, peer) = self.peers.get_index_mut(position)?;
        let grace = env.config.marked_for_deletion_grace_period;
        if peer.state.has_expired(env.now, grace) {
            let mut changes = Vec::new();
            peer.change_state(|state| state.expire(env.now, grace, &mut changes));
            env.tell_changes(id, changes);
        }
        peer.is_over(env).then(|| id.clone())
    }

    fn refresh_challenger(&mut self, env: &mut Env<'_>, position: usize) {
        let Some((id, peer)) = self.peers.get_index_mut(position) else { return };
        if peer.challenger.as_ref().is_none_or(|challenger| challenger.is_spent(env)) {
            if !self.conflicts.is_empty() {
                self.conflicts.remove(id);
            }
            if peer.challenger.take().is_some() {
                self.note(env, position);
            }
            return;
        }
        self.settle(env, position);
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
            self.settle(env, position);
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
        let at = if peer.has_left { peer.pulse.pauses_at(env) } else { peer.pulse.suspect_at(env) };
        if let Some(at) = at.filter(|at| *at > env.active && *at < until) {
            self.due.insert((at, id.clone()));
        }
    }

    /// An operator knows that a node will not come back: forgets it, and whose its name is. The name may outlast what is
    /// known of the node.
    pub(crate) fn forget_for_good(&mut self, env: &mut Env<'_>, id: &NodeId) -> Result<(), ForgetError> {
        if let Some((holder, _)) = self.holder_of(id.name()).and_then(|position| self.peers.get_index(position))
            && self.is_live(holder)
        {
            return Err(ForgetError::Live { node: holder.clone() });
        }
        let was_bound = self.bindings.release(id.name());
        let is_known = self.peers.contains_key(id);
        self.forget(env, id);
        if is_known || was_bound { Ok(()) } else { Err(ForgetError::Unknown { node: id.clone() }) }
    }

    pub(super) fn forget(&mut self, env: &mut Env<'_>, id: &NodeId) {
        env.stats.work.visit(1);
        let Some((position, _, peer)) = self.peers.swap_remove_full(id) else { return };
        self.ids.remove(id);
        self.unproven.remove(&peer.unproven_key(id));
        self.conflicts.remove(id);
        self.addresses.remove(id.gossip_advertise_addr(), position);
        self.told.swap_removed(position, self.peers.len());
        if let Some((moved, _)) = self.peers.get_index(position) {
            self.addresses.moved(moved.gossip_advertise_addr(), self.peers.len(), position);
        }
        self.forgotten.remember(env, id.clone(), &peer);
        if peer.announced || peer.keys_told {
            env.tell(EventKind::NodeForgotten { node: id.clone() });
        }
    }
}
