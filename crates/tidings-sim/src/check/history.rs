//! The truth: what every node was told by its own user.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidings_core::{Instant, Lifetime, NodeId};

/// What every node was told. Each value ever written says which write it is, so that no two are alike.
#[derive(Debug, Default)]
pub(crate) struct History {
    owners: BTreeMap<NodeId, Owner>,
    writes: u64,
    /// Names of which several processes run at a time, or of which strangers lie.
    doubtful_names: BTreeSet<String>,
    /// Names in which strangers set keys.
    slandered_names: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Owner {
    /// Every write of every run with this id.
    written: BTreeMap<u64, (String, String)>,
    /// What the present run was told.
    told: BTreeMap<String, Told>,
    /// Two runs had this id, so that for a while its peers know more of it than it does.
    is_doubtful: bool,
}

#[derive(Debug)]
struct Told {
    value: String,
    /// When it goes by itself, by its owner's clock.
    until: Instant,
}

/// Which write a value comes from.
pub(crate) fn write_of(value: &str) -> Option<u64> {
    value.split(':').next()?.parse().ok()
}

impl History {
    /// A value for the next write, of about `len` bytes.
    pub(crate) fn next_value(&mut self, len: usize) -> String {
        self.writes += 1;
        let number = format!("{}:", self.writes);
        let padding = len.saturating_sub(number.len());
        number + &"v".repeat(padding)
    }

    /// A run of a node begins.
    pub(crate) fn begin(&mut self, id: &NodeId) {
        let is_second = self.owners.contains_key(id);
        let owner = self.owners.entry(id.clone()).or_default();
        owner.told.clear();
        owner.is_doubtful |= is_second;
    }

    /// A node's user has set a key at `now` of its own clock.
    pub(crate) fn set(
        &mut self,
        id: &NodeId,
        now: Instant,
        key: &str,
        value: &str,
        lifetime: Lifetime,
        grace: Duration,
    ) {
        let until = match lifetime {
            Lifetime::Forever => Instant::FAR_FUTURE,
            Lifetime::Grace => now + grace,
            Lifetime::For(duration) => now + duration,
        };
        let owner = self.owners.entry(id.clone()).or_default();
        owner.told.insert(key.to_string(), Told { value: value.to_string(), until });
        if let Some(write) = write_of(value) {
            owner.written.insert(write, (key.to_string(), value.to_string()));
        }
    }

    /// A node's user has deleted a key.
    pub(crate) fn delete(&mut self, id: &NodeId, key: &str) {
        if let Some(owner) = self.owners.get_mut(id) {
            owner.told.remove(key);
        }
    }

    /// A key that is there goes at `until`, by its owner's clock.
    pub(crate) fn delete_after(&mut self, id: &NodeId, key: &str, until: Instant) {
        if let Some(told) = self.owners.get_mut(id).and_then(|owner| owner.told.get_mut(key)) {
            told.until = until;
        }
    }

    /// A second process with this node's id was told this. The truth is what the first one was told.
    pub(crate) fn set_at_clone(&mut self, id: &NodeId, key: &str, value: &str) {
        let owner = self.owners.entry(id.clone()).or_default();
        if let Some(write) = write_of(value) {
            owner.written.insert(write, (key.to_string(), value.to_string()));
        }
    }

    /// Several processes of this name run at a time: its peers may know more of each than it does itself.
    pub(crate) fn doubt(&mut self, name: &str) {
        self.doubtful_names.insert(name.to_string());
    }

    /// Strangers set keys in this name.
    pub(crate) fn slander(&mut self, name: &str) {
        self.doubt(name);
        self.slandered_names.insert(name.to_string());
    }

    /// A run whose key-values nobody may have any more.
    pub(crate) fn forget(&mut self, id: &NodeId) {
        self.owners.remove(id);
    }

    /// Whether its peers may know of its name what its present run does not.
    pub(crate) fn is_doubtful(&self, id: &NodeId) -> bool {
        self.owners.get(id).is_some_and(|owner| owner.is_doubtful) || self.is_name_doubtful(id.name())
    }

    pub(crate) fn is_name_doubtful(&self, name: &str) -> bool {
        self.doubtful_names.contains(name)
    }

    /// Whether the node with this id was ever told this, or a stranger may have said so.
    pub(crate) fn has_written(&self, id: &NodeId, key: &str, value: &str) -> bool {
        if self.slandered_names.contains(id.name()) && write_of(value).is_none() {
            return true;
        }
        let written = self.owners.get(id).zip(write_of(value)).and_then(|(owner, write)| owner.written.get(&write));
        written.is_some_and(|(k, v)| k == key && v == value)
    }

    /// Compares what is shown of a node's key-values with what it was told, at `now` of its own clock. What goes by
    /// itself may go up to `slack` late, or be gone so much early.
    ///
    /// # Errors
    /// The first key that is lost, left over, or has an old value.
    pub(crate) fn compare<'a>(
        &self,
        id: &NodeId,
        now: Instant,
        slack: Duration,
        shown: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), String> {
        let shown: BTreeMap<&str, &str> = shown.collect();
        let empty = BTreeMap::new();
        let told = self.owners.get(id).map_or(&empty, |owner| &owner.told);
        for (key, told) in told {
            let shown = shown.get(key.as_str());
            if told.until > now + slack && shown != Some(&told.value.as_str()) {
                return Err(format!("key {key:?} of {id} is {shown:?} and should be {:?}", told.value));
            }
            if let Some(shown) = shown.filter(|_| told.until + slack <= now) {
                return Err(format!("key {key:?} of {id} is {shown:?} and should be gone since {:?}", told.until));
            }
        }
        match shown.keys().find(|key| !told.contains_key(**key)) {
            Some(key) => Err(format!("key {key:?} of {id} is shown, which was deleted or never set")),
            None => Ok(()),
        }
    }
}
