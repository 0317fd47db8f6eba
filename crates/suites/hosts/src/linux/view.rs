//! What one agent says that it holds, read from its HTTP API.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// The answer to `GET /v1/state`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct View {
    /// The agent's own name.
    #[serde(rename = "self")]
    pub(crate) name: String,
    pub(crate) members: Vec<Member>,
}

/// A member as that agent knows it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) generation_id: u64,
    pub(crate) state: Liveness,
    pub(crate) max_version: u64,
    pub(crate) keys: BTreeMap<String, Held>,
}

/// A member's liveness in the API's words.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Liveness {
    Live,
    Dead,
    Left,
}

/// A key's value.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Held {
    pub(crate) value: String,
}

impl View {
    /// The member of this name; of several generations the live one, else the newest.
    pub(crate) fn member(&self, name: &str) -> Option<&Member> {
        let named = self.members.iter().filter(|member| member.name == name);
        named.max_by_key(|member| (member.state == Liveness::Live, member.generation_id))
    }

    /// Whether it knows the member and holds it for this.
    pub(crate) fn holds(&self, name: &str, state: Liveness) -> bool {
        self.member(name).is_some_and(|member| member.state == state)
    }

    /// Whether it reads this value under that member's key.
    pub(crate) fn reads(&self, name: &str, key: &str, value: &str) -> bool {
        self.member(name).and_then(|member| member.keys.get(key)).is_some_and(|held| held.value == value)
    }

    /// The names of those that are in this state.
    pub(crate) fn names(&self, state: Liveness) -> BTreeSet<&str> {
        let names: BTreeSet<&str> = self.members.iter().map(|member| member.name.as_str()).collect();
        names.into_iter().filter(|name| self.holds(name, state)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_and_the_live_generation_counts() {
        let view: View = serde_json::from_str(
            r#"{"cluster_id": "c", "self": "a", "members": [
                {"name": "a", "generation_id": 1, "address": "h:1", "state": "live", "phi": null, "heartbeat": 3,
                 "max_version": 1, "last_gc_version": 0, "keys": {"k": {"value": "v", "version": 1, "status": "set"}}},
                {"name": "b", "generation_id": 1, "address": "h:2", "state": "dead", "phi": 9.5, "heartbeat": 3,
                 "max_version": 0, "last_gc_version": 0, "keys": {}},
                {"name": "b", "generation_id": 2, "address": "h:2", "state": "live", "phi": 0.5, "heartbeat": 3,
                 "max_version": 0, "last_gc_version": 0, "keys": {}}]}"#,
        )
        .unwrap();
        assert_eq!(view.name, "a");
        assert!(view.reads("a", "k", "v") && !view.reads("a", "k", "w") && !view.reads("b", "k", "v"));
        assert_eq!(view.names(Liveness::Live), BTreeSet::from(["a", "b"]));
        assert!(view.names(Liveness::Dead).is_empty() && !view.holds("c", Liveness::Dead));
    }
}
