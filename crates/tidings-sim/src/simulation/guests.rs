//! Processes beside the scenario's own nodes: guests, second processes of one name, strangers.

use std::time::Duration;

use tidings_core::{Instant, Lifetime, NodeId};

use super::Simulation;
use super::machines::certificate;
use crate::check::Violation;
use crate::fault::{FaultKind, Generation};
use crate::plan::{Action, Guest};
use crate::stranger::{Lie, Stranger};
use crate::world::{Listens, World, address};

/// A guest as it was last here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Visit {
    index: usize,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// A node that will not come again.
    Once,
    /// A node whose name comes again.
    Returning,
    /// A second process of a name, with an id of its own.
    Rival,
    /// A second process with the same id.
    Clone,
    Stranger,
}

impl Simulation<'_> {
    pub(super) fn arrive(&mut self, guest: Guest, is_once: bool) -> Result<(), Violation> {
        if let Some(Visit { index, .. }) = self.guests.get(&guest) {
            return self.restart(*index, Generation::New);
        }
        let index = self.world.len();
        let what = if is_once { What::Once } else { What::Returning };
        self.guests.insert(guest, Visit { index, what });
        self.boot(index)
    }

    pub(super) fn depart(&mut self, guest: Guest, leaves: bool) -> Result<(), Violation> {
        let Some(Visit { index, what }) = self.guests.get(&guest).copied() else { return Ok(()) };
        match what {
            What::Once | What::Returning => {
                self.act(if leaves { Action::Leave(index) } else { Action::Crash(index) })?;
            }
            What::Rival => self.end(index, World::crash),
            What::Clone | What::Stranger => {
                let id = self.world.node(index).map(|node| node.id().clone());
                if let Some(id) = id {
                    self.checker.end(self.world.now(), &id);
                }
                self.world.retire(index);
                if let (What::Stranger, Some(words)) = (what, &mut self.words) {
                    words.end(self.world.now());
                }
            }
        }
        if what != What::Returning {
            self.guests.remove(&guest);
        }
        if matches!(what, What::Once | What::Rival) {
            self.retiring.push((self.world.now() + self.memory(), index));
        }
        Ok(())
    }

    /// For so long after its end a run may matter to somebody, and longer.
    fn memory(&self) -> Duration {
        let protocol = &self.scenario.protocol;
        protocol.dead_grace * 3 + protocol.interval * 30 + Duration::from_secs(60)
    }

    /// Takes hosts away whose nodes nobody may know any more, and what is remembered of all such runs.
    pub(super) fn retire_the_long_gone(&mut self) {
        let now = self.world.now();
        let (over, waiting) = std::mem::take(&mut self.retiring).into_iter().partition(|(at, _)| *at <= now);
        self.retiring = waiting;
        for (_, index) in over {
            self.world.retire(index);
            self.checker.retire(index);
            self.measure.retire(index);
        }
        if now.saturating_duration_since(Instant::ZERO) > self.memory() {
            for id in self.checker.forget_before(now - self.memory()) {
                self.measure.forget(&id);
            }
        }
    }

    pub(super) fn start_clone(&mut self, guest: Guest, index: usize, listens: Listens) {
        let Some(id) = self.world.node(index).map(|node| node.id().clone()) else { return };
        self.checker.history.doubt(id.name());
        let Ok(Some(clone)) = self.world.add_clone(index, listens) else { return };
        self.guests.insert(guest, Visit { index: clone, what: What::Clone });
        self.checker.runs.begin(&id);
        self.measure.observe(clone);
        self.certify(clone);
        for key in 0..self.scenario.workload.keys {
            let value = self.checker.history.next_value(self.scenario.workload.value_bytes);
            let key = format!("key{key}");
            self.checker.history.set_at_clone(&id, &key, &value);
            // It is refused at the clone where it would be at the first process.
            let _ = self.world.set(clone, &key, &value, Lifetime::Forever);
        }
    }

    /// Whether this is a second process with another one's id, which no user knows of.
    pub(super) fn is_clone(&self, index: usize) -> bool {
        self.guests.values().any(|visit| visit.index == index && visit.what == What::Clone)
    }

    pub(super) fn start_rival(&mut self, guest: Guest, of: usize, generation: Generation) -> Result<(), Violation> {
        let Some(first) = self.world.node_or_remains(of).map(|node| node.id().clone()) else { return Ok(()) };
        let (index, generation) = (self.world.len(), self.generation(generation, first.generation_id()));
        let tls_name = first.tls_name().map(str::to_string);
        let id = NodeId::with_tls_name(first.name(), generation, address(index), tls_name);
        let mut config = self.scenario.config(index, generation);
        config.node_id = id.clone();
        self.checker.history.doubt(id.name());
        self.begin(index, &id, None);
        if self.world.add(config).is_err() {
            return Ok(());
        }
        self.guests.insert(guest, Visit { index, what: What::Rival });
        self.certify(index);
        self.set_first_keys(index)
    }

    pub(super) fn start_stranger(&mut self, guest: Guest, about: &[usize]) {
        let fault = &self.scenario.faults[guest.fault];
        let FaultKind::Stranger { lies, to, to_owner, as_owner, unmarked, interval, duration } = &fault.kind else {
            return;
        };
        let index = self.world.len();
        let name = format!("stranger{}", guest.fault);
        let tls_name = self.scenario.tls.then(|| format!("{name}.example"));
        let id = NodeId::with_tls_name(name, self.wall_clock(), address(index), tls_name.clone());
        let to = to.among(self.scenario.nodes, &mut self.random);
        let mut stranger = Stranger::new(id, to.into_iter().map(address).collect());
        stranger.cluster_id = self.scenario.config(about.first().copied().unwrap_or(0), 1).cluster_id;
        stranger.about = about.iter().map(|index| format!("node{index}")).collect();
        (stranger.to_owner, stranger.as_owner, stranger.is_marked) = (*to_owner, *as_owner, !unmarked);
        (stranger.every, stranger.until) = (*interval, self.world.now() + *duration);
        stranger.lies.clone_from(lies);
        let sets_keys = lies.iter().any(|lie| matches!(lie, Lie::Keys { .. } | Lie::Farewell {}));
        for name in &stranger.about {
            if sets_keys {
                self.checker.history.slander(name);
            } else {
                self.checker.history.doubt(name);
            }
        }
        let index = self.world.add_stranger(stranger);
        self.measure.observe(index);
        if let Some(tls_name) = tls_name {
            self.world.prove(index, certificate(tls_name));
        }
        self.guests.insert(guest, Visit { index, what: What::Stranger });
        if let Some(words) = &mut self.words {
            words.begin(self.converged_at.is_some());
        }
    }

    /// Ends what no cluster agrees on.
    pub(super) fn end_doubles_and_strangers(&mut self) -> Result<(), Violation> {
        let is_one = |visit: &Visit| matches!(visit.what, What::Clone | What::Rival | What::Stranger);
        let over: Vec<Guest> = self.guests.iter().filter(|(_, visit)| is_one(visit)).map(|(guest, _)| *guest).collect();
        over.into_iter().try_for_each(|guest| self.depart(guest, false))
    }
}
