//! foca: its core, which does no IO, in the simulator's event queue and over its links.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use anyhow::{Context as _, bail};
use foca::{AccumulatingRuntime, Foca, NoCustomBroadcast, OwnedNotification, PeriodicParams, PostcardCodec, Timer};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tidings_core::Instant;
use tidings_sim::{Queue, Random, Scenario, Traffic};
use xxhash_rust::xxh3::Xxh3;

use super::{Change, GENERATION, News, System, index_of, socket_address};
use crate::links::{Deliveries, Links};

/// What foca's own example uses: an address, and a number that grows each time the node has to come back under a new
/// identity because the others have declared the old one dead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Id {
    address: SocketAddr,
    bump: u64,
}

impl Id {
    fn of(index: usize) -> Id {
        Id { address: socket_address(index), bump: GENERATION / 1_000_000_000 }
    }
}

impl foca::Identity for Id {
    type Addr = SocketAddr;

    fn renew(&self) -> Option<Id> {
        Some(Id { address: self.address, bump: self.bump + 1 })
    }

    fn addr(&self) -> SocketAddr {
        self.address
    }

    fn win_addr_conflict(&self, adversary: &Id) -> bool {
        self.bump > adversary.bump
    }
}

type Node = Foca<Id, PostcardCodec, ChaCha8Rng, NoCustomBroadcast>;

enum Happening {
    Timer {
        node: usize,
        timer: Timer<Id>,
    },
    Packet {
        node: usize,
        sent: Instant,
        data: Vec<u8>,
    },
    /// The node asks the seed to let it in, if it knows of nobody.
    Announce {
        node: usize,
    },
}

pub(super) struct Cluster {
    config: foca::Config,
    interval: Duration,
    random: Random,
    now: Instant,
    nodes: Vec<Option<Node>>,
    queue: Queue<Happening>,
    links: Links,
    runtime: AccumulatingRuntime<Id>,
    news: Vec<News>,
    hash: Xxh3,
}

impl Cluster {
    pub(super) fn new(scenario: Scenario, mut random: Random) -> anyhow::Result<Cluster> {
        let nodes = u32::try_from(scenario.nodes).ok().and_then(NonZeroU32::new);
        let nodes = nodes.with_context(|| format!("nodes is {}, allowed: 1 or more", scenario.nodes))?;
        let interval = scenario.protocol.interval;
        Ok(Cluster {
            config: config(nodes, interval),
            interval,
            now: Instant::ZERO,
            nodes: Vec::new(),
            queue: Queue::default(),
            links: Links::new(scenario.link, random.fork()),
            random,
            runtime: AccumulatingRuntime::new(),
            news: Vec::new(),
            hash: Xxh3::new(),
        })
    }

    fn happen(&mut self, happening: Happening) -> anyhow::Result<()> {
        let (index, data) = match &happening {
            Happening::Timer { node, .. } | Happening::Announce { node } => (*node, &[][..]),
            Happening::Packet { node, data, .. } => (*node, &data[..]),
        };
        let Some(node) = self.nodes.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        self.hash.update(&self.now.as_nanos().to_le_bytes());
        self.hash.update(&(index as u64).to_le_bytes());
        self.hash.update(data);
        let outcome = match happening {
            Happening::Timer { timer, .. } => node.handle_timer(timer, &mut self.runtime),
            Happening::Packet { sent, data, .. } => {
                self.links.arrived(sent, self.now);
                node.handle_data(&data, &mut self.runtime)
            }
            Happening::Announce { .. } => {
                self.queue.push(self.now + self.interval, Happening::Announce { node: index });
                if node.num_members() > 0 { Ok(()) } else { node.announce(Id::of(0), &mut self.runtime) }
            }
        };
        match outcome {
            Ok(()) => {}
            Err(error) => bail!("foca: node {index} at {:?}: {error}", self.now),
        }
        self.drain(index);
        Ok(())
    }

    /// Does what the node `index` has asked for.
    fn drain(&mut self, index: usize) {
        while let Some((after, timer)) = self.runtime.to_schedule() {
            self.queue.push(self.now + after, Happening::Timer { node: index, timer });
        }
        while let Some((to, data)) = self.runtime.to_send() {
            let Some(to) = index_of(to.address) else { continue };
            for at in self.links.send(self.now, index, to, data.len()).into_iter().flatten() {
                self.queue.push(at, Happening::Packet { node: to, sent: self.now, data: data.to_vec() });
            }
        }
        while let Some(notification) = self.runtime.to_notify() {
            // That a member came back under a new identity (`Rename`) is told of only when it was down or will be.
            let (id, change) = match notification {
                OwnedNotification::MemberUp(id) => (id, Change::Joined),
                OwnedNotification::MemberDown(id) => (id, Change::Died),
                _ => continue,
            };
            if let Some(subject) = index_of(id.address) {
                self.news.push(News { at: self.now, observer: index, subject, change });
            }
        }
    }
}

/// foca's settings for a LAN of this size, all times in proportion to the interval, which is that of its probes. (At a
/// second they are as they come.)
fn config(nodes: NonZeroU32, interval: Duration) -> foca::Config {
    let mut config = foca::Config::new_lan(nodes);
    let factor = interval.as_secs_f64() / config.probe_period.as_secs_f64();
    let scale = |time: &mut Duration| *time = time.mul_f64(factor);
    scale(&mut config.probe_period);
    scale(&mut config.probe_rtt);
    scale(&mut config.suspect_to_down_after);
    let periodic =
        [&mut config.periodic_announce, &mut config.periodic_announce_to_down_members, &mut config.periodic_gossip];
    for PeriodicParams { frequency, .. } in periodic.into_iter().flatten() {
        scale(frequency);
    }
    config
}

impl System for Cluster {
    fn spawn(&mut self) -> anyhow::Result<()> {
        let index = self.nodes.len();
        let random = self.random.fork().generator().clone();
        self.nodes.push(Some(Foca::new(Id::of(index), self.config.clone(), random, PostcardCodec)));
        if index > 0 {
            self.queue.push(self.now, Happening::Announce { node: index });
        }
        Ok(())
    }

    fn run_until(&mut self, until: Instant) -> anyhow::Result<()> {
        while let Some((at, happening)) = self.queue.pop(until) {
            self.now = at;
            self.happen(happening)?;
        }
        self.now = until;
        Ok(())
    }

    fn crash(&mut self, index: usize) {
        if let Some(node) = self.nodes.get_mut(index) {
            *node = None;
        }
    }

    fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    fn live(&self, observer: usize) -> Vec<usize> {
        let Some(node) = self.nodes.get(observer).and_then(Option::as_ref) else { return Vec::new() };
        let mut live: Vec<usize> = node.iter_members().filter_map(|member| index_of(member.id().address)).collect();
        live.sort_unstable();
        live
    }

    fn has_all_key_values(&self, _running: &[usize]) -> bool {
        true
    }

    fn traffic(&self) -> Traffic {
        self.links.traffic()
    }

    fn deliveries(&self) -> Option<Deliveries> {
        Some(self.links.deliveries())
    }

    fn trace_hash(&self) -> Option<u64> {
        Some(self.hash.digest())
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "foca::Cluster {{ now: {:?}, nodes: {} }}", self.now, self.nodes.len())
    }
}
