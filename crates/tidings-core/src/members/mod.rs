//! The other nodes: live, dead, left, scheduled for deletion, forgotten.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use foldhash::fast::FixedState;
use indexmap::{Equivalent, IndexMap};

use crate::config::Config;
use crate::event::{EventKind, EventQueue};
use crate::id::{Address, NodeId};
use crate::limits::Limits;
use crate::snapshot::Liveness;
use crate::state::KeyValueUpdate;
#[cfg(feature = "record")]
use crate::state::NodeState;
use crate::state::{Applied, Claim, KeyChange, LEFT_KEY, RESERVED_PREFIX, ValueStatus};
use crate::stats::Stats;
use crate::suspicion::Detector;
use crate::time::Instant;

mod addresses;
mod age;
mod bindings;
mod challenger;
mod forgotten;
mod hear;
mod names;
mod peer;
mod places;
mod positions;
mod precedence;
mod proof;
mod pulse;
mod rank;
mod report;
mod told;
mod upkeep;
mod verdict;

use addresses::Addresses;
pub(crate) use age::LastSeen;
use bindings::Bindings;
pub(crate) use challenger::Challenger;
pub(crate) use forgotten::Echo;
use forgotten::Forgotten;
#[cfg(test)]
pub(crate) use peer::Holding;
pub(crate) use peer::Peer;
pub(crate) use precedence::{Proof, Word};
pub(crate) use rank::Rank;
pub(crate) use report::Report;
use told::Told;

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

/// The other nodes, by id. Of each name one run is known, the one that counts, and a challenger at most.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Members {
    self_id: NodeId,
    /// In the order in which they were heard of, but for what removals move: the same on every machine.
    #[cfg_attr(feature = "record", serde(with = "crate::record::in_order"))]
    peers: IndexMap<NodeId, Peer, FixedState>,
    /// The same ids in order, so that they are found by name.
    ids: BTreeSet<NodeId>,
    addresses: Addresses,
    forgotten: Forgotten,
    bindings: Bindings,
    /// Another process that goes by this node's own name.
    namesake: Option<Box<Challenger>>,
    /// The holders of names that two processes use.
    conflicts: BTreeSet<NodeId>,
    /// Live peers that will have been silent for too long before the next look at all of them, and from when on (in
    /// active time). Who beats meanwhile stays in here until then.
    due: BTreeSet<(Instant, NodeId)>,
    /// Bytes of all peers' keys and values; exact once a round, and never too low.
    state_bytes: usize,
    /// Those that were never live here, the first to give up their places first: those that nobody but others spoke of, and
    /// of them the one heard of first (in active time).
    unproven: BTreeSet<(bool, Instant, NodeId)>,
    /// How many were live at the last look at all of them.
    live: usize,
    told: Told,
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
            bindings: Bindings::default(),
            namesake: None,
            conflicts: BTreeSet::new(),
            due: BTreeSet::new(),
            state_bytes: 0,
            unproven: BTreeSet::new(),
            live: 0,
            told: Told::default(),
        }
    }

    /// This node advertises another address from now on.
    pub(crate) fn set_self_id(&mut self, self_id: NodeId) {
        self.self_id = self_id;
    }

    /// Whether this is a node that counts, or one that lays claim to the name of one.
    pub(crate) fn has_heard_of(&self, id: &NodeId) -> bool {
        let holder = self.holder_of(id.name()).and_then(|position| self.peers.get_index(position));
        holder.is_some_and(|(holder, peer)| holder == id || peer.challenger.as_ref().is_some_and(|of| of.id == *id))
    }

    pub(crate) fn get(&self, id: &NodeId) -> Option<&Peer> {
        self.peers.get(id)
    }

    /// The peer with its id as it is kept here.
    pub(crate) fn get_full(&self, id: &NodeId) -> Option<(&NodeId, &Peer)> {
        self.peers.get_key_value(id)
    }

    pub(crate) fn get_mut(&mut self, id: &NodeId) -> Option<&mut Peer> {
        self.peers.get_mut(id)
    }

    pub(crate) fn at_position(&self, position: usize) -> Option<(&NodeId, &Peer)> {
        self.peers.get_index(position)
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
        self.addresses.at(address).filter_map(|position| self.peers.get_index(position))
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

    /// How many were live in the last round.
    pub(crate) fn live_len(&self) -> usize {
        self.live
    }

    pub(crate) fn is_live_at(&self, position: usize) -> bool {
        self.peers.get_index(position).is_some_and(|(_, peer)| peer.liveness == Liveness::Live)
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
        word: Word,
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
        let says_so = |update: &KeyValueUpdate| *update.key == *LEFT_KEY && update.status != ValueStatus::Deleted;
        peer.left_by_own_word |= peer.has_left && word.is_proved() && key_values.iter().any(says_so);
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
            |(position, id): (usize, &NodeId)| self.addresses.at(id.gossip_advertise_addr()).any(|at| at == position);
        let placed = self.addresses.iter().map(|(_, positions)| positions.len()).sum::<usize>();
        if placed != self.peers.len() || !self.peers.keys().enumerate().all(is_found) {
            return Err("the addresses are not those of the peers");
        }
        for (id, peer) in &self.peers {
            let kept = (peer.complete_version, peer.last_gc_version, peer.has_left);
            if kept != (peer.state.max_version(), peer.state.last_gc_version(), peer.state.get(LEFT_KEY).is_some()) {
                return Err("what is kept of a state is not what it says");
            }
            if peer.challenger.as_ref().is_some_and(|challenger| challenger.id.name() != id.name()) {
                return Err("a challenger has another name");
            }
            peer.state.check()?;
        }
        let is_noted = |(id, peer): &(&NodeId, &Peer)| self.unproven.contains(&peer.unproven_key(id));
        let unproven = self.peers.iter().filter(|(_, peer)| !peer.announced);
        if unproven.clone().count() != self.unproven.len() || !unproven.clone().all(|of| is_noted(&of)) {
            return Err("the unproven nodes are not those that were never live");
        }
        let mut names = self.ids.iter().map(NodeId::name);
        let mut before = names.next();
        if names.any(|name| before.replace(name) == Some(name)) {
            return Err("two nodes of one name count");
        }
        self.check_told()?;
        self.forgotten.check()
    }

    /// The highest of all numbers that are counted up from here.
    #[cfg(feature = "record")]
    pub(crate) fn highest_number(&self) -> u64 {
        let of_state = |state: &NodeState| state.max_version().max(state.last_gc_version());
        let of_peer = |peer: &Peer| peer.pulse.heartbeat().max(peer.heard_version).max(of_state(&peer.state));
        let numbers = self.peers.values().map(of_peer);
        numbers.chain([self.forgotten.highest_number(), self.state_bytes as u64]).max().unwrap_or(0)
    }

    pub(crate) fn bindings_len(&self) -> usize {
        self.bindings.len()
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
