//! Whom a round gossips with: aiocluster's choice, drawn over nodes rather than addresses.

use alloc::vec::Vec;

use crate::config::Config;
use crate::id::Address;
use crate::members::Members;
use crate::rng::Random;
use crate::snapshot::Liveness;

/// How many nodes of a cluster ask in one round who lays claim to a name, or of whom others say what cannot be believed.
const ASKED_BY: usize = 10;

/// How many such nodes one round asks.
const MOST_IN_QUESTION: usize = 2;

/// The addresses one round dials: `gossip_count` random live nodes (any known ones while none is live), now and then a
/// dead one, in case it is back, and now and then a seed, in case the cluster has fallen apart. Beside these, who is to
/// be asked itself. No address comes twice, and never one of `own_addresses`.
pub(crate) fn targets(
    members: &Members,
    seeds: &[Address],
    own_addresses: &[Address],
    config: &Config,
    random: &mut Random,
) -> Vec<Address> {
    let addresses_of = |liveness| {
        let mut addresses = members.addresses_of(|peer| peer.liveness() == liveness && !peer.is_leaving());
        for own in own_addresses {
            if let Ok(place) = addresses.binary_search(&own) {
                addresses.remove(place);
            }
        }
        addresses
    };
    let (live, dead) = (addresses_of(Liveness::Live), addresses_of(Liveness::Dead));
    let seeds: Vec<&Address> = seeds.iter().filter(|seed| !own_addresses.contains(seed)).collect();

    let mut targets = if live.is_empty() { dead.clone() } else { live.clone() };
    random.choose(&mut targets, config.gossip_count);
    targets.truncate(config.gossip_count);

    let has_seed = targets.iter().any(|target| seeds.contains(target));
    if !dead.is_empty() && random.chance(dead.len(), live.len() + 1) {
        targets.push(dead[random.index(dead.len())]);
    }
    let may_seed = !has_seed || live.len() < seeds.len();
    if may_seed && !seeds.is_empty() && (live.is_empty() || random.chance(seeds.len(), live.len() + dead.len())) {
        targets.push(seeds[random.index(seeds.len())]);
    }
    // A few of them at a time, so that a node that starts anew in a large cluster is not asked by everybody at once.
    let mut in_question: Vec<&Address> = members.in_question().filter(|to| !own_addresses.contains(to)).collect();
    random.choose(&mut in_question, MOST_IN_QUESTION);
    in_question.truncate(MOST_IN_QUESTION);
    targets.extend(in_question.into_iter().filter(|_| random.chance(ASKED_BY, live.len() + 1)));
    let mut seen = Vec::with_capacity(targets.len());
    targets.retain(|target| {
        let is_new = !seen.contains(target);
        seen.push(*target);
        is_new
    });
    targets.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests;
