//! Who is here: forming a cluster, and staying out of another.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use tidings_core::NodeId;
use tokio::time::sleep;

use crate::member::Kind;
use crate::mixed_cluster::MixedCluster;

/// Long enough for 25 rounds, in which a detector that is wrong about someone would say so.
const A_WHILE: Duration = Duration::from_secs(5);

pub(super) async fn everyone_live(cluster: &mut MixedCluster) -> Result<()> {
    let everyone = cluster.node_ids();
    for node_id in &everyone {
        cluster.member(node_id.name())?.set("who", node_id.name()).await?;
    }
    cluster.everyone_is_live().await?;
    cluster
        .until("a key of everyone's own is everywhere", Duration::from_secs(10), |view| {
            everyone.iter().all(|node_id| view.reads(node_id.name(), "who", node_id.name()))
        })
        .await?;

    let end = tokio::time::Instant::now() + A_WHILE;
    while tokio::time::Instant::now() < end {
        for view in cluster.views().await? {
            ensure!(view.live == everyone, "without a fault somebody was held for dead: {view}");
        }
        sleep(Duration::from_millis(100)).await;
    }
    cluster.tell(format_args!("and stays so for {A_WHILE:?}"));

    cluster
        .until("every heartbeat reaches everyone", Duration::from_secs(10), |view| {
            view.replicas.values().all(|replica| replica.heartbeat > 20)
        })
        .await
}

pub(super) async fn other_cluster(cluster: &mut MixedCluster) -> Result<()> {
    cluster.everyone_is_live().await?;
    let insiders = cluster.node_ids();

    let mut strangers = BTreeSet::new();
    for (kind, name) in [(Kind::Python, "py-stranger"), (Kind::Ours, "ours-stranger")] {
        let mut spec = cluster.new_spec(kind, name)?;
        spec.cluster_id = "another".to_owned();
        strangers.insert(spec.node_id());
        cluster.join(spec).await?;
        cluster.member(name)?.set("secret", "of the other cluster").await?;
    }
    cluster.tell("two strangers with another cluster id dial everyone's seeds");

    // Each side of both clusters has met the other kind's stranger a few times before anybody is asked.
    let met_often = 5;
    loop {
        let python_seed = cluster.python("py-1")?.stats().await?;
        let python_stranger = cluster.python("py-stranger")?.stats().await?;
        let our_seed = cluster.ours("ours-1")?.other_clusters_heard();
        let our_stranger = cluster.ours("ours-stranger")?.other_clusters_heard();
        let counts =
            [python_seed.sent_of("bad_cluster"), python_stranger.received_of("bad_cluster"), our_seed, our_stranger];
        if counts.iter().all(|count| *count >= met_often) {
            cluster.tell(format_args!(
                "refused by py-1: {}, heard by py-stranger: {}, counted by ours-1: {}, by ours-stranger: {}",
                counts[0], counts[1], counts[2], counts[3]
            ));
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }

    for view in cluster.views().await? {
        let own: &BTreeSet<NodeId> = if strangers.contains(&view.node_id) { &strangers } else { &insiders };
        ensure!(view.replicas.keys().all(|node_id| own.contains(node_id)), "news crossed to another cluster: {view}");
        let is_insider = insiders.contains(&view.node_id);
        ensure!(!is_insider || view.live == insiders, "the strangers disturbed the cluster: {view}");
    }
    cluster.tell("nobody knows anything of the other cluster");
    Ok(())
}
