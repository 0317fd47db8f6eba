//! What is done to hosts and their processes.

use std::time::Duration;

use tidings_core::record::Recorder;
use tidings_core::{Address, Config, ConfigError, Instant, Node, NodeId, PeerIdentity};

use super::{Listens, World, ip};
use crate::clock::Clock;
use crate::host::{Host, Process, Program};
use crate::link::LinkConfig;
use crate::stranger::{Actor, Stranger};
use crate::trace::Note;

impl World {
    /// Starts a node on a host of its own, which has the address that the config advertises, and gives its index.
    ///
    /// # Errors
    /// The config is not valid.
    pub fn add(&mut self, config: Config) -> Result<usize, ConfigError> {
        self.add_node(config, Listens::TakesOver)
    }

    /// Starts a second process with the config of this node, its id and generation too, on a host of its own. Gives its
    /// index; `None`: there is no such node.
    ///
    /// # Errors
    /// The config is not valid.
    pub fn add_clone(&mut self, index: usize, listens: Listens) -> Result<Option<usize>, ConfigError> {
        let config = self.node_or_remains(index).map(|node| node.config().clone());
        config.map(|config| self.add_node(config, listens)).transpose()
    }

    fn add_node(&mut self, config: Config, listens: Listens) -> Result<usize, ConfigError> {
        let (index, id) = (self.hosts.len(), config.node_id.clone());
        let node = Node::new(config, Instant::ZERO, self.random.generator())?;
        self.trace.note(self.now, index, Note::Started { generation: id.generation_id() });
        let address = id.gossip_advertise_addr().clone();
        let advertised = address.host().parse().ok().filter(|_| listens != Listens::Elsewhere);
        self.listeners.add(address, index, listens);
        let program = Program::Node(Box::new(Recorder::new(node)));
        self.hosts.push(Host::new(self.now, program, advertised.unwrap_or_else(|| ip(index))));
        self.drain(index);
        Ok(index)
    }

    /// Lets a stranger begin its work, on a host at the address in its id, and gives its index.
    pub fn add_stranger(&mut self, stranger: Stranger) -> usize {
        let index = self.hosts.len();
        self.trace.note(self.now, index, Note::Started { generation: stranger.id.generation_id() });
        let stranger = Actor::new(self.now, stranger, self.random.fork());
        let ip = stranger.address().host().parse().unwrap_or_else(|_| ip(index));
        self.listeners.add(stranger.address().clone(), index, Listens::TakesOver);
        // It goes by the world's time, in which it was told until when to lie.
        self.hosts.push(Host::new(Instant::ZERO, Program::Stranger(Box::new(stranger)), ip));
        self.arm(index);
        index
    }

    /// Has a host's connections prove that it is this. At first they prove nothing. A host with a certificate and one
    /// without do not get to exchange anything, and a node that expects a name of whom it dials insists on it.
    pub fn prove(&mut self, index: usize, identity: PeerIdentity) {
        if let Some(host) = self.hosts.get_mut(index) {
            host.identity = identity;
        }
    }

    /// Takes a host away for good, with all that is kept of it: its index stands for nothing from now on.
    pub fn retire(&mut self, index: usize) {
        self.power_off(index);
        self.listeners.remove(index);
        self.network.forget(index);
        if let Some(host) = self.hosts.get_mut(index) {
            host.program = Program::Nothing;
            host.recording = None;
        }
    }

    /// Says whose hosts are reached at an address from now on: of several a random one each time, as behind a virtual IP;
    /// none, as behind a firewall.
    pub fn lead(&mut self, address: Address, to: &[usize]) {
        self.listeners.lead(address, to);
    }

    /// Ends a process at once. Its host closes its connections and refuses new ones.
    pub fn crash(&mut self, index: usize) {
        self.stop(index, Process::Crashed);
    }

    /// Takes a host away at once, as when its power fails: connections to it hang.
    pub fn power_off(&mut self, index: usize) {
        self.stop(index, Process::Gone);
    }

    fn stop(&mut self, index: usize, process: Process) {
        let Some(host) = self.hosts.get_mut(index) else { return };
        if matches!(host.process, Process::Crashed | Process::Gone) {
            host.process = process;
            return;
        }
        host.process = process;
        host.backlog.clear();
        host.armed = None;
        self.trace.note(self.now, index, Note::Crashed);
        for (id, side) in self.connections.at(index) {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.end_mut(side).is_open = false;
            }
            if process == Process::Crashed {
                self.tell_peer_of_close(id, side);
            }
            self.connections.tidy(id);
        }
    }

    /// Gives a host another address, which its node advertises from then on. Open connections go on. `None`: no node runs
    /// there.
    ///
    /// # Errors
    /// The address is not valid.
    pub fn set_advertise_addr(&mut self, index: usize, address: Address) -> Option<Result<NodeId, ConfigError>> {
        let host = self.hosts.get_mut(index).filter(|host| host.is_running())?;
        let now = host.clock.read(self.now);
        let id = match host.node_mut()?.set_advertise_addr(now, address.clone()) {
            Ok(id) => id,
            Err(error) => return Some(Err(error)),
        };
        host.ip = address.host().parse().unwrap_or(host.ip);
        self.listeners.move_to(address, index);
        self.drain(index);
        Some(Ok(id))
    }

    /// Starts a crashed process again, with nothing but its config and this generation.
    ///
    /// # Errors
    /// The config is not valid.
    pub fn restart(&mut self, index: usize, generation: u64) -> Result<(), ConfigError> {
        self.crash(index);
        let Some(host) = self.hosts.get_mut(index) else { return Ok(()) };
        let Some(recorder) = host.node_mut() else { return Ok(()) };
        let mut config = recorder.config().clone();
        let old = &config.node_id;
        let (name, address) = (old.name().to_string(), old.gossip_advertise_addr().clone());
        config.node_id = NodeId::with_tls_name(name, generation, address, old.tls_name().map(str::to_string));
        let mut recorder = Recorder::new(Node::new(config, Instant::ZERO, self.random.generator())?);
        host.recording = host.recording.take().and_then(|_| recorder.begin(usize::MAX).encode());
        host.program = Program::Node(Box::new(recorder));
        host.process = Process::Running;
        host.run += 1;
        host.clock = Clock::started_at(self.now);
        self.trace.note(self.now, index, Note::Started { generation });
        self.drain(index);
        Ok(())
    }

    /// Stops a process until it is resumed. Its host goes on taking connections for it.
    pub fn pause(&mut self, index: usize) {
        let Some(host) = self.hosts.get_mut(index) else { return };
        if host.is_running() {
            host.process = Process::Paused;
            self.trace.note(self.now, index, Note::Paused);
        }
    }

    /// Lets a paused process go on. What came for it meanwhile comes now.
    pub fn resume(&mut self, index: usize) {
        let Some(host) = self.hosts.get_mut(index) else { return };
        if host.process != Process::Paused {
            return;
        }
        host.process = Process::Running;
        for happening in std::mem::take(&mut host.backlog) {
            self.queue.push(self.now, happening);
        }
        self.trace.note(self.now, index, Note::Resumed);
        self.arm(index);
    }

    /// Holds back all packets from and to a node until `until`, while its timers go on.
    pub fn stall(&mut self, index: usize, until: Instant) {
        if let Some(host) = self.hosts.get_mut(index) {
            host.stalled_until = host.stalled_until.max(until);
        }
    }

    /// Lets every packet from and to a node wait for so long.
    pub fn slow_down(&mut self, index: usize, delay: Duration) {
        if let Some(host) = self.hosts.get_mut(index) {
            host.delay = delay;
        }
    }

    /// Lets every timer of a node be late by so much, as on a machine that has too little time for it.
    pub fn delay_timers(&mut self, index: usize, by: Duration) {
        if let Some(host) = self.hosts.get_mut(index) {
            host.timers_late_by = by;
        }
    }

    /// Lets a node's clock jump ahead.
    pub fn jump_clock(&mut self, index: usize, by: Duration) {
        let now = self.now;
        if let Some(host) = self.hosts.get_mut(index) {
            host.clock.jump(now, by);
            self.arm(index);
        }
    }

    /// Lets a node's clock run `rate_ppm` millionths too fast, or too slow where that is negative.
    pub fn skew_clock(&mut self, index: usize, rate_ppm: i32) {
        let now = self.now;
        if let Some(host) = self.hosts.get_mut(index) {
            host.clock.set_rate(now, rate_ppm);
            self.arm(index);
        }
    }

    /// Ends cuts, partitions, stalls, delays, late timers and pauses; clocks run right from now on. Crashed processes stay as they are.
    pub fn heal(&mut self, links: LinkConfig) {
        self.network.configure(links);
        self.network.heal();
        for index in 0..self.hosts.len() {
            self.hosts[index].stalled_until = Instant::ZERO;
            self.hosts[index].delay = Duration::ZERO;
            self.hosts[index].timers_late_by = Duration::ZERO;
            self.skew_clock(index, 0);
            self.resume(index);
        }
    }
}
