//! A node of ours in this process, on tokio.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tidings_core::{Address, NodeId};
use tidings_tokio::{Cluster, Lifetime, Liveness, Member};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use crate::member::Spec;
use crate::view::{Held, Replica, View};

/// How long the port of a dropped node may stay taken.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// A running node. Dropping it stops the node without a word, as a crash would.
#[derive(Debug)]
pub(crate) struct OurPeer {
    cluster: Cluster,
}

impl OurPeer {
    /// Starts a node and waits until it listens.
    pub(crate) async fn start(spec: &Spec) -> Result<OurPeer> {
        let (grace_period, max_payload_bytes) = (spec.grace_period, spec.max_payload_bytes);
        let max_interval = spec.max_interval();
        let mut builder = Cluster::builder(&spec.name);
        if let Some(security) = &spec.security {
            builder = builder.tls(security.of_ours());
            if let Some(tls_name) = &security.tls_name {
                builder = builder.tls_name(tls_name);
            }
        }
        let cluster = builder
            .cluster_id(&spec.cluster_id)
            .generation(spec.generation_id)
            .listen(spec.address.to_string())
            .seeds(spec.seeds.iter().map(Address::to_string))
            .gossip_interval(spec.gossip_interval)
            .config(move |config| {
                config.marked_for_deletion_grace_period = grace_period;
                config.max_payload_size = max_payload_bytes as usize;
                config.failure_detector.max_interval = Some(max_interval);
            })
            .start()
            .await
            .with_context(|| format!("our node {} did not start", spec.name))?;
        Ok(OurPeer { cluster })
    }

    /// The node itself, for what only it has.
    pub(crate) const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Sets a key for good.
    pub(crate) fn set(&self, key: &str, value: &str) -> Result<()> {
        self.set_with(key, value, Lifetime::Forever)
    }

    /// Sets a key for the grace period.
    pub(crate) fn set_with_ttl(&self, key: &str, value: &str) -> Result<()> {
        self.set_with(key, value, Lifetime::Grace)
    }

    /// Sets a key for a time of its own.
    pub(crate) fn set_for(&self, key: &str, value: &str, lifetime: Duration) -> Result<()> {
        self.set_with(key, value, Lifetime::For(lifetime))
    }

    /// Turns a key into a tombstone.
    pub(crate) fn delete(&self, key: &str) -> Result<()> {
        self.cluster.delete(key)?;
        Ok(())
    }

    /// Lets a key end with the grace period.
    pub(crate) fn delete_after_ttl(&self, key: &str) -> Result<()> {
        self.cluster.delete_after_ttl(key)?;
        Ok(())
    }

    /// How many packets of other clusters it refused, or was refused by.
    pub(crate) fn other_clusters_heard(&self) -> u64 {
        self.cluster.stats().core.rejected.other_cluster
    }

    /// How many exchanges, of either direction, did not come about for what TLS proved or did not prove: those that TLS
    /// ended, and those with a peer that spoke as another.
    pub(crate) fn tls_refusals(&self) -> (u64, u64) {
        let stats = self.cluster.stats();
        (stats.driver.tls_refused, stats.core.rejected.wrong_name)
    }

    /// How many of its exchanges, of either direction, ended because nothing came in time.
    pub(crate) fn exchanges_timed_out(&self) -> u64 {
        self.cluster.stats().driver.timed_out
    }

    /// Says that it leaves, waits until that is told, and stops. Gives the number of nodes told.
    pub(crate) async fn leave(self) -> Result<usize> {
        let report = self.cluster.leave().await;
        ensure!(!report.gave_up, "our node {} could not tell that it leaves", self.cluster.id());
        Ok(report.told)
    }

    /// All that the node holds.
    pub(crate) fn view(&self) -> View {
        let snapshot = self.cluster.snapshot();
        let with = |liveness: Liveness| {
            let members = snapshot.members.iter().filter(move |member| member.liveness == liveness);
            members.map(|member| member.id.clone()).collect()
        };
        View {
            node_id: snapshot.self_id.clone(),
            live: with(Liveness::Live),
            left: with(Liveness::Left),
            replicas: snapshot.members.iter().map(replica_of).collect(),
        }
    }

    /// Drops the node and waits until its port is free.
    pub(crate) async fn crash(self) -> Result<()> {
        let address = self.cluster.local_addr();
        drop(self.cluster);
        let start = Instant::now();
        while TcpListener::bind(address).await.is_err() {
            if start.elapsed() > STOP_TIMEOUT {
                bail!("our node was dropped, and {STOP_TIMEOUT:?} later {address} is still taken");
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    fn set_with(&self, key: &str, value: &str, lifetime: Lifetime) -> Result<()> {
        self.cluster.set_with(key, value, lifetime)?;
        Ok(())
    }
}

fn replica_of(member: &Member) -> (NodeId, Replica) {
    let state = &member.state;
    let keys = state.iter_all().map(|(key, value)| {
        let held = Held { value: value.value.to_string(), version: value.version, status: value.status };
        (key.to_owned(), held)
    });
    let keys: std::collections::BTreeMap<String, Held> = keys.collect();
    let replica = Replica {
        heartbeat: member.heartbeat,
        max_version: state.max_version(),
        last_gc_version: state.last_gc_version(),
        key_count: keys.len(),
        keys,
    };
    (member.id.clone(), replica)
}
