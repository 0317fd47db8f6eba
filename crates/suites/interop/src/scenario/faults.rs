//! Python peers that are hard to live with: packets over the limit, a clock that went back, silence in mid-exchange.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::time::sleep;

use crate::member::Kind;
use crate::mixed_cluster::MixedCluster;

const NEWS: Duration = Duration::from_secs(10);
const DEATH: Duration = Duration::from_secs(30);

/// Each value waits for the next round: 4 s in all. aiocluster, whose rounds wait for their slowest exchange, needs 10 s.
const TWENTY_STEPS: Duration = Duration::from_secs(8);

/// aiocluster budgets the delta alone: with digest and envelope the packet passes the limit, and other Python nodes
/// refuse it for ever. One with a higher limit sends such packets from the start.
pub(super) async fn oversized_packets(cluster: &mut MixedCluster) -> Result<()> {
    let mut spec = cluster.new_spec(Kind::Python, "py-large")?;
    spec.max_payload_bytes = 100_000;
    cluster.join(spec).await?;
    cluster.everyone_is_live().await?;

    let pairs: BTreeMap<String, String> = (0..2_000).map(|n| (format!("item/{n:05}"), format!("{n:064}"))).collect();
    let owner = cluster.python("py-large")?;
    owner.set_many(&pairs).await?;
    cluster
        .wait("2,000 keys are at each of ours", Duration::from_secs(30))
        .among(Kind::Ours)
        .until(|view| pairs.iter().all(|(key, value)| view.reads("py-large", key, value)))
        .await?;
    let largest = cluster.python("py-large")?.stats().await?.largest_sent;
    let refused = cluster.python("py-1")?.stats().await?.refused;
    cluster.tell(format_args!("py-large sent a packet of {largest} bytes; py-1 refused {refused} packets"));
    ensure!(largest > 65_507, "no packet was over the limit: the largest had {largest} bytes");
    Ok(())
}

/// aiocluster's generations come from a clock that starts again at every boot.
pub(super) async fn lower_generation(cluster: &mut MixedCluster) -> Result<()> {
    let mut spec = cluster.new_spec(Kind::Python, "py-booted")?;
    spec.generation_id = 9_000_000_000;
    cluster.join(spec).await?;
    cluster.member("py-booted")?.set("boot", "first").await?;
    cluster.everyone_is_live().await?;
    cluster.until("its key is everywhere", NEWS, |view| view.reads("py-booted", "boot", "first")).await?;

    let mut spec = cluster.crash("py-booted").await?;
    let first_run = spec.node_id();
    spec.generation_id = 1_000_000;
    let second_run = spec.node_id();
    cluster.join(spec).await?;
    cluster.member("py-booted")?.set("boot", "second").await?;
    cluster
        .until("back with a lower generation it is live everywhere, and its first run is not", DEATH, |view| {
            view.live.contains(&second_run) && !view.live.contains(&first_run)
        })
        .await?;
    cluster
        .until("and what it says now is everywhere", NEWS, |view| {
            let replica = view.replicas.get(&second_run);
            replica.and_then(|replica| replica.keys.get("boot")).is_some_and(|held| held.value == "second")
        })
        .await
}

/// The exchange stays open and nothing comes: no round of ours may wait for it.
pub(super) async fn silence_in_mid_exchange(cluster: &mut MixedCluster) -> Result<()> {
    cluster.everyone_is_live().await?;
    for kind in ["synack", "ack"] {
        cluster.python("py-1")?.hold_back(kind, Duration::from_secs(600)).await?;
    }
    cluster.tell("py-1 answers no Syn any more, and ends no exchange of its own");

    let ours = ["ours-1", "ours-2"];
    let begin = Instant::now();
    for step in 1..=20 {
        let value = format!("step {step}");
        cluster.member("ours-1")?.set("progress", &value).await?;
        while !cluster.ours("ours-2")?.view().reads("ours-1", "progress", &value) {
            ensure!(begin.elapsed() < TWENTY_STEPS, "rounds of ours waited for a silent peer: 20 values take longer");
            sleep(Duration::from_millis(20)).await;
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    cluster.tell(format_args!("20 values went from ours-1 to ours-2 one after the other in {seconds:.1} s"));

    let start = Instant::now();
    while !ours.iter().all(|name| cluster.ours(name).is_ok_and(|peer| peer.exchanges_timed_out() > 0)) {
        ensure!(start.elapsed() < Duration::from_secs(30), "no exchange with the silent peer timed out at ours");
        sleep(Duration::from_millis(100)).await;
    }
    for kind in ["synack", "ack"] {
        cluster.python("py-1")?.hold_back(kind, Duration::ZERO).await?;
    }
    cluster.tell("py-1 talks again");
    cluster.member("py-1")?.set("back", "yes").await?;
    cluster.until("its news are everywhere", Duration::from_secs(60), |view| view.reads("py-1", "back", "yes")).await?;
    cluster.everyone_is_live().await
}
