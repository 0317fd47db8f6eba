//! Services that find each other: each says what it offers and where, and looks among the live for what it needs.
#![allow(clippy::print_stdout, reason = "it is there to be watched")]

use std::error::Error;
use std::time::Duration;

use tidings_smol::{Builder, Cluster, Liveness};

/// A member that offers a service; what and where are key-values of its own.
fn offers(name: &str, service: &str, address: &str) -> Builder {
    let builder = Cluster::builder(name).cluster_id("services").gossip_interval(Duration::from_millis(200));
    builder.key_values([("service", service), ("address", address)])
}

/// Where live members offer a service.
fn find(cluster: &Cluster, service: &str) -> Vec<String> {
    let members = cluster.snapshot().members;
    let live = members.iter().filter(|member| member.liveness == Liveness::Live);
    let offering = live.filter(|member| member.state.get("service") == Some(service));
    offering.filter_map(|member| member.state.get("address").map(str::to_owned)).collect()
}

/// Waits until so many offer it.
async fn wait_for(cluster: &Cluster, service: &str, count: usize) -> Vec<String> {
    // Subscribed before the first look, so that nothing is missed between a look and the wait after it.
    let mut events = cluster.subscribe();
    loop {
        let found = find(cluster, service);
        if found.len() == count || events.next().await.is_none() {
            return found;
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let orders1 = offers("orders-1", "orders", "10.0.0.11:8080").start().await?;
    let seed = orders1.local_addr().to_string();
    let orders2 = offers("orders-2", "orders", "10.0.0.12:8080").seed(&seed).start().await?;
    let web = offers("web-1", "web", "10.0.0.21:80").seed(&seed).start().await?;

    println!("orders are at {:?}", wait_for(&web, "orders", 2).await);
    println!("the web is at {:?}", wait_for(&orders1, "web", 1).await);

    // One says goodbye, and nobody looks for orders there any more. Had it crashed, it would be gone a little later.
    orders2.leave().await;
    println!("orders are at {:?}", wait_for(&web, "orders", 1).await);

    web.leave().await;
    orders1.shutdown().await;
    Ok(())
}
