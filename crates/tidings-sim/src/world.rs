//! The world: all hosts, all links, one clock, and what happens next.

mod exchange;
mod listeners;
mod machine;
mod record;
mod user;

use std::fmt;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};

use tidings_core::wire::aiocluster::NodeDigest;
use tidings_core::{Address, Event, Instant, Node, NodeId, Outcome, Transmit, invariants};

use crate::connection::{Connections, Dial, Side};
use crate::host::{Host, Process, Program};
use crate::link::{LinkConfig, Network};
use crate::queue::{Happening, Queue};
use crate::random::Random;
use crate::stranger::Actor;
use crate::trace::{Note, Trace};

use listeners::Listeners;
pub use listeners::Listens;

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
    listeners: Listeners,
    network: Network,
    connections: Connections,
    queue: Queue<Happening>,
    random: Random,
    trace: Trace,
    traffic: Traffic,
    news: Vec<(usize, Event)>,
    /// The first packet that cost more than it may.
    too_dear: Option<invariants::Violation>,
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
            listeners: Listeners::default(),
            network: Network::new(links, random.fork()),
            connections: Connections::default(),
            queue: Queue::default(),
            random,
            trace: Trace::new(),
            traffic: Traffic::default(),
            news: Vec::new(),
            too_dear: None,
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

    /// How many hosts there have been, whatever became of them. They have the indexes below that.
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
        host.node().map(|node| &**node).filter(|_| matches!(host.process, Process::Running | Process::Paused))
    }

    /// The node with this index as it is, or as it was when its process ended.
    #[must_use]
    pub fn node_or_remains(&self, index: usize) -> Option<&Node> {
        self.hosts.get(index)?.node().map(|node| &**node)
    }

    /// What the process with this index does.
    #[must_use]
    pub fn process(&self, index: usize) -> Option<Process> {
        self.hosts.get(index).map(|host| host.process)
    }

    /// The indexes of the nodes that run.
    pub fn running(&self) -> impl Iterator<Item = usize> {
        (0..self.hosts.len()).filter(|index| self.hosts[*index].is_running() && self.hosts[*index].node().is_some())
    }

    /// What a stranger has last heard of a node; `None`: nothing, or it is no stranger.
    #[must_use]
    pub fn heard(&self, stranger: usize, node: &NodeId) -> Option<&NodeDigest> {
        self.hosts.get(stranger)?.stranger()?.heard(node)
    }

    /// How many of a node's keys a stranger has taken, if it takes any; see [`Holding::Taken`](crate::Holding).
    #[must_use]
    pub fn keys_taken(&self, stranger: usize, node: &NodeId) -> usize {
        let stranger = self.hosts.get(stranger).and_then(Host::stranger);
        stranger.and_then(|stranger| stranger.taken(node)).map_or(0, |taken| taken.keys.len())
    }

    /// In how many digests and deltas a stranger has lied.
    #[must_use]
    pub fn lies_told(&self, stranger: usize) -> u64 {
        self.hosts.get(stranger).and_then(Host::stranger).map_or(0, Actor::lies_told)
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

    /// The first packet that cost a node more than it may, if there was one.
    pub(crate) fn too_dear(&self) -> Option<&invariants::Violation> {
        self.too_dear.as_ref()
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

    // ---- what happens ----

    /// Lets it happen, and gives the node that it happened to.
    fn happen(&mut self, happening: Happening) -> Option<usize> {
        let node = match &happening {
            Happening::Timer { node, .. } => *node,
            Happening::Connect(id) => return self.reach_host(*id),
            Happening::Accept(id) => self.connections.get_mut(*id)?.end(Side::Acceptor).node,
            Happening::Connected(id) | Happening::Refused(id) => self.connections.get_mut(*id)?.end(Side::Dialler).node,
            Happening::Packet(arrival) => arrival.node,
            Happening::PeerClosed { connection, side } | Happening::GivenUp { connection, side } => {
                self.connections.get_mut(*connection)?.end(*side).node
            }
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
            Happening::GivenUp { connection, side } => self.close(connection, side, Outcome::TimedOut),
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
        let now = host.clock.read(self.now);
        match &mut host.program {
            Program::Node(node) => node.handle_timeout(now),
            Program::Stranger(stranger) => {
                if let Some((to, syn)) = stranger.handle_timeout(now) {
                    self.open(node, &to, Dial { exchange: None, syn, expects: None });
                }
            }
            Program::Nothing => {}
        }
        Some(())
    }

    /// Takes out what a node has to say, and sets its timer.
    fn drain(&mut self, index: usize) {
        while let Some(transmit) = self.hosts[index].node_mut().and_then(|node| node.poll_transmit()) {
            let Transmit { exchange, to, tls_name, packet } = transmit;
            self.open(index, &to, Dial { exchange: Some(exchange), syn: packet, expects: tls_name });
        }
        while let Some(abort) = self.hosts[index].node_mut().and_then(|node| node.poll_abort()) {
            self.abort(index, abort.exchange);
        }
        while let Some(event) = self.hosts[index].node_mut().and_then(|node| node.poll_event()) {
            self.trace.note(self.now, index, Note::Told { event: &event.kind });
            self.news.push((index, event));
        }
        self.arm(index);
    }

    /// Dials an address, whoever is there.
    fn open(&mut self, from: usize, to: &Address, dial: Dial) {
        match self.listeners.at(to, &mut self.random) {
            Some(to) => self.dial(from, to, dial),
            // No such host: the name is not resolved, or the network has no route.
            None => {
                let host = &mut self.hosts[from];
                let now = host.clock.read(self.now);
                if let (Some(node), Some(exchange)) = (host.node_mut(), dial.exchange) {
                    node.handle_closed(now, exchange, Outcome::Refused);
                }
            }
        }
    }

    fn arm(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        if !host.is_running() {
            return;
        }
        let deadline = match &host.program {
            Program::Node(node) => node.poll_timeout(),
            Program::Stranger(stranger) => stranger.poll_timeout(),
            Program::Nothing => None,
        };
        let deadline = deadline.map(|local| host.clock.when(local).max(self.now) + host.timers_late_by);
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
