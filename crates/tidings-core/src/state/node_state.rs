//! One node's key-values as they are known here.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::claim::Claim;
use super::value::{KeyValueUpdate, ValueStatus, VersionedValue};
use crate::limits::Limits;
use crate::time::Instant;

/// Keys that begin so belong to the protocol: they travel like any other key, but users cannot set them and do not
/// meet them in [`NodeState::iter`].
pub const RESERVED_PREFIX: &str = "tidings.";

/// The reserved key by which a node says that it leaves; it crosses Python relays, which drop unknown fields.
pub(crate) const LEFT_KEY: &str = "tidings.left";

/// The longest value of that key that is taken, in bytes. Ours has one byte.
pub(crate) const LONGEST_FAREWELL: usize = 64;

/// One node's key-values, tombstones included, as they are known here.
///
/// A copy on write: snapshots share it until the node's next change.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub struct NodeState {
    key_values: BTreeMap<Arc<str>, VersionedValue>,
    /// Every entry of `key_values` by its version, so that news is read in version order without sorting.
    by_version: BTreeMap<u64, Arc<str>>,
    max_version: u64,
    last_gc_version: u64,
    /// After a reset: everything up to `max_version` is as the owner had it when it was at this version or later.
    prefix_as_of: u64,
    /// The furthest `max_version` ever was. A reset sets that back, not this: whatever the owner held up to here was told
    /// once, so that what is missing of it is gone for good, and an older copy cannot bring it back.
    known_to: u64,
    /// Bytes of all keys and values.
    bytes: usize,
    /// Not later than the oldest value that will be deleted or collected; lets a round pass by without a scan.
    pending_since: Option<Instant>,
}

/// One change a user can see.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KeyChange {
    pub(crate) key: Arc<str>,
    pub(crate) old: Option<VersionedValue>,
    pub(crate) new: VersionedValue,
}

impl KeyChange {
    /// Whether a user can see it: a new version alone is no change.
    fn is_seen(&self) -> bool {
        let seen = |value: &VersionedValue| value.is_readable().then(|| (value.value.clone(), value.status));
        self.old.as_ref().and_then(seen) != seen(&self.new)
    }
}

/// What became of a delta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    /// The delta was older than what is held, or did not follow on it.
    pub(crate) ignored: bool,
    /// The state was started again.
    pub(crate) reset: bool,
    /// Key-values taken.
    pub(crate) taken: u64,
    /// Key-values left out because of a limit.
    pub(crate) over_limit: u64,
}

impl NodeState {
    /// The key's value; `None` for a key that is not there or is deleted.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.get_versioned(key).filter(|value| value.is_readable()).map(|value| &*value.value)
    }

    /// The key's value with version and status, a tombstone too.
    #[must_use]
    pub fn get_versioned(&self, key: &str) -> Option<&VersionedValue> {
        self.key_values.get(key)
    }

    /// The readable keys in order, without the reserved ones.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &VersionedValue)> {
        self.iter_all().filter(|(key, value)| value.is_readable() && !key.starts_with(RESERVED_PREFIX))
    }

    /// The readable keys that begin with `prefix`, in order; reserved ones only if `prefix` is reserved.
    pub fn iter_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a VersionedValue)> {
        let reserved = prefix.starts_with(RESERVED_PREFIX);
        self.key_values
            .range::<str, _>((core::ops::Bound::Included(prefix), core::ops::Bound::Unbounded))
            .map(|(key, value)| (&**key, value))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .filter(move |(key, value)| value.is_readable() && (reserved || !key.starts_with(RESERVED_PREFIX)))
    }

    /// Every entry in key order: tombstones and reserved keys too.
    pub fn iter_all(&self) -> impl Iterator<Item = (&str, &VersionedValue)> {
        self.key_values.iter().map(|(key, value)| (&**key, value))
    }

    /// How many keys [`NodeState::iter`] gives. Takes time in proportion to the number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether [`NodeState::iter`] gives nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The version up to which this copy has no holes: every key the owner still held at these versions is here.
    #[must_use]
    pub fn max_version(&self) -> u64 {
        self.max_version
    }

    /// Tombstones at or below this version have been collected.
    #[must_use]
    pub fn last_gc_version(&self) -> u64 {
        self.last_gc_version
    }

    /// Bytes of all keys and values held, tombstones' keys too.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many entries are held, tombstones and reserved keys too.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.key_values.len()
    }

    /// The owner's knowledge this copy reflects: in the midst of a reset it is further than `max_version`, since
    /// what came so far came from a copy that had collected up to `last_gc_version`.
    pub(crate) fn as_of(&self) -> u64 {
        self.max_version.max(self.last_gc_version)
    }

    /// Tombstones up to here need not be seen to be collected: what they deleted is not held any more. In the midst of a
    /// reset that is further than `as_of`, and a reset by an older copy would bring back what the newer one no longer had.
    pub(crate) fn knows_deletions_to(&self) -> u64 {
        self.prefix_as_of.max(self.as_of())
    }

    /// Entries with versions in `(from, up_to]`, in order of version.
    pub(crate) fn news(&self, from: u64, up_to: u64) -> impl Iterator<Item = (&Arc<str>, &VersionedValue)> {
        let range = (from < up_to).then(|| self.by_version.range(from + 1..=up_to));
        range.into_iter().flatten().filter_map(|(_, key)| Some((key, self.key_values.get(key)?)))
    }

    /// Writes the owner's next version of `key`.
    pub(crate) fn write(
        &mut self,
        now: Instant,
        key: Arc<str>,
        value: Arc<str>,
        status: ValueStatus,
        changes: &mut Vec<KeyChange>,
    ) -> u64 {
        let version = self.max_version.saturating_add(1);
        self.max_version = version;
        self.put(key, VersionedValue { value, version, status, changed_at: now }, changes);
        version
    }

    /// Takes a peer's word about this node.
    pub(crate) fn apply(
        &mut self,
        now: Instant,
        claim: Claim,
        key_values: &[KeyValueUpdate],
        limits: &Limits,
        changes: &mut Vec<KeyChange>,
    ) -> Applied {
        let mut applied = Applied::default();
        let told_before = changes.len();
        if claim.complete_to.is_some() {
            if claim.as_of < self.last_gc_version {
                return Applied { ignored: true, ..applied };
            }
            if claim.from == 0 && claim.last_gc > self.knows_deletions_to() {
                self.reset(now, claim, key_values, changes);
                applied.reset = true;
            } else if claim.from > self.max_version || claim.last_gc > self.knows_deletions_to() {
                return Applied { ignored: true, ..applied };
            }
        }

        let mut complete_to = claim.complete_to;
        for update in key_values {
            // What was known once is held or gone; at or below the collected tombstones, a sender with holes has only
            // what the owner may have deleted since.
            let floor =
                if claim.complete_to.is_some() { self.known_to } else { self.known_to.max(self.last_gc_version) };
            if update.version <= floor {
                continue;
            }
            if !self.has_room_for(update, limits) {
                applied.over_limit += 1;
                complete_to = complete_to.map(|version| version.min(update.version - 1));
                continue;
            }
            applied.taken += u64::from(self.take(now, update, changes));
        }

        if let Some(complete_to) = complete_to {
            if complete_to > self.max_version {
                self.prefix_as_of = self.prefix_as_of.min(claim.as_of);
            }
            self.advance(now, complete_to, key_values, changes);
            self.follow_gc(now, claim.last_gc, changes);
        }
        if applied.reset {
            merge_changes(changes, told_before);
        }
        applied
    }

    /// The sender collected tombstones that this copy never saw: what it does not list is deleted.
    fn reset(&mut self, now: Instant, claim: Claim, key_values: &[KeyValueUpdate], changes: &mut Vec<KeyChange>) {
        let listed_to = match claim.complete_to {
            Some(complete_to) if claim.says_if_cut => complete_to.min(claim.last_gc),
            _ => claim.last_gc,
        };
        if !claim.says_if_cut {
            self.known_to = self.known_to.min(claim.complete_to.unwrap_or(0));
        }
        self.max_version = 0;
        self.drop_collected(now, 0, claim.last_gc, changes);
        self.last_gc_version = claim.last_gc;
        self.prefix_as_of = claim.as_of;
        self.drop_unlisted(now, 0, listed_to, key_values, changes);
    }

    /// Moves the prefix forward. An entry that came ahead of it, from a relay, and that the owner no longer lists is
    /// deleted.
    fn advance(&mut self, now: Instant, complete_to: u64, key_values: &[KeyValueUpdate], changes: &mut Vec<KeyChange>) {
        if complete_to > self.max_version {
            self.drop_unlisted(now, self.max_version, complete_to, key_values, changes);
            self.max_version = complete_to;
            self.known_to = self.known_to.max(complete_to);
        }
    }

    /// Removes the entries with versions in `(from, up_to]` that are not among `listed`, which is in version order.
    fn drop_unlisted(
        &mut self,
        now: Instant,
        from: u64,
        up_to: u64,
        listed: &[KeyValueUpdate],
        changes: &mut Vec<KeyChange>,
    ) {
        let is_listed = |version: u64| listed.binary_search_by_key(&version, |update| update.version).is_ok();
        let gone = self.news(from, up_to).filter(|(_, value)| !is_listed(value.version));
        let gone: Vec<Arc<str>> = gone.map(|(key, _)| key.clone()).collect();
        for key in gone {
            self.remove_with_change(now, &key, changes);
        }
    }

    /// Drops the tombstones the owner has collected, if this copy has seen all of them.
    pub(crate) fn follow_gc(&mut self, now: Instant, last_gc: u64, changes: &mut Vec<KeyChange>) {
        if last_gc <= self.last_gc_version || last_gc > self.knows_deletions_to() {
            return;
        }
        self.drop_collected(now, self.last_gc_version, last_gc, changes);
        self.last_gc_version = last_gc;
    }

    /// Removes the tombstones with versions in `(from, up_to]`, and the values that their owner has let end since.
    fn drop_collected(&mut self, now: Instant, from: u64, up_to: u64, changes: &mut Vec<KeyChange>) {
        let doomed = self.news(from, up_to).filter(|(_, value)| value.status != ValueStatus::Set);
        let doomed: Vec<Arc<str>> = doomed.map(|(key, _)| key.clone()).collect();
        for key in doomed {
            self.remove_with_change(now, &key, changes);
        }
    }

    /// Whether [`NodeState::expire`] would find anything.
    pub(crate) fn has_expired(&self, now: Instant, grace: Duration) -> bool {
        self.pending_since.is_some_and(|since| since + grace <= now)
    }

    /// Deletes the values whose grace period is over, and gives the highest version at or below which every
    /// tombstone has had its grace period, if there is a tombstone to collect.
    pub(crate) fn expire(&mut self, now: Instant, grace: Duration, changes: &mut Vec<KeyChange>) -> Option<u64> {
        let pending: Vec<(Arc<str>, VersionedValue)> = self
            .news(0, u64::MAX)
            .filter(|(_, value)| value.status != ValueStatus::Set)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let is_over = |value: &VersionedValue| value.changed_at + grace <= now;
        let collectable = pending.iter().map_while(|(_, value)| is_over(value).then_some(value.version)).last();
        for (key, value) in &pending {
            if is_over(value) && value.is_readable() {
                let new = VersionedValue { value: Arc::from(""), status: ValueStatus::Deleted, ..value.clone() };
                self.put(key.clone(), new, changes);
            }
        }
        // A tombstone past its grace period asks for no further scan: an owner collects it in its own time, and a
        // replica when the owner did.
        self.pending_since = pending.iter().map(|(_, value)| value).filter(|v| !is_over(v)).map(|v| v.changed_at).min();
        collectable
    }

    /// Gives every live key at or below `up_to` a new version. Their values stay, so that users see no change.
    /// Returns how many there were.
    pub(crate) fn reversion(&mut self, up_to: u64) -> usize {
        let live = self.news(0, up_to).filter(|(_, value)| value.is_readable());
        let live: Vec<(Arc<str>, VersionedValue)> = live.map(|(k, v)| (k.clone(), v.clone())).collect();
        let count = live.len();
        for (key, value) in live {
            self.max_version = self.max_version.saturating_add(1);
            self.put(key, VersionedValue { version: self.max_version, ..value }, &mut Vec::new());
        }
        count
    }

    /// Moves every key past `version` and makes every replica that holds anything up to there start again: what
    /// they hold of this node came from an earlier run, or from nowhere.
    pub(crate) fn move_past(&mut self, version: u64) {
        let floor = version.max(self.max_version).saturating_add(1);
        let tombstones = self.key_values.iter().filter(|(_, value)| !value.is_readable());
        let tombstones: Vec<Arc<str>> = tombstones.map(|(key, _)| key.clone()).collect();
        for key in tombstones {
            self.remove(&key);
        }
        self.max_version = floor;
        self.last_gc_version = floor;
        self.reversion(floor);
    }

    /// The owner has said itself that it never had anything above `version`: drops that, and starts again. What is left
    /// stays readable until the owner's key-values have come once more.
    pub(crate) fn distrust(&mut self, now: Instant, version: u64, changes: &mut Vec<KeyChange>) {
        let invented: Vec<Arc<str>> = self.news(version, u64::MAX).map(|(key, _)| key.clone()).collect();
        for key in invented {
            self.remove_with_change(now, &key, changes);
        }
        (self.max_version, self.last_gc_version, self.prefix_as_of, self.known_to) = (0, 0, 0, 0);
    }

    fn has_room_for(&self, update: &KeyValueUpdate, limits: &Limits) -> bool {
        // A farewell is heard also from a node that is full, but not what somebody hides in it.
        if &*update.key == LEFT_KEY {
            return update.value.len() <= LONGEST_FAREWELL;
        }
        let Some(held) = self.key_values.get(&update.key) else {
            return self.key_values.len() < limits.max_keys_per_node
                && self.bytes + update.key.len() + update.value.len() <= limits.max_state_bytes_per_node;
        };
        self.bytes - held.value.len() + update.value.len() <= limits.max_state_bytes_per_node
    }

    /// Takes one key-value unless a newer one is held. One that the owner has already collected (a tombstone, or a
    /// value whose grace period is over) only removes.
    fn take(&mut self, now: Instant, update: &KeyValueUpdate, changes: &mut Vec<KeyChange>) -> bool {
        if self.key_values.get(&update.key).is_some_and(|held| held.version >= update.version) {
            return false;
        }
        if update.status != ValueStatus::Set && update.version <= self.last_gc_version {
            self.remove_with_change(now, &update.key, changes);
            return true;
        }
        let new = VersionedValue {
            value: update.value.clone(),
            version: update.version,
            status: update.status,
            changed_at: now,
        };
        self.put(update.key.clone(), new, changes);
        true
    }

    /// Stores an entry and keeps the indexes.
    fn put(&mut self, key: Arc<str>, new: VersionedValue, changes: &mut Vec<KeyChange>) {
        let old = self.remove(&key);
        // Two keys of one version would be a corrupt owner; the later word stands.
        if let Some(other) = self.by_version.get(&new.version).cloned() {
            self.remove_with_change(new.changed_at, &other, changes);
        }
        if new.status != ValueStatus::Set {
            self.pending_since = Some(self.pending_since.map_or(new.changed_at, |since| since.min(new.changed_at)));
        }
        self.bytes += key.len() + new.value.len();
        self.by_version.insert(new.version, key.clone());
        self.key_values.insert(key.clone(), new.clone());
        let change = KeyChange { key, old, new };
        if change.is_seen() {
            changes.push(change);
        }
    }

    fn remove(&mut self, key: &str) -> Option<VersionedValue> {
        let (key, old) = self.key_values.remove_entry(key)?;
        self.by_version.remove(&old.version);
        self.bytes -= key.len() + old.value.len();
        Some(old)
    }

    /// Removes an entry that its owner no longer has; a readable one is seen to be deleted.
    fn remove_with_change(&mut self, now: Instant, key: &Arc<str>, changes: &mut Vec<KeyChange>) {
        let Some(old) = self.remove(key) else { return };
        if old.is_readable() {
            let new = VersionedValue {
                value: Arc::from(""),
                version: old.version,
                status: ValueStatus::Deleted,
                changed_at: now,
            };
            changes.push(KeyChange { key: key.clone(), old: Some(old), new });
        }
    }

    /// What `invariants` holds against this state.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.by_version.len() != self.key_values.len() {
            return Err("a version stands for two keys, or a key has no version");
        }
        if self.by_version.iter().any(|(version, key)| self.key_values.get(key).map(|v| v.version) != Some(*version)) {
            return Err("the index by version disagrees with the key-values");
        }
        if self.bytes != self.key_values.iter().map(|(key, value)| key.len() + value.value.len()).sum::<usize>() {
            return Err("the byte count is wrong");
        }
        let collected = |v: &VersionedValue| v.status != ValueStatus::Set && v.version <= self.last_gc_version;
        if self.key_values.values().any(collected) {
            return Err("a tombstone or a fading value at or below last_gc_version is still held");
        }
        Ok(())
    }
}

/// Makes one change a key of the changes from `start` on: what a reset drops and lists again was not deleted.
fn merge_changes(changes: &mut Vec<KeyChange>, start: usize) {
    let mut merged: Vec<KeyChange> = Vec::new();
    let mut places: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    for change in changes.drain(start..) {
        match places.get(&change.key).and_then(|place| merged.get_mut(*place)) {
            Some(earlier) => earlier.new = change.new,
            None => {
                places.insert(change.key.clone(), merged.len());
                merged.push(change);
            }
        }
    }
    changes.extend(merged.into_iter().filter(KeyChange::is_seen));
}

#[cfg(test)]
mod tests;
