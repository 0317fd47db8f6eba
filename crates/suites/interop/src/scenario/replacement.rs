//! A Python cluster becomes one of ours, node by node, under a writer.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::member::Kind;
use crate::mixed_cluster::{MixedCluster, Setup};

const NEWS: Duration = Duration::from_secs(15);
const NODES: usize = 5;

pub(super) fn setup() -> Setup {
    Setup { python: NODES, ours: 0, ..Setup::default() }
}

/// Each node's application writes a counter of its own every 50 ms, and after a restart the keys it had.
pub(super) async fn rolling(cluster: &mut MixedCluster) -> Result<()> {
    let names: Vec<String> = (1..=NODES).map(|number| format!("py-{number}")).collect();
    let mut truth: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for name in &names {
        let keys = [("role", "api"), ("home", name), ("counter", "0")];
        truth.insert(name.clone(), keys.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        cluster.member(name)?.set_many(&truth[name]).await?;
    }
    cluster.everyone_is_live().await?;

    let mut count = 0;
    for name in &names {
        count = write_for_a_while(cluster, &mut truth, count).await?;
        let mut spec = cluster.stop_python(name).await?;
        spec.kind = Kind::Ours;
        spec.generation_id += 1;
        cluster.join(spec).await?;
        cluster.member(name)?.set_many(&truth[name]).await?;
        count = write_for_a_while(cluster, &mut truth, count).await?;
        cluster
            .until(&format!("{name} is one of ours; what each node wrote is everywhere"), NEWS, |view| {
                truth.iter().all(|(owner, keys)| keys.iter().all(|(key, value)| view.reads(owner, key, value)))
            })
            .await?;
        cluster.everyone_is_live().await?;
    }
    ensure!(cluster.python_peers().next().is_none(), "a Python node is left");
    Ok(())
}

async fn write_for_a_while(
    cluster: &MixedCluster,
    truth: &mut BTreeMap<String, BTreeMap<String, String>>,
    mut count: u32,
) -> Result<u32> {
    for _ in 0..20 {
        count += 1;
        for (name, keys) in &mut *truth {
            cluster.member(name)?.set("counter", &count.to_string()).await?;
            keys.insert("counter".to_owned(), count.to_string());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(count)
}
