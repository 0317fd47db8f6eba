//! Values that end: for the grace period, which Python knows, and for a time of their own, which it does not.

use std::time::Duration;

use anyhow::{Result, ensure};
use tidings_core::ValueStatus::{DeleteAfterTtl, Deleted, Set};

use crate::mixed_cluster::{MixedCluster, Setup};

const NEWS: Duration = Duration::from_secs(10);

/// Long enough that news of a value come round before the value ends.
const GRACE_PERIOD: Duration = Duration::from_secs(12);

/// The time of one value of ours.
const LIFETIME: Duration = Duration::from_secs(5);

/// Every member's grace period counts from when it heard of the value, and a collection waits for a round.
const END: Duration = Duration::from_secs(12 + 10);

pub(super) fn setup() -> Setup {
    Setup { grace_period: GRACE_PERIOD, ..Setup::default() }
}

pub(super) async fn of_python(cluster: &mut MixedCluster) -> Result<()> {
    grace_period(cluster, "py-1").await?;

    cluster.member("py-1")?.set_with_ttl("hidden", "value").await?;
    ensure!(cluster.python("py-1")?.get("hidden").await?.is_none(), "aiocluster's get shows a value set with TTL");
    cluster.tell("a value set with TTL is hidden from aiocluster's own get");
    Ok(())
}

pub(super) async fn of_ours(cluster: &mut MixedCluster) -> Result<()> {
    grace_period(cluster, "ours-1").await?;

    let owner = cluster.ours("ours-1")?;
    owner.set_with_ttl("shown", "value")?;
    ensure!(owner.cluster().get("shown").as_deref() == Some("value"), "our get hides a value set for the grace period");
    cluster.tell("a value set for the grace period is shown by our get");

    owner.set_for("token", "valid", LIFETIME)?;
    cluster
        .until("a value with a time of its own is everywhere, as set", Duration::from_secs(4), |view| {
            view.reads("ours-1", "token", "valid") && view.has_status("ours-1", "token", Set)
        })
        .await?;
    cluster
        .until("its time over, it is a tombstone everywhere", LIFETIME + NEWS, |view| {
            view.has_status("ours-1", "token", Deleted)
        })
        .await?;
    cluster.until("and collected everywhere", END, |view| view.held("ours-1", "token").is_none()).await
}

async fn grace_period(cluster: &MixedCluster, owner: &str) -> Result<()> {
    let node = cluster.member(owner)?;
    cluster.everyone_is_live().await?;

    node.set("job", "done").await?;
    cluster.until("a key is everywhere", NEWS, |view| view.reads(owner, "job", "done")).await?;
    node.set_with_ttl("lease", "mine").await?;
    node.delete_after_ttl("job").await?;
    cluster
        .until("set with TTL and deleted after TTL, both are everywhere with their values", NEWS, |view| {
            [("lease", "mine"), ("job", "done")]
                .into_iter()
                .all(|(key, value)| view.reads(owner, key, value) && view.has_status(owner, key, DeleteAfterTtl))
        })
        .await?;

    cluster
        .until("the grace period over, both are gone everywhere", END, |view| {
            view.lacks(owner, "lease") && view.lacks(owner, "job")
        })
        .await?;

    node.set("next", "news").await?;
    cluster.until("and the owner's next key is everywhere", NEWS, |view| view.reads(owner, "next", "news")).await?;
    for view in cluster.views().await? {
        ensure!(view.lacks(owner, "lease") && view.lacks(owner, "job"), "an ended value came back: {view}");
    }
    Ok(())
}
