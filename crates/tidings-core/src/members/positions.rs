//! A set of positions among the members.

use alloc::vec::Vec;

/// Some of the members, by their positions. Adding, removing and drawing one takes constant time. The order is the same on
/// every machine.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Positions {
    list: Vec<usize>,
    /// Where in `list` each position stands, plus one; 0 where it does not.
    places: Vec<usize>,
}

impl Positions {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn contains(&self, position: usize) -> bool {
        self.places.get(position).is_some_and(|place| *place > 0)
    }

    /// Puts a position in or takes it out.
    #[inline]
    pub(super) fn set(&mut self, position: usize, is_in: bool) {
        if self.contains(position) == is_in {
            return;
        }
        if is_in { self.insert(position) } else { self.remove(position) }
    }

    fn insert(&mut self, position: usize) {
        if self.places.len() <= position {
            self.places.resize(position + 1, 0);
        }
        self.list.push(position);
        self.places[position] = self.list.len();
    }

    fn remove(&mut self, position: usize) {
        let Some(place) = self.places.get_mut(position).map(core::mem::take) else { return };
        if place == 0 || place > self.list.len() {
            return;
        }
        self.list.swap_remove(place - 1);
        if let Some(moved) = self.list.get(place - 1).and_then(|moved| self.places.get_mut(*moved)) {
            *moved = place;
        }
    }

    /// The member at `position` is gone, and the one that stood at `last` has its position now.
    pub(super) fn swap_removed(&mut self, position: usize, last: usize) {
        let was_in = position != last && self.contains(last);
        self.set(last, false);
        self.set(position, was_in);
        self.places.truncate(last);
    }

    /// The position at this place in the order.
    pub(super) fn get(&self, place: usize) -> Option<usize> {
        self.list.get(place).copied()
    }

    /// Changes the order: the two at these places change theirs.
    pub(super) fn swap(&mut self, a: usize, b: usize) {
        let (Some(at_a), Some(at_b)) = (self.get(a), self.get(b)) else { return };
        self.list.swap(a, b);
        for (position, place) in [(at_a, b), (at_b, a)] {
            if let Some(kept) = self.places.get_mut(position) {
                *kept = place + 1;
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        self.list.iter().copied()
    }

    /// All of them once, beginning at some place.
    pub(super) fn iter_from(&self, place: usize) -> impl Iterator<Item = usize> {
        let (before, after) = self.list.split_at(place.min(self.list.len()));
        after.iter().chain(before).copied()
    }

    /// What `invariants` holds against the set: it has no position twice, and knows where each stands.
    pub(super) fn is_consistent(&self) -> bool {
        let is_placed = |(place, position): (usize, &usize)| self.places.get(*position) == Some(&(place + 1));
        self.list.iter().enumerate().all(is_placed)
            && self.places.iter().filter(|place| **place > 0).count() == self.list.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn with(positions: &[usize]) -> Positions {
        let mut set = Positions::default();
        positions.iter().for_each(|position| set.set(*position, true));
        set
    }

    fn sorted(set: &Positions) -> Vec<usize> {
        assert!(set.is_consistent(), "{set:?}");
        let mut list: Vec<usize> = set.iter().collect();
        list.sort_unstable();
        list
    }

    #[test]
    fn what_is_put_in_is_there_until_it_is_taken_out() {
        let mut set = with(&[7, 0, 3, 7]);
        assert_eq!((sorted(&set), set.len(), set.contains(3), set.contains(4)), (vec![0, 3, 7], 3, true, false));
        set.set(0, false);
        set.set(4, false);
        set.set(4_000, false);
        assert_eq!(sorted(&set), [3, 7]);
        set.swap(0, 1);
        set.swap(1, 9);
        assert_eq!(sorted(&set), [3, 7]);
    }

    #[test]
    fn when_a_member_goes_the_last_one_has_its_position() {
        let removed = |positions: &[usize], position| {
            let mut set = with(positions);
            set.swap_removed(position, 9);
            sorted(&set)
        };
        assert_eq!(removed(&[2, 5, 9], 2), [2, 5]);
        assert_eq!(removed(&[5, 9], 2), [2, 5]);
        assert_eq!(removed(&[2, 5], 2), [5]);
        assert_eq!(removed(&[5], 2), [5]);
        assert_eq!(removed(&[5, 9], 9), [5]);
    }

    #[test]
    fn all_have_their_turn_wherever_one_begins() {
        let set = with(&[4, 2, 6]);
        for place in 0..5 {
            let mut all: Vec<usize> = set.iter_from(place).collect();
            assert_eq!(all.first(), Some(&[4, 2, 6, 4, 4][place]));
            all.sort_unstable();
            assert_eq!(all, [2, 4, 6]);
        }
    }
}
