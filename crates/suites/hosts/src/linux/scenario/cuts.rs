//! Networks that part hosts from each other.

use std::time::Duration;

use anyhow::Result;

use crate::linux::cluster::{Cluster, SOON};
use crate::linux::fault::Rule;
use crate::linux::view::{Liveness, View};

/// By then a detector knows what to expect, and a death is seen within seconds.
const ACQUAINTANCE: Duration = Duration::from_secs(10);

pub(super) fn link_down(cluster: &mut Cluster<'_>) -> Result<()> {
    cluster.everyone_is_live()?;
    cluster.live_together_for(ACQUAINTANCE)?;
    let generation_id = cluster.generation_id("host-3")?;
    let others = cluster.others(&["host-3"]);

    let deadline = cluster.unplug("host-3")?;
    cluster.set("host-3", "written", "apart")?;
    cluster.set("host-1", "written", "meanwhile")?;
    cluster.holds_dead(&others, &["host-3"], deadline)?;
    cluster.holds_dead(&["host-3"], &others, deadline)?;
    cluster.holds_live(&others, &others, SOON)?;
    // Other scenarios rely on the logs for deaths that did not happen; here are some that did.
    cluster.logs_tell_of_deaths(&others, &["host-3"])?;

    cluster.plug_in("host-3")?;
    cluster.everyone_is_live()?;
    let everyone = cluster.others(&[]);
    cluster.reads(&everyone, "host-3", "written", "apart")?;
    cluster.reads(&everyone, "host-1", "written", "meanwhile")?;
    cluster.until("host-3 is back as the generation it was", &everyone, SOON, |view| {
        view.member("host-3").is_some_and(|member| member.generation_id == generation_id)
    })
}

pub(super) fn partition(cluster: &mut Cluster<'_>) -> Result<()> {
    let (two, three) = (["host-1", "host-2"], ["host-3", "host-4", "host-5"]);
    cluster.everyone_is_live()?;
    cluster.live_together_for(ACQUAINTANCE)?;

    let both_ways = [Rule::OneWay { from: &two, to: &three }, Rule::OneWay { from: &three, to: &two }];
    let deadline = cluster.break_network("host-1 and host-2 are parted from the rest", &both_ways)?;
    cluster.set("host-1", "side", "two")?;
    cluster.set("host-4", "side", "three")?;
    cluster.holds_dead(&two, &three, deadline)?;
    cluster.holds_dead(&three, &two, deadline)?;
    cluster.holds_live(&two, &two, SOON)?;
    cluster.holds_live(&three, &three, SOON)?;
    cluster.reads(&two, "host-1", "side", "two")?;
    cluster.reads(&three, "host-4", "side", "three")?;
    cluster.hold("neither side has the other's write", Duration::from_secs(1), |view| {
        let has = [view.reads("host-1", "side", "two"), view.reads("host-4", "side", "three")];
        has == [two.contains(&view.name.as_str()), three.contains(&view.name.as_str())]
    })?;

    cluster.heal()?;
    cluster.everyone_is_live()?;
    let everyone = cluster.others(&[]);
    cluster.reads(&everyone, "host-1", "side", "two")?;
    cluster.reads(&everyone, "host-4", "side", "three")
}

pub(super) fn one_way(cluster: &mut Cluster<'_>) -> Result<()> {
    cluster.everyone_is_live()?;
    cluster.live_together_for(ACQUAINTANCE)?;
    let everyone = cluster.others(&[]).len();
    let everyone_is_live = |view: &View| view.names(Liveness::Live).len() == everyone;

    let one_pair = [Rule::OneWay { from: &["host-1"], to: &["host-2"] }];
    cluster.break_network("what host-1 sends to host-2 vanishes, not what host-2 sends to host-1", &one_pair)?;
    cluster.hold("everyone is live at everyone", cluster.time_to_death(), everyone_is_live)?;
    cluster.set("host-1", "across", "there")?;
    cluster.set("host-2", "across", "back")?;
    cluster.reads(&["host-2"], "host-1", "across", "there")?;
    cluster.reads(&["host-1"], "host-2", "across", "back")?;
    cluster.heal()?;
    cluster.nobody_was_declared_dead()?;

    let deadline =
        cluster.break_network("all that host-5 sends vanishes, not what is sent to it", &[Rule::Mute("host-5")])?;
    let others = cluster.others(&["host-5"]);
    cluster.holds_dead(&others, &["host-5"], deadline)?;
    // No connection comes about, so it hears nothing either.
    cluster.holds_dead(&["host-5"], &others, deadline)?;
    cluster.holds_live(&others, &others, SOON)?;
    cluster.heal()?;
    cluster.everyone_is_live()
}
