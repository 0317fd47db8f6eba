//! This node's own key-values: the only ones it writes.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::entry::{ENTRY_OVERHEAD, entry_bytes};
use super::node_state::{KeyChange, LEFT_KEY, NodeState, RESERVED_PREFIX};
use super::value::ValueStatus;
use crate::limits::Limits;
use crate::time::Instant;

/// How long a key is to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub enum Lifetime {
    /// Until it is deleted.
    Forever,
    /// Until the grace period (`marked_for_deletion_grace_period`) is over: aiocluster's "set with TTL". Python peers
    /// hide such a value from their `get`.
    Grace,
    /// For this long, then this node deletes it. Every peer sees a plain value and later its deletion. Should this
    /// node die first, the value stays until the node is forgotten.
    For(Duration),
}

/// Why a key was not set or deleted. The state is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetError {
    /// The key begins with [`RESERVED_PREFIX`]; choose another.
    ReservedKey {
        /// The key.
        key: String,
    },
    /// The key is longer than `limits.decode.max_key_bytes`.
    KeyTooLong {
        /// The key's length in bytes.
        bytes: usize,
        /// The longest allowed.
        max: usize,
    },
    /// The value is longer than `limits.decode.max_value_bytes`.
    ValueTooLong {
        /// The key.
        key: String,
        /// The value's length in bytes.
        bytes: usize,
        /// The longest allowed.
        max: usize,
    },
    /// Key and value do not fit a packet: they could never reach a peer.
    TooLargeForPacket {
        /// The key.
        key: String,
        /// The packet that would carry it alone, in bytes.
        bytes: usize,
        /// `max_payload_size`.
        max: usize,
    },
    /// The node holds `limits.max_keys_per_node` keys, tombstones included.
    TooManyKeys {
        /// The key.
        key: String,
        /// The most allowed.
        max: usize,
    },
    /// The node's keys and values, and [`ENTRY_OVERHEAD`] for each, would exceed `limits.max_state_bytes_per_node`.
    StateTooLarge {
        /// The key.
        key: String,
        /// The most bytes allowed.
        max: usize,
    },
    /// A lifetime of zero; delete the key instead.
    ZeroLifetime {
        /// The key.
        key: String,
    },
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetError::ReservedKey { key } => {
                write!(f, "key {key:?} begins with {RESERVED_PREFIX:?}, which is reserved; choose another key")
            }
            SetError::KeyTooLong { bytes, max } => {
                write!(f, "the key has {bytes} bytes; shorten it or raise limits.decode.max_key_bytes from {max}")
            }
            SetError::ValueTooLong { key, bytes, max } => {
                write!(f, "the value of key {key:?} has {bytes} bytes; ")?;
                write!(f, "shorten it or raise limits.decode.max_value_bytes from {max}")
            }
            SetError::TooLargeForPacket { key, bytes, max } => {
                write!(f, "key {key:?} and its value need a packet of {bytes} bytes; ")?;
                write!(f, "shorten the value or raise max_payload_size from {max} on every node")
            }
            SetError::TooManyKeys { key, max } => {
                write!(f, "key {key:?} would be one more than limits.max_keys_per_node allows ({max}, deleted keys ")?;
                write!(f, "included until their grace period is over); delete keys and wait, or raise the limit")
            }
            SetError::StateTooLarge { key, max } => {
                write!(
                    f,
                    "with key {key:?} this node's key-values would exceed {max} bytes, {ENTRY_OVERHEAD} for each key counted \
                     beside its text; "
                )?;
                write!(f, "delete keys or raise limits.max_state_bytes_per_node")
            }
            SetError::ZeroLifetime { key } => {
                write!(f, "key {key:?} was given a lifetime of zero; give it a longer one, or delete the key")
            }
        }
    }
}

impl core::error::Error for SetError {}

/// This node's own key-values, their deadlines, and its heartbeat.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct OwnState {
    pub(crate) heartbeat: u64,
    state: Arc<NodeState>,
    /// When a key with a lifetime of its own is to be deleted.
    deadlines: BTreeMap<Arc<str>, Instant>,
    /// The same, soonest first.
    queue: BTreeSet<(Instant, Arc<str>)>,
}

impl OwnState {
    pub(crate) fn state(&self) -> &Arc<NodeState> {
        &self.state
    }

    /// Sets a key and gives its version: the old one where nothing had to change.
    pub(crate) fn set(
        &mut self,
        now: Instant,
        key: &str,
        value: &str,
        lifetime: Lifetime,
        changes: &mut Vec<KeyChange>,
    ) -> u64 {
        let status = match lifetime {
            Lifetime::Grace => ValueStatus::DeleteAfterTtl,
            Lifetime::Forever | Lifetime::For(_) => ValueStatus::Set,
        };
        self.clear_deadline(key);
        if let Lifetime::For(duration) = lifetime {
            let key: Arc<str> = Arc::from(key);
            let deadline = now + duration;
            self.deadlines.insert(key.clone(), deadline);
            self.queue.insert((deadline, key));
        }
        // A grace period starts again with a new version, for that is how replicas learn of it.
        let unchanged = self
            .state
            .get_versioned(key)
            .filter(|held| held.status == ValueStatus::Set && status == ValueStatus::Set && &*held.value == value);
        match unchanged {
            Some(held) => held.version,
            None => Arc::make_mut(&mut self.state).write(now, Arc::from(key), Arc::from(value), status, changes),
        }
    }

    /// Deletes a key and gives the tombstone's version; `None` if there was nothing to delete.
    pub(crate) fn delete(&mut self, now: Instant, key: &str, changes: &mut Vec<KeyChange>) -> Option<u64> {
        self.state.get(key)?;
        self.clear_deadline(key);
        let state = Arc::make_mut(&mut self.state);
        Some(state.write(now, Arc::from(key), Arc::from(""), ValueStatus::Deleted, changes))
    }

    /// Lets a key be read until the grace period is over; gives the version, or `None` if the key is not there.
    pub(crate) fn delete_after_ttl(&mut self, now: Instant, key: &str, changes: &mut Vec<KeyChange>) -> Option<u64> {
        let value = self.state.get_versioned(key).filter(|held| held.is_readable())?.value.clone();
        Some(self.set(now, key, &value, Lifetime::Grace, changes))
    }

    /// Says in the own key-values that this node leaves; gives the version.
    pub(crate) fn mark_left(&mut self, now: Instant) -> u64 {
        let state = Arc::make_mut(&mut self.state);
        state.write(now, Arc::from(LEFT_KEY), Arc::from("1"), ValueStatus::Set, &mut Vec::new())
    }

    /// The soonest instant at which a key's own lifetime ends.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.queue.first().map(|(deadline, _)| *deadline)
    }

    /// Deletes the keys whose own lifetime is over.
    pub(crate) fn expire_lifetimes(&mut self, now: Instant, changes: &mut Vec<KeyChange>) {
        while let Some((deadline, key)) = self.queue.first() {
            if *deadline > now {
                return;
            }
            let key = key.clone();
            self.clear_deadline(&key);
            self.delete(now, &key, changes);
        }
    }

    /// Ends grace periods and collects the tombstones that have had theirs. True: some were collected.
    pub(crate) fn collect(&mut self, now: Instant, grace: Duration, changes: &mut Vec<KeyChange>) -> bool {
        if self.state.has_expired(now, grace) {
            Arc::make_mut(&mut self.state).expire(now, grace, changes);
        }
        let Some(up_to) = self.state.collectable(now, grace) else { return false };
        Arc::make_mut(&mut self.state).follow_gc(now, up_to, changes);
        true
    }

    /// A peer has collected this node's tombstones up to `last_gc`: does the same.
    pub(crate) fn adopt_gc(&mut self, now: Instant, last_gc: u64, changes: &mut Vec<KeyChange>) {
        Arc::make_mut(&mut self.state).follow_gc(now, last_gc, changes);
    }

    /// Gives live keys at or below the collected tombstones new versions. Returns how many there were.
    pub(crate) fn reversion_below_gc(&mut self) -> usize {
        let up_to = self.state.last_gc_version();
        Arc::make_mut(&mut self.state).reversion(up_to)
    }

    /// Gives every live key a new version. Returns how many there were.
    pub(crate) fn republish(&mut self) -> usize {
        let up_to = self.state.max_version();
        Arc::make_mut(&mut self.state).reversion(up_to)
    }

    /// Whether a live key stands at or below the collected tombstones.
    pub(crate) fn has_live_below_gc(&self) -> bool {
        self.state.news(0, self.state.last_gc_version()).any(|entry| entry.value.is_readable())
    }

    /// See [`NodeState::move_past`].
    pub(crate) fn move_past(&mut self, version: u64) {
        Arc::make_mut(&mut self.state).move_past(version);
    }

    /// Whether a key may be written and its value fits; `packet_bytes` is the packet that carries it alone.
    pub(crate) fn check_set(
        &self,
        key: &str,
        value: &str,
        lifetime: Lifetime,
        packet_bytes: usize,
        max_payload_size: usize,
        limits: &Limits,
    ) -> Result<(), SetError> {
        check_key(key)?;
        let named = || key.to_string();
        if lifetime == Lifetime::For(Duration::ZERO) {
            return Err(SetError::ZeroLifetime { key: named() });
        }
        let max = limits.decode.max_key_bytes;
        if key.len() > max {
            return Err(SetError::KeyTooLong { bytes: key.len(), max });
        }
        let max = limits.decode.max_value_bytes;
        if value.len() > max {
            return Err(SetError::ValueTooLong { key: named(), bytes: value.len(), max });
        }
        if packet_bytes > max_payload_size {
            return Err(SetError::TooLargeForPacket { key: named(), bytes: packet_bytes, max: max_payload_size });
        }
        let max = limits.max_keys_per_node;
        let held = self.state.get_versioned(key);
        if held.is_none() && self.state.entries() >= max {
            return Err(SetError::TooManyKeys { key: named(), max });
        }
        let max = limits.max_state_bytes_per_node;
        let replaced = held.map_or(0, |held| entry_bytes(key, &held.value));
        if self.state.bytes() - replaced + entry_bytes(key, value) > max {
            return Err(SetError::StateTooLarge { key: named(), max });
        }
        Ok(())
    }

    /// What `invariants` holds against this state.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let is_queued = |(key, deadline): (&Arc<str>, &Instant)| self.queue.contains(&(*deadline, key.clone()));
        if self.queue.len() != self.deadlines.len() || !self.deadlines.iter().all(is_queued) {
            return Err("the queue of deadlines is not that of the keys");
        }
        self.state.check()
    }

    fn clear_deadline(&mut self, key: &str) {
        if let Some((key, deadline)) = self.deadlines.remove_entry(key) {
            self.queue.remove(&(deadline, key));
        }
    }
}

/// Fails for a key that belongs to the protocol.
pub(crate) fn check_key(key: &str) -> Result<(), SetError> {
    if key.starts_with(RESERVED_PREFIX) {
        return Err(SetError::ReservedKey { key: key.to_string() });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
