//! A few nodes and the packets between them, each of which a test may deliver, lose, or deliver once more.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tidings_core::invariants::{self, Monitor, Violation};
use tidings_core::{Address, Config, Event, EventKind, Instant, Next, Node, NodeId, Outcome, PeerIdentity, Via};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A packet on its way.
#[derive(Clone, Debug)]
struct InFlight {
    from: usize,
    to: usize,
    /// The exchange at the sender.
    sender: Via,
    /// The exchange at the receiver; `None`: still to be accepted.
    receiver: Option<Via>,
    packet: Bytes,
    /// The receiver need not read on: it is the last packet.
    is_last: bool,
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) nodes: Vec<Node>,
    pub(crate) events: Vec<Vec<Event>>,
    make: Box<dyn Fn(usize, u64) -> Config>,
    monitors: Vec<Monitor>,
    in_flight: Vec<InFlight>,
    /// Packets that were delivered, to be delivered again.
    delivered: Vec<InFlight>,
    rng: ChaCha8Rng,
}

/// The address of the node with this index.
pub(crate) fn address(index: usize) -> Address {
    Address::new("127.0.0.1", 7001 + u16::try_from(index).expect("few nodes"))
}

/// The config of a node called `node<index>`, with all nodes' addresses as seeds.
pub(crate) fn config(index: usize, generation: u64, nodes: usize) -> Config {
    let mut config = Config::new(NodeId::new(format!("node{index}"), generation, address(index)));
    config.seeds = (0..nodes).map(address).collect();
    config
}

impl World {
    /// `count` nodes, whose configs `make` gives from their index and generation.
    pub(crate) fn new(count: usize, seed: u64, make: impl Fn(usize, u64) -> Config + 'static) -> World {
        let mut world = World {
            now: Instant::ZERO,
            nodes: Vec::new(),
            events: vec![Vec::new(); count],
            make: Box::new(make),
            monitors: vec![Monitor::default(); count],
            in_flight: Vec::new(),
            delivered: Vec::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
        };
        for index in 0..count {
            let node = world.new_node(index, 1);
            world.nodes.push(node);
        }
        world
    }

    fn new_node(&mut self, index: usize, generation: u64) -> Node {
        Node::new((self.make)(index, generation), self.now, &mut self.rng).expect("a valid config")
    }

    /// Stops a node at once and starts it again with nothing but its config.
    pub(crate) fn restart(&mut self, index: usize, generation: u64) {
        while let Some(position) = self.in_flight.iter().position(|p| p.from == index || p.to == index) {
            self.lose(position);
        }
        self.nodes[index] = self.new_node(index, generation);
        self.monitors[index] = Monitor::default();
        self.events[index].clear();
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Lets time pass and the timers fire that come due in it. Packets stay where they are.
    pub(crate) fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let due = (0..self.nodes.len()).filter_map(|i| Some((self.nodes[i].poll_timeout()?, i))).min();
            let Some((deadline, index)) = due.filter(|(deadline, _)| *deadline <= end) else { break };
            self.now = deadline.max(self.now);
            self.nodes[index].handle_timeout(self.now);
            self.drain(index);
        }
        self.now = end;
    }

    /// Takes what a node has to say. Call it after every command.
    pub(crate) fn drain(&mut self, index: usize) {
        while let Some(transmit) = self.nodes[index].poll_transmit() {
            let dialled = Via::Dialled(transmit.exchange);
            match (0..self.nodes.len()).find(|other| address(*other) == transmit.to) {
                Some(to) => self.in_flight.push(InFlight {
                    from: index,
                    to,
                    sender: dialled,
                    receiver: None,
                    packet: transmit.packet,
                    is_last: false,
                }),
                None => self.nodes[index].handle_closed(self.now, transmit.exchange, Outcome::Refused),
            }
        }
        while let Some(abort) = self.nodes[index].poll_abort() {
            let has = |node, via: Via| node == index && via.exchange() == abort.exchange;
            let is_cut = |p: &InFlight| has(p.from, p.sender) || p.receiver.is_some_and(|via| has(p.to, via));
            if let Some(position) = self.in_flight.iter().position(is_cut) {
                self.lose(position);
            }
        }
        while let Some(event) = self.nodes[index].poll_event() {
            self.events[index].push(event);
        }
    }

    /// Delivers one of the packets on their way.
    pub(crate) fn deliver(&mut self, position: usize) -> Result<(), Violation> {
        let packet = self.in_flight.swap_remove(position);
        const MAX_REPLAYS: usize = 64;
        if self.delivered.len() < MAX_REPLAYS {
            self.delivered.push(packet.clone());
        }
        self.hand_in(packet)
    }

    /// Delivers a packet of the past once more: on its old exchange if that is still open, else on one of its own.
    pub(crate) fn replay(&mut self, position: usize) -> Result<(), Violation> {
        if self.delivered.is_empty() {
            return Ok(());
        }
        let packet = self.delivered[position % self.delivered.len()].clone();
        let index = packet.to;
        let old = packet.receiver.filter(|_| position.is_multiple_of(2));
        let via = match old {
            Some(via) => via,
            None => match self.nodes[index].accept(self.now, LOCALHOST) {
                Some(id) => Via::Accepted(id),
                None => return Ok(()),
            },
        };
        let (after, _) = invariants::rejection(self.now, &self.nodes[index], via, &packet.packet)?;
        self.nodes[index] = after;
        if old.is_none() {
            self.nodes[index].handle_closed(self.now, via.exchange(), Outcome::Failed);
        }
        self.drain(index);
        self.check(index)
    }

    fn hand_in(&mut self, packet: InFlight) -> Result<(), Violation> {
        let InFlight { from, to, sender, .. } = packet;
        let via = packet.receiver.or_else(|| Some(Via::Accepted(self.nodes[to].accept(self.now, LOCALHOST)?)));
        let Some(via) = via else {
            self.nodes[from].handle_closed(self.now, sender.exchange(), Outcome::Refused);
            return Ok(());
        };
        if packet.receiver.is_none() {
            self.nodes[from].handle_connected(self.now, sender.exchange());
        }
        let (after, reply) = invariants::rejection(self.now, &self.nodes[to], via, &packet.packet)?;
        let mut again = self.nodes[to].clone();
        again.handle_packet(self.now, via, &packet.packet, &PeerIdentity::default());
        invariants::determinism(self.now, &after, &again)?;
        self.nodes[to] = after;
        match reply.packet {
            Some(answer) => self.in_flight.push(InFlight {
                from: to,
                to: from,
                sender: via,
                receiver: Some(sender),
                packet: answer,
                is_last: reply.next == Next::Close,
            }),
            None => {
                self.nodes[to].handle_closed(self.now, via.exchange(), Outcome::Done);
                if !packet.is_last {
                    self.nodes[from].handle_closed(self.now, sender.exchange(), Outcome::Failed);
                }
            }
        }
        // Who sent its last packet is done; a rejected one is no reason to wait.
        if packet.is_last {
            self.nodes[from].handle_closed(self.now, sender.exchange(), Outcome::Done);
        }
        self.drain(to);
        self.drain(from);
        self.check(to)
    }

    /// Loses one of the packets on their way; both sides see the connection break.
    pub(crate) fn lose(&mut self, position: usize) {
        let packet = self.in_flight.swap_remove(position);
        self.nodes[packet.from].handle_closed(self.now, packet.sender.exchange(), Outcome::Failed);
        if let Some(receiver) = packet.receiver {
            self.nodes[packet.to].handle_closed(self.now, receiver.exchange(), Outcome::Failed);
        }
        self.drain(packet.from);
        self.drain(packet.to);
    }

    /// What holds for one node at any time, and between it and its owners.
    pub(crate) fn check(&mut self, index: usize) -> Result<(), Violation> {
        let node = &self.nodes[index];
        invariants::check(node)?;
        self.monitors[index].observe(self.now, node)?;
        for owner in self.nodes.iter().filter(|owner| owner.id() != node.id()) {
            invariants::isolation(owner, node)?;
            let run = |node: &Node| node.id().generation_id() < SAME_GENERATION;
            if run(owner) && run(node) {
                invariants::ownership(owner, node)?;
                invariants::prefix_completeness(owner, node)?;
            }
        }
        Ok(())
    }

    /// Delivers everything, in order, for so long.
    pub(crate) fn run(&mut self, duration: Duration) -> Result<(), Violation> {
        let end = self.now + duration;
        while self.now < end {
            self.advance(Duration::from_millis(100));
            while self.in_flight() > 0 {
                self.deliver(0)?;
            }
        }
        Ok(())
    }

    /// The events of a node that are not about keys, as text.
    #[allow(dead_code, reason = "not every test that shares this world reads events")]
    pub(crate) fn membership_events(&self, index: usize) -> Vec<String> {
        let events = self.events[index].iter();
        let events = events.filter(|event| !matches!(event.kind, EventKind::KeyChanged { .. }));
        events.map(|event| event.kind.to_string()).collect()
    }
}

/// Generations from here on mark a node that was restarted with the generation it had: for a moment its peers know more
/// of it than it does.
pub(crate) const SAME_GENERATION: u64 = 1_000_000;

/// The id that a node of this index and generation has.
#[allow(dead_code, reason = "not every test that shares this world names nodes")]
pub(crate) fn id(index: usize, generation: u64) -> NodeId {
    NodeId::new(format!("node{index}"), generation, address(index))
}

/// Tells a test where it went wrong.
impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut states = BTreeMap::new();
        for node in &self.nodes {
            states.insert(node.id().to_string(), node.snapshot(self.now));
        }
        write!(f, "{states:#?}")
    }
}
