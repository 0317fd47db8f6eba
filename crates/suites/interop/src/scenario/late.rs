//! A Python node that joins late. Another Python node hands it an owner's keys cut short, as if they were all: what then
//! is missing comes from nobody, for it asks nobody, until the owner publishes its keys again.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::member::Kind;
use crate::mixed_cluster::MixedCluster;

use super::large::{missing, tell_what_is_missing};

const NEWS: Duration = Duration::from_secs(30);

/// About 30 rounds of everybody's, in which whatever can come has come.
const A_WHILE: Duration = Duration::from_secs(6);

const KEYS: usize = 200;

/// Large, so that what is cut short leaves room for the digest beside it: otherwise the packet passes the limit, and a
/// Python node refuses it.
const VALUE_BYTES: usize = 2_000;

pub(super) async fn python(cluster: &mut MixedCluster) -> Result<()> {
    cluster.everyone_is_live().await?;
    let truth: BTreeMap<String, String> =
        (0..KEYS).map(|number| (format!("item/{number:03}"), format!("{number:0VALUE_BYTES$}"))).collect();
    cluster.member("ours-2")?.set_many(&truth).await?;
    cluster
        .until(&format!("{KEYS} keys of {VALUE_BYTES} bytes are everywhere"), NEWS, |view| {
            view.replica("ours-2").is_some_and(|replica| missing(&truth, replica) == 0)
        })
        .await?;

    let mut spec = cluster.new_spec(Kind::Python, "py-late")?;
    spec.seeds = vec![cluster.python("py-1")?.node_id().gossip_advertise_addr().clone()];
    cluster.join(spec).await?;
    cluster.everyone_is_live().await?;
    tokio::time::sleep(A_WHILE).await;
    tell_what_is_missing(cluster, "ours-2", &truth).await?;
    for view in cluster.views().await? {
        let missing = view.replica("ours-2").map_or(KEYS, |replica| missing(&truth, replica));
        let is_late = view.node_id.name() == "py-late";
        ensure!(is_late || missing == 0, "only who comes late may miss keys: {view}");
        // The story is of a loss. Should there be none, the documentation promises too little, and the rest proves nothing.
        ensure!(!is_late || missing > 0, "py-late was expected to miss keys that its seed had no room for: {view}");
    }

    let count = cluster.ours("ours-2")?.cluster().republish();
    cluster.tell(format_args!("ours-2 publishes its {count} keys again"));
    let result = cluster
        .until("every key is everywhere", NEWS, |view| {
            view.replica("ours-2").is_some_and(|replica| missing(&truth, replica) == 0)
        })
        .await;
    tell_what_is_missing(cluster, "ours-2", &truth).await?;
    result
}
