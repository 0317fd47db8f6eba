//! One key with its value, and the orders in which a node's key-values stand.

use alloc::sync::Arc;
use core::cmp::Ordering;

use super::tree::Order;
use super::value::VersionedValue;
use crate::time::Instant;

/// One key with its value. It never changes: a new value is a new entry.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Entry {
    pub(crate) key: Arc<str>,
    pub(crate) value: VersionedValue,
}

impl Entry {
    /// The bytes that it counts for: see [`ENTRY_OVERHEAD`].
    pub(super) fn bytes(&self) -> usize {
        entry_bytes(&self.key, &self.value.value)
    }
}

/// What an entry takes in memory beside its key and value, in bytes, as the limits count it.
///
/// An entry is three allocations and has a place in up to four trees, whose leaves may be a quarter full. A node's only
/// entry takes the most: it pays for the trees' roots. `tests/memory.rs` holds this against what is allocated.
pub const ENTRY_OVERHEAD: usize = 224;

/// The bytes that an entry with this key and value counts for.
pub(super) fn entry_bytes(key: &str, value: &str) -> usize {
    key.len() + value.len() + ENTRY_OVERHEAD
}

/// In order of key.
#[derive(Clone, Copy, Debug)]
pub(super) enum ByKey {}

impl Order for ByKey {
    type Key = str;

    fn against(entry: &Entry, key: &str) -> Ordering {
        (*entry.key).cmp(key)
    }

    fn compare(left: &Entry, right: &Entry) -> Ordering {
        left.key.cmp(&right.key)
    }
}

/// In order of version.
#[derive(Clone, Copy, Debug)]
pub(super) enum ByVersion {}

impl Order for ByVersion {
    type Key = u64;

    fn against(entry: &Entry, version: &u64) -> Ordering {
        entry.value.version.cmp(version)
    }

    fn compare(left: &Entry, right: &Entry) -> Ordering {
        left.value.version.cmp(&right.value.version)
    }
}

/// The longest known first; of those, in order of version.
#[derive(Clone, Copy, Debug)]
pub(super) enum ByAge {}

impl Order for ByAge {
    type Key = (Instant, u64);

    fn against(entry: &Entry, key: &(Instant, u64)) -> Ordering {
        (entry.value.changed_at, entry.value.version).cmp(key)
    }

    fn compare(left: &Entry, right: &Entry) -> Ordering {
        ByAge::against(left, &(right.value.changed_at, right.value.version))
    }
}
