//! Agents that say goodbye.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::linux::cluster::{Cluster, SOON};
use crate::linux::view::Liveness;

pub(super) fn and_coming_back(cluster: &mut Cluster<'_>) -> Result<()> {
    cluster.everyone_is_live()?;
    cluster.live_together_for(Duration::from_secs(10))?;
    let before = cluster.generation_id("host-4")?;

    cluster.leave("host-4")?;
    let others = cluster.others(&[]);
    cluster.until("host-4 left, at all others", &others, SOON, |view| view.holds("host-4", Liveness::Left))?;
    // By then it would be dead to anyone who had missed its goodbye.
    cluster.hold("host-4 stays left at all others", cluster.time_to_death(), |view| {
        view.holds("host-4", Liveness::Left)
    })?;
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
