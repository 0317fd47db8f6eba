//! One cluster of three nodes, each on a runtime of its own.

use std::time::{Duration, Instant};

use tidings_async_std::AsyncStd;
use tidings_driver::core::NodeId;
use tidings_driver::{Builder, Cluster, Runtime};
use tidings_smol::Smol;
use tidings_tokio::Tokio;

/// Long before this all must have happened, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn three_nodes_on_three_runtimes_are_one_cluster() {
    let on_tokio = node::<Tokio>("on-tokio").key_value("runtime", "tokio").start().await.unwrap();
    let seed = on_tokio.local_addr().to_string();
    let on_smol = node::<Smol>("on-smol").seed(&seed).key_value("runtime", "smol").start().await.unwrap();
    let on_async_std = node::<AsyncStd>("on-async-std").seed(&seed).key_value("runtime", "async-std");
    let on_async_std = on_async_std.start().await.unwrap();

    let owners =
        [(on_tokio.id().clone(), "tokio"), (on_smol.id().clone(), "smol"), (on_async_std.id().clone(), "async-std")];
    until("all are alive at all, with their keys", || {
        sees_all(&on_tokio, &owners) && sees_all(&on_smol, &owners) && sees_all(&on_async_std, &owners)
    })
    .await;

    on_smol.set("news", "fresh").unwrap();
    until("the news is everywhere", || has_news(&on_tokio, on_smol.id()) && has_news(&on_async_std, on_smol.id()))
        .await;

    let gone = on_async_std.id().clone();
    let report = on_async_std.leave().await;
    assert!(report.told >= 1 && !report.gave_up, "{report:?}");
    until("the others see it as left", || {
        on_tokio.left_nodes().contains(&gone) && on_smol.left_nodes().contains(&gone)
    })
    .await;
    for stats in [on_tokio.stats(), on_smol.stats(), on_async_std.stats()] {
        assert_eq!((stats.core.rejected.total(), stats.driver.frames_rejected), (0, 0), "{stats:?}");
        assert_eq!(stats.events.died, 0, "{stats:?}");
    }
}

fn node<R: Runtime>(name: &str) -> Builder<R> {
    Cluster::builder(name).cluster_id("mixed").gossip_interval(Duration::from_millis(50))
}

fn sees_all<R: Runtime>(observer: &Cluster<R>, owners: &[(NodeId, &str)]) -> bool {
    let live = observer.live_nodes();
    owners.iter().all(|(owner, runtime)| {
        let state = observer.node_state(owner);
        live.contains(owner) && state.is_some_and(|state| state.get("runtime") == Some(runtime))
    })
}

fn has_news<R: Runtime>(observer: &Cluster<R>, owner: &NodeId) -> bool {
    observer.node_state(owner).is_some_and(|state| state.get("news") == Some("fresh"))
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
