//! Who is reached where.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::id::Address;

/// The peers at each address, by their position among the members. Runs of one node share an address, and so may nodes
/// behind one name.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Addresses {
    positions: BTreeMap<Address, Vec<usize>>,
}

impl Addresses {
    /// Adds a peer, which is the last one of all.
    pub(super) fn insert(&mut self, address: Address, position: usize) {
        self.positions.entry(address).or_default().push(position);
    }

    pub(super) fn remove(&mut self, address: &Address, position: usize) {
        let Some(positions) = self.positions.get_mut(address) else { return };
        positions.retain(|other| *other != position);
        if positions.is_empty() {
            self.positions.remove(address);
        }
    }

    /// The peer that stood at `from` stands at `to` now.
    pub(super) fn moved(&mut self, address: &Address, from: usize, to: usize) {
        let Some(positions) = self.positions.get_mut(address) else { return };
        positions.iter_mut().filter(|position| **position == from).for_each(|position| *position = to);
        positions.sort_unstable();
    }

    /// The positions of the peers at this address, in order.
    pub(super) fn at(&self, address: &Address) -> &[usize] {
        self.positions.get(address).map_or(&[], Vec::as_slice)
    }

    /// All addresses in order, with the positions of the peers there.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Address, &[usize])> {
        self.positions.iter().map(|(address, positions)| (address, positions.as_slice()))
    }
}
