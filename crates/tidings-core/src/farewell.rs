//! A graceful leave: this node tells several nodes that stay that it goes, and says when it has.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::config::Config;
use crate::id::{Address, NodeId};
use crate::members::{Members, Peer};
use crate::rng::Random;
use crate::snapshot::Liveness;
use crate::time::Instant;

/// How many gossip rounds the farewell may take.
pub(crate) const ROUNDS: u32 = 4;

/// At least so many nodes are told, if there are as many: one of them may fail before it passes the word on.
const MIN_TOLD: usize = 3;

/// Where no more nodes than this stay, all of them are told: any of them may be about to leave as well.
const FEW: usize = 4;

/// A farewell in progress.
///
/// Only nodes that stay count. When many leave at once, a node first tells others that are about to go, and learns from
/// their answers that they are: it then goes on to tell nodes that stay, and what it has heard of the others' leaving it
/// tells with its own.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Farewell {
    /// The version at which this node said that it leaves.
    version: u64,
    /// How many are told where many stay.
    enough: usize,
    told: BTreeSet<NodeId>,
    tried: BTreeSet<Address>,
    pending: usize,
    deadline: Instant,
}

impl Farewell {
    pub(crate) fn new(now: Instant, version: u64, config: &Config) -> Farewell {
        Farewell {
            version,
            enough: config.gossip_count.max(MIN_TOLD),
            told: BTreeSet::new(),
            tried: BTreeSet::new(),
            pending: 0,
            deadline: now + config.gossip_interval * ROUNDS,
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The exchanges that are open to say goodbye.
    #[cfg(feature = "record")]
    pub(crate) fn pending(&self) -> usize {
        self.pending
    }

    /// How many nodes that stay have been told.
    pub(crate) fn told(&self, members: &Members) -> usize {
        candidates(members).iter().filter(|id| self.told.contains(*id)).count()
    }

    /// Whom to dial now: nodes that stay and were not tried yet, as many as are still to be told.
    pub(crate) fn targets(&mut self, members: &Members, random: &mut Random) -> Vec<Address> {
        let missing = self.missing(members).saturating_sub(self.pending);
        let untold = candidates(members).into_iter().filter(|id| !self.told.contains(*id));
        let mut targets: Vec<Address> = untold.map(|id| id.gossip_advertise_addr().clone()).collect();
        targets.retain(|address| !self.tried.contains(address));
        random.choose(&mut targets, missing);
        targets.truncate(missing);
        self.tried.extend(targets.iter().cloned());
        self.pending += targets.len();
        targets
    }

    /// An exchange is over. `told`: a node and the version up to which it now knows this one, whatever the exchange was
    /// for; `was_pending`: it was opened for the farewell.
    pub(crate) fn exchange_over(&mut self, told: Option<(NodeId, u64)>, was_pending: bool) {
        self.pending -= usize::from(was_pending).min(self.pending);
        // An exchange that was under way when this node began to leave told of an older version.
        let told = told.filter(|(_, version)| *version >= self.version);
        self.told.extend(told.map(|(node, _)| node));
    }

    /// Starts over with the nodes that could not be reached. Once a round.
    pub(crate) fn try_again(&mut self) {
        self.tried.clear();
    }

    pub(crate) fn is_over(&self, now: Instant, members: &Members) -> bool {
        now >= self.deadline || self.missing(members) == 0
    }

    /// How many nodes that stay are still to be told.
    fn missing(&self, members: &Members) -> usize {
        let stay = candidates(members).len();
        let wanted = if stay <= FEW { stay } else { stay.min(self.enough) };
        wanted.saturating_sub(self.told(members))
    }
}

/// Who can be told and stays, as far as is known: the live nodes; where none is, those just heard of, which may have
/// seen this node live already.
fn candidates(members: &Members) -> Vec<&NodeId> {
    let stays = |(_, peer): &(&NodeId, &Peer)| !peer.is_leaving();
    let live = members.with_liveness(Liveness::Live).filter(stays);
    let live: Vec<&NodeId> = live.map(|(id, _)| id).collect();
    if !live.is_empty() {
        return live;
    }
    members.iter().filter(|(_, peer)| peer.is_unproven()).filter(stays).map(|(id, _)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{LEFT_KEY, ValueStatus};
    use crate::testing::{self, NOW, config, id, random};
    use alloc::format;
    use alloc::sync::Arc;
    use core::time::Duration;

    const VERSION: u64 = 7;

    fn nodes(count: usize) -> Vec<NodeId> {
        (0..count).map(|number| id(&format!("n{number}"), 1)).collect()
    }

    /// A farewell to so many live nodes; a dead one is about as well.
    fn farewell_to(live: usize) -> (Farewell, Members) {
        let config = config("me");
        let members = testing::members(&config, &nodes(live), &[id("dead", 1)]);
        (Farewell::new(NOW, VERSION, &config), members)
    }

    fn at(address: &Address) -> NodeId {
        id(address.host(), 1)
    }

    #[test]
    fn three_live_nodes_are_told_and_then_it_is_over() {
        let (mut farewell, members) = farewell_to(8);
        let mut random = random(1);
        let targets = farewell.targets(&members, &mut random);
        assert_eq!(targets.len(), 3);
        assert!(!targets.contains(id("dead", 1).gossip_advertise_addr()));
        assert_eq!(farewell.targets(&members, &mut random), [], "enough are on their way");
        for (number, target) in targets.iter().enumerate() {
            assert!(!farewell.is_over(NOW, &members));
            farewell.exchange_over(Some((at(target), VERSION)), true);
            assert_eq!(farewell.told(&members), number + 1);
        }
        assert!(farewell.is_over(NOW, &members));
    }

    #[test]
    fn one_that_cannot_be_reached_is_replaced_by_one_not_tried_yet() {
        let (mut farewell, members) = farewell_to(5);
        let mut random = random(1);
        let first = farewell.targets(&members, &mut random);
        farewell.exchange_over(None, true);
        let second = farewell.targets(&members, &mut random);
        assert_eq!(second.len(), 1);
        assert!(!first.contains(&second[0]));
        // With nobody left to try it waits for the next round, which tries again whom it has not told.
        farewell.exchange_over(Some((at(&second[0]), VERSION)), true);
        farewell.exchange_over(None, true);
        farewell.exchange_over(None, true);
        assert_eq!(farewell.targets(&members, &mut random).len(), 1);
        assert_eq!(farewell.targets(&members, &mut random), []);
        farewell.exchange_over(None, true);
        farewell.try_again();
        let again = farewell.targets(&members, &mut random);
        assert_eq!(again.len(), 2);
        assert!(!again.contains(&second[0]));
    }

    #[test]
    fn a_node_told_twice_counts_once_and_one_told_by_the_way_counts_too() {
        let (mut farewell, members) = farewell_to(3);
        assert_eq!(farewell.targets(&members, &mut random(1)).len(), 3);
        farewell.exchange_over(Some((id("n0", 1), VERSION)), true);
        farewell.exchange_over(Some((id("n0", 1), VERSION)), false);
        assert_eq!((farewell.told(&members), farewell.is_over(NOW, &members)), (1, false));
        farewell.exchange_over(Some((id("n1", 1), VERSION)), false);
        farewell.exchange_over(Some((id("n2", 1), VERSION)), false);
        assert!(farewell.is_over(NOW, &members));
    }

    #[test]
    fn it_is_over_at_once_with_nobody_known_and_after_four_rounds_at_the_latest() {
        let config = config("me");
        let nobody = testing::members(&config, &[], &[]);
        assert!(Farewell::new(NOW, VERSION, &config).is_over(NOW, &nobody));
        let (farewell, members) = farewell_to(2);
        assert_eq!(farewell.deadline(), NOW + Duration::from_secs(4));
        assert!(!farewell.is_over(NOW + Duration::from_millis(3_999), &members));
        assert!(farewell.is_over(farewell.deadline(), &members));
    }

    #[test]
    fn while_none_is_live_those_just_heard_of_are_told() {
        let (mut farewell, members) = farewell_to(0);
        let targets = farewell.targets(&members, &mut random(1));
        assert_eq!(targets, [id("dead", 1).gossip_advertise_addr().clone()]);
    }

    #[test]
    fn what_was_on_its_way_before_the_farewell_tells_nobody() {
        let (mut farewell, members) = farewell_to(1);
        farewell.exchange_over(Some((id("n0", 1), VERSION - 1)), false);
        assert_eq!((farewell.told(&members), farewell.is_over(NOW, &members)), (0, false));
    }

    /// The node says that it leaves as well.
    fn leave(members: &mut Members, node: &NodeId) {
        let peer = members.get_mut(node).unwrap();
        let (key, value) = (Arc::from(LEFT_KEY), Arc::from("1"));
        peer.change_state(|state| state.write(NOW, key, value, ValueStatus::Set, &mut Vec::new()));
    }

    #[test]
    fn who_leaves_as_well_does_not_count_and_all_of_the_few_who_stay_are_told() {
        let (mut farewell, mut members) = farewell_to(7);
        let mut random = random(1);
        for told in farewell.targets(&members, &mut random) {
            leave(&mut members, &at(&told));
            farewell.exchange_over(Some((at(&told), VERSION)), true);
        }
        assert_eq!((farewell.told(&members), farewell.is_over(NOW, &members)), (0, false));
        let stay = farewell.targets(&members, &mut random);
        assert_eq!(stay.len(), 4);
        for told in &stay[..3] {
            farewell.exchange_over(Some((at(told), VERSION)), true);
        }
        assert!(!farewell.is_over(NOW, &members));
        leave(&mut members, &at(&stay[3]));
        assert!(farewell.is_over(NOW, &members));
        assert_eq!(farewell.told(&members), 3);
    }

    #[test]
    fn a_wider_gossip_tells_more() {
        let mut config = config("me");
        config.gossip_count = 6;
        let members = testing::members(&config, &nodes(8), &[]);
        let mut farewell = Farewell::new(NOW, VERSION, &config);
        assert_eq!(farewell.targets(&members, &mut random(1)).len(), 6);
    }
}
