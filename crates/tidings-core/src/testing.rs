//! What many unit tests need: short names for ids, key-values, instants and configs.

use alloc::sync::Arc;
use core::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::config::Config;
use crate::dialect::aiocluster::{Sender, known_id};
use crate::event::EventQueue;
use crate::id::{Address, NodeId, Run};
use crate::members::{Env, Members, Proof};
use crate::rng::Random;
use crate::state::KeyValueUpdate;
use crate::state::ValueStatus;
use crate::stats::Stats;
use crate::suspicion::Detector;
use crate::time::Instant;
use crate::wire::aiocluster::{Digest, NodeDigest, Subject, Subjects};

/// A node at an address of its own; a later generation is at the same one.
pub(crate) fn id(name: &str, generation: u64) -> NodeId {
    NodeId::new(name, generation, Address::new(name, 7000))
}

pub(crate) fn config(name: &str) -> Config {
    Config::new(id(name, 1))
}

pub(crate) fn secs(secs: u64) -> Instant {
    Instant::from_secs(secs)
}

pub(crate) fn random(seed: u64) -> Random {
    Random::from_rng(&mut ChaCha8Rng::seed_from_u64(seed))
}

pub(crate) fn set(key: &str, value: &str, version: u64) -> KeyValueUpdate {
    update(key, value, version, ValueStatus::Set)
}

pub(crate) fn deleted(key: &str, version: u64) -> KeyValueUpdate {
    update(key, "", version, ValueStatus::Deleted)
}

pub(crate) fn fading(key: &str, value: &str, version: u64) -> KeyValueUpdate {
    update(key, value, version, ValueStatus::DeleteAfterTtl)
}

fn update(key: &str, value: &str, version: u64, status: ValueStatus) -> KeyValueUpdate {
    KeyValueUpdate { key: Arc::from(key), value: Arc::from(value), version, status }
}

/// What a digest says of a node that nothing is known of yet.
pub(crate) fn entry(node_id: &NodeId, heartbeat: u64) -> NodeDigest {
    NodeDigest {
        node_id: node_id.clone(),
        heartbeat,
        last_gc_version: 0,
        max_version: 0,
        complete_version: None,
        // Each generation is a process of its own.
        run: Run::new(u32::try_from(node_id.generation_id()).unwrap_or(1).max(1)),
        released_version: None,
        silence_ms: None,
    }
}

/// The run of this number.
pub(crate) fn run(number: u32) -> Run {
    Run::new(number).unwrap()
}

/// Who dialled and says that it is this node, at a time that is given later.
pub(crate) fn sender(id: &NodeId, protocol_revision: u32) -> Sender<'_> {
    Sender { id, protocol_revision, proof: Proof::Presence, written: Instant::ZERO, transit: Duration::ZERO }
}

/// Lets the members hear one entry of a relay, one of ours or not, as they do when they read a digest.
pub(crate) fn hear(members: &mut Members, env: &mut Env<'_>, entry: &NodeDigest, is_marked: bool) {
    hear_from(members, env, entry, sender(&id("relay", 1), is_marked.into()));
}

/// Lets the members hear one entry from this sender, now.
pub(crate) fn hear_from(members: &mut Members, env: &mut Env<'_>, entry: &NodeDigest, from: Sender<'_>) {
    let report = entry.report(Sender { written: env.now, ..from });
    match subject(members, &entry.node_id) {
        Subject::Peer(position) => members.hear_of_peer(env, position, &report),
        Subject::Stranger => drop(members.hear_of_stranger(env, &report)),
        Subject::Reader => panic!("an entry about the reader itself"),
    }
}

/// Who that is to these members.
fn subject(members: &Members, id: &NodeId) -> Subject {
    known_id(members, id.encoded()).map_or(Subject::Stranger, |(_, subject)| subject)
}

/// Whom the entries of `digest` are about, as decoding finds out.
pub(crate) fn subjects(members: &Members, digest: &Digest) -> Subjects {
    let mut subjects = Subjects::default();
    assert!(digest.entries.iter().all(|entry| subjects.push(subject(members, &entry.node_id))));
    subjects
}

/// Members of which the first ones are live and the others were heard of once, as of [`NOW`].
pub(crate) fn members(config: &Config, live: &[NodeId], dead: &[NodeId]) -> Members {
    let mut members = Members::new(config.node_id.clone(), 1);
    let (mut events, mut stats) = (EventQueue::new(&config.limits), Stats::default());
    for (ago, heartbeat) in [(2, 1), (1, 2), (0, 3)] {
        let now = NOW - Duration::from_secs(ago);
        let mut env = Env {
            now,
            active: now,
            detector: Detector::new(config, 0.0),
            config,
            events: &mut events,
            stats: &mut stats,
        };
        for node in live {
            hear(&mut members, &mut env, &entry(node, heartbeat), true);
        }
        for node in dead {
            hear(&mut members, &mut env, &entry(node, 1), true);
        }
    }
    members
}

/// When the members of [`members`] are as they are said to be.
pub(crate) const NOW: Instant = Instant::from_secs(1_000);
