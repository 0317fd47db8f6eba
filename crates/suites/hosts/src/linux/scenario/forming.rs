//! Clusters that form from one seed.

use std::time::Duration;

use anyhow::Result;

use crate::linux::cluster::{Cluster, SOON};
use crate::linux::view::Liveness;

pub(super) fn five_hosts(cluster: &mut Cluster<'_>) -> Result<()> {
    cluster.everyone_is_live()?;
    let everyone = cluster.others(&[]);

    cluster.set("host-3", "colour", "green")?;
    cluster.reads(&everyone, "host-3", "colour", "green")?;
    cluster.set("host-3", "colour", "red")?;
    cluster.reads(&everyone, "host-3", "colour", "red")?;
    cluster.delete("host-3", "colour")?;
    cluster.until("the deleted key is gone everywhere", &everyone, SOON, |view| {
        view.member("host-3").is_some_and(|member| !member.keys.contains_key("colour"))
    })
}

pub(super) fn late_seed(cluster: &mut Cluster<'_>) -> Result<()> {
    cluster.hold("everyone is alone", Duration::from_secs(5), |view| view.members.len() == 1)?;

    cluster.start_agent("host-1")?;
    cluster.tell("the seed, host-1, is up");
    cluster.everyone_is_live()?;
    for name in cluster.others(&[]) {
        cluster.reads(&cluster.others(&[]), name, "host", name)?;
    }
    Ok(())
}

pub(super) fn twenty_hosts(cluster: &mut Cluster<'_>) -> Result<()> {
    cluster.everyone_is_live()?;
    let everyone = cluster.others(&[]);
    cluster.until("the first key of everyone is everywhere", &everyone, SOON, |view| {
        everyone.iter().all(|name| view.reads(name, "host", name))
    })?;
    cluster.set("host-20", "colour", "green")?;
    cluster.reads(&everyone, "host-20", "colour", "green")?;

    cluster.leave("host-7")?;
    cluster.until("host-7 left, at all others", &cluster.others(&[]), SOON, |view| {
        view.holds("host-7", Liveness::Left) && view.names(Liveness::Live).len() == 19
    })?;
    cluster.nobody_was_declared_dead()
}
