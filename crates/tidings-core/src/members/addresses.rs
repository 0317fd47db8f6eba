//! Who is reached where.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::id::Address;

/// The peers at each address, by their position among the members. Runs of one node share an address, and so may nodes
/// behind one name. However many say that they are at one address, adding, removing and moving one takes logarithmic time.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Addresses {
    positions: BTreeMap<Address, BTreeSet<usize>>,
}

impl Addresses {
    pub(super) fn insert(&mut self, address: Address, position: usize) {
        self.positions.entry(address).or_default().insert(position);
    }

    pub(super) fn remove(&mut self, address: &Address, position: usize) {
        let Some(positions) = self.positions.get_mut(address) else { return };
        positions.remove(&position);
        if positions.is_empty() {
            self.positions.remove(address);
        }
    }

    /// The peer that stood at `from` stands at `to` now.
    pub(super) fn moved(&mut self, address: &Address, from: usize, to: usize) {
        if let Some(positions) = self.positions.get_mut(address)
            && positions.remove(&from)
        {
            positions.insert(to);
        }
    }

    /// The positions of the peers at this address, in order.
    pub(super) fn at(&self, address: &Address) -> impl Iterator<Item = usize> {
        self.positions.get(address).into_iter().flatten().copied()
    }

    /// All addresses in order, with the positions of the peers there.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Address, &BTreeSet<usize>)> {
        self.positions.iter()
    }
}
