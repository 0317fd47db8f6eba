//! The world: all hosts, all links, one clock, and what happens next.

mod exchange;
mod record;
mod user;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use tidings_core::record::Recorder;
use tidings_core::{Address, Config, ConfigError, Event, Instant, Node, NodeId, Outcome};

use crate::clock::Clock;
use crate::connection::{Connections, Side};
use crate::host::{Host, Process};
use crate::link::{LinkConfig, Network};
use crate::queue::{Happening, Queue};
use crate::random::Random;
use crate::trace::{Note, Trace};

/// What passed over all links, packets without their length prefixes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets sent, lost ones too.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The largest, in bytes.
    pub max_packet_bytes: u64,
}

/// A number of [`Node`]s on hosts of their own, links between them, and one virtual clock.
///
/// Add nodes, let time pass with [`World::step`] or [`World::run_until`], and do to them what a real network and real
/// machines do. The same seed and the same calls give the same [`World::trace_hash`], on any machine.
///
/// ```
/// use std::time::Duration;
/// use tidings_core::{Config, Instant, NodeId};
/// use tidings_sim::{LinkConfig, World, address};
///
/// let mut world = World::new(7, LinkConfig::default());
/// for index in 0..3 {
///     let mut config = Config::new(NodeId::new(format!("node{index}"), 1, address(index)));
///     config.seeds = vec![address(0)];
///     world.add(config)?;
/// }
/// world.run_until(Instant::from_secs(10));
/// assert!((0..3).all(|index| world.node(index).is_some_and(|node| node.live_nodes().len() == 3)));
///
/// world.crash(2);
/// world.run_until(Instant::from_secs(60));
/// assert_eq!(world.node(0).map(|node| node.live_nodes().len()), Some(2));
/// # Ok::<(), tidings_core::ConfigError>(())
/// ```
pub struct World {
    now: Instant,
    hosts: Vec<Host>,
    by_address: BTreeMap<Address, usize>,
    network: Network,
    connections: Connections,
    queue: Queue<Happening>,
    random: Random,
    trace: Trace,
    traffic: Traffic,
    news: Vec<(usize, Event)>,
}

/// The address of the node with this index.
#[must_use]
pub fn address(index: usize) -> Address {
    Address::new(ip(index).to_string(), 7000)
}

fn ip(index: usize) -> IpAddr {
    let [.., high, middle, low] = (index as u64 + 1).to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(10, high, middle, low))
}

impl World {
    /// An empty world. `links` holds for every link until [`World::network`] says otherwise.
    #[must_use]
    pub fn new(seed: u64, links: LinkConfig) -> World {
        let mut random = Random::from_seed(seed);
        World {
            now: Instant::ZERO,
            hosts: Vec::new(),
            by_address: BTreeMap::new(),
            network: Network::new(links, random.fork()),
            connections: Connections::default(),
            queue: Queue::default(),
            random,
            trace: Trace::new(),
            traffic: Traffic::default(),
            news: Vec::new(),
        }
    }

    /// Writes a line for everything that happens from now on. The run stays the same.
    pub fn write_trace_to(&mut self, sink: Box<dyn Write + Send>) {
        self.trace.write_to(sink);
    }

    // ---- what is ----

    /// The world's time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// How many hosts there are, running or not. Their nodes have the indexes below that.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Whether there is no host.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// The node with this index, if its process is there (it may be paused).
    #[must_use]
    pub fn node(&self, index: usize) -> Option<&Node> {
        let host = self.hosts.get(index)?;
        matches!(host.process, Process::Running | Process::Paused).then_some(&*host.node)
    }

    /// The node with this index as it is, or as it was when its process ended.
    #[must_use]
    pub fn node_or_remains(&self, index: usize) -> Option<&Node> {
        self.hosts.get(index).map(|host| &*host.node)
    }

    /// What the process with this index does.
    #[must_use]
    pub fn process(&self, index: usize) -> Option<Process> {
        self.hosts.get(index).map(|host| host.process)
    }

    /// The indexes of the nodes that run.
    pub fn running(&self) -> impl Iterator<Item = usize> {
        (0..self.hosts.len()).filter(|index| self.hosts[*index].is_running())
    }

    /// The time that the node's own clock shows.
    #[must_use]
    pub fn local_now(&self, index: usize) -> Instant {
        self.hosts.get(index).map_or(self.now, |host| host.clock.read(self.now))
    }

    /// Whether the node's packets wait in its host.
    #[must_use]
    pub fn is_stalled(&self, index: usize) -> bool {
        self.hosts.get(index).is_some_and(|host| host.stalled_until > self.now)
    }

    /// The links.
    pub fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    /// What has passed over the links so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// A hash of everything that has happened: every step of every node, with every packet's bytes.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// Connections that are open, at one end at least.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Takes the nodes' events since the last call, in the order in which they came.
    pub fn take_news(&mut self) -> Vec<(usize, Event)> {
        std::mem::take(&mut self.news)
    }

    // ---- time ----

    /// Lets the next thing happen, if that is not after `until`, and gives the node that it happened to. `None`: the
    /// time is `until`, and nothing is left to happen before.
    pub fn step(&mut self, until: Instant) -> Option<usize> {
        while let Some((at, happening)) = self.queue.pop(until) {
            self.now = self.now.max(at);
            if let Some(node) = self.happen(happening) {
                return Some(node);
            }
        }
        self.now = self.now.max(until);
        None
    }

    /// Lets everything happen up to `until`.
    pub fn run_until(&mut self, until: Instant) {
        while self.step(until).is_some() {}
    }

    // ---- what is done to hosts ----

    /// Starts a node on a host of its own, which has the address that the config advertises, and gives its index.
    ///
    /// # Errors
    /// The config is not valid.
    pub fn add(&mut self, config: Config) -> Result<usize, ConfigError> {
        let index = self.hosts.len();
        let node = Node::new(config.clone(), Instant::ZERO, self.random.generator())?;
        self.trace.note(self.now, index, Note::Started { generation: config.node_id.generation_id() });
        self.by_address.insert(config.node_id.gossip_advertise_addr().clone(), index);
        self.hosts.push(Host {
            config,
            node: Recorder::new(node),
            recording: None,
            process: Process::Running,
            run: 0,
            clock: Clock::started_at(self.now),
            backlog: Default::default(),
            armed: None,
            setting: 0,
            stalled_until: Instant::ZERO,
            delay: Duration::ZERO,
        });
        self.drain(index);
        Ok(index)
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

    /// Starts a crashed process again, with nothing but its config and this generation.
    ///
    /// # Errors
    /// The config is not valid.
    pub fn restart(&mut self, index: usize, generation: u64) -> Result<(), ConfigError> {
        self.crash(index);
        let Some(host) = self.hosts.get_mut(index) else { return Ok(()) };
        let old = &host.config.node_id;
        let (name, address) = (old.name().to_string(), old.gossip_advertise_addr().clone());
        host.config.node_id = NodeId::with_tls_name(name, generation, address, old.tls_name().map(str::to_string));
        host.node = Recorder::new(Node::new(host.config.clone(), Instant::ZERO, self.random.generator())?);
        host.recording = host.recording.take().and_then(|_| host.node.begin(usize::MAX).encode());
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

    /// Ends cuts, partitions, stalls, delays and pauses; clocks run right from now on. Crashed processes stay as they are.
    pub fn heal(&mut self, links: LinkConfig) {
        self.network.configure(links);
        self.network.heal();
        for index in 0..self.hosts.len() {
            self.hosts[index].stalled_until = Instant::ZERO;
            self.hosts[index].delay = Duration::ZERO;
            self.skew_clock(index, 0);
            self.resume(index);
        }
    }

    // ---- what happens ----

    /// Lets it happen, and gives the node that it happened to.
    fn happen(&mut self, happening: Happening) -> Option<usize> {
        let node = match &happening {
            Happening::Timer { node, .. } => *node,
            Happening::Connect(id) => return self.reach_host(*id),
            Happening::Accept(id) => self.connections.get_mut(*id)?.end(Side::Acceptor).node,
            Happening::Connected(id) | Happening::Refused(id) => self.connections.get_mut(*id)?.end(Side::Dialler).node,
            Happening::Packet(arrival) => arrival.node,
            Happening::PeerClosed { connection, side } => self.connections.get_mut(*connection)?.end(*side).node,
        };
        let host = self.hosts.get_mut(node)?;
        match host.process {
            Process::Running => {}
            Process::Paused => {
                host.backlog.push_back(happening);
                return None;
            }
            Process::Crashed | Process::Gone => return None,
        }
        let has_happened = match happening {
            Happening::Timer { setting, .. } => self.wake(node, setting),
            Happening::Connect(_) => None,
            Happening::Accept(id) => self.accept(id),
            Happening::Connected(id) => self.connected(id),
            Happening::Refused(id) => self.close(id, Side::Dialler, Outcome::Refused),
            Happening::Packet(arrival) => self.receive(&arrival),
            Happening::PeerClosed { connection, side } => self.close(connection, side, Outcome::Failed),
        };
        has_happened.map(|()| {
            self.drain(node);
            node
        })
    }

    fn wake(&mut self, node: usize, setting: u64) -> Option<()> {
        let host = &mut self.hosts[node];
        if host.setting != setting {
            return None;
        }
        host.armed = None;
        self.trace.note(self.now, node, Note::Timer);
        host.node.handle_timeout(host.clock.read(self.now));
        Some(())
    }

    /// Takes out what a node has to say, and sets its timer.
    fn drain(&mut self, index: usize) {
        while let Some(transmit) = self.hosts[index].node.poll_transmit() {
            match self.by_address.get(&transmit.to) {
                Some(to) => self.dial(index, *to, transmit.exchange, transmit.packet),
                // No such host: the name is not resolved, or the network has no route.
                None => {
                    let host = &mut self.hosts[index];
                    host.node.handle_closed(host.clock.read(self.now), transmit.exchange, Outcome::Refused);
                }
            }
        }
        while let Some(abort) = self.hosts[index].node.poll_abort() {
            self.abort(index, abort.exchange);
        }
        while let Some(event) = self.hosts[index].node.poll_event() {
            self.trace.note(self.now, index, Note::Told { event: &event.kind });
            self.news.push((index, event));
        }
        self.arm(index);
    }

    fn arm(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        if !host.is_running() {
            return;
        }
        let deadline = host.node.poll_timeout().map(|local| host.clock.when(local).max(self.now));
        if deadline != host.armed {
            host.armed = deadline;
            host.setting += 1;
            if let Some(at) = deadline {
                self.queue.push(at, Happening::Timer { node: index, setting: host.setting });
            }
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (now, hosts, hash) = (self.now, self.hosts.len(), self.trace_hash());
        write!(f, "World {{ now: {now:?}, hosts: {hosts}, trace_hash: {hash:016x} }}")
    }
}
