//! Who is reached at which address.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidings_core::Address;

use crate::random::Random;

/// What a second process with an address does about whoever listens there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Listens {
    /// It takes the address over: new connections come to it.
    TakesOver,
    /// The address stands for both: each connection comes to one of them, by chance.
    Shares,
    /// It does not: it dials others from an address of its own, where nobody looks for it.
    Elsewhere,
}

/// The hosts at each address, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Listeners(BTreeMap<Address, Vec<(usize, Listens)>>);

impl Listeners {
    pub(super) fn add(&mut self, address: Address, host: usize, listens: Listens) {
        if listens != Listens::Elsewhere {
            self.0.entry(address).or_default().push((host, listens));
        }
    }

    /// Whoever was at this address is not; these hosts share it.
    pub(super) fn lead(&mut self, address: Address, to: &[usize]) {
        self.0.insert(address, to.iter().map(|host| (*host, Listens::Shares)).collect());
    }

    /// The host is no longer there; whom it took the address from has it again.
    pub(super) fn remove(&mut self, host: usize) {
        self.0.retain(|_, hosts| {
            hosts.retain(|(other, _)| *other != host);
            !hosts.is_empty()
        });
    }

    /// The host is reached at this address and at no other.
    pub(super) fn move_to(&mut self, address: Address, host: usize) {
        self.remove(host);
        self.add(address, host, Listens::TakesOver);
    }

    /// The host that a connection to this address comes to.
    pub(super) fn at(&self, address: &Address, random: &mut Random) -> Option<usize> {
        let hosts = self.0.get(address)?;
        // Whoever took it over last, and all that have shared it since.
        let first = hosts.iter().rposition(|(_, listens)| *listens == Listens::TakesOver).unwrap_or(0);
        match hosts.get(first..)? {
            [(only, _)] => Some(*only),
            several => random.choose(several).map(|(host, _)| *host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_over_shared_and_given_back() {
        let (mut listeners, mut random) = (Listeners::default(), Random::from_seed(1));
        let address = Address::new("10.0.0.1", 7000);
        let mut reached = |listeners: &Listeners| {
            let mut hosts: Vec<_> = (0..20).filter_map(|_| listeners.at(&address, &mut random)).collect();
            hosts.sort_unstable();
            hosts.dedup();
            hosts
        };
        for (host, listens, expected) in [
            (0, Listens::TakesOver, vec![0]),
            (1, Listens::Elsewhere, vec![0]),
            (2, Listens::Shares, vec![0, 2]),
            (3, Listens::TakesOver, vec![3]),
        ] {
            listeners.add(address.clone(), host, listens);
            assert_eq!(reached(&listeners), expected);
        }
        listeners.remove(3);
        assert_eq!(reached(&listeners), [0, 2]);
        listeners.remove(0);
        listeners.remove(2);
        assert_eq!(reached(&listeners), [0; 0]);
    }
}
