//! Set, change and delete, seen from the other side.

use std::time::Duration;

use anyhow::Result;
use tidings_core::ValueStatus;

use crate::mixed_cluster::MixedCluster;
use crate::view::Detail;

/// Ten times what news need in a cluster of four at rounds of 200 ms.
const NEWS: Duration = Duration::from_secs(10);

/// Empty ones, many alphabets, what combines, runs from right to left, controls, and the last character of all.
const UNUSUAL: [(&str, &str); 8] = [
    ("", "the empty key"),
    ("empty value", ""),
    ("ключ 鍵 🔑", "значение 値 🎁"),
    ("é and e\u{301}", "both, and they differ"),
    ("e\u{301} and é", "both, and they differ"),
    ("مفتاح\u{200f}", "👩🏽\u{200d}🚀"),
    ("line\nbreak\tand\u{0}nothing", "\u{1}\u{7f}\r\n\"\\"),
    ("\u{10ffff}", "\u{feff}\u{fffd}\u{2028}"),
];

pub(super) async fn of_python(cluster: &mut MixedCluster) -> Result<()> {
    set_change_delete(cluster, "py-1").await
}

pub(super) async fn of_ours(cluster: &mut MixedCluster) -> Result<()> {
    set_change_delete(cluster, "ours-1").await
}

/// The same story whoever the owner is: every member, of either kind, follows it.
async fn set_change_delete(cluster: &MixedCluster, owner: &str) -> Result<()> {
    let node = cluster.member(owner)?;

    // Set while the cluster forms: it comes with the first news of its owner.
    node.set("role", "api").await?;
    cluster.everyone_is_live().await?;
    cluster.until("a key set at the start is everywhere", NEWS, |view| view.reads(owner, "role", "api")).await?;

    node.set("color", "green").await?;
    cluster.until("a key set later is everywhere", NEWS, |view| view.reads(owner, "color", "green")).await?;

    for (key, value) in UNUSUAL {
        node.set(key, value).await?;
    }
    cluster
        .until("so are unusual keys and values", NEWS, |view| {
            UNUSUAL.iter().all(|(key, value)| view.reads(owner, key, value))
        })
        .await?;

    node.set("color", "blue").await?;
    cluster.until("the changed value is everywhere", NEWS, |view| view.reads(owner, "color", "blue")).await?;

    node.delete("color").await?;
    cluster
        .until("the tombstone is everywhere", NEWS, |view| view.has_status(owner, "color", ValueStatus::Deleted))
        .await?;

    node.set("color", "red").await?;
    cluster.until("the key, set once more, is everywhere", NEWS, |view| view.reads(owner, "color", "red")).await?;

    let truth =
        node.view(Detail::KeyValues).await?.replica(owner).map(|replica| replica.keys.clone()).unwrap_or_default();
    cluster
        .until("everyone holds the owner's keys, values, versions and no others", NEWS, |view| {
            view.replica(owner).is_some_and(|replica| replica.keys == truth)
        })
        .await
}
