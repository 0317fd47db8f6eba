//! The table as it is told: every node by its hash, and a fingerprint over all of it.
//!
//! What is known of the nodes themselves stands among the [members](crate::members). Here is only what telling it takes:
//! the nodes in order of their hashes, and sums of keyed hashes in buckets, kept up to date in constant time for each
//! change. Two nodes whose fingerprints are equal have nothing to tell each other. Ages are not in it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use crate::id::{NodeId, Run};
use crate::time::Instant;
use crate::wire::tidings::{BUCKETS, Mixer, NodeHash};

/// A node that is dead or has left counts for so long after its last sign of life. By then everybody has heard of it;
/// and since ages are told, it ceases to count at everybody at about the same time.
pub(super) const FADE: Duration = Duration::from_secs(25);

/// What of a node is in the fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) run: Run,
    pub(super) life: u64,
    /// 0: it lives, 2: it is dead, 3: it has left.
    pub(super) status: u64,
    pub(super) complete_version: u64,
    pub(super) last_gc_version: u64,
    /// When it ceases to count.
    pub(super) fades_at: Option<Instant>,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
struct Row {
    id: NodeId,
    /// 0: it does not count.
    digest: u64,
    is_live: bool,
}

/// The table as it is told.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Table {
    rows: BTreeMap<NodeHash, Row>,
    sums: Vec<u64>,
    fading: BTreeSet<(Instant, NodeHash)>,
    live: usize,
}

impl Default for Table {
    fn default() -> Table {
        Table { rows: BTreeMap::new(), sums: vec![0; BUCKETS], fading: BTreeSet::new(), live: 0 }
    }
}

impl Table {
    /// Takes note of what a node counts for from now on; `None`: nothing, but it is still known by its hash.
    pub(super) fn put(&mut self, hash: NodeHash, id: &NodeId, counted: Option<Counted>) {
        let digest = counted.map_or(0, |counted| digest_of(hash, counted));
        let is_live = counted.is_some_and(|counted| counted.status == 0);
        let row = self.rows.entry(hash).or_insert_with(|| Row { id: id.clone(), digest: 0, is_live: false });
        // Two ids of one hash: the first one keeps it.
        if row.id != *id {
            return;
        }
        if let Some(sum) = self.sums.get_mut(hash.bucket()) {
            *sum = sum.wrapping_sub(row.digest).wrapping_add(digest);
        }
        self.live = (self.live + usize::from(is_live)).saturating_sub(usize::from(row.is_live));
        (row.digest, row.is_live) = (digest, is_live);
        if let Some(fades_at) = counted.and_then(|counted| counted.fades_at) {
            self.fading.insert((fades_at, hash));
        }
    }

    /// A node is not known any more.
    pub(super) fn remove(&mut self, hash: NodeHash) {
        let Some(row) = self.rows.remove(&hash) else { return };
        if let Some(sum) = self.sums.get_mut(hash.bucket()) {
            *sum = sum.wrapping_sub(row.digest);
        }
        self.live = self.live.saturating_sub(usize::from(row.is_live));
    }

    /// The node of a hash.
    pub(super) fn id_of(&self, hash: NodeHash) -> Option<&NodeId> {
        self.rows.get(&hash).map(|row| &row.id)
    }

    /// The nodes that count from this hash to that one.
    pub(super) fn counted(&self, from: NodeHash, to: NodeHash) -> impl Iterator<Item = (NodeHash, &NodeId)> {
        let rows = (from <= to).then(|| self.rows.range(from..=to));
        rows.into_iter().flatten().filter(|(_, row)| row.digest != 0).map(|(hash, row)| (*hash, &row.id))
    }

    /// Some nodes behind this hash, and round again from the lowest one, to be looked at.
    pub(super) fn some_behind(&self, hash: NodeHash, count: usize) -> Vec<(NodeHash, NodeId)> {
        let behind = self.rows.range(hash..).filter(|(other, _)| **other != hash);
        behind.chain(self.rows.range(..=hash)).take(count).map(|(hash, row)| (*hash, row.id.clone())).collect()
    }

    /// How many live nodes count, this one too.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// The sums of all buckets in one.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut mixer = Mixer::default();
        self.sums.iter().for_each(|sum| mixer.number(*sum));
        mixer.finish()
    }

    /// The sums of the buckets, as they are told.
    pub(super) fn sums(&self) -> Vec<u32> {
        self.sums.iter().map(|sum| short(*sum)).collect()
    }

    /// The buckets whose sums are not these.
    pub(super) fn differing(&self, sums: &[u32]) -> Vec<usize> {
        let differ = |bucket: &usize| self.sums.get(*bucket).map(|sum| short(*sum)) != sums.get(*bucket).copied();
        (0..BUCKETS).filter(differ).collect()
    }

    /// The next node that may have ceased to count.
    pub(super) fn next_faded(&mut self, now: Instant) -> Option<NodeId> {
        while let Some((at, hash)) = self.fading.first().copied().filter(|(at, _)| *at <= now) {
            self.fading.remove(&(at, hash));
            if let Some(id) = self.id_of(hash) {
                return Some(id.clone());
            }
        }
        None
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.fading.first().map(|(at, _)| *at)
    }
}

/// A sum as it is told: four bytes of it.
#[allow(clippy::cast_possible_truncation, reason = "that is the rule")]
fn short(sum: u64) -> u32 {
    (sum ^ sum >> 32) as u32
}

fn digest_of(hash: NodeHash, counted: Counted) -> u64 {
    let mut mixer = Mixer::default();
    let Counted { run, life, status, complete_version, last_gc_version, .. } = counted;
    for number in [hash.0, run.number().into(), life, status, complete_version, last_gc_version] {
        mixer.number(number);
    }
    // 0 stands for what does not count.
    mixer.finish() | 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{id, secs};
    use crate::wire::tidings::hash_of;
    use alloc::format;

    fn counted(life: u64) -> Counted {
        Counted { run: Run::FIRST, life, status: 0, complete_version: 1, last_gc_version: 0, fades_at: None }
    }

    fn table(lives: impl Iterator<Item = (u32, u64)>) -> Table {
        let mut table = Table::default();
        for (number, life) in lives {
            let id = id(&format!("n{number}"), 1);
            table.put(hash_of("c", &id), &id, Some(counted(life)));
        }
        table
    }

    #[test]
    fn the_fingerprint_is_that_of_what_is_known_however_it_came_about() {
        let forwards = table((0..100).map(|number| (number, 1)));
        let backwards = table((0..100).rev().flat_map(|number| [(number, 7), (number, 1)]));
        assert_eq!(forwards.fingerprint(), backwards.fingerprint());
        assert_eq!((forwards.live(), backwards.live()), (100, 100));
        assert!(forwards.differing(&backwards.sums()).is_empty());
    }

    #[test]
    fn each_part_of_a_node_shows_in_its_bucket_and_nowhere_else() {
        let before = table((0..100).map(|number| (number, 1)));
        let node = id("n7", 1);
        let hash = hash_of("c", &node);
        for change in [
            Counted { run: Run::new(9).unwrap(), ..counted(1) },
            counted(2),
            Counted { status: 2, ..counted(1) },
            Counted { complete_version: 2, ..counted(1) },
            Counted { last_gc_version: 1, ..counted(1) },
        ] {
            let mut after = before.clone();
            after.put(hash, &node, Some(change));
            assert_ne!(after.fingerprint(), before.fingerprint(), "{change:?}");
            assert_eq!(after.differing(&before.sums()), [hash.bucket()], "{change:?}");
            after.put(hash, &node, Some(counted(1)));
            assert_eq!(after.fingerprint(), before.fingerprint());
        }
    }

    #[test]
    fn what_does_not_count_and_what_is_gone_leave_the_same_fingerprint() {
        let (mut faded, mut gone) = (table((0..9).map(|n| (n, 1))), table((0..9).map(|n| (n, 1))));
        let node = id("n3", 1);
        let hash = hash_of("c", &node);
        faded.put(hash, &node, None);
        gone.remove(hash);
        assert_eq!(faded.fingerprint(), gone.fingerprint());
        assert_eq!((faded.live(), faded.id_of(hash), gone.id_of(hash)), (8, Some(&node), None));
        assert!(faded.counted(NodeHash(0), NodeHash(u64::MAX)).all(|(other, _)| other != hash));
    }

    #[test]
    fn who_fades_is_looked_at_when_the_time_has_come() {
        let mut table = table((0..3).map(|number| (number, 1)));
        let node = id("n1", 1);
        let dead = Counted { status: 2, fades_at: Some(secs(30)), ..counted(1) };
        table.put(hash_of("c", &node), &node, Some(dead));
        assert_eq!((table.next_due(), table.next_faded(secs(29))), (Some(secs(30)), None));
        assert_eq!((table.next_faded(secs(30)), table.next_faded(secs(30))), (Some(node), None));
    }
}
