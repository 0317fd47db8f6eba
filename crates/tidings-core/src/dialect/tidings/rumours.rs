//! News on its way: what is passed on, and how often still.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::wire::tidings::NodeHash;

/// More news at once than this nobody passes on: the rest is found by its fingerprint.
const MAX_RUMOURS: usize = 8_192;

/// News of one node. What it is, is read where it stands when it is told, so that it is never out of date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Rumour {
    /// How often it has been told.
    told: u32,
    /// The node itself is news, not its key-values alone.
    pub(super) is_entry: bool,
    /// Whoever is told may not know the node at all.
    pub(super) is_in_full: bool,
    /// It is nothing without its age, and so it is told only where that is known exactly.
    pub(super) is_aged: bool,
    /// The key-values above this version are news.
    pub(super) keys_from: Option<u64>,
}

/// The news on its way, the least told first.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Rumours {
    of: BTreeMap<NodeHash, Rumour>,
    order: BTreeSet<(u32, NodeHash)>,
    /// How many of them are nothing without their age.
    aged: usize,
}

impl Rumours {
    fn begin(&mut self, hash: NodeHash, add: impl FnOnce(&mut Rumour)) {
        let before = self.of.remove(&hash);
        if let Some(before) = before {
            self.order.remove(&(before.told, hash));
            self.aged = self.aged.saturating_sub(usize::from(before.is_aged));
        } else if self.of.len() >= MAX_RUMOURS {
            return;
        }
        let new = Rumour { told: 0, is_entry: false, is_in_full: false, is_aged: false, keys_from: None };
        let mut rumour = Rumour { told: 0, ..before.unwrap_or(new) };
        add(&mut rumour);
        self.aged += usize::from(rumour.is_aged);
        self.order.insert((0, hash));
        self.of.insert(hash, rumour);
    }

    /// A node is news: in full, where it is new itself; aged, where an age decides what becomes of it.
    pub(super) fn tell(&mut self, hash: NodeHash, is_in_full: bool, is_aged: bool) {
        self.begin(hash, |rumour| {
            rumour.is_entry = true;
            rumour.is_in_full |= is_in_full;
            rumour.is_aged = is_aged;
        });
    }

    /// A node's key-values above this version are news.
    pub(super) fn tell_keys(&mut self, hash: NodeHash, from: u64) {
        self.begin(hash, |rumour| rumour.keys_from = Some(rumour.keys_from.map_or(from, |before| before.min(from))));
    }

    /// The news, the least told first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeHash, Rumour)> {
        self.order.iter().filter_map(|(_, hash)| Some((*hash, *self.of.get(hash)?)))
    }

    /// It was told once more, of `most` times.
    pub(super) fn told(&mut self, hash: NodeHash, most: u32) {
        let Some(rumour) = self.of.get_mut(&hash) else { return };
        self.order.remove(&(rumour.told, hash));
        rumour.told = rumour.told.saturating_add(1);
        if rumour.told >= most {
            self.aged = self.aged.saturating_sub(usize::from(rumour.is_aged));
            self.of.remove(&hash);
        } else {
            self.order.insert((rumour.told, hash));
        }
    }

    /// Another node knows all that is known here: all news counts as told some more times, but for what is nothing without
    /// its age.
    pub(super) fn known_elsewhere(&mut self, most: u32) {
        const TIMES: u32 = 3;
        if self.of.len() == self.aged {
            return;
        }
        let of = core::mem::take(&mut self.of);
        self.order.clear();
        for (hash, mut rumour) in of {
            rumour.told = rumour.told.saturating_add(if rumour.is_aged { 0 } else { TIMES });
            if rumour.is_aged || rumour.told < most {
                self.order.insert((rumour.told, hash));
                self.of.insert(hash, rumour);
            }
        }
    }

    pub(super) fn remove(&mut self, hash: NodeHash) {
        if let Some(rumour) = self.of.remove(&hash) {
            self.order.remove(&(rumour.told, hash));
            self.aged = self.aged.saturating_sub(usize::from(rumour.is_aged));
        }
    }

    pub(super) fn has_aged(&self) -> bool {
        self.aged > 0
    }
}

/// How often news is passed on by each: about the logarithm of the number of nodes, and some more.
pub(super) fn times(nodes: usize) -> u32 {
    nodes.max(1).ilog2() + 5
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn the_least_told_comes_first_and_ends_after_its_times() {
        let mut rumours = Rumours::default();
        (0..3).for_each(|number| rumours.tell(NodeHash(number), false, false));
        rumours.told(NodeHash(0), 3);
        let order = |rumours: &Rumours| rumours.iter().map(|(hash, _)| hash.0).collect::<Vec<_>>();
        assert_eq!(order(&rumours), [1, 2, 0]);
        rumours.told(NodeHash(0), 3);
        rumours.told(NodeHash(0), 3);
        assert_eq!(order(&rumours), [1, 2]);
    }

    #[test]
    fn more_news_of_one_node_begins_anew_and_keeps_what_was_not_told() {
        let mut rumours = Rumours::default();
        rumours.tell_keys(NodeHash(1), 5);
        rumours.told(NodeHash(1), 9);
        rumours.tell(NodeHash(1), true, false);
        rumours.tell_keys(NodeHash(1), 8);
        let (_, rumour) = rumours.iter().next().unwrap();
        let expected = Rumour { told: 0, is_entry: true, is_in_full: true, is_aged: false, keys_from: Some(5) };
        assert_eq!(rumour, expected);
    }

    #[test]
    fn what_is_known_elsewhere_too_comes_to_an_end_sooner() {
        let mut rumours = Rumours::default();
        rumours.tell(NodeHash(1), true, false);
        rumours.tell(NodeHash(2), false, true);
        (0..2).for_each(|_| rumours.known_elsewhere(7));
        assert_eq!(rumours.iter().count(), 2);
        rumours.known_elsewhere(7);
        assert_eq!(rumours.iter().map(|(hash, _)| hash.0).collect::<Vec<_>>(), [2]);
        assert!(rumours.has_aged());
    }

    #[test]
    fn there_is_no_end_of_news_but_of_rumours() {
        let mut rumours = Rumours::default();
        (0..20_000).for_each(|number| rumours.tell(NodeHash(number), false, false));
        assert_eq!((rumours.iter().count(), rumours.of.len()), (MAX_RUMOURS, MAX_RUMOURS));
    }
}
