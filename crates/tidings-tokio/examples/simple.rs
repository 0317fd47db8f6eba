//! Three nodes in one process find each other. The README shows this file below its first blank line.
#![allow(clippy::print_stdout, reason = "it is there to be watched")]

use std::time::Duration;

use tidings_tokio::{Builder, Cluster};
use tokio::time::timeout;

fn node(name: &str, listen: &str, seed: &str) -> Builder {
    Cluster::builder(name).cluster_id("simple-aiocluster").listen(listen).seed(seed)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Each begins with one other; gossip does the rest. A seed need not be there yet.
    let one = node("simple1", "127.0.0.1:7000", "127.0.0.1:7002").key_value("cluster", "1").start().await?;
    let two = node("simple2", "127.0.0.1:7001", "127.0.0.1:7000").key_value("cluster", "2").start().await?;
    let three = node("simple3", "127.0.0.1:7002", "127.0.0.1:7001").key_value("cluster", "3").start().await?;
    two.set("role", "database")?;

    // For ten seconds, what the first of them hears.
    let mut events = one.subscribe();
    let _ = timeout(Duration::from_secs(10), async {
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => println!("{}", event.kind),
                Err(lagged) => println!("{lagged}"),
            }
        }
    })
    .await;
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
