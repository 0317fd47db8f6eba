//! What our presence costs the Python nodes: bytes and exchanges, in steady state and with a dead owner.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep};

use crate::member::Kind;
use crate::mixed_cluster::{MixedCluster, Setup};

use super::large;

const NEWS: Duration = Duration::from_secs(10);
const DEATH: Duration = Duration::from_secs(40);

/// What is still under way when all are live comes in this time.
const SETTLING: Duration = Duration::from_secs(5);

/// Long enough that chance evens out: some hundred exchanges at each node.
const MEASUREMENT: Duration = Duration::from_secs(12);

/// Our digest entries carry some fields more than aiocluster's.
const BYTES_ALLOWED: f64 = 1.25;
const EXCHANGES_ALLOWED: f64 = 1.15;

/// What the average Python node sent and received in a second.
struct Cost {
    bytes: f64,
    exchanges: f64,
}

/// Five Python nodes, whom five of ours join, and then five more of their own kind instead.
pub(super) fn setup() -> Setup {
    Setup { python: 5, ours: 0, ..Setup::default() }
}

pub(super) async fn steady(cluster: &mut MixedCluster) -> Result<()> {
    let beside_ours = with_five_more(cluster, Kind::Ours).await?;
    let mut other = cluster.start_another(&setup()).await?;
    let among_its_own = with_five_more(&mut other, Kind::Python).await?;
    beside_ours.compare(&among_its_own)
}

pub(super) async fn dead_owner(cluster: &mut MixedCluster) -> Result<()> {
    large::an_owner_dies_and_leaves_holes(cluster).await?;
    let beside_ours = with_five_more(cluster, Kind::Ours).await?;
    let mut other = cluster.start_another(&setup()).await?;
    large::an_owner_dies_and_leaves_holes(&mut other).await?;
    let among_its_own = with_five_more(&mut other, Kind::Python).await?;
    beside_ours.compare(&among_its_own)
}

async fn with_five_more(cluster: &mut MixedCluster, kind: Kind) -> Result<Cost> {
    for number in 1..=5 {
        let spec = cluster.new_spec(kind, &format!("further-{number}"))?;
        cluster.join(spec).await?;
    }
    let keys: BTreeMap<String, String> =
        (0..20).map(|n| (format!("key {n}"), "a value of some length".to_owned())).collect();
    for member in cluster.members() {
        member.set_many(&keys).await?;
    }
    let members = cluster.node_ids();
    cluster.wait("everyone is live at everyone", DEATH).counting_keys().until(|view| view.live == members).await?;
    cluster
        .wait("20 keys of each are everywhere", NEWS)
        .counting_keys()
        .until(|view| members.iter().all(|id| view.replica(id.name()).is_some_and(|replica| replica.key_count == 20)))
        .await?;
    sleep(SETTLING).await;

    let cost = average(cluster).await?;
    cluster.tell(format_args!("with five more of {kind:?}: {cost} at each of the five Python nodes"));
    Ok(cost)
}

/// Of the five Python nodes that were there from the start.
async fn average(cluster: &MixedCluster) -> Result<Cost> {
    let start = Instant::now();
    let before = totals(cluster).await?;
    sleep(MEASUREMENT).await;
    let after = totals(cluster).await?;
    let each = |before: u64, after: u64| (after - before) as f64 / start.elapsed().as_secs_f64() / 5.0;
    Ok(Cost { bytes: each(before.0, after.0), exchanges: each(before.1, after.1) })
}

/// Bytes and exchanges, both directions.
async fn totals(cluster: &MixedCluster) -> Result<(u64, u64)> {
    let mut totals = (0, 0);
    for number in 1..=5 {
        let stats = cluster.python(&format!("py-{number}"))?.stats().await?;
        totals.0 += stats.bytes_sent + stats.bytes_received;
        totals.1 += stats.sent_of("syn") + stats.received_of("syn");
    }
    Ok(totals)
}

impl Cost {
    fn compare(&self, among_its_own: &Cost) -> Result<()> {
        ensure!(self.bytes < among_its_own.bytes * BYTES_ALLOWED, "too many bytes: {self}, against {among_its_own}");
        ensure!(
            self.exchanges < among_its_own.exchanges * EXCHANGES_ALLOWED,
            "too many exchanges: {self}, against {among_its_own}"
        );
        Ok(())
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} bytes and {:.1} exchanges a second", self.bytes, self.exchanges)
    }
}
