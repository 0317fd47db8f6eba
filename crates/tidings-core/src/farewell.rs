//! A graceful leave: this node tells several live nodes itself that it goes, and says when it has.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::config::Config;
use crate::id::{Address, NodeId};
use crate::membership::Membership;
use crate::rng::Random;
use crate::snapshot::Liveness;
use crate::time::Instant;

/// How many gossip rounds the farewell may take.
const ROUNDS: u32 = 10;

/// At least so many nodes are told, if there are as many: one of them may fail before it passes the word on.
const MIN_TOLD: usize = 3;

/// A farewell in progress.
#[derive(Clone, Debug)]
pub(crate) struct Farewell {
    wanted: usize,
    told: BTreeSet<NodeId>,
    tried: BTreeSet<Address>,
    pending: usize,
    deadline: Instant,
}

impl Farewell {
    pub(crate) fn new(now: Instant, membership: &Membership, config: &Config) -> Farewell {
        let live = membership.with_liveness(Liveness::Live).count();
        Farewell {
            wanted: live.min(config.gossip_count.max(MIN_TOLD)),
            told: BTreeSet::new(),
            tried: BTreeSet::new(),
            pending: 0,
            deadline: now + config.gossip_interval * ROUNDS,
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(crate) fn told(&self) -> usize {
        self.told.len()
    }

    /// Whom to dial now: live nodes not tried yet, as many as are still to be told.
    pub(crate) fn targets(&mut self, membership: &Membership, random: &mut Random) -> Vec<Address> {
        let missing = self.wanted.saturating_sub(self.told.len() + self.pending);
        let live = membership.with_liveness(Liveness::Live).map(|(id, _)| id.gossip_advertise_addr().clone());
        let mut targets: Vec<Address> = live.filter(|address| !self.tried.contains(address)).collect();
        random.choose(&mut targets, missing);
        targets.truncate(missing);
        self.tried.extend(targets.iter().cloned());
        self.pending += targets.len();
        targets
    }

    /// An exchange is over. `told`: the node that knows now, whatever the exchange was for; `was_pending`: it was opened
    /// for the farewell.
    pub(crate) fn exchange_over(&mut self, told: Option<NodeId>, was_pending: bool) {
        self.pending -= usize::from(was_pending).min(self.pending);
        self.told.extend(told);
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
