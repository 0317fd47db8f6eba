//! Tombstones collected: aiocluster's replicas collect other owners' tombstones on their own clock, and forget live keys
//! below the highest one collected.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::sleep;

use crate::member::{Kind, Member};
use crate::mixed_cluster::{MixedCluster, Setup};
use crate::view::View;

const NEWS: Duration = Duration::from_secs(10);

/// Long enough for news to come round before a tombstone is collected.
const GRACE_PERIOD: Duration = Duration::from_secs(4);

/// The grace period, counted from when each heard of the tombstone, and some rounds.
const COLLECTION: Duration = Duration::from_secs(4 + 15);

pub(super) fn setup() -> Setup {
    Setup { python: 3, ours: 2, grace_period: GRACE_PERIOD, ..Setup::default() }
}

/// What Python nodes lose of each other's keys is theirs; ours hold all that the owner set and did not delete.
pub(super) async fn of_python(cluster: &mut MixedCluster) -> Result<()> {
    let keys = collected_under_a_writer(cluster, "py-2").await?;
    tell_what_is_lost(cluster, "py-2", &keys).await?;
    cluster
        .wait("no live key of it is lost at ours", NEWS)
        .among(Kind::Ours)
        .until(|view| keys.missing_in(view, "py-2") == 0)
        .await?;
    cluster.member("py-2")?.set("next", "news").await?;
    cluster
        .wait("its next key comes, and none is lost then", NEWS)
        .among(Kind::Ours)
        .until(|view| view.reads("py-2", "next", "news") && keys.missing_in(view, "py-2") == 0)
        .await
}

/// Once our owner has noticed that a replica collected, it publishes anew what that replica may have lost.
pub(super) async fn of_ours(cluster: &mut MixedCluster) -> Result<()> {
    let keys = collected_under_a_writer(cluster, "ours-2").await?;
    tell_what_is_lost(cluster, "ours-2", &keys).await?;
    cluster
        .until("no live key of it is lost anywhere", COLLECTION, |view| keys.missing_in(view, "ours-2") == 0)
        .await?;
    cluster.member("ours-2")?.set("next", "news").await?;
    cluster
        .until("its next key comes, and none is lost then", NEWS, |view| {
            view.reads("ours-2", "next", "news") && keys.missing_in(view, "ours-2") == 0
        })
        .await
}

/// Keys that an owner set; those in `live` were set first, and never deleted.
struct Keys {
    live: BTreeMap<String, String>,
    deleted: Vec<String>,
}

impl Keys {
    fn missing_in(&self, view: &View, owner: &str) -> usize {
        self.live.iter().filter(|(key, value)| !view.reads(owner, key, value)).count()
    }
}

/// Tombstones with higher versions than the live keys are collected while the owner goes on writing. So there are deltas
/// between those who have collected already and those who have not, which is when aiocluster forgets live keys.
async fn collected_under_a_writer(cluster: &MixedCluster, owner: &str) -> Result<Keys> {
    cluster.everyone_is_live().await?;
    let node = cluster.member(owner)?;
    let live: BTreeMap<String, String> = (0..20).map(|n| (format!("live {n}"), format!("value {n}"))).collect();
    let deleted: Vec<String> = (0..20).map(|n| format!("deleted {n}")).collect();
    let keys = Keys { live, deleted };
    node.set_many(&keys.live).await?;
    node.set_many(&keys.deleted.iter().map(|key| (key.clone(), "short".to_owned())).collect()).await?;
    cluster
        .until("40 keys are everywhere", NEWS, |view| {
            keys.missing_in(view, owner) == 0 && keys.deleted.iter().all(|key| view.reads(owner, key, "short"))
        })
        .await?;

    for key in &keys.deleted {
        node.delete(key).await?;
        sleep(Duration::from_millis(20)).await;
    }
    cluster
        .until("20 are deleted everywhere", NEWS, |view| keys.deleted.iter().all(|key| view.lacks(owner, key)))
        .await?;

    let collection = cluster.until("and collected everywhere", COLLECTION, |view| {
        keys.deleted.iter().all(|key| view.held(owner, key).is_none())
    });
    tokio::select! {
        result = collection => result?,
        result = write_without_end(node) => result?,
    }
    Ok(keys)
}

async fn write_without_end(node: &Member) -> Result<()> {
    for tick in 0_u64.. {
        node.set("tick", &tick.to_string()).await?;
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn tell_what_is_lost(cluster: &MixedCluster, owner: &str, keys: &Keys) -> Result<()> {
    let views = cluster.views().await?;
    let lost = views.iter().map(|view| format!("{} {}", view.node_id.name(), keys.missing_in(view, owner)));
    let lost: Vec<String> = lost.collect();
    cluster.tell(format_args!("live keys of {owner} lost just after the collection at: {}", lost.join(", ")));
    Ok(())
}

/// The one of ours who comes later can hear of it from Python nodes alone.
pub(super) fn python_nodes() -> Setup {
    Setup { python: 3, ours: 0, grace_period: GRACE_PERIOD, ..Setup::default() }
}

pub(super) async fn newest_of_python(cluster: &mut MixedCluster) -> Result<()> {
    newest_version_collected(cluster, "py-2").await
}

pub(super) async fn newest_of_ours(cluster: &mut MixedCluster) -> Result<()> {
    newest_version_collected(cluster, "ours-2").await
}

/// The owner's highest version is that of a collected tombstone: nothing can be sent that has it.
async fn newest_version_collected(cluster: &mut MixedCluster, owner: &str) -> Result<()> {
    cluster.everyone_is_live().await?;
    let node = cluster.member(owner)?;
    node.set("first", "1").await?;
    node.set("second", "2").await?;
    node.set("third", "3").await?;
    node.delete("third").await?;
    cluster
        .until("its newest version is collected everywhere", NEWS + COLLECTION, |view| {
            view.replica(owner).is_some_and(|replica| replica.last_gc_version >= 4)
        })
        .await?;

    for (kind, name) in [(Kind::Ours, "ours-late"), (Kind::Python, "py-late")] {
        let spec = cluster.new_spec(kind, name)?;
        cluster.join(spec).await?;
    }
    cluster.everyone_is_live().await?;
    cluster
        .until("its keys are everywhere, and what was collected is known, also by those who came later", NEWS, |view| {
            view.reads(owner, "first", "1")
                && view.reads(owner, "second", "2")
                && view.replica(owner).is_some_and(|replica| replica.last_gc_version >= 4)
        })
        .await?;

    let late = cluster.ours("ours-late")?.cluster();
    let before = late.stats().core;
    sleep(Duration::from_secs(1)).await;
    let after = late.stats().core;
    ensure!(
        after.resets == before.resets && after.key_values_applied == before.key_values_applied,
        "nothing is new, and yet ours-late starts again with an owner's keys: {before:?}, a second later {after:?}"
    );
    cluster.tell("ours-late is not sent them again and again");

    cluster.member(owner)?.set("last", "5").await?;
    cluster.until("its next key comes to everyone", NEWS, |view| view.reads(owner, "last", "5")).await?;
    for view in cluster.views().await? {
        ensure!(view.lacks(owner, "third"), "a deleted key came back: {view}");
    }
    Ok(())
}
