//! What our presence costs the Python nodes: bytes and exchanges, in steady state and with a dead owner.

use std::fmt;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep};

use crate::member::Kind;
use crate::mixed_cluster::{MixedCluster, Setup};

const NEWS: Duration = Duration::from_secs(10);
const DEATH: Duration = Duration::from_secs(40);

/// Long enough that chance evens out: some hundred exchanges at each node.
const MEASUREMENT: Duration = Duration::from_secs(12);

/// What is still under way from a dead owner's replicas comes in this time.
const SETTLING: Duration = Duration::from_secs(5);

/// What a dying owner has.
const KEYS: usize = 5_000;

/// Our digest entries carry some fields more than aiocluster's.
const BYTES_ALLOWED: f64 = 1.25;
const EXCHANGES_ALLOWED: f64 = 1.15;

/// What the average Python node sent and received in a second.
struct Cost {
    bytes: f64,
    exchanges: f64,
}

pub(super) async fn beside_ten_python_nodes(mixed: &mut MixedCluster) -> Result<()> {
    let mixed_costs = measure(mixed, "5 + 5").await?;
    let mut python = mixed.start_another(&Setup { python: 10, ours: 0, ..Setup::default() }).await?;
    let python_costs = measure(&mut python, "10 Python nodes").await?;
    for (mixed, python) in mixed_costs.iter().zip(&python_costs) {
        ensure!(
            mixed.bytes < python.bytes * BYTES_ALLOWED,
            "bytes: {mixed} in the mixed cluster, {python} in the other"
        );
        ensure!(
            mixed.exchanges < python.exchanges * EXCHANGES_ALLOWED,
            "exchanges: {mixed} in the mixed cluster, {python} in the other"
        );
    }
    Ok(())
}

/// In steady state, and after an owner died.
async fn measure(cluster: &mut MixedCluster, label: &str) -> Result<[Cost; 2]> {
    for member in cluster.members() {
        for number in 0..20 {
            member.set(&format!("key {number}"), "some value of some length").await?;
        }
    }
    cluster.everyone_is_live().await?;
    cluster
        .until("20 keys of everyone's are everywhere", NEWS, |view| {
            view.replicas.values().all(|replica| replica.key_count >= 20)
        })
        .await?;
    let steady = average(cluster).await?;
    cluster.tell(format_args!("{label}, steady state: {steady} at a Python node"));

    // It dies while its news are under way: every survivor has some of its keys, and none can ask it for the others.
    // With its packets kept small, Python nodes take them, and believe that they have all.
    let mut spec = cluster.new_spec(Kind::Python, "py-owner")?;
    spec.max_payload_bytes = 30_000;
    cluster.join(spec).await?;
    cluster.everyone_is_live().await?;
    let items = (0..KEYS).map(|number| (format!("item/{number:05}"), format!("{number:064}")));
    cluster.member("py-owner")?.set_many(&items.collect()).await?;
    cluster
        .wait(format!("some of py-owner's {KEYS} keys are everywhere"), NEWS)
        .counting_keys()
        .until(|view| view.replica("py-owner").is_some_and(|replica| replica.key_count > 0))
        .await?;
    cluster.crash("py-owner").await?;
    let survivors = cluster.node_ids();
    cluster.wait("it is dead at all others", DEATH).counting_keys().until(|view| view.live == survivors).await?;
    sleep(SETTLING).await;
    let views = cluster.views().await?;
    let held = views.iter().map(|view| {
        let count = view.replica("py-owner").map_or(0, |replica| replica.key_count);
        format!("{} {count}", view.node_id.name())
    });
    cluster.tell(format_args!("keys of it held at: {}", held.collect::<Vec<_>>().join(", ")));
    let with_a_dead_owner = average(cluster).await?;
    cluster.tell(format_args!("{label}, a dead owner: {with_a_dead_owner} at a Python node"));
    Ok([steady, with_a_dead_owner])
}

async fn average(cluster: &MixedCluster) -> Result<Cost> {
    let start = Instant::now();
    let before = totals(cluster).await?;
    sleep(MEASUREMENT).await;
    let after = totals(cluster).await?;
    let seconds = start.elapsed().as_secs_f64();
    let peers = cluster.python_peers().count() as f64;
    let each = |before: u64, after: u64| (after - before) as f64 / seconds / peers;
    Ok(Cost { bytes: each(before.0, after.0), exchanges: each(before.1, after.1) })
}

/// Bytes and exchanges of all Python nodes, both directions.
async fn totals(cluster: &MixedCluster) -> Result<(u64, u64)> {
    let mut totals = (0, 0);
    for peer in cluster.python_peers() {
        let stats = peer.stats().await?;
        totals.0 += stats.bytes_sent + stats.bytes_received;
        totals.1 += stats.sent_of("syn") + stats.received_of("syn");
    }
    Ok(totals)
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} bytes and {:.1} exchanges a second", self.bytes, self.exchanges)
    }
}
