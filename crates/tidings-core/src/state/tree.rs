//! Key-values in an order, in a tree whose copies share what they have in common.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::marker::PhantomData;
use core::slice;

use super::entry::Entry;

/// The most items of one node of the tree.
const MAX: usize = 32;

/// A node with fewer items joins its neighbour. Only the last nodes, where what grows at its end grows, may have fewer.
const MIN: usize = 8;

/// An order of entries.
pub(super) trait Order {
    /// What an entry is found by.
    type Key: ?Sized;

    /// Where the entry stands: before the key, at it, or behind it.
    fn against(entry: &Entry, key: &Self::Key) -> Ordering;

    /// Where the left entry stands, seen from the right one.
    fn compare(left: &Entry, right: &Entry) -> Ordering;
}

/// Entries in the order `O`: a B-tree with all entries in its leaves.
///
/// A copy takes constant time. A change copies the nodes on its path that a copy shares, so that it takes logarithmic time
/// in any case. The form depends on the changes alone.
pub(super) struct Tree<O> {
    root: Option<Arc<Node>>,
    len: usize,
    order: PhantomData<O>,
}

enum Node {
    Leaf(Vec<Arc<Entry>>),
    Branch(Vec<Child>),
}

/// A node below a branch, and its first entry.
#[derive(Clone)]
struct Child {
    first: Arc<Entry>,
    node: Arc<Node>,
}

impl<O: Order> Tree<O> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, key: &O::Key) -> Option<&Arc<Entry>> {
        let probe = |entry: &Entry| O::against(entry, key);
        let mut node = self.root.as_deref()?;
        loop {
            match node {
                Node::Leaf(entries) => return entries.get(find(entries, &probe).ok()?),
                Node::Branch(children) => node = &children.get(child_at(children, &probe))?.node,
            }
        }
    }

    /// Puts an entry in its place; gives the one that stood there.
    pub(super) fn insert(&mut self, entry: Arc<Entry>) -> Option<Arc<Entry>> {
        let Some(root) = &mut self.root else {
            self.root = Some(Arc::new(Node::Leaf(vec![entry])));
            self.len = 1;
            return None;
        };
        let (old, right) = Arc::make_mut(root).insert(entry, &O::compare, true);
        if let Some(right) = right {
            let children = [root.clone(), right].into_iter().filter_map(Child::new);
            *root = Arc::new(Node::Branch(children.collect()));
        }
        self.len += usize::from(old.is_none());
        old
    }

    pub(super) fn remove(&mut self, key: &O::Key) -> Option<Arc<Entry>> {
        let root = self.root.as_mut()?;
        let removed = Arc::make_mut(root).remove(&|entry: &Entry| O::against(entry, key))?;
        self.len -= 1;
        while let Node::Branch(children) = &**root
            && let [child] = children.as_slice()
        {
            *root = child.node.clone();
        }
        if root.len() == 0 {
            self.root = None;
        }
        Some(removed)
    }

    /// All entries in order.
    pub(super) fn iter(&self) -> Iter<'_> {
        self.iter_where(&|_| Ordering::Greater)
    }

    /// The entries at `key` and behind it, in order.
    pub(super) fn iter_from(&self, key: &O::Key) -> Iter<'_> {
        self.iter_where(&|entry| O::against(entry, key))
    }

    fn iter_where(&self, probe: &impl Fn(&Entry) -> Ordering) -> Iter<'_> {
        let mut iter = Iter { branches: Vec::new(), leaf: [].iter() };
        let mut node = self.root.as_deref();
        while let Some(at) = node {
            node = match at {
                Node::Leaf(entries) => {
                    let start = find(entries, probe).unwrap_or_else(|start| start);
                    iter.leaf = entries.get(start..).unwrap_or_default().iter();
                    None
                }
                Node::Branch(children) => {
                    let mut rest = children.get(child_at(children, probe)..).unwrap_or_default().iter();
                    let child = rest.next();
                    iter.branches.push(rest);
                    child.map(|child| &*child.node)
                }
            };
        }
        iter
    }
}

impl Node {
    fn len(&self) -> usize {
        match self {
            Node::Leaf(entries) => entries.len(),
            Node::Branch(children) => children.len(),
        }
    }

    fn first(&self) -> Option<&Arc<Entry>> {
        match self {
            Node::Leaf(entries) => entries.first(),
            Node::Branch(children) => children.first().map(|child| &child.first),
        }
    }

    /// Gives the entry that stood in the new one's place, and the right half of this node where there was no room.
    fn insert(
        &mut self,
        entry: Arc<Entry>,
        compare: &impl Fn(&Entry, &Entry) -> Ordering,
        is_last: bool,
    ) -> (Option<Arc<Entry>>, Option<Arc<Node>>) {
        match self {
            Node::Leaf(entries) => match find(entries, &|held| compare(held, &entry)) {
                Ok(at) => (entries.get_mut(at).map(|held| core::mem::replace(held, entry)), None),
                Err(at) => (None, insert_at(entries, at, entry, is_last).map(|right| Arc::new(Node::Leaf(right)))),
            },
            Node::Branch(children) => {
                let at = child_at(children, &|held| compare(held, &entry));
                let is_last_child = at + 1 == children.len();
                let Some(child) = children.get_mut(at) else { return (None, None) };
                let node = Arc::make_mut(&mut child.node);
                let (old, right) = node.insert(entry, compare, is_last && is_last_child);
                child.update();
                let right = right.and_then(Child::new).and_then(|right| insert_at(children, at + 1, right, is_last));
                (old, right.map(|right| Arc::new(Node::Branch(right))))
            }
        }
    }

    fn remove(&mut self, probe: &impl Fn(&Entry) -> Ordering) -> Option<Arc<Entry>> {
        match self {
            Node::Leaf(entries) => find(entries, probe).ok().map(|at| entries.remove(at)),
            Node::Branch(children) => {
                let at = child_at(children, probe);
                let child = children.get_mut(at)?;
                let removed = Arc::make_mut(&mut child.node).remove(probe)?;
                match child.node.len() {
                    0 => drop(children.remove(at)),
                    MIN.. => child.update(),
                    _ => join_neighbour(children, at),
                }
                Some(removed)
            }
        }
    }

    /// Takes in the node to the right of it; gives what there is no room for.
    fn join(&mut self, right: Arc<Node>) -> Option<Arc<Node>> {
        match (self, &*right) {
            (Node::Leaf(left), Node::Leaf(right)) => join(left, right).map(|right| Arc::new(Node::Leaf(right))),
            (Node::Branch(left), Node::Branch(right)) => join(left, right).map(|right| Arc::new(Node::Branch(right))),
            // All leaves are equally deep.
            _ => Some(right),
        }
    }
}

impl Child {
    fn new(node: Arc<Node>) -> Option<Child> {
        Some(Child { first: node.first()?.clone(), node })
    }

    /// Follows a change of the node.
    fn update(&mut self) {
        if let Some(first) = self.node.first().filter(|first| !Arc::ptr_eq(first, &self.first)) {
            self.first = first.clone();
        }
    }
}

/// Where the entry stands that is sought, or would stand. What grows at its end is found at once.
fn find(entries: &[Arc<Entry>], probe: &impl Fn(&Entry) -> Ordering) -> Result<usize, usize> {
    match entries.last() {
        Some(last) if probe(last).is_lt() => Err(entries.len()),
        _ => entries.binary_search_by(|entry| probe(entry)),
    }
}

/// The child that has the entry that is sought, if any has.
fn child_at(children: &[Child], probe: &impl Fn(&Entry) -> Ordering) -> usize {
    match children.last() {
        Some(last) if probe(&last.first).is_le() => children.len() - 1,
        _ => children.partition_point(|child| probe(&child.first).is_le()).saturating_sub(1),
    }
}

/// Inserts an item; gives the right half where there is no room. `is_last`: the node is the last of its depth.
fn insert_at<T>(items: &mut Vec<T>, at: usize, item: T, is_last: bool) -> Option<Vec<T>> {
    if items.len() < MAX {
        make_room(items);
        items.insert(at, item);
        return None;
    }
    // What grows at its end stays full.
    let middle = if is_last && at == items.len() { at } else { MAX / 2 };
    let mut right = items.split_off(middle);
    match at.checked_sub(middle) {
        Some(at) => {
            make_room(&mut right);
            right.insert(at, item);
        }
        None => items.insert(at, item),
    }
    Some(right)
}

/// Makes room for one more item; in the end for `MAX`, and never for more.
fn make_room<T>(items: &mut Vec<T>) {
    if items.len() == items.capacity() {
        items.reserve_exact(room_for_more(items.len()) - items.len());
    }
}

/// Room for `len` items and, up to `MAX`, one more.
fn room_for_more(len: usize) -> usize {
    (len + 1).next_power_of_two().clamp(4, MAX)
}

/// The child at `at` has few items: it and a neighbour become one, or two of about the same length.
fn join_neighbour(children: &mut Vec<Child>, at: usize) {
    let left = at.saturating_sub(1);
    let right = (children.len() > left + 1).then(|| children.remove(left + 1));
    let Some(child) = children.get_mut(left) else { return };
    let rest = right.and_then(|right| Arc::make_mut(&mut child.node).join(right.node));
    child.update();
    if let Some(rest) = rest.and_then(Child::new) {
        children.insert(left + 1, rest);
    }
}

fn join<T: Clone>(left: &mut Vec<T>, right: &[T]) -> Option<Vec<T>> {
    left.extend_from_slice(right);
    let rest = (left.len() > MAX).then(|| left.split_off(left.len() / 2));
    left.shrink_to(MAX);
    rest
}

impl Clone for Node {
    /// With room for one more item: it is copied because of a change.
    fn clone(&self) -> Node {
        fn copy<T: Clone>(items: &[T]) -> Vec<T> {
            let mut copy = Vec::with_capacity(room_for_more(items.len()));
            copy.extend_from_slice(items);
            copy
        }
        match self {
            Node::Leaf(entries) => Node::Leaf(copy(entries)),
            Node::Branch(children) => Node::Branch(copy(children)),
        }
    }
}

impl<O> Default for Tree<O> {
    fn default() -> Tree<O> {
        Tree { root: None, len: 0, order: PhantomData }
    }
}

impl<O> Clone for Tree<O> {
    fn clone(&self) -> Tree<O> {
        Tree { root: self.root.clone(), len: self.len, order: PhantomData }
    }
}

impl<O: Order> PartialEq for Tree<O> {
    fn eq(&self, other: &Tree<O>) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<O: Order> fmt::Debug for Tree<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Entries in order.
#[derive(Clone)]
pub(super) struct Iter<'a> {
    /// What is left of the branches above the leaf.
    branches: Vec<slice::Iter<'a, Child>>,
    leaf: slice::Iter<'a, Arc<Entry>>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a Arc<Entry>;

    fn next(&mut self) -> Option<&'a Arc<Entry>> {
        loop {
            if let Some(entry) = self.leaf.next() {
                return Some(entry);
            }
            let mut child = self.branches.last_mut()?.next();
            if child.is_none() {
                self.branches.pop();
            }
            while let Some(Child { node, .. }) = child {
                child = match &**node {
                    Node::Leaf(entries) => {
                        self.leaf = entries.iter();
                        None
                    }
                    Node::Branch(children) => {
                        let mut rest = children.iter();
                        let child = rest.next();
                        self.branches.push(rest);
                        child
                    }
                };
            }
        }
    }
}

#[cfg(test)]
mod tests;
