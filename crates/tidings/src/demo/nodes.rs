//! The demo's cluster: real nodes on real loopback sockets, all in this process.

use std::collections::BTreeSet;
use std::time::Duration;

use tidings_tokio::{Address, Cluster, Liveness, NodeId, NodeState, SetError, Snapshot, StartError, Subscription};
use tokio::task::JoinSet;

use super::detector;
use super::view::{Row, State, Traffic, View};
use crate::members::named;

pub(crate) const CLUSTER_ID: &str = "simple-aiocluster";
/// The key that the three-node example in aiocluster's documentation sets, and the one that the demo writes to.
const EXAMPLE_KEY: &str = "cluster";
const WRITTEN_KEY: &str = "written";
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// The nodes, counted from 0. Node 0 watches the others and is never killed.
pub(crate) struct Nodes {
    gossip_interval: Duration,
    watcher: Cluster,
    slots: Vec<Slot>,
    /// The names that node 0 has seen live: only they can be called dead.
    been_live: BTreeSet<String>,
}

/// The place of one node, through all its runs.
struct Slot {
    name: String,
    address: Address,
    /// `None` while it is killed.
    cluster: Option<Cluster>,
    /// Of all its runs, as last looked at.
    traffic: Traffic,
    /// Of the runs before this one.
    earlier: Traffic,
}

impl Nodes {
    /// Starts `count` nodes (at least one), each with the one before it as its seed, and the first with the last.
    pub(crate) async fn start(count: usize, gossip_interval: Duration) -> Result<Nodes, StartError> {
        let any_port = Address::new("127.0.0.1", 0);
        let watcher = start_node(0, &any_port, None, gossip_interval).await?;
        let mut slots = vec![Slot::new(0, watcher.clone())];
        for index in 1..count {
            let seed = slots[index - 1].address.clone();
            slots.push(Slot::new(index, start_node(index, &any_port, Some(&seed), gossip_interval).await?));
        }
        if let [_, .., last] = &slots[..] {
            watcher.set_seeds(vec![last.address.clone()]);
        }
        Ok(Nodes { gossip_interval, watcher, slots, been_live: BTreeSet::new() })
    }

    /// Where a node from elsewhere can join.
    pub(crate) fn seed(&self) -> &Address {
        self.watcher.id().gossip_advertise_addr()
    }

    /// What node 0 notices.
    pub(crate) fn subscribe(&self) -> Subscription {
        self.watcher.subscribe()
    }

    /// Writes a number at a node; one that is killed is left alone.
    pub(crate) fn write(&self, index: usize, number: u64) -> Result<(), SetError> {
        let Some(cluster) = self.slots.get(index).and_then(|slot| slot.cluster.as_ref()) else { return Ok(()) };
        cluster.set(WRITTEN_KEY, &number.to_string()).map(|_| ())
    }

    /// Stops a node without a word to the others, as a crash would. Its name, if it ran.
    pub(crate) fn kill(&mut self, index: usize) -> Option<&str> {
        let slot = self.slots.get_mut(index).filter(|_| index > 0)?;
        slot.note_traffic();
        slot.cluster.take().map(|_| slot.name.as_str())
    }

    /// Starts a killed node again: same name, same address, a new generation.
    pub(crate) async fn revive(&mut self, index: usize) -> Result<Option<&Cluster>, StartError> {
        let Some(seed) =
            index.checked_sub(1).and_then(|before| self.slots.get(before)).map(|slot| slot.address.clone())
        else {
            return Ok(None);
        };
        let Some(slot) = self.slots.get_mut(index) else { return Ok(None) };
        let cluster = match start_node(index, &slot.address, Some(&seed), self.gossip_interval).await {
            // Another process may have taken the port meanwhile.
            Err(StartError::Listen { .. }) => {
                start_node(index, &Address::new("127.0.0.1", 0), Some(&seed), self.gossip_interval).await?
            }
            started => started?,
        };
        *slot = Slot { traffic: slot.traffic, earlier: slot.traffic, ..Slot::new(index, cluster) };
        Ok(slot.cluster.as_ref())
    }

    /// The cluster as node 0 sees it, with each running node's own counters.
    pub(crate) fn view(&mut self, elapsed: Duration) -> View {
        self.slots.iter_mut().for_each(Slot::note_traffic);
        let watched = self.watcher.snapshot();
        let newly_live = watched.members.iter().filter(|member| member.liveness == Liveness::Live);
        self.been_live.extend(newly_live.map(|member| member.id.name().to_string()));
        let live: Vec<Vec<NodeId>> = self.running().map(Cluster::live_nodes).collect();
        let live_at = |is_it: &dyn Fn(&NodeId) -> bool| live.iter().filter(|ids| ids.iter().any(is_it)).count();

        let mut rows = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            let live_at = match &slot.cluster {
                Some(cluster) => live_at(&|id| id == cluster.id()),
                None => live_at(&|id| id.name() == slot.name),
            };
            rows.push(self.row(&slot.name, &watched, live_at, Some(slot.traffic)));
        }
        for member in &watched.members {
            let name = member.id.name();
            if !rows.iter().any(|row| row.name == name) {
                rows.push(self.row(name, &watched, live_at(&|id| id.name() == name), None));
            }
        }
        View { elapsed, rows, running: live.len() }
    }

    fn row(&self, name: &str, watched: &Snapshot, live_at: usize, traffic: Option<Traffic>) -> Row {
        let member = named(watched, name);
        Row {
            name: name.to_string(),
            state: match member.map(|member| member.liveness) {
                Some(Liveness::Live | Liveness::Suspect) => State::Live,
                Some(Liveness::Left) => State::Left,
                Some(Liveness::Dead) | None if self.been_live.contains(name) => State::Dead,
                Some(Liveness::Dead) | None => State::New,
            },
            phi: member.and_then(|member| member.phi),
            live_at,
            keys: member.map_or(0, |member| member.state.len()),
            max_version: member.map_or(0, |member| member.state.max_version()),
            heartbeat: member.map_or(0, |member| member.heartbeat),
            traffic,
        }
    }

    /// Whether every running node holds what every running node says of itself.
    pub(crate) fn have_converged(&self) -> bool {
        let snapshots: Vec<Snapshot> = self.running().map(Cluster::snapshot).collect();
        snapshots.iter().all(|owner| {
            let own = state_of(owner, &owner.self_id);
            snapshots.iter().all(|replica| same_key_values(own, state_of(replica, &owner.self_id)))
        })
    }

    /// Stops all nodes at once and waits for them.
    pub(crate) async fn shutdown(self) {
        let mut stopping: JoinSet<()> = JoinSet::new();
        for cluster in self.slots.into_iter().filter_map(|slot| slot.cluster) {
            stopping.spawn(async move {
                cluster.shutdown().await;
            });
        }
        stopping.join_all().await;
    }

    /// Those that are not killed, in order.
    pub(crate) fn running(&self) -> impl Iterator<Item = &Cluster> {
        self.slots.iter().filter_map(|slot| slot.cluster.as_ref())
    }
}

impl Slot {
    fn new(index: usize, cluster: Cluster) -> Slot {
        let address = cluster.id().gossip_advertise_addr().clone();
        Slot {
            name: name(index),
            address,
            cluster: Some(cluster),
            traffic: Traffic::default(),
            earlier: Traffic::default(),
        }
    }

    fn note_traffic(&mut self) {
        if let Some(cluster) = &self.cluster {
            let stats = cluster.stats().driver;
            self.traffic = Traffic {
                sent_bytes: self.earlier.sent_bytes + stats.bytes_sent,
                received_bytes: self.earlier.received_bytes + stats.bytes_received,
            };
        }
    }
}

/// Named as in aiocluster's example: `simple1` and so on.
fn name(index: usize) -> String {
    format!("simple{}", index + 1)
}

async fn start_node(
    index: usize,
    listen: &Address,
    seed: Option<&Address>,
    gossip_interval: Duration,
) -> Result<Cluster, StartError> {
    Cluster::builder(name(index))
        .cluster_id(CLUSTER_ID)
        .listen(listen.to_string())
        .seeds(seed.map(Address::to_string))
        .gossip_interval(gossip_interval)
        .key_value(EXAMPLE_KEY, (index + 1).to_string())
        .shutdown_timeout(SHUTDOWN_TIMEOUT)
        .config(move |config| detector::tune(&mut config.failure_detector, gossip_interval))
        .start()
        .await
}

fn state_of<'a>(snapshot: &'a Snapshot, id: &NodeId) -> Option<&'a NodeState> {
    snapshot.member(id).map(|member| &*member.state)
}

fn same_key_values(own: Option<&NodeState>, copy: Option<&NodeState>) -> bool {
    let (Some(own), Some(copy)) = (own, copy) else { return false };
    // The versioned values themselves also hold when each node learned of them.
    let parts = |state: &NodeState| -> Vec<_> {
        state.iter().map(|(key, value)| (key.to_string(), value.value.clone(), value.version)).collect()
    };
    parts(own) == parts(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nodes_that_have_not_spoken_have_not_converged() {
        let long = Duration::from_secs(600);
        let lone = Nodes::start(1, long).await.unwrap();
        assert!(lone.have_converged());
        lone.shutdown().await;

        let mut silent = Nodes::start(3, long).await.unwrap();
        assert!(!silent.have_converged());
        let view = silent.view(Duration::ZERO);
        assert_eq!((view.rows.len(), view.running, view.is_whole(3)), (3, 3, false));
        assert_eq!([0, 1, 2].map(|row| view.rows[row].state), [State::Live, State::New, State::New]);
        silent.shutdown().await;
    }

    #[tokio::test]
    async fn the_watcher_is_not_killed_and_a_revived_node_is_a_new_generation() {
        let mut nodes = Nodes::start(2, Duration::from_secs(600)).await.unwrap();
        assert_eq!(nodes.kill(0), None);
        let first = nodes.slots[1].cluster.as_ref().unwrap().id().clone();
        assert_eq!(nodes.kill(1), Some("simple2"));
        assert_eq!(nodes.view(Duration::ZERO).running, 1);
        nodes.write(1, 7).unwrap();
        let second = nodes.revive(1).await.unwrap().unwrap().clone();
        assert!(second.id().generation_id() > first.generation_id());
        assert_eq!(second.id().name(), first.name());
        nodes.shutdown().await;
    }
}
