//! More news than a packet holds. aiocluster truncates a delta and yet says that it is whole, so that other Python nodes
//! stop asking, and hand on copies with holes.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::member::Kind;
use crate::mixed_cluster::{MixedCluster, Setup};
use crate::view::{Detail, Replica};

const NEWS: Duration = Duration::from_secs(20);

/// What was under way when the last one was waited for is over in this time.
const SETTLING: Duration = Duration::from_secs(2);

const KEYS: usize = 5_000;

/// An owner of ours paces itself towards Python, a few hundred versions in a round.
const ALL_NEWS: Duration = Duration::from_secs(60);

pub(super) fn ten_members() -> Setup {
    Setup { python: 5, ours: 5, ..Setup::default() }
}

/// Four Python nodes, an owner beside them, and two of ours from the start; two more of ours come later.
pub(super) fn relays() -> Setup {
    Setup { python: 4, ours: 2, ..Setup::default() }
}

/// Those of ours who come later know but a relay at first, and hear of the owner's keys from it, with holes.
pub(super) async fn python_owner(cluster: &mut MixedCluster) -> Result<()> {
    let mut truth = holes_at_the_relays(cluster).await?;
    for name in ["ours-late-1", "ours-late-2"] {
        let mut spec = cluster.new_spec(Kind::Ours, name)?;
        spec.seeds = vec![cluster.python("py-1")?.node_id().gossip_advertise_addr().clone()];
        cluster.join(spec).await?;
    }

    let owner = cluster.python("py-owner")?;
    for number in 0..100 {
        let (key, value) = (format!("later still {number:03}"), format!("written in step {number}"));
        owner.set(&key, &value).await?;
        truth.insert(key, value);
        sleep(Duration::from_millis(50)).await;
    }
    let result = cluster
        .wait("every key of it is at each of ours", ALL_NEWS)
        .among(Kind::Ours)
        .until(|view| view.replica("py-owner").is_some_and(|replica| missing(&truth, replica) == 0))
        .await;
    tell_what_is_missing(cluster, "py-owner", &truth).await?;
    result
}

/// What it leaves is incomplete at everyone, and can be completed by nobody.
pub(super) async fn an_owner_dies_and_leaves_holes(cluster: &mut MixedCluster) -> Result<()> {
    let truth = holes_at_the_relays(cluster).await?;
    tell_what_is_missing(cluster, "py-owner", &truth).await?;
    cluster.crash("py-owner").await?;
    let survivors = cluster.node_ids();
    cluster
        .wait("it is dead at all others", Duration::from_secs(40))
        .counting_keys()
        .until(|view| view.live == survivors)
        .await
}

/// An owner sets 5,000 keys and, once every Python node believes that it has them, 300 more, which reach them all.
/// Gives all of them.
async fn holes_at_the_relays(cluster: &mut MixedCluster) -> Result<BTreeMap<String, String>> {
    let mut spec = cluster.new_spec(Kind::Python, "py-owner")?;
    // Python nodes refuse its packets otherwise: with its delta at the limit a packet is over it.
    spec.max_payload_bytes = 60_000;
    cluster.join(spec).await?;
    cluster.everyone_is_live().await?;

    let owner = cluster.python("py-owner")?;
    let mut truth = pairs("item", KEYS);
    owner.set_many(&truth).await?;
    cluster.tell(format_args!("py-owner sets {KEYS} keys, {} bytes", bytes_of(&truth)));
    cluster
        .wait("every Python node believes that it has them", NEWS)
        .among(Kind::Python)
        .counting_keys()
        .until(|view| view.replica("py-owner").is_some_and(|replica| replica.max_version >= KEYS as u64))
        .await?;
    // An exchange still under way would carry the first keys with the version of those to come, and hide them.
    sleep(SETTLING).await;

    let further = pairs("further item", 300);
    owner.set_many(&further).await?;
    cluster
        .wait("300 further ones are at every Python node", NEWS)
        .among(Kind::Python)
        .until(|view| view.replica("py-owner").is_some_and(|replica| missing(&further, replica) == 0))
        .await?;
    truth.extend(further);
    Ok(truth)
}

pub(super) async fn our_owner(cluster: &mut MixedCluster) -> Result<()> {
    cluster.everyone_is_live().await?;
    let truth = pairs("item", KEYS);
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

/// Keys of about 80 bytes each with its value.
fn pairs(name: &str, count: usize) -> BTreeMap<String, String> {
    (0..count).map(|number| (format!("{name}/{number:05}"), format!("{number:064}"))).collect()
}

fn bytes_of(pairs: &BTreeMap<String, String>) -> usize {
    pairs.iter().map(|(key, value)| key.len() + value.len()).sum()
}

pub(super) fn missing(truth: &BTreeMap<String, String>, replica: &Replica) -> usize {
    let is_held = |key: &String, value: &String| replica.keys.get(key).is_some_and(|held| held.value == *value);
    truth.iter().filter(|(key, value)| !is_held(key, value)).count()
}

/// Python nodes may miss some for ever, which is no failure of ours: it is told.
pub(super) async fn tell_what_is_missing(
    cluster: &MixedCluster,
    owner: &str,
    truth: &BTreeMap<String, String>,
) -> Result<()> {
    let mut told = Vec::new();
    for member in cluster.members() {
        let view = member.view(Detail::KeyValues).await?;
        let missing = view.replica(owner).map_or(truth.len(), |replica| missing(truth, replica));
        told.push(format!("{} {missing}", view.node_id.name()));
    }
    cluster.tell(format_args!("keys of {owner} missing at: {}", told.join(", ")));
    Ok(())
}
