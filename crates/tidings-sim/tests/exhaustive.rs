//! Every order of events there is, up to a depth: few nodes, two keys, and packets that are delivered in any order, lost,
//! or delivered twice.
//!
//! The search branches from clones of real nodes. Two states are the same if all that their nodes hold and all packets on
//! their way are the same.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytes::Bytes;
use tidings_core::invariants::{self, Monitor};
use tidings_core::{Config, Instant, Lifetime, Next, Node, NodeId, Outcome, PeerIdentity, Via};
use tidings_sim::{Random, address};

const FROM: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A packet on its way.
#[derive(Clone, Debug)]
struct Packet {
    from: usize,
    to: usize,
    sender: Via,
    /// `None`: still to be accepted.
    receiver: Option<Via>,
    bytes: Bytes,
    is_last: bool,
    is_copied: bool,
}

#[derive(Clone)]
struct State {
    now: Instant,
    nodes: Vec<Node>,
    monitors: Vec<Monitor>,
    flying: Vec<Packet>,
    writes: usize,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Wake(usize),
    Write(usize),
    Deliver(usize),
    /// Delivers a packet, which is to come once more.
    DeliverTwice(usize),
    Lose(usize),
}

impl State {
    fn new(count: usize) -> State {
        let mut random = Random::from_seed(1);
        let config = |index| {
            let mut config = Config::new(NodeId::new(format!("n{index}"), 1, address(index)));
            config.seeds = (0..count).map(address).collect();
            // Grace periods end within the search, and few key-values fit a packet.
            config.marked_for_deletion_grace_period = Duration::from_millis(1_500);
            config.max_payload_size = 512;
            config
        };
        let nodes: Vec<Node> = (0..count)
            .map(|i| Node::new(config(i), Instant::ZERO, random.generator()).expect("a valid config"))
            .collect();
        State { now: Instant::ZERO, monitors: vec![Monitor::default(); count], nodes, flying: Vec::new(), writes: 0 }
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = (0..self.flying.len()).flat_map(|p| [Step::Deliver(p), Step::Lose(p)]).collect();
        steps.extend((0..self.flying.len()).filter(|p| !self.flying[*p].is_copied).map(Step::DeliverTwice));
        // More exchanges at once only make the search wide.
        if self.flying.len() < 2 {
            steps.extend((0..self.nodes.len()).map(Step::Wake));
        }
        if self.writes < 4 {
            steps.push(Step::Write(self.writes % 2));
        }
        steps
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Wake(index) => {
                self.now = self.now.max(self.nodes[index].poll_timeout().expect("always one"));
                self.nodes[index].handle_timeout(self.now);
            }
            Step::Write(index) => {
                // Two keys of node 0, of which one is deleted and set again; one of node 1.
                let node = &mut self.nodes[index];
                match self.writes {
                    0 => {
                        node.set(self.now, "a", "1", Lifetime::Forever).expect("a key within limits");
                    }
                    1 => {
                        node.set(self.now, "b", &"2".repeat(200), Lifetime::Forever).expect("a key within limits");
                    }
                    2 => {
                        node.delete(self.now, "a").expect("a key within limits");
                    }
                    _ => {
                        node.set(self.now, "b", "3", Lifetime::Grace).expect("a key within limits");
                    }
                }
                self.writes += 1;
            }
            Step::Deliver(position) => {
                let packet = self.flying.swap_remove(position);
                self.deliver(packet);
            }
            Step::DeliverTwice(position) => {
                self.flying[position].is_copied = true;
                self.deliver(self.flying[position].clone());
            }
            Step::Lose(position) => self.lose(position),
        }
        for index in 0..self.nodes.len() {
            self.drain(index);
        }
    }

    fn deliver(&mut self, packet: Packet) {
        let Packet { from, to, sender, is_last, .. } = packet;
        let Some(via) = packet.receiver.or_else(|| self.nodes[to].accept(self.now, FROM).map(Via::Accepted)) else {
            return self.close(from, sender, Outcome::Refused);
        };
        if packet.receiver.is_none() {
            self.nodes[from].handle_connected(self.now, sender.exchange());
        }
        let reply = self.nodes[to].handle_packet(self.now, via, &packet.bytes, &PeerIdentity::default());
        let is_over = reply.next == Next::Close;
        if let Some(bytes) = reply.packet {
            invariants::budget(&self.nodes[to], &bytes).expect("within its budget");
            let receiver = Some(sender);
            let answer =
                Packet { from: to, to: from, sender: via, receiver, bytes, is_last: is_over, is_copied: false };
            self.flying.push(answer);
        } else {
            self.close(to, via, Outcome::Done);
        }
        if is_last {
            self.close(from, sender, Outcome::Done);
        }
    }

    /// A packet does not arrive, and neither side waits for it any more.
    fn lose(&mut self, position: usize) {
        let packet = self.flying.swap_remove(position);
        self.close(packet.from, packet.sender, Outcome::TimedOut);
        if let Some(receiver) = packet.receiver {
            self.close(packet.to, receiver, Outcome::TimedOut);
        }
    }

    fn close(&mut self, index: usize, via: Via, outcome: Outcome) {
        self.nodes[index].handle_closed(self.now, via.exchange(), outcome);
    }

    fn drain(&mut self, from: usize) {
        while let Some(transmit) = self.nodes[from].poll_transmit() {
            let sender = Via::Dialled(transmit.exchange);
            let to = (0..self.nodes.len()).find(|index| address(*index) == transmit.to).expect("a node there");
            let (bytes, receiver) = (transmit.packet, None);
            self.flying.push(Packet { from, to, sender, receiver, bytes, is_last: false, is_copied: false });
        }
        while let Some(abort) = self.nodes[from].poll_abort() {
            let has = |node, via: Via| node == from && via.exchange() == abort.exchange;
            let is_cut = |p: &Packet| has(p.from, p.sender) || p.receiver.is_some_and(|via| has(p.to, via));
            if let Some(position) = self.flying.iter().position(is_cut) {
                self.lose(position);
            }
        }
        while self.nodes[from].poll_event().is_some() {}
    }

    /// What must hold in every state.
    fn check(&mut self) -> Result<(), invariants::Violation> {
        for (node, monitor) in self.nodes.iter().zip(&mut self.monitors) {
            invariants::check(node)?;
            monitor.observe(self.now, node)?;
            for owner in self.nodes.iter().filter(|owner| owner.id() != node.id()) {
                invariants::ownership(owner, node)?;
                invariants::prefix_completeness(owner, node)?;
            }
        }
        Ok(())
    }

    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for node in &self.nodes {
            format!("{node:?}").hash(&mut hasher);
        }
        format!("{:?} {:?}", self.now, self.flying).hash(&mut hasher);
        hasher.finish()
    }
}

/// Looks at every state that can be reached from `start` in `depth` steps, and gives their number.
fn search(start: State, depth: usize) -> usize {
    let mut seen = BTreeSet::from([start.fingerprint()]);
    let mut front = vec![(start, Vec::new())];
    for _ in 0..depth {
        let mut next = Vec::new();
        for (state, path) in &front {
            for step in state.steps() {
                let mut after = state.clone();
                after.take(step);
                let mut path: Vec<Step> = path.clone();
                path.push(step);
                if let Err(violation) = after.check() {
                    panic!("{violation}, after {path:?}");
                }
                if seen.insert(after.fingerprint()) {
                    next.push((after, path));
                }
            }
        }
        front = next;
    }
    seen.len()
}

#[test]
fn no_order_of_few_events_on_two_nodes_breaks_an_invariant() {
    let states = search(State::new(2), 7);
    assert!(states > 2_000, "the search is smaller than it was: {states} states");
}

#[test]
fn nor_on_three_nodes() {
    let states = search(State::new(3), 5);
    assert!(states > 500, "the search is smaller than it was: {states} states");
}
