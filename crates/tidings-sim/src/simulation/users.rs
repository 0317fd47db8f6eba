//! What the nodes' users do, and the truth that is kept of it.

use std::time::Duration;

use tidings_core::{Instant, Lifetime};

use super::Simulation;
use crate::check::{Rule, Violation, Words};

impl Simulation<'_> {
    pub(super) fn schedule_write(&mut self) {
        let rate = self.scenario.workload.writes_per_s;
        self.next_write = if rate > 0.0 {
            let mean = Duration::from_secs_f64(1.0 / rate);
            self.world.now() + self.random.duration(Duration::from_nanos(1), mean * 2)
        } else {
            Instant::FAR_FUTURE
        };
    }

    /// One user does something.
    pub(super) fn write(&mut self) -> Result<(), Violation> {
        if self.words.as_ref().is_some_and(Words::is_recovering) {
            return Ok(());
        }
        let has_user = |index: &usize| !self.leaving.contains(index) && !self.is_clone(*index);
        let running: Vec<usize> = self.world.running().filter(has_user).collect();
        let Some(index) = self.random.choose(&running).copied() else { return Ok(()) };
        let key = self.random.index(self.scenario.workload.keys.max(1));
        let what = if self.scenario.workload.deletes { self.random.below(20) } else { 0 };
        match what {
            0..=11 => {
                self.set(index, key, Lifetime::Forever)?;
                let node = self.world.node(index);
                let own = node.and_then(|node| Some((node.id().clone(), node.node_state(node.id())?.max_version())));
                if let Some((id, version)) = own {
                    self.measure.wrote(self.world.now(), &id, version);
                }
            }
            12..=13 => self.set(index, key, Lifetime::Grace)?,
            14..=15 => {
                let lifetime = self.random.duration(Duration::from_millis(1), Duration::from_secs(30));
                self.set(index, key, Lifetime::For(lifetime))?;
            }
            16..=18 => self.delete(index, key),
            _ => self.delete_after_ttl(index, key),
        }
        self.news()
    }

    pub(super) fn set(&mut self, index: usize, key: usize, lifetime: Lifetime) -> Result<(), Violation> {
        let value = self.checker.history.next_value(self.scenario.workload.value_bytes);
        let key = format!("key{key}");
        let (now, grace) = (self.world.local_now(index), self.scenario.protocol.grace);
        // The history comes first: the event that tells of the write is held against it.
        if let Some(id) = self.world.node(index).map(|node| node.id().clone()) {
            self.checker.history.set(&id, now, &key, &value, lifetime, grace);
        }
        match self.world.set(index, &key, &value, lifetime) {
            Some(Err(error)) => {
                let message = format!("node {index} cannot set {key:?}: {error}");
                Err(Violation { at: self.world.now(), rule: Rule::OwnKeys, message })
            }
            Some(Ok(_)) | None => Ok(()),
        }
    }

    fn delete(&mut self, index: usize, key: usize) {
        let key = format!("key{key}");
        if let Some(id) = self.world.node(index).map(|node| node.id().clone()) {
            self.checker.history.delete(&id, &key);
            self.world.delete(index, &key);
        }
    }

    fn delete_after_ttl(&mut self, index: usize, key: usize) {
        let key = format!("key{key}");
        if let Some(id) = self.world.node(index).map(|node| node.id().clone()) {
            let until = self.world.local_now(index) + self.scenario.protocol.grace;
            if matches!(self.world.delete_after_ttl(index, &key), Some(Ok(Some(_)))) {
                self.checker.history.delete_after(&id, &key, until);
            }
        }
    }
}
