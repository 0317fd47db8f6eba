//! One key's value at one version, as it is kept and as it is told.

use alloc::sync::Arc;

use crate::time::Instant;

/// What a versioned value stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub enum ValueStatus {
    /// The key has this value.
    Set,
    /// A tombstone: the key is deleted. It stays for the grace period, so that every replica hears of it.
    Deleted,
    /// The key has this value until the grace period is over; then it is deleted. (Python's `get` hides it.)
    DeleteAfterTtl,
}

/// One key's value at one version of its owner. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub struct VersionedValue {
    /// The value; empty for a tombstone.
    pub value: Arc<str>,
    /// The owner's version: each change of any of its keys takes the next one.
    pub version: u64,
    /// Whether the key is set, deleted, or set until the grace period is over.
    pub status: ValueStatus,
    /// When this node learned of it: the grace period counts from here.
    pub changed_at: Instant,
}

impl VersionedValue {
    /// Whether the key can be read: it is set, or will be deleted but is not yet.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.status != ValueStatus::Deleted
    }
}

/// One key with the value of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValueUpdate {
    /// The key; may be empty.
    pub key: Arc<str>,
    /// The value; empty for a tombstone.
    pub value: Arc<str>,
    /// The owner's version at which the key got this value or status.
    pub version: u64,
    /// Set, deleted, or to be deleted after the grace period.
    pub status: ValueStatus,
}
