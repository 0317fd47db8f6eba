//! The tree against a `BTreeMap`, its copies, and its form.

use alloc::collections::BTreeMap;
use alloc::format;

use proptest::prelude::*;

use super::super::entry::{ByKey, ByVersion};
use super::super::value::{ValueStatus, VersionedValue};
use super::*;
use crate::testing::secs;

fn entry(version: u64) -> Arc<Entry> {
    entry_with(version, "")
}

fn entry_with(version: u64, value: &str) -> Arc<Entry> {
    let key = Arc::from(format!("{version:08}"));
    let value = VersionedValue { value: Arc::from(value), version, status: ValueStatus::Set, changed_at: secs(1) };
    Arc::new(Entry { key, value })
}

/// Every node but the last of its depth has at least `MIN` items, none has more than `MAX`, all leaves are equally deep,
/// and a branch knows its children's first entries. Gives the depth.
fn check_form(node: &Node, is_last: bool) -> usize {
    let len = node.len();
    assert!((if is_last { 1 } else { MIN }..=MAX).contains(&len), "{len} items, the last: {is_last}");
    match node {
        Node::Leaf(entries) => {
            assert!(entries.capacity() <= MAX);
            1
        }
        Node::Branch(children) => {
            assert!(children.capacity() <= MAX);
            let last = children.len() - 1;
            let depths: Vec<usize> = children
                .iter()
                .enumerate()
                .map(|(position, child)| {
                    assert!(Arc::ptr_eq(&child.first, child.node.first().unwrap()));
                    check_form(&child.node, is_last && position == last)
                })
                .collect();
            assert!(depths.iter().all(|depth| *depth == depths[0]), "{depths:?}");
            depths[0] + 1
        }
    }
}

fn depth<O: Order>(tree: &Tree<O>) -> usize {
    assert_eq!(tree.iter().count(), tree.len());
    tree.root.as_deref().map_or(0, |root| check_form(root, true))
}

fn versions<'a>(entries: impl Iterator<Item = &'a Arc<Entry>>) -> Vec<u64> {
    entries.map(|entry| entry.value.version).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u64),
    Append(u64),
    Remove(u64),
    RemoveRange(u64, u64),
    Copy,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..600u64).prop_map(Step::Insert),
        2 => (1..80u64).prop_map(Step::Append),
        3 => (0..600u64).prop_map(Step::Remove),
        1 => (0..600u64, 1..200u64).prop_map(|(from, len)| Step::RemoveRange(from, from + len)),
        1 => Just(Step::Copy),
    ]
}

proptest! {
    #[test]
    fn it_is_as_a_map_and_copies_stay_as_they_are(steps in prop::collection::vec(step(), 0..120)) {
        let (mut tree, mut map) = (Tree::<ByVersion>::default(), BTreeMap::new());
        let mut copies = Vec::new();
        let mut count = 0;
        for step in steps {
            match step {
                Step::Insert(version) => {
                    count += 1;
                    let new = entry_with(version, &format!("{count}"));
                    prop_assert_eq!(tree.insert(new.clone()), map.insert(version, new));
                }
                Step::Append(more) => for _ in 0..more {
                    let version = map.last_key_value().map_or(0, |(last, _)| *last + 1);
                    let new = entry(version);
                    prop_assert_eq!(tree.insert(new.clone()), map.insert(version, new));
                },
                Step::Remove(version) => prop_assert_eq!(tree.remove(&version), map.remove(&version)),
                Step::RemoveRange(from, to) => for version in from..to {
                    prop_assert_eq!(tree.remove(&version), map.remove(&version));
                },
                Step::Copy => copies.push((tree.clone(), map.clone())),
            }
            depth(&tree);
            prop_assert_eq!(tree.len(), map.len());
        }
        copies.push((tree, map));
        for (tree, map) in &copies {
            prop_assert!(tree.iter().eq(map.values()));
            for version in (0..640).step_by(7) {
                prop_assert_eq!(tree.get(&version), map.get(&version));
                prop_assert!(tree.iter_from(&version).eq(map.range(version..).map(|(_, entry)| entry)));
            }
        }
    }
}

#[test]
fn what_grows_at_its_end_fills_its_leaves() {
    let mut tree = Tree::<ByKey>::default();
    for version in 0..(MAX * MAX) as u64 {
        tree.insert(entry(version));
    }
    assert_eq!(depth(&tree), 2, "{MAX} leaves of {MAX} below one branch");
    tree.insert(entry(99_999));
    assert_eq!(depth(&tree), 3);
}

#[test]
fn a_change_copies_the_path_to_it_and_nothing_else() {
    fn leaves(node: &Arc<Node>, found: &mut Vec<Arc<Node>>) {
        match &**node {
            Node::Leaf(_) => found.push(node.clone()),
            Node::Branch(children) => children.iter().for_each(|child| leaves(&child.node, found)),
        }
    }
    let mut tree = Tree::<ByVersion>::default();
    for version in 0..10_000 {
        tree.insert(entry(2 * version));
    }
    let copy = tree.clone();
    tree.insert(entry_with(5_000, "another"));
    tree.remove(&15_000);
    let (mut now, mut before) = (Vec::new(), Vec::new());
    leaves(tree.root.as_ref().unwrap(), &mut now);
    leaves(copy.root.as_ref().unwrap(), &mut before);
    let shared = now.iter().zip(&before).filter(|(now, before)| Arc::ptr_eq(now, before)).count();
    assert_eq!((now.len() - shared, before.len()), (2, now.len()));
    assert_eq!(copy.len(), 10_000);
}

#[test]
fn a_tree_taken_apart_is_empty_and_takes_entries_again() {
    let mut tree = Tree::<ByVersion>::default();
    for version in 0..2_000 {
        tree.insert(entry(version * 37 % 2_000));
    }
    for version in 0..2_000 {
        assert_eq!(versions(tree.iter()).first(), Some(&version));
        assert!(tree.remove(&version).is_some());
        assert_eq!(tree.remove(&version), None);
    }
    assert!(tree.root.is_none() && tree == Tree::default());
    assert_eq!(tree.insert(entry(1)), None);
    assert_eq!((versions(tree.iter()), depth(&tree)), (vec![1], 1));
}
