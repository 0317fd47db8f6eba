//! Three nodes in one process find each other.
#![allow(clippy::print_stdout, reason = "it is there to be watched")]

use std::error::Error;

use tidings_smol::{Builder, Cluster};

fn node(name: &str, listen: &str, seed: &str) -> Builder {
    Cluster::builder(name).cluster_id("simple-aiocluster").listen(listen).seed(seed)
}

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    // Each begins with one other; gossip does the rest. A seed need not be there yet.
    let one = node("simple1", "127.0.0.1:7000", "127.0.0.1:7002").key_value("cluster", "1").start().await?;
    let two = node("simple2", "127.0.0.1:7001", "127.0.0.1:7000").key_value("cluster", "2").start().await?;
    let three = node("simple3", "127.0.0.1:7002", "127.0.0.1:7001").key_value("cluster", "3").start().await?;
    two.set("role", "database")?;

    // What the first of them hears, until it has found both others.
    let mut events = one.subscribe();
    while one.live_nodes().len() < 3 {
        match events.next().await {
            Some(Ok(event)) => println!("{}", event.kind),
            Some(Err(lagged)) => println!("{lagged}"),
            None => break,
        }
    }
    drop(events);

    for member in &one.snapshot().members {
        let role = member.state.get("role").unwrap_or("none");
        println!("{} is {:?}, its role is {role}", member.id.name(), member.liveness);
    }

    // The others hear that these two leave, and do not take them for dead.
    three.leave().await;
    two.leave().await;
    one.shutdown().await;
    Ok(())
}
