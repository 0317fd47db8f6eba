//! One node's key-values as they are known here.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::claim::Claim;
use super::entry::{ByAge, ByKey, ByVersion, Entry, entry_bytes};
use super::tree::Tree;
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
/// A copy shares all that does not change afterwards, and a change takes logarithmic time.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "record", serde(from = "saved::Saved", into = "saved::Saved"))]
pub struct NodeState {
    by_key: Tree<ByKey>,
    /// The same entries, so that news is read in order of version.
    by_version: Tree<ByVersion>,
    /// Those of them that will be deleted or collected.
    ending: Tree<ByVersion>,
    /// Those of `ending` whose grace period was not over when that was last looked at.
    waiting: Tree<ByAge>,
    max_version: u64,
    last_gc_version: u64,
    /// After a reset: everything up to `max_version` is as the owner had it when it was at this version or later.
    prefix_as_of: u64,
    /// The furthest `max_version` ever was. A reset sets that back, not this: whatever the owner held up to here was told
    /// once, so that what is missing of it is gone for good, and an older copy cannot bring it back.
    known_to: u64,
    /// What all entries count for.
    bytes: usize,
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
        self.by_key.get(key).map(|entry| &entry.value)
    }

    /// The readable keys in order, without the reserved ones.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &VersionedValue)> {
        self.iter_all().filter(|(key, value)| value.is_readable() && !key.starts_with(RESERVED_PREFIX))
    }

    /// The readable keys that begin with `prefix`, in order; reserved ones only if `prefix` is reserved.
    pub fn iter_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a VersionedValue)> {
        let reserved = prefix.starts_with(RESERVED_PREFIX);
        self.by_key
            .iter_from(prefix)
            .map(|entry| (&*entry.key, &entry.value))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .filter(move |(key, value)| value.is_readable() && (reserved || !key.starts_with(RESERVED_PREFIX)))
    }

    /// Every entry in key order: tombstones and reserved keys too.
    pub fn iter_all(&self) -> impl Iterator<Item = (&str, &VersionedValue)> {
        self.by_key.iter().map(|entry| (&*entry.key, &entry.value))
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

    /// What all entries count for, tombstones too, in bytes: each its key, its value and [`ENTRY_OVERHEAD`].
    ///
    /// [`ENTRY_OVERHEAD`]: crate::ENTRY_OVERHEAD
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many entries are held, tombstones and reserved keys too.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.by_key.len()
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
    pub(crate) fn news(&self, from: u64, up_to: u64) -> impl Iterator<Item = &Arc<Entry>> {
        between(&self.by_version, from, up_to)
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
        self.put(Entry { key, value: VersionedValue { value, version, status, changed_at: now } }, changes);
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
            let held = self.by_key.get(&update.key).map(|held| &**held);
            if !self.has_room_for(update, held, limits) {
                applied.over_limit += 1;
                complete_to = complete_to.map(|version| version.min(update.version - 1));
                continue;
            }
            if held.is_none_or(|held| held.value.version < update.version) {
                applied.taken += 1;
                self.take(now, update, changes);
            }
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
        let gone = self.news(from, up_to).filter(|entry| !is_listed(entry.value.version));
        let gone: Vec<Arc<Entry>> = gone.cloned().collect();
        for entry in gone {
            self.remove_with_change(now, &entry.key, changes);
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
        let doomed: Vec<Arc<Entry>> = between(&self.ending, from, up_to).cloned().collect();
        for entry in doomed {
            self.remove_with_change(now, &entry.key, changes);
        }
    }

    /// Whether [`NodeState::expire`] would find anything.
    pub(crate) fn has_expired(&self, now: Instant, grace: Duration) -> bool {
        self.waiting.iter().next().is_some_and(|longest| is_over(longest, now, grace))
    }

    /// Deletes the values whose grace period is over.
    ///
    /// A tombstone past its grace period is not looked at again: an owner collects it in its own time, and a replica when
    /// the owner did.
    pub(crate) fn expire(&mut self, now: Instant, grace: Duration, changes: &mut Vec<KeyChange>) {
        let over = self.waiting.iter().take_while(|entry| is_over(entry, now, grace));
        let over: Vec<Arc<Entry>> = over.cloned().collect();
        for entry in over {
            if entry.value.is_readable() {
                let value =
                    VersionedValue { value: Arc::from(""), status: ValueStatus::Deleted, ..entry.value.clone() };
                self.put(Entry { key: entry.key.clone(), value }, changes);
            }
            self.waiting.remove(&(entry.value.changed_at, entry.value.version));
        }
    }

    /// The highest version at or below which every tombstone has had its grace period; `None`: there is no such tombstone.
    pub(crate) fn collectable(&self, now: Instant, grace: Duration) -> Option<u64> {
        let over = self.ending.iter().take_while(|entry| is_over(entry, now, grace));
        over.last().map(|entry| entry.value.version)
    }

    /// Gives every live key at or below `up_to` a new version. Their values stay, so that users see no change.
    /// Returns how many there were.
    pub(crate) fn reversion(&mut self, up_to: u64) -> usize {
        let live: Vec<Arc<Entry>> = self.news(0, up_to).filter(|entry| entry.value.is_readable()).cloned().collect();
        let count = live.len();
        for entry in live {
            self.max_version = self.max_version.saturating_add(1);
            let value = VersionedValue { version: self.max_version, ..entry.value.clone() };
            self.put(Entry { key: entry.key.clone(), value }, &mut Vec::new());
        }
        count
    }

    /// Moves every key past `version` and makes every replica that holds anything up to there start again: what
    /// they hold of this node came from an earlier run, or from nowhere.
    pub(crate) fn move_past(&mut self, version: u64) {
        let floor = version.max(self.max_version).saturating_add(1);
        let tombstones = self.ending.iter().filter(|entry| !entry.value.is_readable());
        let tombstones: Vec<Arc<Entry>> = tombstones.cloned().collect();
        for entry in tombstones {
            self.remove(&entry.key);
        }
        self.max_version = floor;
        self.last_gc_version = floor;
        self.reversion(floor);
    }

    /// The owner has said itself that it never had anything above `version`: drops that, and starts again. What is left
    /// stays readable until the owner's key-values have come once more.
    pub(crate) fn distrust(&mut self, now: Instant, version: u64, changes: &mut Vec<KeyChange>) {
        let invented: Vec<Arc<Entry>> = self.news(version, u64::MAX).cloned().collect();
        for entry in invented {
            self.remove_with_change(now, &entry.key, changes);
        }
        (self.max_version, self.last_gc_version, self.prefix_as_of, self.known_to) = (0, 0, 0, 0);
    }

    fn has_room_for(&self, update: &KeyValueUpdate, held: Option<&Entry>, limits: &Limits) -> bool {
        // A farewell is heard also from a node that is full, but not what somebody hides in it.
        if &*update.key == LEFT_KEY {
            return update.value.len() <= LONGEST_FAREWELL;
        }
        let has_place = held.is_some() || self.by_key.len() < limits.max_keys_per_node;
        let others = self.bytes - held.map_or(0, Entry::bytes);
        has_place && others + entry_bytes(&update.key, &update.value) <= limits.max_state_bytes_per_node
    }

    /// Takes one key-value. One that the owner has already collected (a tombstone, or a value whose grace period is over)
    /// only removes.
    fn take(&mut self, now: Instant, update: &KeyValueUpdate, changes: &mut Vec<KeyChange>) {
        if update.status != ValueStatus::Set && update.version <= self.last_gc_version {
            return self.remove_with_change(now, &update.key, changes);
        }
        let value = VersionedValue {
            value: update.value.clone(),
            version: update.version,
            status: update.status,
            changed_at: now,
        };
        self.put(Entry { key: update.key.clone(), value }, changes);
    }

    /// Stores an entry in all orders.
    fn put(&mut self, new: Entry, changes: &mut Vec<KeyChange>) {
        let new = Arc::new(new);
        let old = self.by_key.insert(new.clone());
        if let Some(old) = &old {
            self.by_version.remove(&old.value.version);
            self.gone(old);
        }
        // Two keys of one version would be a corrupt owner; the later word stands.
        if let Some(other) = self.by_version.insert(new.clone()) {
            self.by_key.remove(&other.key);
            self.gone(&other);
            changes.extend(deletion(new.value.changed_at, &other));
        }
        self.bytes += new.bytes();
        if new.value.status != ValueStatus::Set {
            self.ending.insert(new.clone());
            self.waiting.insert(new.clone());
        }
        let old = old.map(|old| old.value.clone());
        let change = KeyChange { key: new.key.clone(), old, new: new.value.clone() };
        if change.is_seen() {
            changes.push(change);
        }
    }

    fn remove(&mut self, key: &str) -> Option<Arc<Entry>> {
        let old = self.by_key.remove(key)?;
        self.by_version.remove(&old.value.version);
        self.gone(&old);
        Some(old)
    }

    /// Follows the removal of an entry from the orders in which all stand.
    fn gone(&mut self, old: &Entry) {
        self.bytes -= old.bytes();
        if old.value.status != ValueStatus::Set {
            self.ending.remove(&old.value.version);
            self.waiting.remove(&(old.value.changed_at, old.value.version));
        }
    }

    /// Removes an entry that its owner no longer has; a readable one is seen to be deleted.
    fn remove_with_change(&mut self, now: Instant, key: &str, changes: &mut Vec<KeyChange>) {
        let old = self.remove(key);
        changes.extend(old.and_then(|old| deletion(now, &old)));
    }

    /// What `invariants` holds against this state.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let by_key = |entry: &Arc<Entry>| self.by_key.get(&entry.key).is_some_and(|held| Arc::ptr_eq(held, entry));
        if self.by_version.len() != self.by_key.len() || !self.by_version.iter().all(by_key) {
            return Err("the entries by version are not those by key");
        }
        if !self.by_version.iter().is_sorted_by_key(|entry| entry.value.version) {
            return Err("a version stands for two keys, or out of order");
        }
        let ending = |entry: &&Arc<Entry>| entry.value.status != ValueStatus::Set;
        if !self.by_version.iter().filter(ending).eq(self.ending.iter()) {
            return Err("the entries that will end are not those that say so");
        }
        if !self.waiting.iter().all(|entry| self.ending.get(&entry.value.version) == Some(entry)) {
            return Err("an entry waits for its end that has none");
        }
        if self.bytes != self.by_key.iter().map(|entry| entry.bytes()).sum::<usize>() {
            return Err("the byte count is wrong");
        }
        if self.ending.iter().any(|entry| entry.value.version <= self.last_gc_version) {
            return Err("a tombstone or a fading value at or below last_gc_version is still held");
        }
        Ok(())
    }
}

/// Entries with versions in `(from, up_to]`.
fn between(tree: &Tree<ByVersion>, from: u64, up_to: u64) -> impl Iterator<Item = &Arc<Entry>> {
    let entries = (from < up_to).then(|| tree.iter_from(&(from + 1)));
    entries.into_iter().flatten().take_while(move |entry| entry.value.version <= up_to)
}

fn is_over(entry: &Entry, now: Instant, grace: Duration) -> bool {
    entry.value.changed_at + grace <= now
}

/// What a user sees when an entry is removed; `None`: it was a tombstone.
fn deletion(now: Instant, old: &Entry) -> Option<KeyChange> {
    let old_value = old.value.is_readable().then(|| old.value.clone())?;
    let (version, status) = (old_value.version, ValueStatus::Deleted);
    let new = VersionedValue { value: Arc::from(""), version, status, changed_at: now };
    Some(KeyChange { key: old.key.clone(), old: Some(old_value), new })
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

#[cfg(feature = "record")]
mod saved;

#[cfg(test)]
mod tests;
