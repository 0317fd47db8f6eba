//! What every runtime's driver must do, as scenarios that are written once.
//!
//! A runtime crate has one test for each scenario, which runs it on that runtime. A scenario panics where the driver
//! fails it. All wait for what they expect, with a generous deadline; none takes a fixed sleep as proof.
//!
//! The hostile peers are written on the same [`Runtime`], so that they exercise it too.

mod peer;
mod resolver;
mod wait;

pub mod addresses;
pub mod certificates;
pub mod events;
pub mod forming;
pub mod history;
pub mod hostile;
pub mod lifecycle;
pub mod limits;
pub mod names;
pub mod recording;
pub mod seeds;
pub mod tls;
pub mod tls_refused;

use std::time::Duration;

use tidings_driver::{Builder, Cluster, Runtime};

const CLUSTER_ID: &str = "conformance";

/// A node on a port of its own, with rounds fast enough for a test.
fn node<R: Runtime>(name: &str) -> Builder<R> {
    Cluster::builder(name).cluster_id(CLUSTER_ID).gossip_interval(Duration::from_millis(50))
}

/// As [`node`], started.
async fn started<R: Runtime>(name: &str) -> Cluster<R> {
    start(node(name)).await
}

async fn start<R: Runtime>(builder: Builder<R>) -> Cluster<R> {
    builder.start().await.unwrap_or_else(|error| panic!("the node does not start: {error}"))
}

/// Two nodes that see each other alive.
async fn pair<R: Runtime>() -> (Cluster<R>, Cluster<R>) {
    let first = started::<R>("first").await;
    let second = start(node::<R>("second").seed(first.local_addr().to_string())).await;
    wait::until::<R>("both nodes are alive at both", || sees(&first, &second) && sees(&second, &first)).await;
    (first, second)
}

fn sees<R: Runtime>(observer: &Cluster<R>, other: &Cluster<R>) -> bool {
    observer.live_nodes().contains(other.id())
}

/// What `observer` holds of a key of `owner`'s.
fn value_at<R: Runtime>(observer: &Cluster<R>, owner: &Cluster<R>, key: &str) -> Option<String> {
    observer.node_state(owner.id())?.get(key).map(str::to_owned)
}
