//! chitchat's operations, through its own UDP transport on the loopback interface.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use chitchat::transport::UdpTransport;
use chitchat::{
    ChitchatConfig, ChitchatHandle, ChitchatId, DeletionStatus, FailureDetectorConfig, ProtocolVersion, Serializable,
    VersionedValue, spawn_chitchat,
};
use tokio::runtime::{Builder, Runtime};
use tokio::time;

use super::{GENERATION, KEYS, Subject, ip, key_values, name};

pub(super) const CLUSTER: &str = "default-cluster";

/// No round comes in between.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// A node of chitchat, the node 0 of its cluster, and a socket that speaks for all others.
struct Observer {
    runtime: Runtime,
    handle: ChitchatHandle,
    address: SocketAddr,
    peer: UdpSocket,
    peer_port: u16,
    nodes: usize,
    heartbeat: u64,
    datagram: Box<[u8]>,
}

impl Observer {
    fn new(nodes: usize, interval: Duration, is_paused: bool) -> anyhow::Result<Observer> {
        let runtime = Builder::new_current_thread().enable_all().start_paused(is_paused).build()?;
        let peer = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        peer.set_nonblocking(true)?;
        let peer_port = peer.local_addr()?.port();
        let config = ChitchatConfig {
            chitchat_id: id(0, peer_port),
            cluster_id: CLUSTER.to_string(),
            gossip_interval: interval,
            listen_addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            seed_nodes: Vec::new(),
            failure_detector_config: FailureDetectorConfig::default(),
            marked_for_deletion_grace_period: Duration::from_secs(2 * 60 * 60),
            catchup_callback: None,
            extra_liveness_predicate: None,
            protocol_version: ProtocolVersion::V0,
        };
        let handle = runtime.block_on(spawn_chitchat(config, Vec::new(), &UdpTransport))?;
        let datagram = vec![0; 65_536].into();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut observer = Observer { runtime, handle, address, peer, peer_port, nodes, heartbeat: 1, datagram };
        // It bound a port of the system's choice; a Syn tells which.
        observer.handle.gossip(SocketAddr::from(([127, 0, 0, 1], peer_port)))?;
        (_, observer.address) = observer.receive()?;
        observer.await_first_round()?;
        Ok(observer)
    }

    /// The first round comes at once; it must be over before the node knows anybody to gossip with.
    fn await_first_round(&mut self) -> anyhow::Result<()> {
        for _ in 0..MOST_TRIES {
            self.runtime.block_on(tokio::task::yield_now());
            let heartbeat = self.handle.with_chitchat(|node| node.self_node_state().heartbeat());
            if u64::from(self.runtime.block_on(heartbeat)) > 1 {
                return Ok(());
            }
        }
        bail!("chitchat has run no round")
    }

    /// Waits for what the node sends, while the node runs.
    fn receive(&mut self) -> anyhow::Result<(usize, SocketAddr)> {
        for _ in 0..MOST_TRIES {
            self.runtime.block_on(tokio::task::yield_now());
            match self.peer.recv_from(&mut self.datagram) {
                Ok(received) => return Ok(received),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        bail!("chitchat has sent nothing")
    }

    fn send(&self, packet: &[u8]) -> anyhow::Result<()> {
        self.peer.send_to(packet, self.address)?;
        Ok(())
    }

    fn exchange(&mut self, packet: &[u8]) -> anyhow::Result<usize> {
        self.send(packet)?;
        Ok(self.receive()?.0)
    }

    /// A Syn of this digest in protocol version 0: magic number, version, kind, and then the digest and the cluster id.
    fn syn_of(&self, cluster: &str, indexes: std::ops::Range<usize>) -> Vec<u8> {
        let mut packet = vec![0x53, 0xb0, 0, 0];
        // Datagrams hold fewer than that.
        u16::try_from(indexes.len()).unwrap_or(u16::MAX).serialize(&mut packet);
        for index in indexes {
            id(index, self.peer_port).serialize(&mut packet);
            for number in [self.heartbeat, 0, 0] {
                number.serialize(&mut packet);
            }
        }
        cluster.serialize(&mut packet);
        packet
    }

    /// A Syn with a new heartbeat of every other node.
    fn syn(&mut self) -> Vec<u8> {
        self.heartbeat += 1;
        self.syn_of(CLUSTER, 1..self.nodes)
    }

    /// Learns ten key-values of every other node.
    fn learn_key_values(&mut self) -> anyhow::Result<()> {
        let syn = self.syn();
        self.exchange(&syn)?;
        let (nodes, port) = (self.nodes, self.peer_port);
        let knows_all = self.handle.with_chitchat(|node| {
            for index in 1..nodes {
                let updates = key_values(index).zip(1..).map(|((key, value), version)| {
                    (key, VersionedValue { value, version, status: DeletionStatus::Set })
                });
                node.reset_node_state_if_update(&id(index, port), updates, KEYS as u64, 0);
            }
            (1..nodes)
                .all(|index| node.node_state(&id(index, port)).is_some_and(|state| state.num_key_values() == KEYS))
        });
        ensure!(self.runtime.block_on(knows_all), "not all key-values were taken");
        Ok(())
    }
}

/// Polls of the node before it counts as hung; the system needs a moment to deliver.
const MOST_TRIES: usize = 10_000_000;

fn id(index: usize, port: u16) -> ChitchatId {
    ChitchatId::new(name(index), GENERATION, SocketAddr::new(IpAddr::V4(ip(index)), port))
}

pub(super) struct Answer {
    observer: Observer,
    cluster: &'static str,
    syn: Vec<u8>,
}

impl Answer {
    pub(super) fn new(nodes: usize, cluster: &'static str) -> anyhow::Result<Answer> {
        Ok(Answer { observer: Observer::new(nodes, NEVER, false)?, cluster, syn: Vec::new() })
    }
}

impl Subject for Answer {
    fn prepare(&mut self) -> anyhow::Result<()> {
        self.observer.heartbeat += 1;
        self.syn = self.observer.syn_of(self.cluster, 1..self.observer.nodes);
        Ok(())
    }

    fn perform(&mut self) -> anyhow::Result<usize> {
        self.observer.exchange(&self.syn)
    }
}

pub(super) struct Syn {
    observer: Observer,
}

impl Syn {
    pub(super) fn new(nodes: usize) -> anyhow::Result<Syn> {
        let mut observer = Observer::new(nodes, NEVER, false)?;
        let syn = observer.syn();
        observer.exchange(&syn)?;
        Ok(Syn { observer })
    }
}

impl Subject for Syn {
    fn prepare(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    fn perform(&mut self) -> anyhow::Result<usize> {
        self.observer.handle.gossip(SocketAddr::from(([127, 0, 0, 1], self.observer.peer_port)))?;
        Ok(self.observer.receive()?.0)
    }
}

/// Rounds come with tokio's paused clock: each preparation takes a fifth of an interval, and the rest, with the one tick
/// in it, is measured.
pub(super) struct Round {
    observer: Observer,
}

const INTERVAL: Duration = Duration::from_secs(1);

impl Round {
    pub(super) fn new(nodes: usize) -> anyhow::Result<Round> {
        let mut round = Round { observer: Observer::new(nodes, INTERVAL, true)? };
        // Into the midst of an interval: the clock stood still but for the first tick.
        round.pass(INTERVAL / 10);
        for _ in 0..4 {
            round.prepare()?;
            round.perform()?;
        }
        let live = round.observer.handle.with_chitchat(|node| node.live_nodes().count());
        ensure!(round.observer.runtime.block_on(live) == nodes, "not all nodes are live");
        Ok(round)
    }

    fn pass(&mut self, time: Duration) {
        self.observer.runtime.block_on(async { time::sleep(time).await });
    }

    /// Takes what has been sent, and gives its packets and their bytes.
    fn drain(&mut self) -> anyhow::Result<(usize, usize)> {
        let (mut packets, mut bytes) = (0, 0);
        loop {
            match self.observer.peer.recv_from(&mut self.observer.datagram) {
                Ok((received, _)) => (packets, bytes) = (packets + 1, bytes + received),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok((packets, bytes)),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Subject for Round {
    fn prepare(&mut self) -> anyhow::Result<()> {
        let syn = self.observer.syn();
        self.observer.send(&syn)?;
        for _ in 0..2 {
            self.pass(INTERVAL / 10);
        }
        let (packets, _) = self.drain()?;
        ensure!(packets == 1, "{packets} packets came instead of one SynAck");
        Ok(())
    }

    fn perform(&mut self) -> anyhow::Result<usize> {
        self.pass(INTERVAL * 8 / 10);
        Ok(self.drain()?.1)
    }
}

pub(super) struct Join {
    observer: Observer,
    syn: Vec<u8>,
}

impl Join {
    pub(super) fn new(nodes: usize) -> anyhow::Result<Join> {
        let mut observer = Observer::new(nodes, NEVER, false)?;
        observer.learn_key_values()?;
        let syn = observer.syn_of(CLUSTER, nodes..nodes + 1);
        Ok(Join { observer, syn })
    }
}

impl Subject for Join {
    fn prepare(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    fn perform(&mut self) -> anyhow::Result<usize> {
        self.observer.exchange(&self.syn)
    }
}

pub(super) struct Apply {
    nodes: usize,
    syn_ack: Vec<u8>,
    next: Option<Observer>,
}

impl Apply {
    pub(super) fn new(nodes: usize) -> anyhow::Result<Apply> {
        let mut join = Join::new(nodes)?;
        let bytes = join.perform()?;
        Ok(Apply { nodes, syn_ack: join.observer.datagram[..bytes].to_vec(), next: None })
    }
}

impl Subject for Apply {
    fn prepare(&mut self) -> anyhow::Result<()> {
        self.next = Some(Observer::new(self.nodes, NEVER, false)?);
        Ok(())
    }

    fn perform(&mut self) -> anyhow::Result<usize> {
        self.next.as_mut().context("it is not prepared")?.exchange(&self.syn_ack)
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
        let states = joiner.handle.with_chitchat(|node| {
            let full = node.node_states().values().filter(|state| state.num_key_values() == KEYS);
            full.count()
        });
        assert_eq!(joiner.runtime.block_on(states), nodes - 1);
    }
}
