//! What a run measures.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;
use tidings_core::{EventKind, Instant, NodeId};

use crate::world::World;

/// Numbers about a set of times, in seconds. All zero where there were none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// Half were no longer.
    pub median: f64,
    /// 99 % were no longer.
    pub p99: f64,
    /// None was longer.
    pub max: f64,
    /// How many there were.
    pub count: usize,
}

impl Spread {
    pub(crate) fn of(mut times: Vec<Duration>) -> Spread {
        times.sort_unstable();
        let at = |percent: usize| {
            let index = (times.len() * percent).div_ceil(100).saturating_sub(1);
            times.get(index).map_or(0.0, Duration::as_secs_f64)
        };
        Spread { median: at(50), p99: at(99), max: at(100), count: times.len() }
    }
}

/// The state of the whole cluster at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Sample {
    /// When, in seconds from the start.
    pub at_s: f64,
    /// Nodes that run.
    pub running: usize,
    /// How many of the running nodes a running node takes for live, on average, itself too.
    pub known_live: f64,
    /// How many nodes that do not run a running node takes for live, on average.
    pub known_wrongly: f64,
    /// Times so far that a running node was declared dead.
    pub false_positives: u64,
    /// Bytes a second that a node sent since the last sample, on average.
    pub bytes_per_node_per_s: f64,
}

/// Gathers numbers from the events of all nodes.
#[derive(Debug, Default)]
pub(crate) struct Measure {
    /// When each id's process ended.
    ended: BTreeMap<NodeId, Instant>,
    indexes: BTreeMap<NodeId, usize>,
    /// The nodes each node takes for live.
    live: Vec<BTreeSet<NodeId>>,
    detections: Vec<Duration>,
    pub(crate) false_positives: u64,
    pub(crate) false_positives_about_healthy: u64,
    pub(crate) false_positives_among_healthy: u64,
    /// Nodes that something is done to while they run.
    disturbed: BTreeSet<usize>,
    pub(crate) samples: Vec<Sample>,
    bytes: u64,
    sampled_at: Instant,
}

impl Measure {
    pub(crate) fn disturb(&mut self, nodes: &[usize]) {
        self.disturbed.extend(nodes);
    }

    pub(crate) fn begin(&mut self, index: usize, id: &NodeId) {
        if self.live.len() <= index {
            self.live.resize_with(index + 1, BTreeSet::new);
        }
        self.live[index].clear();
        self.indexes.insert(id.clone(), index);
        self.ended.remove(id);
    }

    pub(crate) fn end(&mut self, now: Instant, id: &NodeId) {
        self.ended.insert(id.clone(), now);
    }

    /// Takes an event of the node `observer`. True: that node declared one dead that runs.
    pub(crate) fn event(&mut self, world: &World, observer: usize, kind: &EventKind) -> bool {
        let Some(live) = self.live.get_mut(observer) else { return false };
        match kind {
            EventKind::NodeJoined { node } => {
                live.insert(node.clone());
                false
            }
            EventKind::NodeLeft { node } | EventKind::NodeRestarted { old: node, .. } => {
                live.remove(node);
                false
            }
            EventKind::NodeDied { node } => {
                live.remove(node);
                self.died(world, observer, node)
            }
            _ => false,
        }
    }

    fn died(&mut self, world: &World, observer: usize, node: &NodeId) -> bool {
        if let Some(ended) = self.ended.get(node) {
            self.detections.push(world.now().saturating_duration_since(*ended));
            return false;
        }
        let Some(subject) = self.indexes.get(node) else { return false };
        self.false_positives += 1;
        if !self.disturbed.contains(subject) {
            self.false_positives_about_healthy += 1;
            self.false_positives_among_healthy += u64::from(!self.disturbed.contains(&observer));
        }
        true
    }

    pub(crate) fn detection(&self) -> Spread {
        Spread::of(self.detections.clone())
    }

    /// Whether every running node takes exactly the running nodes of its cluster for live.
    pub(crate) fn is_membership_right(&self, world: &World, cluster_of: impl Fn(usize) -> usize) -> bool {
        let mut running: BTreeMap<usize, usize> = BTreeMap::new();
        for index in world.running() {
            *running.entry(cluster_of(index)).or_default() += 1;
        }
        world.running().all(|index| {
            let live = &self.live[index];
            live.len() + 1 == running[&cluster_of(index)] && live.iter().all(|id| !self.ended.contains_key(id))
        })
    }

    pub(crate) fn sample(&mut self, world: &World) {
        let running = world.running().count();
        let nodes = running.max(1) as f64;
        let known: usize = world.running().map(|index| self.live[index].len()).sum();
        // Few have ended, and many are live.
        let ended_of = |index: usize| self.ended.keys().filter(|id| self.live[index].contains(*id)).count();
        let known_wrongly: usize = world.running().map(ended_of).sum();
        let now = world.now();
        let elapsed = now.saturating_duration_since(self.sampled_at).as_secs_f64();
        let bytes = world.traffic().bytes;
        let rate = if elapsed > 0.0 { (bytes - self.bytes) as f64 / nodes / elapsed } else { 0.0 };
        self.samples.push(Sample {
            at_s: now.saturating_duration_since(Instant::ZERO).as_secs_f64(),
            running,
            known_live: if running == 0 { 0.0 } else { 1.0 + (known - known_wrongly) as f64 / nodes },
            known_wrongly: known_wrongly as f64 / nodes,
            false_positives: self.false_positives,
            bytes_per_node_per_s: rate,
        });
        (self.bytes, self.sampled_at) = (bytes, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_read_off_the_times_themselves() {
        let spread = Spread::of((1..=200).map(Duration::from_secs).collect());
        assert_eq!((spread.median, spread.p99, spread.max, spread.count), (100.0, 198.0, 200.0, 200));
        assert_eq!(Spread::of(Vec::new()), Spread::default());
        assert_eq!(Spread::of(vec![Duration::from_secs(3)]).p99, 3.0);
    }
}
