//! tidings, through the simulator's [`World`].

use anyhow::anyhow;
use tidings_core::{EventKind, Instant, Lifetime, NodeId};
use tidings_sim::{Random, Scenario, Traffic, World};

use super::{Change, GENERATION, News, System, Values};
use crate::links::Deliveries;

#[derive(Debug)]
pub(super) struct Tidings {
    scenario: Scenario,
    world: World,
    values: Values,
    news: Vec<News>,
}

impl Tidings {
    pub(super) fn new(scenario: Scenario, mut random: Random) -> Tidings {
        let world = World::new(random.below(u64::MAX), scenario.link);
        Tidings { scenario, world, values: Values::default(), news: Vec::new() }
    }

    fn gather_news(&mut self) {
        let at = self.world.now();
        for (observer, event) in self.world.take_news() {
            let (node, change) = match &event.kind {
                EventKind::NodeJoined { node } => (node, Change::Joined),
                EventKind::NodeDied { node } => (node, Change::Died),
                _ => continue,
            };
            if let Some(subject) = index_of(node) {
                self.news.push(News { at, observer, subject, change });
            }
        }
    }
}

fn index_of(node: &NodeId) -> Option<usize> {
    node.name().strip_prefix("node")?.parse().ok()
}

impl System for Tidings {
    fn spawn(&mut self) -> anyhow::Result<()> {
        let generation = GENERATION + self.world.now().as_nanos();
        let index = self.world.add(self.scenario.config(self.world.len(), generation))?;
        for key in 0..self.scenario.workload.keys {
            let value = self.values.next(self.scenario.workload.value_bytes);
            let set = self.world.set(index, &format!("key{key}"), &value, Lifetime::Forever);
            set.ok_or_else(|| anyhow!("node {index} does not run"))??;
        }
        self.gather_news();
        Ok(())
    }

    fn run_until(&mut self, until: Instant) -> anyhow::Result<()> {
        while self.world.step(until).is_some() {
            self.gather_news();
        }
        Ok(())
    }

    fn crash(&mut self, index: usize) {
        self.world.crash(index);
        self.gather_news();
    }

    fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    fn live(&self, observer: usize) -> Vec<usize> {
        let Some(node) = self.world.node(observer) else { return Vec::new() };
        let mut live: Vec<usize> = node.live_nodes().iter().filter_map(index_of).collect();
        live.retain(|index| *index != observer);
        live.sort_unstable();
        live
    }

    fn has_all_key_values(&self, running: &[usize]) -> bool {
        let nodes: Vec<_> = running.iter().filter_map(|index| self.world.node(*index)).collect();
        nodes.iter().all(|owner| {
            let truth = owner.node_state(owner.id()).map(|state| state.max_version());
            nodes.iter().all(|node| node.node_state(owner.id()).map(|state| state.max_version()) >= truth)
        })
    }

    fn traffic(&self) -> Traffic {
        self.world.traffic()
    }

    fn deliveries(&self) -> Option<Deliveries> {
        None
    }

    fn trace_hash(&self) -> Option<u64> {
        Some(self.world.trace_hash())
    }
}
