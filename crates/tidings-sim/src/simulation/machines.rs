//! What is done to processes and their hosts, and what the checkers are told of it.

use std::sync::Arc;

use tidings_core::{CertificateNames, Instant, Lifetime, Node, NodeId, PeerIdentity};

use super::Simulation;
use crate::check::Violation;
use crate::fault::Generation;
use crate::plan::Action;
use crate::world::World;

/// The wall clock at the start: generations come from it, in nanoseconds since 1970.
const WALL_CLOCK: u64 = 1_750_000_000_000_000_000;

impl Simulation<'_> {
    pub(super) fn wall_clock(&self) -> u64 {
        WALL_CLOCK + self.world.now().as_nanos()
    }

    pub(super) fn boot(&mut self, index: usize) -> Result<(), Violation> {
        let config = self.scenario.config(index, self.wall_clock());
        let id = config.node_id.clone();
        self.begin(index, &id, None);
        // The config was validated with the scenario.
        if self.world.add(config).is_err() {
            return Ok(());
        }
        self.certify(index);
        if self.recorded == Some(index) {
            self.world.record(index);
        }
        self.set_first_keys(index)
    }

    /// Tells those who watch that a process begins, which had been this one before.
    pub(super) fn begin(&mut self, index: usize, id: &NodeId, before: Option<Node>) {
        self.days.starts += 1;
        self.checker.begin(index, id, before);
        self.measure.begin(index, id);
    }

    /// Gives a host the certificate for its node's id, where all have one.
    pub(super) fn certify(&mut self, index: usize) {
        let tls_name = self.world.node(index).and_then(|node| node.id().tls_name().map(str::to_string));
        if let Some(tls_name) = tls_name {
            self.world.prove(index, certificate(tls_name));
        }
    }

    pub(super) fn set_first_keys(&mut self, index: usize) -> Result<(), Violation> {
        for key in 0..self.scenario.workload.keys {
            self.set(index, key, Lifetime::Forever)?;
        }
        self.news()
    }

    pub(super) fn act(&mut self, action: Action) -> Result<(), Violation> {
        match action {
            Action::Crash(index) => self.end(index, World::crash),
            Action::PowerOff(index) => self.end(index, World::power_off),
            Action::Restart(index, generation) => self.restart(index, generation)?,
            Action::Leave(index) => {
                if self.world.running().any(|running| running == index) && self.leaving.insert(index) {
                    self.world.leave(index);
                }
            }
            Action::Pause(index) => self.world.pause(index),
            Action::Resume(index) => self.world.resume(index),
            Action::Stall(index, duration) => {
                let until = self.world.now() + duration;
                self.world.stall(index, until);
            }
            Action::Slow(index, delay) => self.world.slow_down(index, delay),
            Action::Separate(nodes, side) => self.world.network().separate(&nodes, side),
            Action::Deaf(index, is_deaf) => self.world.network().set_deaf(index, is_deaf),
            Action::Cut(from, to, true) => self.world.network().cut(from, to),
            Action::Cut(from, to, false) => self.world.network().mend(from, to),
            Action::Loss(index, loss) => self.world.network().set_loss(index, loss),
            Action::ClockJump(index, by) => self.world.jump_clock(index, by),
            Action::ClockSkew(index, rate_ppm) => self.world.skew_clock(index, rate_ppm),
            Action::Arrive(guest, is_once) => self.arrive(guest, is_once)?,
            Action::Depart(guest, leaves) => self.depart(guest, leaves)?,
            Action::Clone(guest, index, listens) => self.start_clone(guest, index, listens),
            Action::Rival(guest, index, generation) => self.start_rival(guest, index, generation)?,
            Action::Lie(guest, about) => self.start_stranger(guest, &about),
        }
        self.news()
    }

    pub(super) fn end(&mut self, index: usize, end: impl FnOnce(&mut World, usize)) {
        self.leaving.remove(&index);
        if let Some(id) = self.world.node(index).map(|node| node.id().clone()) {
            self.measure.end(self.world.now(), &id);
            self.checker.end(self.world.now(), &id);
        }
        end(&mut self.world, index);
    }

    pub(super) fn restart(&mut self, index: usize, generation: Generation) -> Result<(), Violation> {
        let Some(before) = self.world.node_or_remains(index).cloned() else { return Ok(()) };
        let old = before.id().generation_id();
        self.end(index, World::crash);
        let generation = match generation {
            Generation::Same if !self.is_earlier_run_known(before.id()) => self.generation(Generation::New, old),
            _ => self.generation(generation, old),
        };
        let id = with_generation(before.id(), generation);
        self.begin(index, &id, Some(before));
        if self.world.restart(index, generation).is_err() {
            return Ok(());
        }
        self.set_first_keys(index)
    }

    /// The generation of a run after one that had `old`.
    pub(super) fn generation(&self, generation: Generation, old: u64) -> u64 {
        const HOUR: u64 = 3_600_000_000_000;
        let now = self.wall_clock();
        match generation {
            // The one before may have started with a clock in the future.
            Generation::New if old > now => now,
            Generation::New => now.max(old + 1),
            Generation::Same | Generation::Reused => old,
            Generation::Lower => old.saturating_sub(HOUR),
            Generation::Future => now + 24 * HOUR,
        }
    }

    /// Whether a second run of this id will find out that there was a first one: its peers have heard of more heartbeats
    /// than the second run can have before the faults end. (Each inbound exchange counts as well, about four a round.)
    pub(super) fn is_earlier_run_known(&self, id: &NodeId) -> bool {
        const BEATS_A_ROUND: f64 = 5.0;
        let left = (Instant::ZERO + self.scenario.duration).saturating_duration_since(self.world.now());
        let beats = BEATS_A_ROUND * (left.as_secs_f64() / self.scenario.protocol.interval.as_secs_f64() + 10.0);
        let heard = (0..self.world.len()).filter_map(|index| {
            let (node, now) = (self.world.node(index)?, self.world.local_now(index));
            Some(node.snapshot(now).member(id)?.heartbeat)
        });
        heard.min().is_some_and(|heard| heard as f64 > beats)
    }
}

/// The same node's id with another generation.
pub(super) fn with_generation(id: &NodeId, generation: u64) -> NodeId {
    let tls_name = id.tls_name().map(str::to_string);
    NodeId::with_tls_name(id.name(), generation, id.gossip_advertise_addr().clone(), tls_name)
}

/// What a host with a certificate of this name proves.
pub(super) fn certificate(tls_name: String) -> PeerIdentity {
    PeerIdentity::Demanded(Arc::new(CertificateNames::new(vec![tls_name], Vec::new())))
}
