//! A subscriber to key changes: it reads the settings that another node publishes, first as they are, then each change.
#![allow(clippy::print_stdout, reason = "it is there to be watched")]

use std::error::Error;
use std::time::Duration;

use async_std::task;
use tidings_async_std::{Builder, Cluster, EventKind, Lifetime, VersionedValue};

fn node(name: &str) -> Builder {
    Cluster::builder(name).cluster_id("settings").gossip_interval(Duration::from_millis(200))
}

fn main() -> Result<(), Box<dyn Error>> {
    task::block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let writer =
        node("writer").key_value("settings/shape", "round").key_value("other", "not of interest").start().await?;
    let reader = node("reader").seed(writer.local_addr().to_string()).start().await?;
    let mut live = reader.live_nodes_watch();
    while live.changed().await.is_some_and(|live| live.len() < 2) {}

    // What is there already, and every change after it, with no gap between.
    let mut changes = reader.subscribe_prefix("settings/");
    for member in &changes.snapshot().members {
        for (key, value) in member.state.iter_prefix("settings/") {
            println!("{} has {key} = {}", member.id.name(), value.value);
        }
    }

    writer.set("settings/colour", "red")?;
    while let Some(event) = changes.next().await {
        let event = match event {
            Ok(event) => event,
            Err(lagged) => {
                // Too slow, and events were lost: start over from a new snapshot.
                println!("{lagged}");
                changes.resubscribe();
                continue;
            }
        };
        let EventKind::KeyChanged { node, key, old, new } = event.kind else { continue };
        let readable = |value: &VersionedValue| value.is_readable().then(|| value.value.to_string());
        let (old, new) = (old.as_ref().and_then(readable), readable(&new));
        println!("{}: {key} was {old:?} and is {new:?}", node.name());

        // The writer's next step, so that there is something to see.
        match new.as_deref() {
            Some("red") => writer.set("settings/colour", "blue")?,
            Some("blue") => writer.set_with("settings/colour", "grey", Lifetime::For(Duration::from_secs(1)))?,
            Some(_) => continue,
            // Its lifetime is over.
            None => break,
        };
    }
    drop(changes);

    reader.leave().await;
    writer.shutdown().await;
    Ok(())
}
