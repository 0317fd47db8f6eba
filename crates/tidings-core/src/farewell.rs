//! A graceful leave: this node tells several live nodes itself that it goes, and says when it has.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::config::Config;
use crate::id::{Address, NodeId};
use crate::members::{Members as Membership, Peer};
use crate::rng::Random;
use crate::snapshot::Liveness;
use crate::time::Instant;

/// How many gossip rounds the farewell may take.
pub(crate) const ROUNDS: u32 = 4;

/// At least so many nodes are told, if there are as many: one of them may fail before it passes the word on.
const MIN_TOLD: usize = 3;

/// A farewell in progress.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Farewell {
    /// The version at which this node said that it leaves.
    version: u64,
    wanted: usize,
    told: BTreeSet<NodeId>,
    tried: BTreeSet<Address>,
    pending: usize,
    deadline: Instant,
}

impl Farewell {
    pub(crate) fn new(now: Instant, version: u64, membership: &Membership, config: &Config) -> Farewell {
        Farewell {
            version,
            wanted: candidates(membership).len().min(config.gossip_count.max(MIN_TOLD)),
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

    pub(crate) fn told(&self) -> usize {
        self.told.len()
    }

    /// Whom to dial now: candidates not tried yet, as many as are still to be told.
    pub(crate) fn targets(&mut self, membership: &Membership, random: &mut Random) -> Vec<Address> {
        let missing = self.wanted.saturating_sub(self.told.len() + self.pending);
        let mut targets = candidates(membership);
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
        let told = self.told.iter().map(|node| node.gossip_advertise_addr().clone());
        self.tried.extend(told);
    }

    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.told.len() >= self.wanted || now >= self.deadline
    }
}

/// Who can be told: the live nodes; where none is, those just heard of, which may have seen this node live already.
fn candidates(membership: &Membership) -> Vec<Address> {
    let address = |(id, _): (&NodeId, &Peer)| id.gossip_advertise_addr().clone();
    let live: Vec<Address> = membership.with_liveness(Liveness::Live).map(address).collect();
    if !live.is_empty() {
        return live;
    }
    membership.iter().filter(|(_, peer)| peer.is_unproven()).map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, config, id, members, random};
    use alloc::format;
    use core::time::Duration;

    const VERSION: u64 = 7;

    fn nodes(count: usize) -> Vec<NodeId> {
        (0..count).map(|number| id(&format!("n{number}"), 1)).collect()
    }

    /// A farewell to so many live nodes; a dead one is about as well.
    fn farewell_to(live: usize) -> (Farewell, Membership) {
        let config = config("me");
        let membership = members(&config, &nodes(live), &[id("dead", 1)]);
        (Farewell::new(NOW, VERSION, &membership, &config), membership)
    }

    fn at(address: &Address) -> NodeId {
        id(address.host(), 1)
    }

    #[test]
    fn three_live_nodes_are_told_and_then_it_is_over() {
        let (mut farewell, membership) = farewell_to(8);
        let mut random = random(1);
        let targets = farewell.targets(&membership, &mut random);
        assert_eq!(targets.len(), 3);
        assert!(!targets.contains(id("dead", 1).gossip_advertise_addr()));
        assert_eq!(farewell.targets(&membership, &mut random), [], "enough are on their way");
        for (number, target) in targets.iter().enumerate() {
            assert!(!farewell.is_over(NOW));
            farewell.exchange_over(Some((at(target), VERSION)), true);
            assert_eq!(farewell.told(), number + 1);
        }
        assert!(farewell.is_over(NOW));
    }

    #[test]
    fn one_that_cannot_be_reached_is_replaced_by_one_not_tried_yet() {
        let (mut farewell, membership) = farewell_to(5);
        let mut random = random(1);
        let first = farewell.targets(&membership, &mut random);
        farewell.exchange_over(None, true);
        let second = farewell.targets(&membership, &mut random);
        assert_eq!(second.len(), 1);
        assert!(!first.contains(&second[0]));
        // With nobody left to try it waits for the next round, which tries again whom it has not told.
        farewell.exchange_over(Some((at(&second[0]), VERSION)), true);
        farewell.exchange_over(None, true);
        farewell.exchange_over(None, true);
        assert_eq!(farewell.targets(&membership, &mut random).len(), 1);
        assert_eq!(farewell.targets(&membership, &mut random), []);
        farewell.exchange_over(None, true);
        farewell.try_again();
        let again = farewell.targets(&membership, &mut random);
        assert_eq!(again.len(), 2);
        assert!(!again.contains(&second[0]));
    }

    #[test]
    fn a_node_told_twice_counts_once_and_one_told_by_the_way_counts_too() {
        let (mut farewell, membership) = farewell_to(3);
        assert_eq!(farewell.targets(&membership, &mut random(1)).len(), 3);
        farewell.exchange_over(Some((id("n0", 1), VERSION)), true);
        farewell.exchange_over(Some((id("n0", 1), VERSION)), false);
        assert_eq!((farewell.told(), farewell.is_over(NOW)), (1, false));
        farewell.exchange_over(Some((id("n1", 1), VERSION)), false);
        farewell.exchange_over(Some((id("n2", 1), VERSION)), false);
        assert!(farewell.is_over(NOW));
    }

    #[test]
    fn it_is_over_at_once_with_nobody_known_and_after_four_rounds_at_the_latest() {
        let config = config("me");
        let nobody = members(&config, &[], &[]);
        assert!(Farewell::new(NOW, VERSION, &nobody, &config).is_over(NOW));
        let (farewell, _) = farewell_to(2);
        assert_eq!(farewell.deadline(), NOW + Duration::from_secs(4));
        assert!(!farewell.is_over(NOW + Duration::from_millis(3_999)));
        assert!(farewell.is_over(farewell.deadline()));
    }

    #[test]
    fn while_none_is_live_those_just_heard_of_are_told() {
        let (mut farewell, membership) = farewell_to(0);
        let targets = farewell.targets(&membership, &mut random(1));
        assert_eq!(targets, [id("dead", 1).gossip_advertise_addr().clone()]);
    }

    #[test]
    fn what_was_on_its_way_before_the_farewell_tells_nobody() {
        let (mut farewell, _) = farewell_to(1);
        farewell.exchange_over(Some((id("n0", 1), VERSION - 1)), false);
        assert_eq!((farewell.told(), farewell.is_over(NOW)), (0, false));
    }

    #[test]
    fn a_wider_gossip_tells_more() {
        let mut config = config("me");
        config.gossip_count = 6;
        let membership = members(&config, &nodes(8), &[]);
        let mut farewell = Farewell::new(NOW, VERSION, &membership, &config);
        assert_eq!(farewell.targets(&membership, &mut random(1)).len(), 6);
    }
}
