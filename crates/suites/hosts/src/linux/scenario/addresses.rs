//! Hosts that name each other otherwise than by IPv4 address.

use std::net::Ipv4Addr;

use anyhow::{Result, ensure};

use crate::linux::cluster::Cluster;
use crate::linux::fault::Rule;

pub(super) fn by_name(cluster: &mut Cluster<'_>) -> Result<()> {
    cluster.everyone_is_live()?;
    let generation_id = cluster.generation_id("host-3")?;

    // Else the others would hear of it without ever looking up its name again.
    cluster.break_network("no connection that host-3 opens comes about", &[Rule::NoDialling("host-3")])?;
    cluster.renumber("host-3", Ipv4Addr::new(10, 77, 0, 203))?;
    cluster.set("host-3", "moved", "yes")?;
    cluster.reads(&cluster.others(&[]), "host-3", "moved", "yes")?;
    cluster.set("host-5", "heard", "yes")?;
    cluster.reads(&cluster.others(&[]), "host-5", "heard", "yes")?;
    cluster.heal()?;
    cluster.everyone_is_live()?;
    ensure!(cluster.generation_id("host-3")? == generation_id, "host-3 was restarted");
    Ok(())
}

pub(super) fn ipv6_only(cluster: &mut Cluster<'_>) -> Result<()> {
    cluster.everyone_is_live()?;
    cluster.set("host-2", "colour", "green")?;
    cluster.reads(&cluster.others(&[]), "host-2", "colour", "green")
}
