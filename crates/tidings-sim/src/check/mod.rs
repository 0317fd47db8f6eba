//! What must hold, checked apart from the network and from what is done to it.

mod age;
mod history;
mod replay;
mod runs;
mod violation;
mod word;

use std::collections::BTreeMap;
use std::time::Duration;

use tidings_core::invariants::{self, Monitor};
use tidings_core::{Event, EventKind, Instant, Node, NodeId};

pub(crate) use history::History;
pub use violation::{Rule, Violation};

use crate::fault::FaultKind;
use crate::random::Random;
use crate::scenario::{Checks, Scenario};
use crate::world::World;
use age::Ages;
use replay::Replay;
pub(crate) use runs::Runs;
pub(crate) use word::Words;

/// In a large run so many nodes are watched.
const MAX_WATCHED: usize = 32;
/// A look at a whole node costs time in proportion to the key-values it knows; now and then, so that it stays bounded.
const ENTRIES_A_STEP: f64 = 24.0;

/// Watches a run.
#[derive(Debug)]
pub(crate) struct Checker {
    checks: Checks,
    /// The nodes that are watched.
    watched: BTreeMap<usize, Watched>,
    /// The indexes of nodes that there are, running or not.
    present: Vec<usize>,
    /// Owners as they were when their processes ended: what others may still say of them.
    remains: BTreeMap<NodeId, Node>,
    pub(crate) runs: Runs,
    /// How long the ended are known; `None`: nothing can be said.
    ages: Option<Ages>,
    /// Strangers lie, so that copies may have to go back.
    has_strangers: bool,
    /// The probability of a look at a whole node, at each step.
    look: f64,
    random: Random,
    pub(crate) history: History,
}

#[derive(Debug, Default)]
struct Watched {
    replay: Replay,
    monitor: Monitor,
}

impl Checker {
    pub(crate) fn new(scenario: &Scenario, mut random: Random) -> Checker {
        let watched = match scenario.checks {
            Checks::Off => Vec::new(),
            Checks::Sampled => random.sample(scenario.nodes, MAX_WATCHED),
            Checks::Full => (0..scenario.nodes).collect(),
        };
        let entries = scenario.nodes * (1 + scenario.workload.keys);
        let look = if scenario.checks == Checks::Full { 1.0 } else { (ENTRIES_A_STEP / entries as f64).min(1.0) };
        Checker {
            checks: scenario.checks,
            watched: watched.into_iter().map(|index| (index, Watched::default())).collect(),
            present: Vec::new(),
            remains: BTreeMap::new(),
            runs: Runs::default(),
            ages: Ages::new(scenario),
            has_strangers: scenario.faults.iter().any(|fault| matches!(fault.kind, FaultKind::Stranger { .. })),
            look,
            random,
            history: History::default(),
        }
    }

    /// A node's process begins, which had been this one before.
    pub(crate) fn begin(&mut self, index: usize, id: &NodeId, before: Option<Node>) {
        self.history.begin(id);
        self.runs.begin(id);
        if let Err(place) = self.present.binary_search(&index) {
            self.present.insert(place, index);
        }
        // Guests are watched as long as there is room.
        if self.watched.contains_key(&index) || (self.checks != Checks::Off && self.watched.len() < MAX_WATCHED) {
            self.watched.insert(index, Watched::default());
        }
        if let Some(node) = before.filter(|_| self.checks != Checks::Off) {
            self.remains.insert(node.id().clone(), node);
        }
    }

    /// A node's process has ended.
    pub(crate) fn end(&mut self, now: Instant, id: &NodeId) {
        self.runs.end(now, id);
    }

    /// A node's host is gone.
    pub(crate) fn retire(&mut self, index: usize) {
        self.watched.remove(&index);
        if let Ok(place) = self.present.binary_search(&index) {
            self.present.remove(place);
        }
    }

    /// The indexes of nodes that there are, running or not; clones left out.
    pub(crate) fn present(&self) -> impl Iterator<Item = usize> {
        self.present.iter().copied()
    }

    /// Forgets what nobody may tell of any more, so that long runs take no more memory than short ones. Gives the runs.
    pub(crate) fn forget_before(&mut self, then: Instant) -> Vec<NodeId> {
        let over = self.runs.forget_before(then);
        for run in &over {
            self.history.forget(run);
            self.remains.remove(run);
            for watched in self.watched.values_mut() {
                watched.replay.forget(run);
            }
        }
        over
    }

    /// Looks at whom the nodes know. Once a round: a look at each entry.
    pub(crate) fn ages(&self, world: &World) -> Result<(), Violation> {
        let Some(ages) = &self.ages else { return Ok(()) };
        for index in self.watched.keys() {
            ages.check(world, &self.runs, *index).map_err(|message| violation(world, *index, (Rule::Age, message)))?;
        }
        Ok(())
    }

    /// Takes an event of a node.
    pub(crate) fn event(&mut self, world: &World, index: usize, event: &Event) -> Result<(), Violation> {
        let Some(watched) = self.watched.get_mut(&index) else { return Ok(()) };
        watched.replay.take(event, &self.history, &self.runs).map_err(|found| violation(world, index, found))?;
        // A forgotten node that is back before the next look would seem to have gone backwards.
        match (&event.kind, world.node(index)) {
            (EventKind::NodeForgotten { .. }, Some(node)) if !self.has_strangers => {
                watched.monitor.observe(world.local_now(index), node).map_err(|found| of_core(world, found))
            }
            _ => Ok(()),
        }
    }

    /// Something has happened to a node.
    pub(crate) fn step(&mut self, world: &World, index: usize) -> Result<(), Violation> {
        if let Some(dear) = world.too_dear().filter(|_| self.checks != Checks::Off) {
            return Err(of_core(world, dear.clone()));
        }
        if !self.watched.contains_key(&index) || !self.random.chance(self.look) {
            return Ok(());
        }
        self.look_at(world, index)?;
        // All pairs would be too many; every pair has its turn.
        let owner = self.present.get(self.random.index(self.present.len())).copied();
        self.compare(world, owner.unwrap_or(index), index)
    }

    /// Looks at everything.
    pub(crate) fn sweep(&mut self, world: &World) -> Result<(), Violation> {
        let watched: Vec<usize> = self.watched.keys().copied().collect();
        for index in &watched {
            self.look_at(world, *index)?;
            for owner in &self.present {
                self.compare(world, *owner, *index)?;
            }
        }
        Ok(())
    }

    /// One node by itself, and against what it showed before.
    fn look_at(&mut self, world: &World, index: usize) -> Result<(), Violation> {
        let Some((node, watched)) = world.node(index).zip(self.watched.get_mut(&index)) else { return Ok(()) };
        let now = world.local_now(index);
        invariants::check(node).map_err(|found| of_core(world, found))?;
        if !self.has_strangers {
            watched.monitor.observe(now, node).map_err(|found| of_core(world, found))?;
        }
        watched.replay.compare(&node.snapshot(now)).map_err(|found| violation(world, index, found))?;
        let slack = node.config().gossip_interval * 2 + Duration::from_secs(1);
        let own = node.node_state(node.id()).into_iter().flat_map(|state| state.iter());
        let own = own.map(|(key, value)| (key, &*value.value));
        // After a pause, or a jump of its clock, it has first to be woken.
        if node.poll_timeout().is_some_and(|deadline| deadline <= now) {
            return Ok(());
        }
        let compared = self.history.compare(node.id(), now, slack, own);
        compared.map_err(|message| violation(world, index, (Rule::OwnKeys, message)))
    }

    /// What one node holds of another's runs.
    fn compare(&self, world: &World, owner: usize, index: usize) -> Result<(), Violation> {
        let (Some(replica), Some(present)) = (world.node(index), world.node_or_remains(owner)) else { return Ok(()) };
        if owner == index {
            return Ok(());
        }
        invariants::isolation(present, replica).map_err(|found| of_core(world, found))?;
        let name = present.id().name();
        let past = self.remains.range(NodeId::new(name, 0, crate::address(0))..).map(|(_, node)| node);
        let past = past.take_while(|node| node.id().name() == name).filter(|node| node.id() != present.id());
        for owner in past.chain([present]).filter(|owner| !self.history.is_doubtful(owner.id())) {
            invariants::ownership(owner, replica).map_err(|found| of_core(world, found))?;
            invariants::prefix_completeness(owner, replica).map_err(|found| of_core(world, found))?;
        }
        Ok(())
    }
}

fn violation(world: &World, index: usize, (rule, message): (Rule, String)) -> Violation {
    Violation { at: world.now(), rule, message: format!("node {index}: {message}") }
}

fn of_core(world: &World, found: invariants::Violation) -> Violation {
    Violation { at: world.now(), rule: Rule::Invariant(found.invariant), message: found.message }
}
