//! What a node's own user does.

use std::fmt;

use tidings_core::record::Recorder;
use tidings_core::{Instant, Lifetime, SetError};

use super::World;
use crate::trace::Note;

impl World {
    /// Sets one of a running node's keys; `None`: it does not run.
    ///
    /// # Errors
    /// As [`Recorder::set`].
    pub fn set(&mut self, index: usize, key: &str, value: &str, lifetime: Lifetime) -> Option<Result<u64, SetError>> {
        self.command(index, format_args!("set {key:?} to {value:?}, {lifetime:?}"), |node, now| {
            node.set(now, key, value, lifetime)
        })
    }

    /// Deletes one of a running node's keys; `None`: it does not run.
    ///
    /// # Errors
    /// As [`Recorder::delete`].
    pub fn delete(&mut self, index: usize, key: &str) -> Option<Result<Option<u64>, SetError>> {
        self.command(index, format_args!("delete {key:?}"), |node, now| node.delete(now, key))
    }

    /// Lets one of a running node's keys go after the grace period; `None`: it does not run.
    ///
    /// # Errors
    /// As [`Recorder::delete_after_ttl`].
    pub fn delete_after_ttl(&mut self, index: usize, key: &str) -> Option<Result<Option<u64>, SetError>> {
        self.command(index, format_args!("delete {key:?} after its grace period"), |node, now| {
            node.delete_after_ttl(now, key)
        })
    }

    /// Lets a running node say goodbye.
    pub fn leave(&mut self, index: usize) {
        self.command(index, format_args!("leave"), Recorder::leave);
    }

    fn command<T>(
        &mut self,
        index: usize,
        what: fmt::Arguments<'_>,
        act: impl FnOnce(&mut Recorder, Instant) -> T,
    ) -> Option<T> {
        let host = self.hosts.get_mut(index).filter(|host| host.is_running())?;
        self.trace.note(self.now, index, Note::Command { what: &what });
        let now = host.clock.read(self.now);
        let done = act(host.node_mut()?, now);
        self.drain(index);
        Some(done)
    }
}
