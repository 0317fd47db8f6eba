//! Golden packets: what real aiocluster nodes say to each other, recorded by a relay between them.
//!
//! Nobody gossips on its own here: intervals are a day long and each exchange is asked for, ports and generations are
//! fixed. So the same packets come out of every recording, byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidings_core::Address;

use crate::environment::{Environment, script, target_directory, workspace_root};
use crate::python_peer::{PythonConfig, PythonPeer};
use crate::relay::Relay;

/// A generation that needs all of its 64 bits but one, and no round number.
const GENERATION: u64 = 8_767_225_600_123_456_789;

/// The first of the ports that the recorded nodes listen on. They are part of the packets.
const FIRST_PORT: u16 = 17_301;

/// The packets of an exchange that runs to its end, and of one between two clusters.
const COMPLETE: [&str; 3] = ["syn", "synack", "ack"];
const REFUSED: [&str; 2] = ["syn", "bad_cluster"];

/// One entry of index.json.
#[derive(Debug, PartialEq, Serialize)]
struct Entry {
    file: String,
    #[serde(flatten)]
    decoded: Decoded,
}

/// A packet as Python's protobuf decodes it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Decoded {
    kind: String,
    cluster_id: String,
    packet: Value,
}

/// Packets by file name.
type Packets = BTreeMap<String, Vec<u8>>;

/// Records all packets anew into proto/vectors and says how many there are.
pub(crate) async fn record(environment: &Environment) -> Result<usize> {
    let packets = play_all(environment).await?;
    write_vectors(environment, &vectors_directory(), &packets)?;
    Ok(packets.len())
}

/// Records all packets and compares them with those in proto/vectors, which it leaves alone.
pub(crate) async fn check(environment: &Environment) -> Result<usize> {
    let packets = play_all(environment).await?;
    let directory = target_directory().join("tidings-interop").join("vectors");
    write_vectors(environment, &directory, &packets)?;
    let (committed, recorded) = (read_vectors(&vectors_directory())?, read_vectors(&directory)?);
    for name in committed.keys().chain(recorded.keys()) {
        ensure!(
            committed.get(name) == recorded.get(name),
            "proto/vectors/{name} is not what aiocluster sends now (recorded in {}); run `record` and look at the \
             difference",
            directory.display()
        );
    }
    Ok(packets.len())
}

fn vectors_directory() -> PathBuf {
    workspace_root().join("proto").join("vectors")
}

/// The exchanges that are recorded so far, and the nodes that make them.
struct Stage<'a> {
    environment: &'a Environment,
    packets: Packets,
}

/// Plays every exchange once.
async fn play_all(environment: &Environment) -> Result<Packets> {
    let mut stage = Stage { environment, packets: Packets::new() };
    let ann = stage.node("ann", 0, |config| {
        config.initial_key_values = [("role".to_owned(), "api".to_owned())].into();
    });
    let ann = ann.await?;
    let bob = stage.node("bob", 1, |_| ()).await?;

    every_kind_of_value(&bob).await?;
    stage.exchange("first_contact", &ann, &bob).await?;
    stage.exchange("nothing_new", &ann, &bob).await?;

    let cid = stage.node("cid", 2, |config| config.tls_name = Some("cid.example".to_owned())).await?;
    stage.exchange("tls_name", &cid, &bob).await?;

    let dot = stage.node("dot", 3, |config| config.marked_for_deletion_grace_period = 0.0).await?;
    two_keys_and_a_collected_one(&dot).await?;
    stage.exchange("after_gc", &ann, &dot).await?;

    // Too small for its keys, and for what others know of more than a few nodes.
    let eve = stage.node("eve", 4, |config| config.max_payload_size = 400).await?;
    more_than_fits(&eve).await?;
    let fay = stage.node("fay", 5, |_| ()).await?;
    stage.exchange("truncated_ack", &eve, &fay).await?;
    let gil = stage.node("gil", 6, |_| ()).await?;
    stage.exchange("truncated_synack", &gil, &eve).await?;

    let hal = stage.node("hal", 7, |config| config.cluster_id = "other-cluster".to_owned()).await?;
    stage.refused_exchange("other_cluster", &hal, &ann).await?;
    Ok(stage.packets)
}

impl Stage<'_> {
    async fn node(&self, name: &str, place: u16, adapt: impl FnOnce(&mut PythonConfig)) -> Result<PythonPeer> {
        let address = Address::new("127.0.0.1", FIRST_PORT + place);
        let mut config = PythonConfig::new(name, GENERATION + u64::from(place), &address);
        config.gossip_interval = 86_400.0;
        adapt(&mut config);
        PythonPeer::start(self.environment, &config).await.with_context(|| format!("{address} has to be free"))
    }

    async fn exchange(&mut self, name: &str, initiator: &PythonPeer, responder: &PythonPeer) -> Result<()> {
        self.play(name, initiator, responder, &COMPLETE).await
    }

    async fn refused_exchange(&mut self, name: &str, initiator: &PythonPeer, responder: &PythonPeer) -> Result<()> {
        self.play(name, initiator, responder, &REFUSED).await
    }

    async fn play(&mut self, name: &str, from: &PythonPeer, to: &PythonPeer, kinds: &[&str]) -> Result<()> {
        let mut relay = Relay::to(to.node_id().gossip_advertise_addr()).await?;
        from.gossip_with(relay.address()).await?;
        let exchange = relay.exchange().await?;
        ensure!(
            exchange.len() == kinds.len(),
            "{name} has {} packets where it should have {} ({})",
            exchange.len(),
            kinds.len(),
            kinds.join(", ")
        );
        let files = kinds.iter().map(|kind| format!("{name}.{kind}.bin"));
        self.packets.extend(files.zip(exchange));
        Ok(())
    }
}

async fn every_kind_of_value(node: &PythonPeer) -> Result<()> {
    node.set("plain", "value").await?;
    node.set("ключ 鍵 🔑", "значение 値 🎁 e\u{301}").await?;
    node.set("", "the empty key").await?;
    node.set("empty value", "").await?;
    node.set("deleted", "gone").await?;
    node.delete("deleted").await?;
    node.set_with_ttl("set with ttl", "fades").await?;
    node.set("deleted after ttl", "fades too").await?;
    node.delete_after_ttl("deleted after ttl").await
}

/// The tombstone is collected in the round, at version 3: `last_gc_version` in the digest and in the delta.
async fn two_keys_and_a_collected_one(node: &PythonPeer) -> Result<()> {
    node.set("first", "1").await?;
    node.set("collected", "2").await?;
    node.delete("collected").await?;
    node.set("last", "4").await?;
    node.round().await
}

async fn more_than_fits(node: &PythonPeer) -> Result<()> {
    for number in 1..=20 {
        node.set(&format!("key {number:02}"), &"x".repeat(20)).await?;
    }
    Ok(())
}

fn write_vectors(environment: &Environment, directory: &Path, packets: &Packets) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    for name in read_vectors(directory)?.keys() {
        fs::remove_file(directory.join(name))?;
    }
    for (name, packet) in packets {
        fs::write(directory.join(name), packet).with_context(|| format!("cannot write {name}"))?;
    }
    let index = decode_all(environment, directory, packets)?;
    let text = serde_json::to_string_pretty(&index)? + "\n";
    fs::write(directory.join("index.json"), text).context("cannot write index.json")
}

/// The index's entries, one for each file, each of the kind that its name says.
fn decode_all(environment: &Environment, directory: &Path, packets: &Packets) -> Result<Vec<Entry>> {
    let output = Command::new(&environment.python)
        .arg(script("decode.py"))
        .args(packets.keys().map(|name| directory.join(name)))
        .output()
        .with_context(|| format!("cannot run {}", environment.python.display()))?;
    if !output.status.success() {
        bail!("decode.py failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let decoded = String::from_utf8(output.stdout)?;
    let entries = packets.keys().zip(decoded.lines()).map(|(file, line)| {
        let decoded: Decoded = serde_json::from_str(line)?;
        ensure!(file.ends_with(&format!(".{}.bin", decoded.kind)), "{file} holds a packet of kind {}", decoded.kind);
        Ok(Entry { file: file.clone(), decoded })
    });
    let entries = entries.collect::<Result<Vec<_>>>()?;
    ensure!(entries.len() == packets.len(), "decode.py decoded {} of {} packets", entries.len(), packets.len());
    Ok(entries)
}

/// The files that a recording makes: packets and the index, not the README.
fn read_vectors(directory: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let path = entry?.path();
        let is_recorded = path.extension().is_some_and(|extension| extension == "bin" || extension == "json");
        if let (true, Some(name)) = (is_recorded, path.file_name()) {
            files.insert(name.to_string_lossy().into_owned(), fs::read(&path)?);
        }
    }
    Ok(files)
}
