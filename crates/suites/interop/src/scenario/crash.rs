//! A member ends without a word, and comes back as a new generation.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::mixed_cluster::MixedCluster;

const NEWS: Duration = Duration::from_secs(10);

/// With rounds of 200 ms the mean interval is a second at most, and phi reaches its threshold of 8 within 8 of them.
const DEATH: Duration = Duration::from_secs(30);

pub(super) async fn of_python(cluster: &mut MixedCluster) -> Result<()> {
    crash_and_restart(cluster, "py-2").await
}

pub(super) async fn of_ours(cluster: &mut MixedCluster) -> Result<()> {
    crash_and_restart(cluster, "ours-2").await
}

async fn crash_and_restart(cluster: &mut MixedCluster, name: &str) -> Result<()> {
    cluster.everyone_is_live().await?;
    cluster.member(name)?.set("run", "first").await?;
    cluster.member(name)?.set("of the first run", "yes").await?;
    cluster
        .until("the keys of its first run are everywhere", NEWS, |view| view.reads(name, "of the first run", "yes"))
        .await?;

    let mut spec = cluster.crash(name).await?;
    let survivors = cluster.node_ids();
    cluster.until("it is dead at all others, and they are live", DEATH, |view| view.live == survivors).await?;
    cluster.until("its last keys can still be read", NEWS, |view| view.reads(name, "of the first run", "yes")).await?;

    let first_run = spec.node_id();
    spec.generation_id += 1;
    cluster.join(spec).await?;
    cluster.member(name)?.set("run", "second").await?;
    cluster.everyone_is_live().await?;
    cluster
        .until("the new generation has its own keys and none of the old one's", NEWS, |view| {
            view.reads(name, "run", "second") && view.held(name, "of the first run").is_none()
        })
        .await?;

    for view in cluster.views().await? {
        ensure!(!view.live.contains(&first_run), "the first run is still live: {view}");
    }
    Ok(())
}
