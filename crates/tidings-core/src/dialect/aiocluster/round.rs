//! Whom a round gossips with: aiocluster's choice, drawn over nodes rather than addresses.

use alloc::vec::Vec;
use core::cell::Cell;

use crate::config::Config;
use crate::dials::Dials;
use crate::id::Address;
use crate::knowledge::Moment;
use crate::members::{Members, Peer};
use crate::rng::Random;
use crate::snapshot::Liveness;
use crate::stats::Stats;
use crate::suspicion::Detector;

/// How many nodes of a cluster ask in one round who lays claim to a name, or of whom others say what cannot be believed.
const ASKED_BY: usize = 10;

/// How many such nodes one round asks.
const MOST_IN_QUESTION: usize = 2;

/// One of so many of a round's live nodes is one that has answered this node lately, if there is one: whoever else is
/// called live may be an invention.
const ANSWERING_PART: usize = 3;

/// So many of so many times the dead node that is tried is one that was live here, if there is one, and one that has
/// answered this node, if there is such a one.
const DEAD_ONCE_LIVE: (usize, usize) = (3, 4);

/// A seed is tried once in so many rounds at least, however many nodes are known.
const SEED_ROUNDS: usize = 60;

/// The addresses one round dials: `gossip_count` random live nodes (any known ones while none is live), now and then a
/// dead one, in case it is back, and now and then a seed, in case the cluster has fallen apart. Beside these, who is to
/// be asked itself. No address comes twice, and never one that is not to be dialled now. Where the allowance for unproven
/// addresses is used up, proven ones take their place.
pub(crate) fn targets(
    members: &Members,
    seeds: &[Address],
    reach: Reach<'_>,
    at: Moment,
    config: &Config,
    random: &mut Random,
    stats: &mut Stats,
) -> Vec<Address> {
    let Reach { avoided, dials, detector } = reach;
    let active = at.active;
    let held_back = Cell::new(0);
    let addresses_of = |is_live: bool, is_wanted: &dyn Fn(&Peer) -> bool| {
        let mut addresses = members.addresses_of(|peer| is_wanted(peer) && !peer.is_leaving());
        for address in avoided {
            if let Ok(place) = addresses.binary_search(&address) {
                addresses.remove(place);
            }
        }
        let all = addresses.len();
        addresses.retain(|address| !dials.is_held_back(at.now, address, is_live));
        held_back.set(held_back.get() + (all - addresses.len()) as u64);
        addresses
    };
    let live = addresses_of(true, &|peer| peer.liveness() == Liveness::Live);
    let dead = addresses_of(false, &|peer| peer.liveness() == Liveness::Dead);
    stats.dials_held_back += held_back.get();
    // Of those that were live the ones that answered this node: whoever only beat may have been an invention.
    let once_live = || {
        let of = |peer: &Peer| peer.liveness() == Liveness::Dead && peer.was_live();
        let answered = addresses_of(false, &|peer| of(peer) && peer.has_proved_itself());
        if answered.is_empty() { addresses_of(false, &of) } else { answered }
    };
    let mut proven = match live.is_empty() {
        true => once_live(),
        false => addresses_of(true, &|peer| peer.liveness() == Liveness::Live && peer.answers(active, config)),
    };
    let seeds: Vec<&Address> = seeds.iter().filter(|seed| !avoided.contains(seed)).collect();

    let count = config.gossip_count;
    let of_proven = count / ANSWERING_PART + usize::from(random.chance(count % ANSWERING_PART, ANSWERING_PART));
    random.choose(&mut proven, of_proven);
    proven.truncate(of_proven);
    let mut targets = proven;
    let mut others = if live.is_empty() { dead.clone() } else { live.clone() };
    others.retain(|other| !targets.contains(other));
    let rest = count - targets.len();
    ration(&mut others, rest, dials, random);
    random.choose(&mut others, rest);
    others.truncate(rest);
    targets.extend(others);

    let has_seed = targets.iter().any(|target| seeds.contains(target));
    if !dead.is_empty() && random.chance(dead.len(), live.len() + 1) {
        let once_live = once_live();
        let (numerator, denominator) = DEAD_ONCE_LIVE;
        let prefers = !once_live.is_empty() && random.chance(numerator, denominator);
        let from = if prefers { once_live } else { dead.clone() };
        targets.push(from[random.index(from.len())]);
    }
    let may_seed = !has_seed || live.len() < seeds.len();
    let one_in = (live.len() + dead.len()).min(seeds.len() * SEED_ROUNDS);
    if may_seed && !seeds.is_empty() && (live.is_empty() || random.chance(seeds.len(), one_in)) {
        targets.push(seeds[random.index(seeds.len())]);
    }
    // A few of them at a time, so that a node that starts anew in a large cluster is not asked by everybody at once.
    let mut in_question: Vec<&Address> =
        members.in_question(active, detector, config.max_interval()).filter(|to| !avoided.contains(to)).collect();
    in_question.retain(|to| !dials.is_held_back(at.now, to, true));
    random.choose(&mut in_question, MOST_IN_QUESTION);
    in_question.truncate(MOST_IN_QUESTION);
    targets.extend(in_question.into_iter().filter(|_| random.chance(ASKED_BY, live.len() + 1)));
    let mut seen = Vec::with_capacity(targets.len());
    let mut allowance = dials.allowance();
    targets.retain(|target| {
        let is_new = !seen.contains(target);
        seen.push(*target);
        if !is_new || dials.is_proven(target) || seeds.contains(target) {
            return is_new;
        }
        let is_allowed = allowance > 0;
        allowance = allowance.saturating_sub(1);
        stats.dials_held_back += u64::from(!is_allowed);
        is_allowed
    });
    targets.into_iter().cloned().collect()
}

/// What a round goes by beside whom it knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach<'a> {
    /// Where this node has just reached itself.
    pub(crate) avoided: &'a [Address],
    /// What dials have shown.
    pub(crate) dials: &'a Dials,
    /// Whose silence is long.
    pub(crate) detector: Detector,
}

/// Leaves no more unproven addresses than are allowed, where fewer are allowed than are to be taken.
fn ration(addresses: &mut Vec<&Address>, wanted: usize, dials: &Dials, random: &mut Random) {
    let allowance = dials.allowance();
    if allowance >= wanted {
        return;
    }
    let (proven, mut unproven): (Vec<_>, Vec<_>) = addresses.drain(..).partition(|address| dials.is_proven(address));
    random.choose(&mut unproven, allowance);
    unproven.truncate(allowance);
    addresses.extend(proven.into_iter().chain(unproven));
}

#[cfg(test)]
mod tests;
