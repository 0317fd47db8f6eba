//! Agents that say goodbye.

use anyhow::{Result, ensure};

use crate::cluster::{Cluster, SOON};
use crate::view::Liveness;

pub(super) fn and_coming_back(cluster: &mut Cluster<'_>) -> Result<()> {
    cluster.everyone_is_live()?;
    let before = cluster.generation_id("host-4")?;

    cluster.leave("host-4")?;
    let others = cluster.others(&[]);
    cluster.until("host-4 left, at all others", &others, SOON, |view| view.holds("host-4", Liveness::Left))?;
    // Longer than a silent member would be taken for live.
    let bound = cluster.time_to_death().min(SOON);
    cluster.hold("host-4 stays left at all others", bound, |view| view.holds("host-4", Liveness::Left))?;
    cluster.nobody_was_declared_dead()?;

    cluster.start_agent("host-4")?;
    cluster.tell("host-4 is started again");
    cluster.everyone_is_live()?;
    let after = cluster.generation_id("host-4")?;
    ensure!(after > before, "the generation went from {before} to {after}");
    cluster.until("host-4 is its new generation everywhere", &cluster.others(&[]), SOON, |view| {
        view.member("host-4").is_some_and(|member| member.generation_id == after)
    })
}
