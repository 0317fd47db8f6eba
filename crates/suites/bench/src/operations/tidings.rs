//! Our node's operations.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tidings_core::reconcile::{Delta, NodeDelta};
use tidings_core::wire::aiocluster::{self, Digest, Message, NodeDigest, Packet};
use tidings_core::{
    Address, Config, ExchangeId, Instant, KeyValueUpdate, Node, NodeId, NodeState, Outcome, PeerIdentity, ValueStatus,
    Via,
};
use tidings_sim::Random;

use super::{GENERATION, KEYS, Subject, ip, key_values, name};

/// Room for all key-values in the one packet that a node learns them from.
const LARGEST_PACKET: usize = 4 << 20;

/// What our packets are marked with.
const PROTOCOL_REVISION: u32 = 1;

const CLUSTER: &str = "default-cluster";

pub(super) fn id(index: usize) -> NodeId {
    NodeId::new(name(index), GENERATION, Address::new(ip(index).to_string(), 7000))
}

pub(super) fn node(index: usize, settings: impl FnOnce(&mut Config)) -> anyhow::Result<Node> {
    let mut config = Config::new(id(index));
    config.limits.decode.max_packet_bytes = LARGEST_PACKET;
    config.limits.decode.max_digest_entries = 100_000;
    config.limits.decode.max_node_deltas = 100_000;
    config.limits.decode.max_key_values = 1_000_000;
    settings(&mut config);
    Ok(Node::new(config, Instant::ZERO, Random::from_seed(index as u64).generator())?)
}

pub(super) fn encode(message: Message) -> Vec<u8> {
    let packet = Packet { cluster_id: CLUSTER.into(), protocol_revision: PROTOCOL_REVISION, message };
    aiocluster::encode(&packet).to_vec()
}

pub(super) fn entry(index: usize, heartbeat: u64, max_version: u64) -> NodeDigest {
    NodeDigest {
        node_id: id(index),
        heartbeat,
        last_gc_version: 0,
        max_version,
        complete_version: None,
        run: tidings_core::Run::new(7),
        released_version: None,
        silence_ms: None,
    }
}

/// The node 0 of a cluster, and the node 1, which tells it of all others.
pub(super) struct Observer {
    pub(super) node: Node,
    nodes: usize,
    pub(super) now: Instant,
    heartbeat: u64,
}

impl Observer {
    pub(super) fn new(nodes: usize, settings: impl FnOnce(&mut Config)) -> anyhow::Result<Observer> {
        let mut observer = Observer { node: node(0, settings)?, nodes, now: Instant::ZERO, heartbeat: 1 };
        // A node is live after three heartbeats.
        for _ in 0..4 {
            observer.answer(&observer.syn())?;
            observer.pass_second();
        }
        ensure!(observer.node.live_nodes().len() == nodes, "not all nodes are live");
        Ok(observer)
    }

    /// The next second, when every node's heartbeat is a new one.
    pub(super) fn pass_second(&mut self) {
        self.heartbeat += 1;
        self.now += Duration::from_secs(1);
        while self.node.poll_event().is_some() {}
    }

    /// A Syn of the node 1, which knows every other node's newest heartbeat.
    fn syn(&self) -> Vec<u8> {
        let entries = (1..self.nodes).map(|index| entry(index, self.heartbeat, 0)).collect();
        encode(Message::Syn { digest: Digest { entries, partial: false } })
    }

    pub(super) fn answer(&mut self, syn: &[u8]) -> anyhow::Result<Vec<u8>> {
        self.answer_of(1, syn)
    }

    fn answer_of(&mut self, index: usize, syn: &[u8]) -> anyhow::Result<Vec<u8>> {
        let exchange = self.accept(index)?;
        let answer = self.take(exchange, syn)?;
        self.node.handle_closed(self.now, exchange, Outcome::Done);
        answer.context("a Syn was not answered")
    }

    fn accept(&mut self, index: usize) -> anyhow::Result<ExchangeId> {
        self.node.accept(self.now, IpAddr::V4(ip(index))).context("no exchange was accepted")
    }

    fn take(&mut self, exchange: ExchangeId, packet: &[u8]) -> anyhow::Result<Option<Vec<u8>>> {
        self.take_via(Via::Accepted(exchange), packet)
    }

    fn take_via(&mut self, via: Via, packet: &[u8]) -> anyhow::Result<Option<Vec<u8>>> {
        let reply = self.node.handle_packet(self.now, via, packet, &PeerIdentity::default());
        if let Some(reason) = reply.rejected {
            bail!("rejected: {reason}");
        }
        Ok(reply.packet.map(|packet| packet.to_vec()))
    }

    /// Every node has dialled this one from its own address: none of them is an invention.
    fn meet_all(&mut self) -> anyhow::Result<()> {
        for index in 1..self.nodes {
            let digest = Digest { entries: vec![entry(index, self.heartbeat, 0)], partial: false };
            self.answer_of(index, &encode(Message::Syn { digest }))?;
        }
        Ok(())
    }

    /// The node with this address answers what was sent to it.
    fn hear_answer(&mut self, exchange: ExchangeId, address: &Address) -> anyhow::Result<()> {
        let index = (1..self.nodes).find(|index| id(*index).gossip_advertise_addr() == address);
        let index = index.with_context(|| format!("{address} was dialled, and is no node's"))?;
        let digest = Digest { entries: vec![entry(index, self.heartbeat, 0)], partial: false };
        self.take_via(Via::Dialled(exchange), &encode(Message::SynAck { digest, delta: Delta::default() }))?;
        self.node.handle_closed(self.now, exchange, Outcome::Done);
        Ok(())
    }

    /// An exchange with the node 1 that ends with this Ack.
    pub(super) fn take_ack(&mut self, ack: &[u8]) -> anyhow::Result<()> {
        let exchange = self.accept(1)?;
        self.take(exchange, &self.syn())?;
        self.take(exchange, ack)?;
        self.node.handle_closed(self.now, exchange, Outcome::Done);
        Ok(())
    }

    /// Learns ten key-values of every other node.
    fn learn_key_values(&mut self) -> anyhow::Result<()> {
        let updates = |index| {
            let update = |((key, value), version): ((String, String), u64)| KeyValueUpdate {
                key: key.into(),
                value: value.into(),
                version,
                status: ValueStatus::Set,
            };
            key_values(index).zip(1..).map(update).collect()
        };
        let of = |index| NodeDelta {
            node_id: id(index),
            from_version_excluded: 0,
            last_gc_version: 0,
            key_values: updates(index),
            max_version: Some(KEYS as u64),
            sender_complete_version: Some(KEYS as u64),
            run: tidings_core::Run::new(7),
        };
        self.take_ack(&encode(Message::Ack { delta: Delta { node_deltas: (1..self.nodes).map(of).collect() } }))?;
        let knows_all =
            |index| self.node.node_state(&id(index)).map(|state| NodeState::max_version(state)) == Some(KEYS as u64);
        ensure!((1..self.nodes).all(knows_all), "not all key-values were taken");
        Ok(())
    }
}

pub(super) struct Answer {
    observer: Observer,
    syn: Vec<u8>,
}

impl Answer {
    pub(super) fn new(nodes: usize) -> anyhow::Result<Answer> {
        Ok(Answer { observer: Observer::new(nodes, |_| {})?, syn: Vec::new() })
    }
}

impl Subject for Answer {
    fn prepare(&mut self) -> anyhow::Result<()> {
        self.observer.pass_second();
        self.syn = self.observer.syn();
        Ok(())
    }

    fn perform(&mut self) -> anyhow::Result<usize> {
        Ok(self.observer.answer(&self.syn)?.len())
    }
}

/// The longest that an exchange may take: one that stays open does so for all rounds that are measured.
const A_DAY: Duration = Duration::from_secs(86_400);

pub(super) struct Round {
    observer: Observer,
    may_open: usize,
    open: Vec<(ExchangeId, Address)>,
}

impl Round {
    /// The node may have so many exchanges open; at one, that one stays open, and rounds open no other.
    pub(super) fn new(nodes: usize, may_open: usize) -> anyhow::Result<Round> {
        let mut observer = Observer::new(nodes, |config| {
            config.max_concurrent_gossip = may_open;
            let timeouts = &mut config.exchange_timeouts;
            (timeouts.connect, timeouts.whole) = (A_DAY, A_DAY);
        })?;
        observer.meet_all()?;
        let mut round = Round { observer, may_open, open: Vec::new() };
        round.prepare()?;
        round.perform()?;
        Ok(round)
    }
}

impl Subject for Round {
    fn prepare(&mut self) -> anyhow::Result<()> {
        let syn = self.observer.syn();
        self.observer.answer(&syn)?;
        self.observer.pass_second();
        if self.may_open > 1 {
            for (exchange, address) in self.open.drain(..) {
                self.observer.hear_answer(exchange, &address)?;
            }
        }
        let due = self.observer.node.poll_timeout().context("no round is due")?;
        self.observer.now = self.observer.now.max(due);
        Ok(())
    }

    fn perform(&mut self) -> anyhow::Result<usize> {
        let Observer { node, now, .. } = &mut self.observer;
        node.handle_timeout(*now);
        let mut bytes = 0;
        while let Some(transmit) = node.poll_transmit() {
            bytes += transmit.packet.len();
            self.open.push((transmit.exchange, transmit.to));
        }
        Ok(bytes)
    }
}

pub(super) struct Join {
    observer: Observer,
    syn: Vec<u8>,
}

impl Join {
    pub(super) fn new(nodes: usize) -> anyhow::Result<Join> {
        let mut observer = Observer::new(nodes, |_| {})?;
        observer.learn_key_values()?;
        let digest = Digest { entries: vec![entry(nodes, 1, 0)], partial: false };
        Ok(Join { observer, syn: encode(Message::Syn { digest }) })
    }
}

impl Subject for Join {
    fn prepare(&mut self) -> anyhow::Result<()> {
        self.observer.pass_second();
        Ok(())
    }

    fn perform(&mut self) -> anyhow::Result<usize> {
        Ok(self.observer.answer(&self.syn)?.len())
    }
}

pub(super) struct Apply {
    /// A node that knows nobody and has dialled one that knows all.
    joiner: Node,
    exchange: ExchangeId,
    now: Instant,
    syn_ack: Vec<u8>,
    next: Option<Node>,
}

impl Apply {
    pub(super) fn new(nodes: usize) -> anyhow::Result<Apply> {
        let mut joiner = node(nodes, |config| config.seeds = vec![id(0).gossip_advertise_addr().clone()])?;
        let now = joiner.poll_timeout().context("no round is due")?;
        joiner.handle_timeout(now);
        let syn = joiner.poll_transmit().context("the seed was not dialled")?;
        let mut observer = Observer::new(nodes, |_| {})?;
        observer.learn_key_values()?;
        let syn_ack = observer.answer(&syn.packet)?;
        Ok(Apply { joiner, exchange: syn.exchange, now, syn_ack, next: None })
    }
}

impl Subject for Apply {
    fn prepare(&mut self) -> anyhow::Result<()> {
        self.next = Some(self.joiner.clone());
        Ok(())
    }

    fn perform(&mut self) -> anyhow::Result<usize> {
        let joiner = self.next.as_mut().context("it is not prepared")?;
        let via = Via::Dialled(self.exchange);
        let reply = joiner.handle_packet(self.now, via, &self.syn_ack, &PeerIdentity::default());
        let bytes = reply.packet.context("a SynAck was not answered")?.len();
        let last = self.syn_ack.len();
        ensure!(joiner.stats().entries_skipped == 0 && last > 0, "not all of the SynAck was taken");
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_applies_the_answer_to_a_join_knows_all() {
        let nodes = 100;
        let mut apply = Apply::new(nodes).unwrap();
        apply.prepare().unwrap();
        apply.perform().unwrap();
        let joiner = apply.next.unwrap();
        let keys = |index| joiner.node_state(&id(index)).map_or(0, |state| state.iter().count());
        assert!((1..nodes).all(|index| keys(index) == KEYS));
    }
}
