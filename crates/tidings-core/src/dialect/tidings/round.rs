//! What a node does by itself: rounds, and news that is passed on between them.

use alloc::vec::Vec;

use crate::id::Address;
use crate::knowledge::{Knowledge, Moment};
use crate::snapshot::Liveness;
use crate::wire::tidings::{NodeHash, hash_of};

use super::exchange::Drawn;
use super::table::FADE;
use super::{Dial, Purpose, Tidings};

/// The bytes of tables that are sent in one round to those who join.
pub(super) const SERVICE_A_ROUND: usize = 768 << 10;

/// A seed is tried once in so many rounds, in case the cluster has fallen apart.
const SEED_ROUNDS: usize = 60;

/// So many nodes are looked at in a round, whatever the number of all.
const SWEEP: usize = 32;

/// News goes to so many nodes at once.
const NEWS_TO: usize = 3;

impl Tidings {
    /// Once a round: ends what is over, and opens exchanges.
    pub(crate) fn round(&mut self, knowledge: &mut Knowledge, at: Moment, seeds: &[Address], avoided: &[Address]) {
        self.probes_left = knowledge.config.detection.probe_budget;
        self.service_left = SERVICE_A_ROUND;
        self.maintain(knowledge, at);
        self.obituaries.retain(|_, obituary| obituary.at + FADE > at.now);
        let mut drawn: Vec<NodeHash> = Vec::new();
        for _ in 0..knowledge.config.gossip_count {
            let Some((hash, id)) = self.draw_live(knowledge, &drawn) else { break };
            drawn.push(hash);
            let to = id.gossip_advertise_addr().clone();
            self.dials.push_back(Dial { to, purpose: Purpose::Round(hash) });
        }
        self.try_dead(knowledge, at);
        let may_seed = seeds.iter().filter(|seed| !avoided.contains(seed)).count();
        let is_alone = drawn.is_empty();
        if may_seed > 0 && (is_alone || knowledge.random.chance(1, SEED_ROUNDS)) {
            let nth = knowledge.random.index(may_seed);
            let seed = seeds.iter().filter(|seed| !avoided.contains(seed)).nth(nth);
            self.dials.extend(seed.cloned().map(|to| Dial { to, purpose: Purpose::Try }));
        }
        if is_alone {
            self.cursor = Some(NodeHash(0));
        }
    }

    /// Ends lifetimes and grace periods, and looks at a few nodes.
    fn maintain(&mut self, knowledge: &mut Knowledge, at: Moment) {
        knowledge.expire_lifetimes(at);
        let mut changes = Vec::new();
        let grace = knowledge.config.marked_for_deletion_grace_period;
        knowledge.own.collect(at.now, grace, &mut changes);
        knowledge.tell_own_changes(at, changes);
        self.own_changed(knowledge, at);
        let from = if self.swept < knowledge.members.len() { self.swept } else { 0 };
        let (members, mut env) = knowledge.members(at);
        let forgotten = members.refresh_some(&mut env, from, SWEEP);
        self.swept = from.saturating_add(SWEEP);
        for id in forgotten {
            let hash = hash_of(&knowledge.cluster_id, &id);
            self.touch(knowledge, at, hash, &id);
        }
        for (hash, id) in self.table.some_behind(self.audited, SWEEP) {
            self.audited = hash;
            if hash != self.own {
                self.touch(knowledge, at, hash, &id);
            }
        }
    }

    /// Passes news on.
    fn tell_at_once(&mut self, knowledge: &mut Knowledge, at: Moment) {
        self.news_at = None;
        self.news_told_at = at.now;
        let mut drawn: Vec<NodeHash> = Vec::new();
        for _ in 0..NEWS_TO {
            let Some((hash, id)) = self.draw_live(knowledge, &drawn) else { break };
            drawn.push(hash);
            let to = id.gossip_advertise_addr().clone();
            self.dials.push_back(Dial { to, purpose: Purpose::News(hash) });
        }
    }

    /// Does what is due between rounds.
    pub(crate) fn wake(&mut self, knowledge: &mut Knowledge, at: Moment) {
        self.end_overdue(knowledge, at);
        self.probe(knowledge, at);
        self.judge(knowledge, at);
        while let Some(id) = self.table.next_faded(at.now) {
            let hash = hash_of(&knowledge.cluster_id, &id);
            self.touch(knowledge, at, hash, &id);
        }
        if self.news_at.is_some_and(|news_at| news_at <= at.now) {
            self.tell_at_once(knowledge, at);
        }
    }

    /// One of the dead, in case it is back: the more of them there are, the more often.
    fn try_dead(&mut self, knowledge: &mut Knowledge, at: Moment) {
        let dead: Vec<NodeHash> = self.cases.dead().map(NodeHash).collect();
        if dead.is_empty() || !knowledge.random.chance(4 * dead.len(), self.table.live().max(1)) {
            return;
        }
        let hash = dead.get(knowledge.random.index(dead.len())).copied().unwrap_or_default();
        let Some(id) = self.table.id_of(hash) else { return };
        let grace = knowledge.config.failure_detector.dead_node_grace_period;
        if knowledge.members.get(id).is_some_and(|peer| peer.silence(at.now) < grace / 2) {
            let to = id.gossip_advertise_addr().clone();
            self.dials.push_back(Dial { to, purpose: Purpose::Try });
        }
    }

    /// A random live node that is none of these.
    pub(super) fn draw_live(&self, knowledge: &mut Knowledge, but: &[NodeHash]) -> Option<Drawn> {
        // Nearly all are live nearly always, so the first draw is good.
        const DRAWS: usize = 24;
        let cluster_id = knowledge.cluster_id.clone();
        let len = knowledge.members.len();
        for _ in 0..DRAWS {
            let position = knowledge.random.index(len);
            let (id, peer) = knowledge.members.by_position(position)?;
            if peer.liveness() == Liveness::Live && !peer.is_leaving() {
                let hash = hash_of(&cluster_id, id);
                if !but.contains(&hash) {
                    return Some((hash, id.clone()));
                }
            }
        }
        let first = knowledge.random.index(len);
        let all = (first..len).chain(0..first).filter_map(|position| knowledge.members.by_position(position));
        let live = all.filter(|(_, peer)| peer.liveness() == Liveness::Live && !peer.is_leaving());
        let mut live = live.map(|(id, _)| (hash_of(&cluster_id, id), id));
        live.find(|(hash, _)| !but.contains(hash)).map(|(hash, id)| (hash, id.clone()))
    }
}
