//! What must always hold, as code: for tests, simulators and fuzz targets, which call it after every step.
//!
//! The invariants, by number, and where each is checked:
//!
//! 1. Ownership: [`ownership`]. 2. Prefix-completeness: [`prefix_completeness`]. 3. Monotony and 4. no resurrection:
//!    [`Monitor::observe`], which remembers what a node showed before. 5. Convergence: [`convergence`]. 6. Completeness
//!    and accuracy: [`accuracy`]. 7. Budget: [`budget`] and [`check`]. 8. Isolation: [`isolation`]. 9. Determinism:
//!    [`determinism`]. 10. No panic: [`rejection`]. 14. Work: [`work`], and
//!    [`rejection`] for the packet that it hands in. (11 to 13 are about many nodes; the simulator checks them.)
//!
//! Nothing here changes a node. All of it takes time in proportion to the state it looks at.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::exchange::{Abort, Reply, Transmit, Via};
use crate::id::{NodeId, Run};
use crate::identity::PeerIdentity;
use crate::node::Node;
use crate::snapshot::Member;
use crate::state::{ENTRY_OVERHEAD, LEFT_KEY, LONGEST_FAREWELL, NodeState, ValueStatus, VersionedValue};
use crate::time::Instant;
use crate::work::Work;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Which one, by its number.
    pub invariant: u8,
    /// What was seen, where.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invariant {}: {}", self.invariant, self.message)
    }
}

impl core::error::Error for Violation {}

fn ensure(invariant: u8, holds: bool, message: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { invariant, message: message() }) }
}

/// One node by itself: its tables agree with each other, and its memory is within its limits (7).
///
/// # Errors
/// The first thing that does not hold.
pub fn check(node: &Node) -> Result<(), Violation> {
    let knowledge = node.knowledge();
    let limits = &knowledge.config.limits;
    let tables = [
        ("exchanges", node.exchanges().check()),
        ("own state", knowledge.own.check()),
        ("members", knowledge.members.check()),
        ("events", knowledge.events.check()),
    ];
    for (table, result) in tables {
        result.map_err(|what| Violation { invariant: 7, message: format!("{}: {table}: {what}", node.id()) })?;
    }
    let bounded = |what: &str, is: usize, limit: usize| {
        ensure(7, is <= limit, || format!("{}: {is} {what} held, the limit is {limit}", node.id()))
    };
    bounded("nodes", knowledge.members.len(), limits.max_nodes)?;
    bounded("names bound to certificates", knowledge.members.bindings_len(), limits.max_nodes)?;
    bounded("forgotten nodes", knowledge.members.forgotten_len(), limits.max_forgotten_nodes)?;
    bounded("accepted exchanges", node.exchanges().accepted(), limits.max_accepted_exchanges)?;
    bounded("dialled exchanges", node.exchanges().dialled(), knowledge.config.max_dialled())?;
    let open = limits.max_accepted_exchanges + knowledge.config.max_dialled();
    bounded("connections to be cut", node.exchanges().aborts().len(), open)?;
    for (_, peer) in knowledge.members.iter() {
        // A farewell comes on top.
        let farewell = peer.state.get_versioned(LEFT_KEY);
        let farewell_bytes = farewell.map_or(0, |farewell| LEFT_KEY.len() + farewell.value.len() + ENTRY_OVERHEAD);
        bounded("bytes of a farewell", farewell_bytes, LEFT_KEY.len() + LONGEST_FAREWELL + ENTRY_OVERHEAD)?;
        let entries = peer.state.entries() - usize::from(farewell.is_some());
        bounded("keys of one node", entries, limits.max_keys_per_node)?;
        bounded("bytes of one node", peer.state.bytes() - farewell_bytes, limits.max_state_bytes_per_node)?;
    }
    let max = knowledge.config.max_payload_size as u64;
    let sent = knowledge.stats.max_packet_bytes_sent;
    ensure(7, sent <= max, || format!("{}: sent a packet of {sent} bytes, the limit is {max}", node.id()))
}

/// Invariant 1: What `replica` holds of `owner` was written by `owner`: no version beyond the owner's, no value it did not write.
///
/// Where they know different runs nothing is compared. The owner must have heard of what peers hold of it (after a restart with the same
/// generation it has not, for a moment).
///
/// # Errors
/// The first key-value that its owner has not written.
pub fn ownership(owner: &Node, replica: &Node) -> Result<(), Violation> {
    let Some((truth, copy)) = same_run(owner, replica) else { return Ok(()) };
    let place = || format!("{} about {}", replica.id(), owner.id());
    ensure(1, copy.max_version() <= truth.max_version(), || {
        format!("{}: max_version {} is beyond the owner's {}", place(), copy.max_version(), truth.max_version())
    })?;
    ensure(1, copy.last_gc_version() <= truth.last_gc_version(), || {
        let (copy, truth) = (copy.last_gc_version(), truth.last_gc_version());
        format!("{}: last_gc_version {copy} is beyond the owner's {truth}", place())
    })?;
    for (key, held) in copy.iter_all() {
        let written = truth.get_versioned(key);
        let is_older = match written {
            Some(written) => written.version > held.version,
            None => truth.last_gc_version() >= held.version,
        };
        let is_same = written.is_some_and(|written| written.version == held.version && is_same_value(written, held));
        ensure(1, is_older || is_same, || format!("{}: key {key:?} is {held:?}, the owner has {written:?}", place()))?;
    }
    Ok(())
}

/// The owner's state and the replica's copy of it, where that is one of the same process.
fn same_run<'a>(owner: &'a Node, replica: &'a Node) -> Option<(&'a NodeState, &'a NodeState)> {
    let known = replica.knowledge().members.get(owner.id());
    if known.is_some_and(|peer| peer.is_other_run(Some(owner.run()))) {
        return None;
    }
    Some((owner.node_state(owner.id())?, replica.node_state(owner.id())?))
}

/// Of one version; a grace period may have ended at one side already.
fn is_same_value(a: &VersionedValue, b: &VersionedValue) -> bool {
    let has_expired = |v: &VersionedValue, other: &VersionedValue| {
        v.status == ValueStatus::Deleted && other.status == ValueStatus::DeleteAfterTtl
    };
    (a.status == b.status && a.value == b.value) || has_expired(a, b) || has_expired(b, a)
}

/// Invariant 2: `replica`, at `max_version` v of `owner`, holds every key the owner holds at versions up to v, every tombstone in
/// (`last_gc_version`, v], and nothing at these versions that the owner holds no more.
///
/// # Errors
/// The first key that is missing, or left over.
pub fn prefix_completeness(owner: &Node, replica: &Node) -> Result<(), Violation> {
    let Some((truth, copy)) = same_run(owner, replica) else { return Ok(()) };
    let version = copy.max_version();
    let place = || format!("{} about {}, complete to {version}", replica.id(), owner.id());
    for (key, written) in truth.iter_all().filter(|(_, written)| written.version <= version) {
        let held = copy.get_versioned(key);
        let is_held = held.is_some_and(|held| held.version == written.version);
        let is_collected = !written.is_readable() && written.version <= copy.last_gc_version();
        ensure(2, is_held || is_collected, || {
            format!("{}: key {key:?} of version {} is missing, held is {held:?}", place(), written.version)
        })?;
    }
    for (key, held) in copy.iter_all().filter(|(_, held)| held.version <= version) {
        // What was deleted or about to be may have been collected by the owner since, without a version of its own.
        let moved_on = match truth.get_versioned(key) {
            Some(written) => written.version,
            None if held.status != ValueStatus::Set => held.version,
            None => truth.last_gc_version(),
        };
        ensure(2, moved_on == held.version || moved_on > version, || {
            format!("{}: key {key:?} of version {} is left over, it moved on at {moved_on}", place(), held.version)
        })?;
    }
    Ok(())
}

/// Invariant 5: All these nodes, which must be live and undisturbed for long enough, take each other for live and hold the same
/// readable key-values.
///
/// # Errors
/// The first node that sees something else than the owner.
pub fn convergence(nodes: &[&Node]) -> Result<(), Violation> {
    for node in nodes {
        let live = node.live_nodes();
        for owner in nodes {
            ensure(5, live.contains(owner.id()), || format!("{} does not take {} for live", node.id(), owner.id()))?;
            let (truth, copy) = (readable(owner, owner.id()), readable(node, owner.id()));
            ensure(5, truth == copy, || {
                format!("{} holds of {} {copy:?}, the owner has {truth:?}", node.id(), owner.id())
            })?;
        }
    }
    Ok(())
}

fn readable(node: &Node, id: &NodeId) -> Vec<(String, Arc<str>)> {
    let state = node.node_state(id).map(|state| &**state);
    let entries = state.into_iter().flat_map(NodeState::iter);
    entries.map(|(key, value)| (String::from(key), value.value.clone())).collect()
}

/// Invariant 6: `node`, undisturbed for long enough, takes for live exactly the nodes that are `running`, of which it is one.
///
/// # Errors
/// The first node that is wrongly taken for dead, or for live.
pub fn accuracy(node: &Node, running: &[&NodeId]) -> Result<(), Violation> {
    let live = node.live_nodes();
    for id in running {
        ensure(6, live.contains(id), || format!("{} does not take {id} for live, which runs", node.id()))?;
    }
    for id in &live {
        ensure(6, running.contains(&id), || format!("{} takes {id} for live, which does not run", node.id()))?;
    }
    Ok(())
}

/// Invariant 7: A packet that `node` gave out is within its `max_payload_size`.
///
/// # Errors
/// The packet is larger.
pub fn budget(node: &Node, packet: &[u8]) -> Result<(), Violation> {
    let (is, max) = (packet.len(), node.config().max_payload_size);
    ensure(7, is <= max, || format!("{} gave out a packet of {is} bytes, the limit is {max}", node.id()))
}

/// Invariant 8: Two nodes of different clusters know nothing of each other.
///
/// # Errors
/// The node that one of them knows.
pub fn isolation(a: &Node, b: &Node) -> Result<(), Violation> {
    let is_apart = a.config().cluster_id != b.config().cluster_id;
    for (node, other) in [(a, b), (b, a)] {
        ensure(8, !is_apart || node.node_state(other.id()).is_none(), || {
            format!("{} knows {} of another cluster", node.id(), other.id())
        })?;
    }
    Ok(())
}

/// Invariant 9: Two nodes that were given the same config, seed and inputs have the same outputs: their counters and snapshots,
/// and what is still to be drained.
///
/// # Errors
/// The first output that differs.
pub fn determinism(now: Instant, a: &Node, b: &Node) -> Result<(), Violation> {
    let (mut a, mut b) = (a.clone(), b.clone());
    let differs = |what: &str, a: String, b: String| ensure(9, a == b, || format!("{what} differ: {a} and {b}"));
    differs("counters", format!("{:?}", a.stats()), format!("{:?}", b.stats()))?;
    differs("snapshots", format!("{:?}", a.snapshot(now)), format!("{:?}", b.snapshot(now)))?;
    differs("deadlines", format!("{:?}", a.poll_timeout()), format!("{:?}", b.poll_timeout()))?;
    let transmits = |node: &mut Node| core::iter::from_fn(|| node.poll_transmit()).collect::<Vec<Transmit>>();
    differs("packets", format!("{:?}", transmits(&mut a)), format!("{:?}", transmits(&mut b)))?;
    let aborts = |node: &mut Node| core::iter::from_fn(|| node.poll_abort()).collect::<Vec<Abort>>();
    differs("aborts", format!("{:?}", aborts(&mut a)), format!("{:?}", aborts(&mut b)))?;
    let events = |node: &mut Node| core::iter::from_fn(|| node.poll_event()).collect::<Vec<_>>();
    differs("events", format!("{:?}", events(&mut a)), format!("{:?}", events(&mut b)))
}

/// 10. Hands `packet` to a copy of `node`: it does not panic, and a rejected packet changes nothing but counters.
///
/// Returns the copy and its reply.
///
/// # Errors
/// What a rejected packet changed.
pub fn rejection(now: Instant, node: &Node, via: Via, packet: &[u8]) -> Result<(Node, Reply), Violation> {
    let mut after = node.clone();
    let reply = after.handle_packet(now, via, packet, &PeerIdentity::default());
    if let Some(rejected) = &reply.rejected {
        let view = |node: &Node| format!("{:?}", node.snapshot(now).members);
        let (was, is) = (view(node), view(&after));
        ensure(10, was == is, || format!("a packet rejected ({rejected}) turned {was} into {is}"))?;
    }
    if let Some(answer) = &reply.packet {
        budget(&after, answer)?;
    }
    work(node.stats().work, &after, packet.len() + reply.packet.as_ref().map_or(0, Bytes::len))?;
    check(&after)?;
    Ok((after, reply))
}

/// Invariant 14: an input cost no more than its bytes and those of its answer allow, whatever the node knows. `before` is
/// what the node had done before that one input, `bytes` the length of both.
///
/// # Errors
/// What it cost, and what it might have.
pub fn work(before: Work, node: &Node, bytes: usize) -> Result<(), Violation> {
    let done = node.stats().work - before;
    let allowed = Work::allowed(bytes);
    ensure(14, done.total() <= allowed, || {
        let Work { visited, bytes: touched } = done;
        let what = format!("looked at {visited} entries and {touched} bytes");
        format!("{}: an input of {bytes} bytes, its answer included, {what}: {} of {allowed}", node.id(), done.total())
    })
}

/// Remembers what one node showed, and holds it against what it shows next. Starts anew when the node does.
#[derive(Clone, Debug, Default)]
pub struct Monitor {
    seen: BTreeMap<NodeId, Seen>,
    /// The processes and highest heartbeats of nodes that were once shown.
    gone: BTreeMap<NodeId, (Option<Run>, u64)>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    run: Option<Run>,
    since: Instant,
    heartbeat: u64,
    version: (u64, u64),
    readable: BTreeMap<Arc<str>, u64>,
    /// Keys that were deleted, and the highest version they had.
    deleted: BTreeMap<Arc<str>, u64>,
}

impl Monitor {
    /// Invariant 3: heartbeats and (`last_gc_version`, `max_version`) of every node have only grown since the last call.
    /// Invariant 4: no key or node that had gone has come back with what it was.
    ///
    /// # Errors
    /// What went back, or came back.
    pub fn observe(&mut self, now: Instant, node: &Node) -> Result<(), Violation> {
        let snapshot = node.snapshot(now);
        self.observe_members(node.id(), &snapshot.members)
    }

    fn observe_members(&mut self, observer: &NodeId, members: &[Member]) -> Result<(), Violation> {
        let absent: Vec<NodeId> =
            self.seen.keys().filter(|id| members.binary_search_by(|m| m.id.cmp(id)).is_err()).cloned().collect();
        for id in absent {
            let seen = self.seen.remove(&id).unwrap_or_default();
            self.gone.insert(id, (seen.run, seen.heartbeat));
        }
        for member in members {
            let id = &member.id;
            if let Some((run, heartbeat)) = self.gone.get(id) {
                let is_newer = member.heartbeat > *heartbeat || Run::differ(*run, member.run);
                ensure(4, is_newer, || {
                    format!("{observer} shows {id} again, which was gone, with no newer heartbeat than {heartbeat}")
                })?;
                self.gone.remove(id);
            }
            let seen = self.seen.entry(id.clone()).or_default();
            // Another run held the name, and it may be that this one holds it again: then its copy began anew.
            let began_anew = seen.since != member.since && member.state.max_version() < seen.version.1;
            if Run::differ(seen.run, member.run) || began_anew {
                *seen = Seen::default();
            }
            seen.observe(observer, member)?;
        }
        Ok(())
    }
}

impl Seen {
    fn observe(&mut self, observer: &NodeId, member: &Member) -> Result<(), Violation> {
        let place = || format!("{observer} about {}", member.id);
        let version = (member.state.last_gc_version(), member.state.max_version());
        ensure(3, version >= self.version, || {
            format!("{}: (last_gc_version, max_version) went from {:?} to {version:?}", place(), self.version)
        })?;
        ensure(3, member.heartbeat >= self.heartbeat, || {
            format!("{}: the heartbeat went from {} to {}", place(), self.heartbeat, member.heartbeat)
        })?;
        let readable = member.state.iter_all().filter(|(_, value)| value.is_readable());
        let readable: BTreeMap<Arc<str>, u64> = readable.map(|(key, value)| (Arc::from(key), value.version)).collect();
        for (key, version) in &self.readable {
            if !readable.contains_key(key) {
                self.deleted.insert(key.clone(), *version);
            }
        }
        for (key, version) in &readable {
            if let Some(deleted) = self.deleted.remove(key) {
                ensure(4, *version > deleted, || {
                    format!("{}: key {key:?} of version {version} came back, deleted at {deleted}", place())
                })?;
            }
        }
        *self = Seen {
            run: member.run,
            since: member.since,
            heartbeat: member.heartbeat,
            version,
            readable,
            deleted: core::mem::take(&mut self.deleted),
        };
        Ok(())
    }
}
