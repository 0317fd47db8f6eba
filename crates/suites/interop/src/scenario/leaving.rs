//! A node of ours leaves: the others of ours say so, and do not hold it for dead.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::member::Kind;
use crate::mixed_cluster::MixedCluster;
use crate::mixed_cluster::Setup;

const NEWS: Duration = Duration::from_secs(10);
const DEATH: Duration = Duration::from_secs(30);

/// The one who leaves is the only one of ours: whoever comes later hears of it from Python nodes alone.
pub(super) fn setup() -> Setup {
    Setup { python: 3, ours: 1, ..Setup::default() }
}

pub(super) async fn through_a_python_relay(cluster: &mut MixedCluster) -> Result<()> {
    cluster.member("ours-1")?.set("who", "ours-1").await?;
    cluster.everyone_is_live().await?;
    cluster.until("its key is everywhere", NEWS, |view| view.reads("ours-1", "who", "ours-1")).await?;

    let gone = cluster.ours("ours-1")?.cluster().id().clone();
    let told = cluster.take_ours("ours-1")?.leave().await?;
    cluster.tell(format_args!("ours-1 leaves, and has told {told} nodes"));
    ensure!(told > 0, "it told nobody");

    let spec = cluster.new_spec(Kind::Ours, "ours-late")?;
    cluster.join(spec).await?;
    cluster
        .wait("ours-late, who met only Python nodes, knows that it left", NEWS)
        .among(Kind::Ours)
        .until(|view| view.left.contains(&gone))
        .await?;
    cluster.until("and it is live nowhere", DEATH, |view| !view.live.contains(&gone)).await?;
    cluster
        .wait("still left, not dead, at ours-late", NEWS)
        .among(Kind::Ours)
        .until(|view| view.left.contains(&gone))
        .await
}
