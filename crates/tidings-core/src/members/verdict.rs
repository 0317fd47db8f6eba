//! Verdicts that come from elsewhere than heartbeats: who lives is found out by asking.

use crate::id::NodeId;
use crate::members::{Env, LastSeen, Members, Peer};

impl Members {
    /// Where a node stands.
    pub(crate) fn position_of(&self, id: &NodeId) -> Option<usize> {
        self.peers.get_index_of(id)
    }

    /// The node that stands there.
    pub(crate) fn by_position(&self, position: usize) -> Option<(&NodeId, &Peer)> {
        self.peers.get_index(position)
    }

    /// The node that holds the name of `id`.
    pub(crate) fn holder_of_name(&self, id: &NodeId) -> Option<&NodeId> {
        let position = self.holder_of(id.name())?;
        self.peers.get_index(position).map(|(holder, _)| holder)
    }

    /// It was found out whether a node lives. `seen`: when it last did.
    pub(crate) fn judge(&mut self, env: &mut Env<'_>, id: &NodeId, lives: bool, seen: Option<LastSeen>) {
        let Some((position, _, peer)) = self.peers.get_full_mut(id) else { return };
        peer.pulse.judge(lives, seen);
        peer.is_suspected = false;
        self.refresh(env, position);
    }

    /// A node is accused of being dead, or is not any more. True: that is new.
    pub(crate) fn suspect(&mut self, id: &NodeId, is_suspected: bool) -> bool {
        let Some(peer) = self.peers.get_mut(id) else { return false };
        core::mem::replace(&mut peer.is_suspected, is_suspected) != is_suspected
    }

    /// It has said itself, or others say, which of its refutations is its last. It only rises.
    pub(crate) fn raise_life(&mut self, id: &NodeId, life: u64) -> bool {
        let Some(peer) = self.peers.get_mut(id).filter(|peer| peer.life < life) else { return false };
        peer.life = life;
        true
    }
}
