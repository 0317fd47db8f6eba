//! Networks that work badly.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::linux::cluster::{Cluster, SOON};
use crate::linux::fault::Rule;
use crate::linux::view::Liveness;

const LOSS_PERCENT: u8 = 30;
const LOSS_TIME: Duration = Duration::from_secs(60);

/// Values that go one after the other from one host to another.
const VALUES: u32 = 20;
/// They take so much longer at most while a host's packets vanish. Were rounds to wait for it, each that dials it would
/// take the 3 s of a connect timeout.
const LONGEST_DELAY: Duration = Duration::from_secs(3);

pub(super) fn packet_loss(cluster: &mut Cluster<'_>) -> Result<()> {
    cluster.everyone_is_live()?;
    let what = format!("{LOSS_PERCENT} % of all packets are lost");
    cluster.break_network(&what, &[Rule::Loss { percent: LOSS_PERCENT }])?;
    let everyone = cluster.others(&[]);
    for name in &everyone {
        cluster.set(name, "lossy", name)?;
    }
    cluster.until("the news of everyone are everywhere", &everyone, SOON, |view| {
        everyone.iter().all(|name| view.reads(name, "lossy", name))
    })?;
    let live = everyone.len();
    cluster.hold("everyone is live at everyone", LOSS_TIME, |view| view.names(Liveness::Live).len() == live)?;
    cluster.nobody_was_declared_dead()?;
    let drops = cluster.heal()?;
    let percent = drops.dropped * 100 / drops.seen.max(1);
    ensure!(percent.abs_diff(LOSS_PERCENT.into()) <= 2, "{percent} % were lost instead of {LOSS_PERCENT}: {drops}");
    Ok(())
}

pub(super) fn blackhole(cluster: &mut Cluster<'_>) -> Result<()> {
    cluster.everyone_is_live()?;
    cluster.live_together_for(Duration::from_secs(5))?;
    let before = time_of_values(cluster, "before")?;

    let deadline = cluster.break_network("host-5's packets vanish", &[Rule::Blackhole("host-5")])?;
    let meanwhile = time_of_values(cluster, "meanwhile")?;
    ensure!(
        meanwhile <= before + LONGEST_DELAY,
        "the rounds are slower: {VALUES} values took {meanwhile:.1?} instead of {before:.1?}"
    );
    let others = cluster.others(&["host-5"]);
    cluster.holds_dead(&others, &["host-5"], deadline)?;
    cluster.holds_live(&others, &others, SOON)?;
    let dead = time_of_values(cluster, "dead")?;
    ensure!(dead <= before + LONGEST_DELAY, "the rounds are slower: {VALUES} values took {dead:.1?}");

    cluster.heal()?;
    cluster.everyone_is_live()
}

/// How long it takes for so many values to go from one host to another, each set when the one before has come.
fn time_of_values(cluster: &Cluster<'_>, key: &str) -> Result<Duration> {
    let start = Instant::now();
    for number in 1..=VALUES {
        let value = number.to_string();
        cluster.set("host-1", key, &value)?;
        cluster.arrival("host-2", SOON, |view| view.reads("host-1", key, &value))?;
    }
    let time = start.elapsed();
    cluster.tell(format_args!("{VALUES} values went from host-1 to host-2 one after the other in {time:.1?}"));
    Ok(time)
}
