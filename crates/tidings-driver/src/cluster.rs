//! The handle to a running node.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use futures_lite::future::or;
use tidings_core::{
    Address, Config, ConfigError, ForgetError, Lifetime, NodeId, NodeState, Run, SetError, Snapshot, VersionedValue,
};

use crate::builder::Builder;
use crate::deadline::by;
use crate::events::Subscription;
use crate::history::RecentExchange;
use crate::report::{LeaveReport, ShutdownReport};
use crate::runtime::Runtime;
use crate::shared::Shared;
use crate::stats::ClusterStats;
use crate::watch::LiveNodes;

/// One running member of a cluster.
///
/// Clones are handles to the same node. When the last one is dropped the node stops: its tasks end and its port is
/// freed. It says no farewell then, so that its peers find it dead after a while; [`leave`](Cluster::leave) tells them.
///
/// All calls but `leave` and `shutdown` are plain: they look at the node's memory and wait for no network. Anything set
/// is gossiped from the next round on.
///
/// After a shutdown the handle still answers, from the state in which the node stopped.
pub struct Cluster<R: Runtime> {
    handle: Arc<Handle>,
    runtime: PhantomData<fn() -> R>,
}

/// What all clones of a handle share; its drop stops the node.
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.orphaned.raise();
        self.shared.stopping.raise();
        self.shared.cancelled.raise();
    }
}

impl<R: Runtime> Cluster<R> {
    /// Settings for a node with this name, unique in its cluster and kept across restarts.
    pub fn builder(name: impl Into<String>) -> Builder<R> {
        Builder::new(name.into())
    }

    pub(crate) fn new(shared: Arc<Shared>) -> Cluster<R> {
        Cluster { handle: Arc::new(Handle { shared }), runtime: PhantomData }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// The node's identity as it was started, with the address that others dial: a port given as 0 is the real one here. After
    /// [`set_advertise_addr`](Cluster::set_advertise_addr) it goes by [`current_id`](Cluster::current_id).
    #[must_use]
    pub fn id(&self) -> &NodeId {
        &self.shared().id
    }

    /// The node's identity as it is now.
    #[must_use]
    pub fn current_id(&self) -> NodeId {
        self.shared().read(|node, _| node.id().clone())
    }

    /// Which process this is: a random number, drawn at the start, that tells apart two processes with one identity.
    #[must_use]
    pub fn run(&self) -> Run {
        self.shared().read(|node, _| node.run())
    }

    /// The settings that the node was started with.
    #[must_use]
    pub fn config(&self) -> Config {
        self.shared().read(|node, _| node.config().clone())
    }

    /// Where the node listens: a port given as 0 is the real one here.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.shared().local_addr
    }

    /// Sets one of the node's own keys for good and returns its new version. Setting the value it has changes nothing.
    ///
    /// # Errors
    ///
    /// A limit is exceeded or the key is reserved; nothing has changed.
    pub fn set(&self, key: &str, value: &str) -> Result<u64, SetError> {
        self.set_with(key, value, Lifetime::Forever)
    }

    /// Sets one of the node's own keys for `lifetime` and returns its version.
    ///
    /// # Errors
    ///
    /// A limit is exceeded or the key is reserved; nothing has changed.
    pub fn set_with(&self, key: &str, value: &str, lifetime: Lifetime) -> Result<u64, SetError> {
        self.shared().with_node(|node, now| node.set(now, key, value, lifetime))
    }

    /// Deletes one of the node's own keys and returns the version of its tombstone; `None`: there was nothing to delete.
    ///
    /// # Errors
    ///
    /// The key is reserved; nothing has changed.
    pub fn delete(&self, key: &str) -> Result<Option<u64>, SetError> {
        self.shared().with_node(|node, now| node.delete(now, key))
    }

    /// Lets one of the node's own keys be deleted once the grace period is over; until then it can be read. `None`:
    /// there was nothing to delete.
    ///
    /// # Errors
    ///
    /// The key is reserved; nothing has changed.
    pub fn delete_after_ttl(&self, key: &str) -> Result<Option<u64>, SetError> {
        self.shared().with_node(|node, now| node.delete_after_ttl(now, key))
    }

    /// Gives every one of the node's own live keys a new version, values unchanged, so that each goes to every peer again.
    /// Returns how many there were. Nothing is waited for, no event is made, and lifetimes end when they would have.
    ///
    /// The cure for a Python node that joined later and misses some of these keys, because another Python node passed
    /// them on cut short. Nodes of ours never need it. It costs one more dissemination of all the node's keys, so call
    /// it after such a join, not in a loop.
    pub fn republish(&self) -> usize {
        self.shared().with_node(|node, now| node.republish(now))
    }

    /// The value of one of the node's own keys.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Arc<str>> {
        self.shared().read(|node, _| node.get(key))
    }

    /// One of the node's own keys with its version and status, tombstones included.
    #[must_use]
    pub fn get_versioned(&self, key: &str) -> Option<VersionedValue> {
        self.shared().read(|node, _| node.get_versioned(key).cloned())
    }

    /// All members and what each says of itself, at one moment. It shares the node's memory and is cheap to keep.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.shared().read(|node, now| node.snapshot(now))
    }

    /// The members that are alive as far as this node knows, itself first.
    #[must_use]
    pub fn live_nodes(&self) -> Vec<NodeId> {
        self.shared().read(|node, _| node.live_nodes())
    }

    /// The members that are no longer heard of, or were not heard often enough yet.
    #[must_use]
    pub fn dead_nodes(&self) -> Vec<NodeId> {
        self.shared().read(|node, _| node.dead_nodes())
    }

    /// The members that said they leave.
    #[must_use]
    pub fn left_nodes(&self) -> Vec<NodeId> {
        self.shared().read(|node, _| node.left_nodes())
    }

    /// What a member says of itself, as far as this node knows; itself included.
    #[must_use]
    pub fn node_state(&self, id: &NodeId) -> Option<Arc<NodeState>> {
        self.shared().read(|node, _| node.node_state(id).cloned())
    }

    /// The detector's suspicion of a member: how long it has been silent, in multiples of its usual interval. `None`
    /// while it was not heard often enough.
    #[must_use]
    pub fn phi(&self, id: &NodeId) -> Option<f64> {
        self.shared().read(|node, now| node.phi(now, id))
    }

    /// Everything the node has counted since it started.
    #[must_use]
    pub fn stats(&self) -> ClusterStats {
        let shared = self.shared();
        ClusterStats {
            core: shared.read(|node, _| *node.stats()),
            driver: shared.driver_stats(),
            events: shared.bus.stats(),
        }
    }

    /// The exchanges that ended last, 256 at most, the newest last: with whom the node gossiped, and how it went.
    #[must_use]
    pub fn recent_exchanges(&self) -> Vec<RecentExchange> {
        self.shared().history.recent()
    }

    /// Forgets a node that will not come back, before its grace period is over: its key-values, and to which certificate
    /// its name belongs, so that another one may use the name. A name outlasts its node: where the node is not among the
    /// members any more, any id with the name releases it.
    ///
    /// Each node forgets for itself, so call it at every node. Those that have not forgotten it yet do not bring it back,
    /// unless it runs again.
    ///
    /// # Errors
    ///
    /// A node of this name is live, or neither the node nor its name is known; nothing has changed.
    pub fn forget(&self, id: &NodeId) -> Result<(), ForgetError> {
        self.shared().with_node(|node, now| node.forget(now, id))
    }

    /// Has the node advertise another address from now on, as when its machine was given one, and gives its identity with that
    /// address. The generation in it goes up by one; the run and the key-values stay. Where the node listens stays as it is:
    /// listen on all interfaces if addresses come and go.
    ///
    /// Peers go on with it without a death: at once over TLS on both sides, else when the former address has been silent for
    /// about as long as a death takes. There is [`EventKind::NodeMoved`](tidings_core::EventKind::NodeMoved) here and there.
    /// A Python peer sees a new node, and the death of the former one.
    ///
    /// # Errors
    ///
    /// The address is not valid; nothing has changed.
    pub fn set_advertise_addr(&self, address: Address) -> Result<NodeId, ConfigError> {
        let shared = self.shared();
        let new = address.clone();
        let (old, id) = shared.with_node(|node, now| {
            let old = node.id().gossip_advertise_addr().clone();
            node.set_advertise_addr(now, address).map(|id| (old, id))
        })?;
        shared.names.advertises(&old, &new, shared.local_addr);
        Ok(id)
    }

    /// Replaces the seeds, from the next round on.
    pub fn set_seeds(&self, seeds: Vec<Address>) {
        self.shared().with_node(|node, _| node.set_seeds(seeds));
    }

    /// Reads the node's TLS files again, so that certificates can be renewed and authorities changed while it runs. New
    /// connections use what is in the files now; open ones end as they began. Waits for the files, not for the network.
    ///
    /// Where the authority changes, let every node accept both first, then renew certificates, then drop the old one.
    ///
    /// # Errors
    ///
    /// A file is of no use, or there is none to read; the node goes on with the certificates that it has.
    #[cfg(feature = "tls")]
    pub fn reload_tls(&self) -> Result<(), crate::TlsError> {
        self.shared().tls.as_ref().ok_or(crate::TlsError::NoTls)?.reload()
    }

    /// The state as it is now, and every event after it, with no gap between.
    pub fn subscribe(&self) -> Subscription {
        Subscription::new(self.shared(), None)
    }

    /// As [`subscribe`](Cluster::subscribe), but of the key changes only those whose key begins with `prefix`. Events of
    /// other kinds all come; the snapshot is whole.
    pub fn subscribe_prefix(&self, prefix: impl Into<String>) -> Subscription {
        Subscription::new(self.shared(), Some(prefix.into()))
    }

    /// The set of live nodes as it changes.
    pub fn live_nodes_watch(&self) -> LiveNodes {
        LiveNodes::new(self.shared())
    }

    /// Tells live peers that the node leaves, and then shuts it down. Peers report it as left, not as dead.
    ///
    /// It takes at most the builder's `leave_timeout` and `shutdown_timeout`. If this future is dropped the node has
    /// left, but runs on until it is shut down or its last handle is dropped.
    pub async fn leave(&self) -> LeaveReport {
        let shared = self.shared();
        if self.is_running() {
            shared.with_node(|node, now| node.leave(now));
            let told = or(shared.left.wait(), shared.stopping.wait());
            by::<R, _>(Instant::now() + shared.timeouts.leave, told).await;
        }
        let told = shared.told.get().copied();
        let shutdown = self.shutdown().await;
        LeaveReport { told: told.unwrap_or(0), gave_up: told.is_none(), shutdown }
    }

    /// Stops the node: no new exchange, the open ones are finished, subscribers read what is left; all of it within the
    /// builder's `shutdown_timeout`. The port is free when it returns. A second call waits for the first.
    ///
    /// A subscription that nobody reads holds it up to that time; drop it first.
    pub async fn shutdown(&self) -> ShutdownReport {
        let shared = self.shared();
        shared.stopping.raise();
        shared.stopped.wait().await;
        shared.report.get().copied().unwrap_or_default()
    }

    /// Whether the node gossips: false from the beginning of its shutdown.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.shared().stopping.is_raised()
    }
}

impl<R: Runtime> Clone for Cluster<R> {
    fn clone(&self) -> Cluster<R> {
        Cluster { handle: Arc::clone(&self.handle), runtime: PhantomData }
    }
}

impl<R: Runtime> fmt::Debug for Cluster<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("id", self.id())
            .field("local_addr", &self.local_addr())
            .field("running", &self.is_running())
            .finish_non_exhaustive()
    }
}
