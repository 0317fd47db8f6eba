//! More news than a packet holds. aiocluster truncates a delta and yet says that it is whole, so that other Python nodes
//! stop asking, and hand on copies with holes.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;

use crate::member::Kind;
use crate::mixed_cluster::{MixedCluster, Setup};
use crate::view::{Detail, Replica};

const KEYS: usize = 5_000;

/// An owner of ours paces itself towards Python, a few hundred versions in a round.
const ALL_NEWS: Duration = Duration::from_secs(60);

pub(super) fn ten_members() -> Setup {
    Setup { python: 5, ours: 5, ..Setup::default() }
}

/// Python nodes between the owner and ours, who relay what they did not get whole.
pub(super) fn relays() -> Setup {
    Setup { python: 4, ours: 2, ..Setup::default() }
}

pub(super) async fn ten(cluster: &mut MixedCluster) -> Result<()> {
    let everyone = cluster.node_ids();
    for node_id in &everyone {
        cluster.member(node_id.name())?.set("who", node_id.name()).await?;
    }
    cluster.everyone_is_live().await?;
    cluster
        .until("a key of everyone's own is everywhere", Duration::from_secs(10), |view| {
            everyone.iter().all(|node_id| view.reads(node_id.name(), "who", node_id.name()))
        })
        .await
}

/// The owner goes on writing while its first 5,000 keys are still under way.
pub(super) async fn python_owner(cluster: &mut MixedCluster) -> Result<()> {
    cluster.everyone_is_live().await?;
    let owner = cluster.python("py-2")?;
    let mut truth = pairs();
    owner.set_many(&truth).await?;
    cluster.tell(format_args!("py-2 sets {KEYS} keys, {} bytes, and goes on writing", bytes_of(&truth)));

    for number in 0..100 {
        let (key, value) = (format!("later {number:03}"), format!("written in step {number}"));
        owner.set(&key, &value).await?;
        truth.insert(key, value);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let result = cluster
        .wait("every key of it is at each of ours", ALL_NEWS)
        .among(Kind::Ours)
        .until(|view| view.replica("py-2").is_some_and(|replica| missing(&truth, replica) == 0))
        .await;
    tell_what_is_missing(cluster, "py-2", &truth).await?;
    result
}

pub(super) async fn our_owner(cluster: &mut MixedCluster) -> Result<()> {
    cluster.everyone_is_live().await?;
    let truth = pairs();
    cluster.member("ours-2")?.set_many(&truth).await?;
    cluster.tell(format_args!("ours-2 sets {KEYS} keys, {} bytes", bytes_of(&truth)));

    let counted = cluster
        .wait(format!("{KEYS} keys of it are everywhere"), ALL_NEWS)
        .counting_keys()
        .until(|view| view.replica("ours-2").is_some_and(|replica| replica.key_count >= KEYS))
        .await;
    tell_what_is_missing(cluster, "ours-2", &truth).await?;
    counted?;
    cluster
        .until("each with its value", Duration::from_secs(5), |view| {
            view.replica("ours-2").is_some_and(|replica| missing(&truth, replica) == 0)
        })
        .await
}

/// 5,000 keys of about 80 bytes each with its value.
fn pairs() -> BTreeMap<String, String> {
    (0..KEYS).map(|number| (format!("item/{number:05}"), format!("{number:064}"))).collect()
}

fn bytes_of(pairs: &BTreeMap<String, String>) -> usize {
    pairs.iter().map(|(key, value)| key.len() + value.len()).sum()
}

fn missing(truth: &BTreeMap<String, String>, replica: &Replica) -> usize {
    let is_held = |key: &String, value: &String| replica.keys.get(key).is_some_and(|held| held.value == *value);
    truth.iter().filter(|(key, value)| !is_held(key, value)).count()
}

/// Python nodes may miss some for ever, which is no failure of ours: it is told.
async fn tell_what_is_missing(cluster: &MixedCluster, owner: &str, truth: &BTreeMap<String, String>) -> Result<()> {
    let mut told = Vec::new();
    for member in cluster.members() {
        let view = member.view(Detail::KeyValues).await?;
        let missing = view.replica(owner).map_or(truth.len(), |replica| missing(truth, replica));
        told.push(format!("{} {missing}", view.node_id.name()));
    }
    cluster.tell(format_args!("keys of {owner} missing at: {}", told.join(", ")));
    Ok(())
}
