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
        self.foremost().into_iter().find(|member| member.name == self.self_name)
    }

    /// Of each name the live run, else the newest. A node that was restarted is there with its former runs for a day,
    /// by default.
    pub(crate) fn foremost(&self) -> Vec<&Member<K>> {
        let mut foremost: BTreeMap<&str, &Member<K>> = BTreeMap::new();
        let rank = |member: &Member<K>| (member.state == "live", member.generation_id);
        for member in &self.members {
            let held = foremost.entry(&member.name).or_insert(member);
            if rank(member) > rank(held) {
                *held = member;
            }
        }
        foremost.into_values().collect()
    }
}
