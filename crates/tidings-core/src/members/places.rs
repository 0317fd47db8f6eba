//! The places among the members: most of them are for nodes that were live here, few for those that were only heard of.

use alloc::vec::Vec;

use crate::config::Config;
use crate::id::Run;
use crate::members::{Env, Members, Peer, Report, Word};
use crate::snapshot::Liveness;

/// One of so many places may be had by a node that was never live here.
const UNPROVEN_PART: usize = 4;

/// ... and so many at least, however few there are.
const FEWEST_UNPROVEN: usize = 64;

/// Where all places are taken, one of so many is made free.
const DEPARTED_PART: usize = 16;

/// A departed node gives up its place after so many times `max_interval`, if it is needed.
const DEPARTED_INTERVALS: u32 = 3;

impl Members {
    /// Gives a stranger a place, in that of an unproven node where there is none free. `None`: there is none for it.
    pub(super) fn take_place(&mut self, env: &Env<'_>, report: &Report<'_>) -> Option<usize> {
        let spoke = matches!(report.word, Word::Own(_));
        let has_room =
            self.peers.len() < env.config.limits.max_nodes && self.unproven.len() < most_unproven(env.config);
        let position = if has_room { self.peers.len() } else { self.place_to_give(env, spoke)? };
        let (id, mut peer) = (report.id.clone(), Peer::new(env, report));
        peer.spoke = spoke;
        // What was known under this id before was another run, or is known again.
        peer.former = self.forgotten.remove(&id).filter(|former| Run::differ(former.run, peer.run()));
        self.ids.insert(id.clone());
        self.addresses.insert(id.gossip_advertise_addr().clone(), position);
        self.unproven.insert((spoke, peer.pulse.first_heard(), id.clone()));
        if has_room {
            self.peers.insert(id, peer);
        } else if let Ok(old_id) = self.peers.replace_index(position, id) {
            if let Some((_, place)) = self.peers.get_index_mut(position) {
                *place = peer;
            }
            self.ids.remove(&old_id);
            self.conflicts.remove(&old_id);
            self.addresses.remove(old_id.gossip_advertise_addr(), position);
        }
        self.note(env, position);
        Some(position)
    }

    /// The place of the unproven node that was heard of first, taken from it. It has had its time; or nobody but others
    /// spoke of it, and a node that speaks itself needs its place.
    fn place_to_give(&mut self, env: &Env<'_>, spoke: bool) -> Option<usize> {
        let (first_spoke, since, first) = self.unproven.first()?;
        let had_its_time = env.detector.is_long_after(*since, env.active);
        let gives_way = if spoke { !*first_spoke || had_its_time } else { !*first_spoke && had_its_time };
        let position = self.peers.get_index_of(first).filter(|_| gives_way)?;
        self.unproven.pop_first();
        Some(position)
    }

    /// Where no place is free, the nodes that ended longest ago give up some.
    pub(super) fn free_places(&mut self, env: &mut Env<'_>) {
        if self.peers.len() < env.config.limits.max_nodes {
            return;
        }
        let least = env.config.max_interval() * DEPARTED_INTERVALS;
        let departed = self.peers.iter().filter(|(_, peer)| peer.announced && peer.liveness != Liveness::Live);
        let silences = departed.map(|(id, peer)| (peer.silence(env.now), id)).filter(|(silence, _)| *silence >= least);
        let mut silences: Vec<_> = silences.map(|(silence, id)| (silence, id.clone())).collect();
        silences.sort_unstable_by(|a, b| b.cmp(a));
        let wanted = env.config.limits.max_nodes.div_ceil(DEPARTED_PART);
        for (_, id) in silences.into_iter().take(wanted) {
            self.forget(env, &id);
        }
    }
}

/// How many nodes that were never live here may be known at once.
fn most_unproven(config: &Config) -> usize {
    let max = config.limits.max_nodes;
    (max / UNPROVEN_PART).max(FEWEST_UNPROVEN.min(max))
}
