//! What an agent answers, as far as the commands look at it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `GET /v1/members` (`K` is a number) and `GET /v1/state` (`K` are key-values).
#[derive(Debug, Deserialize)]
pub(crate) struct Members<K> {
    pub(crate) cluster_id: String,
    #[serde(rename = "self")]
    pub(crate) self_name: String,
    /// Of the last event that this shows.
    pub(crate) sequence: u64,
    pub(crate) members: Vec<Member<K>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Member<K> {
    pub(crate) name: String,
    pub(crate) generation_id: u64,
    pub(crate) address: String,
    pub(crate) state: String,
    /// For so many seconds.
    pub(crate) since: f64,
    pub(crate) phi: Option<f64>,
    pub(crate) heartbeat: u64,
    pub(crate) max_version: u64,
    pub(crate) keys: K,
}

/// One node's key-values.
pub(crate) type Keys = BTreeMap<String, Value>;

#[derive(Debug, Deserialize)]
pub(crate) struct Value {
    pub(crate) value: String,
    pub(crate) version: u64,
    pub(crate) status: String,
}

impl<K> Members<K> {
    /// The agent's own node.
    pub(crate) fn own(&self) -> Option<&Member<K>> {
        self.members.iter().find(|member| member.name == self.self_name)
    }
}
