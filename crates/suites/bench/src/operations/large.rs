//! Our node with many key-values: what one change, one packet or one round costs beside them.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tidings_core::reconcile::{Delta, NodeDelta};
use tidings_core::wire::aiocluster::{Digest, Message};
use tidings_core::{Config, Instant, KeyValueUpdate, Lifetime, Node, Snapshot, ValueStatus};

use super::Subject;
use super::tidings::{Observer, encode, entry, id, node};

/// How long a tombstone is kept.
const GRACE: Duration = Duration::from_secs(5);

/// The nodes whose key-values fill what [`Known`] knows.
const OWNERS: usize = 100;

/// The length of each value in [`Known`]: with 100,000 keys, 35 MB.
const LONG_VALUE: usize = 340;

fn key(number: usize) -> String {
    format!("key-{number:08}")
}

/// A node with so many keys of its own, at an instant when no round is due.
fn owner(keys: usize) -> anyhow::Result<(Node, Instant)> {
    let mut owner = node(0, |config| config.marked_for_deletion_grace_period = GRACE)?;
    let now = Instant::ZERO + Duration::from_millis(1);
    for number in 0..keys {
        owner.set(now, &key(number), "a value of 24 characters", Lifetime::Forever)?;
        while owner.poll_event().is_some() {}
    }
    Ok((owner, now))
}

/// Sets one of many keys, of which somebody holds a snapshot.
pub(super) struct Set {
    node: Node,
    now: Instant,
    keys: usize,
    round: usize,
    snapshot: Option<Snapshot>,
}

impl Set {
    pub(super) fn new(keys: usize) -> anyhow::Result<Set> {
        let (node, now) = owner(keys)?;
        Ok(Set { node, now, keys, round: 0, snapshot: None })
    }
}

impl Subject for Set {
    fn prepare(&mut self) -> anyhow::Result<()> {
        while self.node.poll_event().is_some() {}
        self.round += 1;
        self.snapshot = Some(self.node.snapshot(self.now));
        Ok(())
    }

    fn perform(&mut self) -> anyhow::Result<usize> {
        let key = key(self.round * 7_919 % self.keys);
        self.node.set(self.now, &key, &format!("{:024}", self.round), Lifetime::Forever)?;
        Ok(0)
    }
}

/// Runs a round in which one tombstone is collected; as many others as the grace period has seconds wait. Nobody is
/// there to be gossiped with.
pub(super) struct Collect {
    node: Node,
    now: Instant,
    round: usize,
    snapshot: Option<Snapshot>,
}

impl Collect {
    pub(super) fn new(keys: usize) -> anyhow::Result<Collect> {
        let (node, now) = owner(keys)?;
        let mut collect = Collect { node, now, round: 0, snapshot: None };
        for _ in 0..2 * GRACE.as_secs() {
            collect.prepare()?;
            collect.perform()?;
        }
        Ok(collect)
    }

    fn entries(&self) -> usize {
        self.node.node_state(self.node.id()).map_or(0, |state| state.entries())
    }
}

impl Subject for Collect {
    fn prepare(&mut self) -> anyhow::Result<()> {
        self.round += 1;
        let key = format!("passing-{:08}", self.round);
        self.node.set(self.now, &key, "here", Lifetime::Forever)?;
        self.node.delete(self.now, &key)?;
        while self.node.poll_event().is_some() {}
        self.snapshot = Some(self.node.snapshot(self.now));
        self.now = self.now.max(self.node.poll_timeout().context("no round is due")?);
        Ok(())
    }

    fn perform(&mut self) -> anyhow::Result<usize> {
        let before = self.entries();
        self.node.handle_timeout(self.now);
        let is_steady = self.round > usize::try_from(GRACE.as_secs())? + 2;
        ensure!(!is_steady || self.entries() == before - 1, "not one tombstone was collected");
        Ok(0)
    }
}

/// So many keys of one owner, as this node's peers send them.
fn key_values(keys: usize, value: &str) -> Vec<KeyValueUpdate> {
    let update = |number: usize| KeyValueUpdate {
        key: key(number).into(),
        value: value.into(),
        version: number as u64 + 1,
        status: ValueStatus::Set,
    };
    (0..keys).map(update).collect()
}

fn delta_of(index: usize, from: u64, key_values: Vec<KeyValueUpdate>) -> Message {
    let max_version = Some(key_values.last().map_or(from, |last| last.version));
    let node_delta = NodeDelta {
        node_id: id(index),
        from_version_excluded: from,
        last_gc_version: 0,
        key_values,
        max_version,
        sender_complete_version: max_version,
        run: tidings_core::Run::new(7),
    };
    Message::Ack { delta: Delta { node_deltas: vec![node_delta] } }
}

fn no_limits(config: &mut Config) {
    config.limits.decode.max_packet_bytes = 64 << 20;
}

/// Takes a delta that does not follow on what is held of its owner, of which somebody has a snapshot.
pub(super) struct Ignored {
    observer: Observer,
    ack: Vec<u8>,
    keys: usize,
    snapshot: Option<Snapshot>,
}

impl Ignored {
    pub(super) fn new(keys: usize) -> anyhow::Result<Ignored> {
        let mut observer = Observer::new(2, no_limits)?;
        observer.take_ack(&encode(delta_of(1, 0, key_values(keys, "a value of 24 characters"))))?;
        let beyond = KeyValueUpdate { version: keys as u64 + 2, ..key_values(1, "x").remove(0) };
        let ack = encode(delta_of(1, keys as u64 + 1, vec![beyond]));
        Ok(Ignored { observer, ack, keys, snapshot: None })
    }
}

impl Subject for Ignored {
    fn prepare(&mut self) -> anyhow::Result<()> {
        self.observer.pass_second();
        self.snapshot = Some(self.observer.node.snapshot(self.observer.now));
        Ok(())
    }

    fn perform(&mut self) -> anyhow::Result<usize> {
        self.observer.take_ack(&self.ack)?;
        let state = self.observer.node.node_state(&id(1)).context("it is not known")?;
        ensure!(state.max_version() == self.keys as u64, "the delta was not ignored");
        Ok(0)
    }
}

/// Answers a Syn of a node that knows nothing, where much more is known than fits a packet.
pub(super) struct Known {
    observer: Observer,
    syn: Vec<u8>,
}

impl Known {
    pub(super) fn new(keys: usize) -> anyhow::Result<Known> {
        let mut observer = Observer::new(OWNERS + 1, no_limits)?;
        let value = "v".repeat(LONG_VALUE);
        for index in 1..=OWNERS {
            observer.take_ack(&encode(delta_of(index, 0, key_values(keys / OWNERS, &value))))?;
        }
        let digest = Digest { entries: vec![entry(OWNERS + 1, 1, 0)], partial: false };
        Ok(Known { observer, syn: encode(Message::Syn { digest }) })
    }
}

impl Subject for Known {
    fn prepare(&mut self) -> anyhow::Result<()> {
        self.observer.pass_second();
        Ok(())
    }

    fn perform(&mut self) -> anyhow::Result<usize> {
        Ok(self.observer.answer(&self.syn)?.len())
    }
}
