//! chitchat: its own server, one task a node, in tokio's paused clock and over the simulator's links.

mod transport;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use chitchat::{ChitchatConfig, ChitchatHandle, ChitchatId, FailureDetectorConfig, ProtocolVersion, spawn_chitchat};
use tidings_core::Instant;
use tidings_sim::{Random, Scenario, Traffic};
use tokio::runtime::{Builder, Runtime};
use tokio::time;

use self::transport::{Air, AirTransport};
use super::{Change, GENERATION, News, System, Values, index_of, socket_address};
use crate::links::{Deliveries, Links};

pub(super) struct Cluster {
    scenario: Scenario,
    version: ProtocolVersion,
    runtime: Runtime,
    clock: Clock,
    nodes: Vec<Option<ChitchatHandle>>,
    air: Arc<Mutex<Air>>,
    values: Values,
    news: Arc<Mutex<Vec<News>>>,
}

/// tokio's paused clock, as the simulator's instants. tokio's timers have a resolution of a millisecond.
#[derive(Clone, Copy, Debug)]
struct Clock {
    began: time::Instant,
}

impl Clock {
    fn now(self) -> Instant {
        Instant::ZERO + self.began.elapsed()
    }

    fn at(self, instant: Instant) -> time::Instant {
        self.began + instant.saturating_duration_since(Instant::ZERO)
    }
}

/// Nothing that is shared is left half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cluster {
    pub(super) fn new(scenario: Scenario, mut random: Random, version: ProtocolVersion) -> anyhow::Result<Cluster> {
        let duplicate = scenario.link.duplicate;
        ensure!(
            duplicate == 0.0,
            "link.duplicate is {duplicate}, allowed with chitchat, whose packets cannot be copied: 0"
        );
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
        let began = runtime.block_on(async { time::Instant::now() });
        Ok(Cluster {
            air: Arc::new(Mutex::new(Air::new(Links::new(scenario.link, random.fork())))),
            scenario,
            version,
            runtime,
            clock: Clock { began },
            nodes: Vec::new(),
            values: Values::default(),
            news: Arc::default(),
        })
    }

    fn config(&self, index: usize) -> ChitchatConfig {
        ChitchatConfig {
            chitchat_id: ChitchatId::new(format!("node{index}"), GENERATION, socket_address(index)),
            cluster_id: "default-cluster".to_string(),
            gossip_interval: self.scenario.protocol.interval,
            listen_addr: socket_address(index),
            seed_nodes: vec![socket_address(0).to_string()],
            failure_detector_config: FailureDetectorConfig::default(),
            marked_for_deletion_grace_period: Duration::from_secs(2 * 60 * 60),
            catchup_callback: None,
            extra_liveness_predicate: None,
            protocol_version: self.version,
        }
    }

    /// Tells of every change of whom the node takes for live, when it happens.
    fn watch(&self, observer: usize, node: &ChitchatHandle) -> anyhow::Result<()> {
        let mut watcher =
            node.chitchat().try_lock().context("a node that does nothing yet is locked")?.live_nodes_watcher();
        let (clock, news) = (self.clock, self.news.clone());
        self.runtime.spawn(async move {
            let mut before = BTreeSet::new();
            while watcher.changed().await.is_ok() {
                let live = watcher.borrow_and_update().keys().filter_map(index_of_id).collect::<BTreeSet<usize>>();
                let mut news = lock(&news);
                let mut tell = |subject: &usize, change| {
                    if *subject != observer {
                        news.push(News { at: clock.now(), observer, subject: *subject, change });
                    }
                };
                before.difference(&live).for_each(|subject| tell(subject, Change::Died));
                live.difference(&before).for_each(|subject| tell(subject, Change::Joined));
                before = live;
            }
        });
        Ok(())
    }
}

fn index_of_id(id: &ChitchatId) -> Option<usize> {
    index_of(id.gossip_advertise_addr)
}

impl System for Cluster {
    fn spawn(&mut self) -> anyhow::Result<()> {
        let index = self.nodes.len();
        let mut key_values = Vec::new();
        for key in 0..self.scenario.workload.keys {
            key_values.push((format!("key{key}"), self.values.next(self.scenario.workload.value_bytes)));
        }
        let transport = AirTransport::new(self.air.clone(), self.clock);
        let config = self.config(index);
        let node = self.runtime.block_on(spawn_chitchat(config, key_values, &transport))?;
        self.watch(index, &node)?;
        self.nodes.push(Some(node));
        Ok(())
    }

    fn run_until(&mut self, until: Instant) -> anyhow::Result<()> {
        let until_then = self.clock.at(until);
        self.runtime.block_on(async { time::sleep_until(until_then).await });
        for (index, node) in self.nodes.iter().enumerate() {
            let Some(node) = node else { continue };
            let ended = self.runtime.block_on(async {
                tokio::select! {
                    biased;
                    outcome = node.termination_watcher() => Some(outcome),
                    () = std::future::ready(()) => None,
                }
            });
            if let Some(outcome) = ended {
                let reason = outcome.err().unwrap_or_else(|| anyhow!("nobody asked for that"));
                return Err(reason.context(format!("chitchat: node {index} has stopped before {until:?}")));
            }
        }
        Ok(())
    }

    fn crash(&mut self, index: usize) {
        if let Some(node) = self.nodes.get_mut(index).and_then(Option::take) {
            node.abort();
        }
    }

    fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut lock(&self.news))
    }

    fn live(&self, observer: usize) -> Vec<usize> {
        let Some(node) = self.nodes.get(observer).and_then(Option::as_ref) else { return Vec::new() };
        let node = node.chitchat();
        let Ok(node) = node.try_lock() else { return Vec::new() };
        let mut live: Vec<usize> = node.live_nodes().filter_map(index_of_id).collect();
        live.retain(|index| *index != observer);
        live.sort_unstable();
        live
    }

    fn has_all_key_values(&self, running: &[usize]) -> bool {
        let nodes = running.iter().filter_map(|index| self.nodes.get(*index)?.as_ref());
        let nodes: Vec<_> = nodes.map(|node| (node.chitchat_id(), node.chitchat())).collect();
        let version = |node: usize, id: &ChitchatId| {
            let node = nodes.get(node)?.1.try_lock().ok()?;
            Some(node.node_state(id)?.max_version())
        };
        (0..nodes.len()).all(|owner| {
            let id = nodes[owner].0;
            let truth = version(owner, id);
            truth.is_some() && (0..nodes.len()).all(|node| version(node, id) >= truth)
        })
    }

    fn traffic(&self) -> Traffic {
        lock(&self.air).links.traffic()
    }

    fn deliveries(&self) -> Option<Deliveries> {
        Some(lock(&self.air).links.deliveries())
    }

    /// chitchat draws its peers from the process's own generator, and keeps nodes in maps with random state.
    fn trace_hash(&self) -> Option<u64> {
        None
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chitchat::Cluster {{ version: {:?}, nodes: {} }}", self.version, self.nodes.len())
    }
}
