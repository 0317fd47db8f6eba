//! Where this node has reached itself, and for how long it does not dial there again.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crate::id::Address;
use crate::time::Instant;

/// So many addresses are remembered; past it the one that is dialled again soonest gives way.
const MAX_ADDRESSES: usize = 64;

/// The longest wait doubles so often.
const MAX_DOUBLINGS: u32 = 5;

/// The addresses at which this node has reached itself.
///
/// That is no reason to give one up: it may be a virtual IP of several nodes, and the only seed. So a node waits for one
/// round after it has reached itself, for two after the next time, and so on up to 32, until another node answers there.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct SelfReach {
    addresses: BTreeMap<Address, Wait>,
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
struct Wait {
    until: Instant,
    doublings: u32,
}

impl SelfReach {
    /// This node has reached itself at `address`. A name does not count: which of its addresses are dialled is the caller's
    /// part.
    pub(crate) fn reached_itself(&mut self, now: Instant, address: &Address, gossip_interval: Duration) {
        if address.host().parse::<IpAddr>().is_err() {
            return;
        }
        let before = self.addresses.get(address);
        let doublings = before.map_or(0, |wait| (wait.doublings + 1).min(MAX_DOUBLINGS));
        if before.is_none() && self.addresses.len() >= MAX_ADDRESSES {
            let soonest = self.addresses.iter().min_by_key(|(_, wait)| wait.until).map(|(address, _)| address.clone());
            soonest.and_then(|address| self.addresses.remove(&address));
        }
        // The round that comes at once is the first one left out.
        let until = now + gossip_interval * (1 << doublings) + gossip_interval / 2;
        self.addresses.insert(address.clone(), Wait { until, doublings });
    }

    /// Another node has answered at `address`.
    pub(crate) fn reached_another(&mut self, address: &Address) {
        self.addresses.remove(address);
    }

    /// The addresses that are not to be dialled now.
    pub(crate) fn avoided(&self, now: Instant) -> Vec<Address> {
        let avoided = self.addresses.iter().filter(|(_, wait)| now < wait.until);
        avoided.map(|(address, _)| address.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec;

    const SECOND: Duration = Duration::from_secs(1);

    fn virtual_ip() -> Address {
        Address::new("10.0.0.7", 7000)
    }

    #[test]
    fn the_wait_doubles_up_to_32_rounds_and_ends_when_another_answers() {
        let mut reach = SelfReach::default();
        let mut now = Instant::from_secs(10);
        for rounds in [1, 2, 4, 8, 16, 32, 32, 32] {
            reach.reached_itself(now, &virtual_ip(), SECOND);
            assert_eq!(reach.avoided(now + SECOND * rounds), vec![virtual_ip()]);
            now += SECOND * (rounds + 1);
            assert_eq!(reach.avoided(now), vec![]);
        }
        reach.reached_itself(now, &virtual_ip(), SECOND);
        reach.reached_another(&virtual_ip());
        assert_eq!(reach.avoided(now), vec![]);
        reach.reached_itself(now, &virtual_ip(), SECOND);
        assert_eq!(reach.avoided(now + SECOND * 2), vec![], "it begins anew");
    }

    #[test]
    fn names_do_not_count_and_the_number_is_bounded() {
        let mut reach = SelfReach::default();
        let now = Instant::from_secs(10);
        reach.reached_itself(now, &Address::new("all-nodes.example", 7000), SECOND);
        assert_eq!(reach.avoided(now), vec![]);
        for number in 0..300_u32 {
            let address = Address::new(format!("10.0.{}.{}", number / 256, number % 256), 7000);
            reach.reached_itself(now + SECOND * number / 1_000, &address, SECOND);
        }
        assert_eq!(reach.avoided(now).len(), MAX_ADDRESSES);
    }
}
