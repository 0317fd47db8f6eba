//! What a run measures.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;
use tidings_core::{EventKind, Instant, NodeId};

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

/// Gathers numbers from what all nodes tell of each other. A node is named by its index, and one run of it by its id.
#[derive(Debug, Default)]
pub struct Measure {
    /// When each id's process ended.
    ended: BTreeMap<NodeId, Instant>,
    indexes: BTreeMap<NodeId, usize>,
    /// The nodes each node takes for live.
    live: Vec<BTreeSet<NodeId>>,
    detections: Vec<Duration>,
    false_positives: FalsePositives,
    /// Nodes that something is done to while they run.
    disturbed: BTreeSet<usize>,
    /// When each version was written, where that is followed.
    written: BTreeMap<(NodeId, u64), Instant>,
    spreads: Vec<Duration>,
    /// Whom each node has declared dead that runs.
    wrongly_dead: BTreeSet<(usize, NodeId)>,
    /// How often a node that had ended became live again somewhere.
    revived: u64,
    /// How often a running node that was declared dead became live again there.
    flaps: u64,
    samples: Vec<Sample>,
    bytes: u64,
    sampled_at: Instant,
}

/// How often a running node declared a running node dead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FalsePositives {
    /// In all.
    pub all: u64,
    /// Where nothing was ever done to the one declared dead.
    pub about_healthy: u64,
    /// Where nothing was ever done to either of both.
    pub among_healthy: u64,
}

impl Measure {
    /// Something is done to these nodes while they run.
    pub fn disturb(&mut self, nodes: &[usize]) {
        self.disturbed.extend(nodes);
    }

    /// The node `index` starts, as `id`.
    pub fn begin(&mut self, index: usize, id: &NodeId) {
        self.observe(index);
        self.indexes.insert(id.clone(), index);
        self.ended.remove(id);
    }

    /// What `index` tells counts from now on: it has just started.
    pub(crate) fn observe(&mut self, index: usize) {
        if self.live.len() <= index {
            self.live.resize_with(index + 1, BTreeSet::new);
        }
        self.live[index].clear();
    }

    /// The host of the node `index` is gone.
    pub(crate) fn retire(&mut self, index: usize) {
        if let Some(live) = self.live.get_mut(index) {
            *live = BTreeSet::new();
        }
    }

    /// Nobody tells of this run any more.
    pub(crate) fn forget(&mut self, id: &NodeId) {
        self.ended.remove(id);
        self.indexes.remove(id);
    }

    /// The process of `id` has ended.
    pub fn end(&mut self, now: Instant, id: &NodeId) {
        self.ended.insert(id.clone(), now);
    }

    /// Takes an event of the node `observer`. True: that node declared one dead that runs.
    pub(crate) fn event(&mut self, now: Instant, observer: usize, kind: &EventKind) -> bool {
        match kind {
            EventKind::NodeJoined { node } => self.joined(observer, node),
            EventKind::NodeLeft { node } | EventKind::NodeRestarted { old: node, .. } => self.left(observer, node),
            EventKind::NodeMoved { old, new } => {
                self.left(observer, old);
                self.joined(observer, new);
            }
            EventKind::NodeDied { node } => return self.died(now, observer, node),
            EventKind::KeyChanged { node, new, .. } if self.indexes.get(node) != Some(&observer) => {
                if let Some(written) = self.written.get(&(node.clone(), new.version)) {
                    self.spreads.push(now.saturating_duration_since(*written));
                }
            }
            _ => {}
        }
        false
    }

    /// A node's user has written this version: how it spreads is followed.
    pub(crate) fn wrote(&mut self, now: Instant, node: &NodeId, version: u64) {
        self.written.insert((node.clone(), version), now);
    }

    /// The node `observer` takes `node` for live from now on.
    pub fn joined(&mut self, observer: usize, node: &NodeId) {
        self.revived += u64::from(self.ended.contains_key(node));
        self.flaps += u64::from(self.wrongly_dead.remove(&(observer, node.clone())));
        if let Some(live) = self.live.get_mut(observer) {
            live.insert(node.clone());
        }
    }

    /// The node `observer` takes `node` for live no more, and not because it would be dead.
    pub fn left(&mut self, observer: usize, node: &NodeId) {
        if let Some(live) = self.live.get_mut(observer) {
            live.remove(node);
        }
    }

    /// The node `observer` declares `node` dead. True: it runs.
    pub fn died(&mut self, now: Instant, observer: usize, node: &NodeId) -> bool {
        self.left(observer, node);
        if let Some(ended) = self.ended.get(node) {
            self.detections.push(now.saturating_duration_since(*ended));
            return false;
        }
        let Some(subject) = self.indexes.get(node) else { return false };
        self.false_positives.all += 1;
        self.wrongly_dead.insert((observer, node.clone()));
        if !self.disturbed.contains(subject) {
            self.false_positives.about_healthy += 1;
            self.false_positives.among_healthy += u64::from(!self.disturbed.contains(&observer));
        }
        true
    }

    /// Whom the node `observer` takes for live, itself left out.
    #[must_use]
    pub fn live(&self, observer: usize) -> Option<&BTreeSet<NodeId>> {
        self.live.get(observer)
    }

    /// How long after a process ended each of the others declared it dead.
    #[must_use]
    pub fn detection(&self) -> Spread {
        Spread::of(self.detections.clone())
    }

    /// How often a running node declared a running node dead.
    #[must_use]
    pub fn false_positives(&self) -> FalsePositives {
        self.false_positives
    }

    /// Whether each of these nodes, the running ones, takes exactly those of its cluster for live.
    #[must_use]
    pub fn is_membership_right(&self, running: &[usize], cluster_of: impl Fn(usize) -> usize) -> bool {
        let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
        for index in running {
            *sizes.entry(cluster_of(*index)).or_default() += 1;
        }
        running.iter().all(|index| {
            let Some(live) = self.live.get(*index) else { return false };
            let is_complete = sizes.get(&cluster_of(*index)) == Some(&(live.len() + 1));
            is_complete && live.iter().all(|id| !self.ended.contains_key(id))
        })
    }

    /// Takes a sample of these nodes, the running ones, which have sent so many bytes since the start.
    pub fn sample(&mut self, now: Instant, running: &[usize], bytes: u64) {
        let nodes = running.len().max(1) as f64;
        let live: Vec<_> = running.iter().filter_map(|index| self.live.get(*index)).collect();
        let known: usize = live.iter().map(|live| live.len()).sum();
        // Whichever are fewer are looked up among the others.
        let ended_among = |live: &BTreeSet<NodeId>| match self.ended.len() < live.len() {
            true => self.ended.keys().filter(|id| live.contains(*id)).count(),
            false => live.iter().filter(|id| self.ended.contains_key(*id)).count(),
        };
        let known_wrongly: usize = live.iter().map(|live| ended_among(live)).sum();
        let elapsed = now.saturating_duration_since(self.sampled_at).as_secs_f64();
        let rate = if elapsed > 0.0 { (bytes - self.bytes) as f64 / nodes / elapsed } else { 0.0 };
        self.samples.push(Sample {
            at_s: now.saturating_duration_since(Instant::ZERO).as_secs_f64(),
            running: running.len(),
            known_live: if running.is_empty() { 0.0 } else { 1.0 + (known - known_wrongly) as f64 / nodes },
            known_wrongly: known_wrongly as f64 / nodes,
            false_positives: self.false_positives.all,
            bytes_per_node_per_s: rate,
        });
        (self.bytes, self.sampled_at) = (bytes, now);
    }

    /// How long what was written took to each of the others, where the run had writes.
    #[must_use]
    pub fn key_spread(&self) -> Spread {
        Spread::of(self.spreads.clone())
    }

    /// How often a node that had ended became live again somewhere, and how often one that runs and was declared dead did.
    #[must_use]
    pub fn revived_and_flaps(&self) -> (u64, u64) {
        (self.revived, self.flaps)
    }

    /// Bytes that a node sent in a second, on average, in the 20 s before `fault`, or the last 20 where there was none; and
    /// the most since that time began.
    #[must_use]
    pub fn quiet_and_peak(&self, fault: Option<Duration>) -> (f64, f64) {
        let end = self.samples.last().map_or(0.0, |sample| sample.at_s);
        let to = fault.map_or(end, |fault| fault.as_secs_f64()).min(end);
        let since = self.samples.iter().filter(|sample| sample.at_s > to - 20.0);
        let quiet: Vec<f64> =
            since.clone().filter(|sample| sample.at_s <= to).map(|sample| sample.bytes_per_node_per_s).collect();
        let peak = since.map(|sample| sample.bytes_per_node_per_s).fold(0.0, f64::max);
        (quiet.iter().sum::<f64>() / quiet.len().max(1) as f64, peak)
    }

    /// The samples taken so far.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
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
