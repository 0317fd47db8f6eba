//! TLS: who belongs is in, and whoever does not is out.

use std::time::Duration;

use anyhow::{Result, ensure};
use tidings_conformance::certificates::Authority;
use tokio::time::sleep;

use super::membership;
use crate::member::Kind;
use crate::mixed_cluster::{MixedCluster, Setup};
use crate::security::{Demand, Security};

pub(super) fn mutual() -> Setup {
    Setup { tls: Some(Demand::Mutual), ..Setup::default() }
}

pub(super) fn server_only() -> Setup {
    Setup { tls: Some(Demand::ServerOnly), ..Setup::default() }
}

pub(super) async fn everyone_live(cluster: &mut MixedCluster) -> Result<()> {
    membership::everyone_live(cluster).await?;
    for name in ["ours-1", "ours-2"] {
        let refusals = cluster.ours(name)?.tls_refusals();
        ensure!(refusals == (0, 0), "{name} refused somebody, or was refused: {refusals:?}");
    }
    Ok(())
}

pub(super) async fn strangers(cluster: &mut MixedCluster) -> Result<()> {
    cluster.everyone_is_live().await?;
    let insiders = cluster.node_ids();
    let met_often = 5;

    let another = Authority::new("another");
    let foreign = Security::trusting("py-foreign", &another, &[&another, cluster.authority()], Demand::Mutual);
    let liar = Security::new("py-liar", cluster.authority(), Demand::Mutual).pretending_to_be("py-2");
    for (name, security) in [("py-plain", None), ("py-foreign", Some(foreign)), ("py-liar", Some(liar))] {
        let mut spec = cluster.new_spec(Kind::Python, name)?;
        spec.security = security;
        let stranger = spec.node_id();
        let before = refusals(cluster)?;
        cluster.join(spec).await?;
        while refusals(cluster)? < before + met_often {
            sleep(Duration::from_millis(100)).await;
        }
        let views = cluster.views().await?;
        for view in views.iter().filter(|view| view.node_id != stranger) {
            ensure!(!view.replicas.contains_key(&stranger), "{name} got in: {view}");
            ensure!(view.live == insiders, "{name} disturbed the cluster: {view}");
        }
        cluster.tell(format_args!("{name} is out; ours-1 refused it {met_often} times and more"));
        cluster.stop_python(name).await?;
    }
    // Of the three, TLS itself has nothing against the last one.
    let (by_tls, by_name) = cluster.ours("ours-1")?.tls_refusals();
    ensure!(by_tls >= 2 * met_often && by_name >= met_often, "refused by TLS: {by_tls}, by name: {by_name}");
    Ok(())
}

/// All that ours-1 refused, for whatever reason.
fn refusals(cluster: &MixedCluster) -> Result<u64> {
    let (by_tls, by_name) = cluster.ours("ours-1")?.tls_refusals();
    Ok(by_tls + by_name)
}
