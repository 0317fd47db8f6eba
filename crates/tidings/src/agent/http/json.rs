//! The cluster as JSON. Names and shapes here are the HTTP API's contract.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tidings_tokio::{Liveness, Member, NodeState, Snapshot, ValueStatus, VersionedValue};

/// `GET /v1/members` (`keys` is a number) and `GET /v1/state` (`keys` are the key-values).
#[derive(Serialize)]
pub(crate) struct MembersJson<'a, K> {
    cluster_id: &'a str,
    /// This node's name.
    #[serde(rename = "self")]
    self_name: &'a str,
    /// The last event that shows in this.
    sequence: u64,
    members: Vec<MemberJson<'a, K>>,
}

#[derive(Serialize)]
struct MemberJson<'a, K> {
    name: &'a str,
    /// Nanoseconds since 1970 unless the node chose otherwise: more digits than a JavaScript number holds.
    generation_id: u64,
    /// `host:port` where others reach it.
    address: String,
    state: &'static str,
    /// For so many seconds.
    since: f64,
    /// In seconds, by every account there is. Null for this node itself.
    silent_for: Option<f64>,
    /// Seven hexadecimal digits. Null while it is unknown.
    run: Option<String>,
    /// Null while it is unknown, and for this node itself.
    phi: Option<f64>,
    heartbeat: u64,
    max_version: u64,
    last_gc_version: u64,
    keys: K,
}

/// `GET /v1/nodes/{name}/keys`: the keys that can be read; a deleted one is not among them.
pub(crate) type KeysJson<'a> = BTreeMap<&'a str, ValueJson<'a>>;

#[derive(Serialize)]
pub(crate) struct ValueJson<'a> {
    pub(crate) value: &'a str,
    pub(crate) version: u64,
    pub(crate) status: &'static str,
}

pub(crate) fn members(snapshot: &Snapshot) -> MembersJson<'_, usize> {
    describe(snapshot, NodeState::len)
}

pub(crate) fn state(snapshot: &Snapshot) -> MembersJson<'_, KeysJson<'_>> {
    describe(snapshot, keys)
}

pub(crate) fn keys(state: &NodeState) -> KeysJson<'_> {
    state.iter().map(|(key, held)| (key, ValueJson::of(held))).collect()
}

impl<'a> ValueJson<'a> {
    pub(crate) fn of(held: &'a VersionedValue) -> ValueJson<'a> {
        let status = match held.status {
            ValueStatus::Set => "set",
            ValueStatus::Deleted => "deleted",
            ValueStatus::DeleteAfterTtl => "delete_after_ttl",
        };
        ValueJson { value: &held.value, version: held.version, status }
    }
}

/// In milliseconds' steps.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e3).round() / 1e3
}

fn describe<'a, K>(snapshot: &'a Snapshot, keys: impl Fn(&'a NodeState) -> K) -> MembersJson<'a, K> {
    let member = |member: &'a Member| MemberJson {
        name: member.id.name(),
        generation_id: member.id.generation_id(),
        address: member.id.gossip_advertise_addr().to_string(),
        state: match member.liveness {
            Liveness::Live => "live",
            Liveness::Suspect => "suspect",
            Liveness::Dead => "dead",
            Liveness::Left => "left",
        },
        since: seconds(snapshot.at.saturating_duration_since(member.since)),
        silent_for: member.silent_for.map(seconds),
        run: member.run.map(|run| run.to_string()),
        phi: member.phi,
        heartbeat: member.heartbeat,
        max_version: member.state.max_version(),
        last_gc_version: member.state.last_gc_version(),
        keys: keys(&member.state),
    };
    MembersJson {
        cluster_id: &snapshot.cluster_id,
        self_name: snapshot.self_id.name(),
        sequence: snapshot.sequence,
        members: snapshot.members.iter().map(member).collect(),
    }
}
