//! Who is told of, and by what rank: kept, so that no packet needs a look at all members.

use crate::id::NodeId;
use crate::members::forgotten::Echo;
use crate::members::positions::Positions;
use crate::members::{Challenger, Env, Members, Peer, Rank};
use crate::rng::Random;

/// So many challengers are looked at for one digest, and others for the next.
const MOST_CHALLENGERS: usize = 256;

/// The members that others are told of, as of the last look at each: a member that has only grown older since is found out
/// in the next round.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Told {
    /// By rank.
    ranks: [Positions; Rank::COUNT],
    /// Those of them that may have key-values, or had.
    stateful: Positions,
    /// The members that have a challenger, told of or not.
    challenged: Positions,
    /// The members that Python relays tell of, and that nobody else is told of any more.
    echoed: Positions,
}

impl Told {
    #[inline]
    fn set_rank(&mut self, position: usize, rank: Option<Rank>) {
        // Nearly always it has the rank that it had.
        if rank.is_some_and(|rank| self.ranks[rank as usize].contains(position)) {
            return;
        }
        for (number, positions) in self.ranks.iter_mut().enumerate() {
            positions.set(position, rank.is_some_and(|rank| rank as usize == number));
        }
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Positions> {
        self.ranks.iter_mut().chain([&mut self.stateful, &mut self.challenged, &mut self.echoed])
    }

    /// The member at `position` is gone, and the one that stood at `last` has its position now.
    pub(super) fn swap_removed(&mut self, position: usize, last: usize) {
        self.all_mut().for_each(|positions| positions.swap_removed(position, last));
    }

    fn contains(&self, position: usize) -> bool {
        self.ranks.iter().any(|positions| positions.contains(position))
    }
}

impl Members {
    /// Takes note of where the peer at `position` stands now.
    #[inline]
    pub(super) fn note(&mut self, env: &Env<'_>, position: usize) {
        let Some((_, peer)) = self.peers.get_index(position) else { return };
        let rank = (!peer.is_scheduled_for_deletion(env.now, env.config)).then(|| peer.rank(env));
        let has_state = peer.complete_version > 0 || peer.last_gc_version > 0;
        self.told.set_rank(position, rank);
        self.told.stateful.set(position, has_state && rank.is_some());
        self.told.challenged.set(position, peer.challenger.is_some());
        self.told.echoed.set(position, rank.is_none() && peer.is_relayed(env));
    }

    /// A Python relay has told of the peer at `position`.
    pub(super) fn note_relayed(&mut self, env: &Env<'_>, position: usize) {
        if !self.told.contains(position) {
            self.note(env, position);
        }
    }

    /// A live peer has just beaten.
    #[inline]
    pub(super) fn note_beat(&mut self, position: usize) {
        self.told.set_rank(position, Some(Rank::News));
    }

    /// How many are told of.
    pub(crate) fn told_len(&self) -> usize {
        self.told.ranks.iter().map(Positions::len).sum()
    }

    /// Whom others are told of.
    pub(crate) fn told(&self) -> impl Iterator<Item = (&NodeId, &Peer)> {
        self.told.ranks.iter().flat_map(Positions::iter).filter_map(|position| self.peers.get_index(position))
    }

    /// The nodes that Python peers are shown beside these: a Python relay tells of them, and takes a node that is absent
    /// from a digest for one that is unknown. It sent all its key-values each time.
    pub(crate) fn echoes(&self) -> impl Iterator<Item = Echo<'_>> {
        let known = self.told.echoed.iter().filter_map(|position| self.peers.get_index(position));
        let known = known.map(|(id, peer)| Echo {
            id,
            heartbeat: peer.pulse.heartbeat(),
            max_version: peer.heard_version.max(peer.complete_version),
            last_gc_version: peer.last_gc_version,
        });
        known.chain(self.forgotten.echoes())
    }

    pub(crate) fn is_told(&self, id: &NodeId) -> bool {
        self.peers.get_index_of(id).is_some_and(|position| self.told.contains(position))
    }

    /// How many of this rank are told of.
    pub(crate) fn ranked_len(&self, rank: Rank) -> usize {
        self.told.ranks[rank as usize].len()
    }

    /// One of this rank: the next by chance, if the `drawn` first ones were drawn before. `None`: that were all.
    pub(crate) fn draw(&mut self, rank: Rank, drawn: usize, random: &mut Random) -> Option<(&NodeId, &Peer)> {
        let positions = &mut self.told.ranks[rank as usize];
        let left = positions.len().checked_sub(drawn).filter(|left| *left > 0)?;
        positions.swap(drawn, drawn + random.index(left));
        self.peers.get_index(positions.get(drawn)?)
    }

    /// How many of those that others are told of may have key-values.
    pub(crate) fn stateful_len(&self) -> usize {
        self.told.stateful.len()
    }

    /// Those that others are told of and that may have key-values, with their positions; all of them once, beginning at some
    /// place.
    pub(crate) fn stateful_from(&self, place: usize) -> impl Iterator<Item = (usize, &NodeId, &Peer)> {
        self.told.stateful.iter_from(place).filter_map(|position| {
            let (id, peer) = self.peers.get_index(position)?;
            Some((position, id, peer))
        })
    }

    /// Where a digest begins to look at challengers.
    pub(crate) fn challengers_begin(&self, random: &mut Random) -> usize {
        let len = self.told.challenged.len();
        if len > MOST_CHALLENGERS { random.index(len) } else { 0 }
    }

    /// The runs that do not count, but may soon: others are told of them beside the holders of their names. An id stands in
    /// a digest once, so of two processes under one id only the one that counts is told of. Of many, some.
    pub(crate) fn challengers<'a>(&'a self, env: &'a Env<'_>, begin: usize) -> impl Iterator<Item = &'a Challenger> {
        let some = self.told.challenged.iter_from(begin).take(MOST_CHALLENGERS);
        let of_peers = some.filter_map(|position| {
            let (id, peer) = self.peers.get_index(position)?;
            Some((id, peer.challenger.as_deref()?))
        });
        let own = self.namesake.as_deref().map(|namesake| (&self.self_id, namesake));
        let others = of_peers.chain(own).filter(|(holder, challenger)| *challenger.id() != **holder);
        others.map(|(_, challenger)| challenger).filter(|challenger| challenger.is_told_of(env))
    }

    /// How many challengers one digest looks at.
    pub(crate) fn challengers_looked_at(&self) -> usize {
        self.told.challenged.len().min(MOST_CHALLENGERS) + 1
    }

    /// What `invariants` holds against these.
    pub(super) fn check_told(&self) -> Result<(), &'static str> {
        let Told { ranks, stateful, challenged, echoed } = &self.told;
        if ranks.iter().chain([stateful, challenged, echoed]).any(|positions| !positions.is_consistent()) {
            return Err("a set of positions is not consistent");
        }
        let of_nobody = |positions: &Positions| positions.iter().any(|position| position >= self.peers.len());
        if ranks.iter().chain([stateful, challenged, echoed]).any(of_nobody) {
            return Err("somebody is told of who is not known");
        }
        for (position, peer) in self.peers.values().enumerate() {
            if ranks.iter().filter(|positions| positions.contains(position)).count() > 1 {
                return Err("a node has two ranks");
            }
            let has_state = peer.complete_version > 0 || peer.last_gc_version > 0;
            if has_state && self.told.contains(position) && !stateful.contains(position) {
                return Err("a node with key-values is not among those");
            }
            if echoed.contains(position) && self.told.contains(position) {
                return Err("a node that is told of is echoed as well");
            }
            if peer.challenger.is_some() != challenged.contains(position) {
                return Err("the challenged are not those that have a challenger");
            }
        }
        Ok(())
    }
}
