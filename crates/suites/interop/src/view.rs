//! What one member holds of the whole cluster, the same shape for both kinds of member.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use tidings_core::{Address, NodeId, ValueStatus};

/// How much of the members' states a view shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// All key-values.
    KeyValues,
    /// How many keys there are.
    KeyCounts,
}

/// All that one member knows at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// Whose view this is.
    pub(crate) node_id: NodeId,
    /// The nodes it holds for live, itself among them.
    pub(crate) live: BTreeSet<NodeId>,
    /// The nodes that it knows to have left, which only tidings tells from dead ones.
    pub(crate) left: BTreeSet<NodeId>,
    /// Its copy of every node's state, its own among them.
    pub(crate) replicas: BTreeMap<NodeId, Replica>,
}

/// One member's copy of one node's state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replica {
    /// The highest heartbeat heard of.
    pub(crate) heartbeat: u64,
    /// The highest version held, or said to be held.
    pub(crate) max_version: u64,
    /// Tombstones at or below this version are gone.
    pub(crate) last_gc_version: u64,
    /// How many keys there are, tombstones among them, also where `keys` was not asked for.
    pub(crate) key_count: usize,
    /// The key-values, tombstones among them.
    pub(crate) keys: BTreeMap<String, Held>,
}

/// One key's value at one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// The value; empty for a tombstone.
    pub(crate) value: String,
    /// The owner's version.
    pub(crate) version: u64,
    /// Whether it is set, deleted, or set for the grace period.
    pub(crate) status: ValueStatus,
}

impl View {
    /// The copy of the newest generation of the node of this name.
    pub(crate) fn replica(&self, name: &str) -> Option<&Replica> {
        self.replicas.iter().rev().find(|(node_id, _)| node_id.name() == name).map(|(_, replica)| replica)
    }

    /// What is held at a key of the newest generation of the node of this name.
    pub(crate) fn held(&self, name: &str, key: &str) -> Option<&Held> {
        self.replica(name)?.keys.get(key)
    }

    /// Whether a key of that node has this value and can be read.
    pub(crate) fn reads(&self, name: &str, key: &str, value: &str) -> bool {
        self.held(name, key).is_some_and(|held| held.status != ValueStatus::Deleted && held.value == value)
    }

    /// Whether a key of that node is there with this status.
    pub(crate) fn has_status(&self, name: &str, key: &str, status: ValueStatus) -> bool {
        self.held(name, key).is_some_and(|held| held.status == status)
    }

    /// Whether a key of that node cannot be read: it is a tombstone, collected, or was never there.
    pub(crate) fn lacks(&self, name: &str, key: &str) -> bool {
        self.held(name, key).is_none_or(|held| held.status == ValueStatus::Deleted)
    }
}

/// One line for each node that the member knows.
impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} holds", self.node_id)?;
        for (node_id, replica) in &self.replicas {
            let is_live = if self.live.contains(node_id) { "live" } else { "not live" };
            write!(
                f,
                "\n    {node_id}: {is_live}, {} keys, max_version {}, last_gc_version {}, heartbeat {}",
                replica.key_count, replica.max_version, replica.last_gc_version, replica.heartbeat
            )?;
        }
        Ok(())
    }
}

/// A node's identity as the Python side writes it.
#[derive(Debug, Deserialize)]
pub(crate) struct PythonNodeId {
    name: String,
    generation_id: u64,
    host: String,
    port: u16,
    tls_name: Option<String>,
}

/// The answer of the Python side to `snapshot`.
#[derive(Debug, Deserialize)]
pub(crate) struct PythonSnapshot {
    #[serde(rename = "self")]
    node_id: PythonNodeId,
    live: Vec<PythonNodeId>,
    nodes: Vec<PythonNode>,
}

#[derive(Debug, Deserialize)]
struct PythonNode {
    node_id: PythonNodeId,
    heartbeat: u64,
    max_version: u64,
    last_gc_version: u64,
    key_count: usize,
    key_values: Vec<PythonKeyValue>,
}

#[derive(Debug, Deserialize)]
struct PythonKeyValue {
    key: String,
    value: String,
    version: u64,
    status: PythonStatus,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum PythonStatus {
    Set,
    Deleted,
    DeleteAfterTtl,
}

impl From<PythonNodeId> for NodeId {
    fn from(id: PythonNodeId) -> NodeId {
        NodeId::with_tls_name(id.name, id.generation_id, Address::new(id.host, id.port), id.tls_name)
    }
}

impl From<PythonSnapshot> for View {
    fn from(snapshot: PythonSnapshot) -> View {
        View {
            node_id: snapshot.node_id.into(),
            live: snapshot.live.into_iter().map(NodeId::from).collect(),
            left: BTreeSet::new(),
            replicas: snapshot.nodes.into_iter().map(PythonNode::into_replica).collect(),
        }
    }
}

impl PythonNode {
    fn into_replica(self) -> (NodeId, Replica) {
        let replica = Replica {
            heartbeat: self.heartbeat,
            max_version: self.max_version,
            last_gc_version: self.last_gc_version,
            key_count: self.key_count,
            keys: self.key_values.into_iter().map(PythonKeyValue::into_held).collect(),
        };
        (self.node_id.into(), replica)
    }
}

impl PythonKeyValue {
    fn into_held(self) -> (String, Held) {
        let status = match self.status {
            PythonStatus::Set => ValueStatus::Set,
            PythonStatus::Deleted => ValueStatus::Deleted,
            PythonStatus::DeleteAfterTtl => ValueStatus::DeleteAfterTtl,
        };
        (self.key, Held { value: self.value, version: self.version, status })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SNAPSHOT: &str = r#"{
        "self": {"name": "a", "generation_id": 1, "host": "h", "port": 1, "tls_name": null},
        "live": [{"name": "a", "generation_id": 1, "host": "h", "port": 1, "tls_name": null}],
        "nodes": [
            {"node_id": {"name": "b", "generation_id": 10, "host": "h", "port": 2, "tls_name": "b.example"},
             "heartbeat": 3, "max_version": 5, "last_gc_version": 1, "key_count": 3, "key_values": [
                {"key": "set", "value": "1", "version": 2, "status": "SET"},
                {"key": "deleted", "value": "", "version": 4, "status": "DELETED"},
                {"key": "fading", "value": "2", "version": 5, "status": "DELETE_AFTER_TTL"}]},
            {"node_id": {"name": "b", "generation_id": 9, "host": "h", "port": 2, "tls_name": null},
             "heartbeat": 7, "max_version": 0, "last_gc_version": 0, "key_count": 0, "key_values": []}
        ]
    }"#;

    #[test]
    fn a_snapshot_of_python_becomes_a_view_with_its_statuses() {
        let view = View::from(serde_json::from_str::<PythonSnapshot>(SNAPSHOT).unwrap());
        assert!(view.live.contains(&NodeId::new("a", 1, Address::new("h", 1))) && view.live.len() == 1);
        assert!(view.reads("b", "set", "1") && view.reads("b", "fading", "2"));
        assert!(!view.reads("b", "deleted", "") && view.lacks("b", "deleted") && view.lacks("b", "never set"));
        assert!(!view.lacks("b", "fading") && view.has_status("b", "fading", ValueStatus::DeleteAfterTtl));
    }

    #[test]
    fn a_name_stands_for_its_newest_generation() {
        let view = View::from(serde_json::from_str::<PythonSnapshot>(SNAPSHOT).unwrap());
        assert_eq!(view.replica("b").map(|replica| replica.heartbeat), Some(3));
        assert!(view.replica("c").is_none());
    }
}
