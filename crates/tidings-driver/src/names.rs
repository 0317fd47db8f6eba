//! Which addresses a host name stands for: resolved now and then, used in turn, this node's own left out.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tidings_core::Address;
use tracing::debug;

use crate::connection::Failure;
use crate::deadline::by;
use crate::lookups::Lookups;
use crate::runtime::Runtime;

/// Of a name with more addresses a dial tries this many, so that each has some time; the next dial begins with another.
const MOST_TRIED: usize = 4;
/// The names remembered, and the addresses of each. There is one name for each member that advertises one.
const MOST_NAMES: usize = 4_096;
const MOST_ADDRESSES: usize = 256;
/// The addresses by which this node was found to reach itself.
const MOST_OWN: usize = 256;
/// Where this node has reached itself it does not dial for so long, doubled each time to the longest. The address may be a
/// virtual one that stands for others as well.
const FIRST_WAIT: Duration = Duration::from_secs(8);
const LONGEST_WAIT: Duration = Duration::from_secs(64);

/// What one node knows of the hosts that it dials.
///
/// A name of several nodes, as that of a headless service, leads each dial to the next of them. What was resolved is
/// used for some time, and also after it while the resolver fails, so that a cluster outlives its DNS.
pub(crate) struct Names {
    resolve_interval: Duration,
    lookups: Arc<Lookups>,
    known: Mutex<Known>,
}

impl Names {
    /// `own`: the addresses known to be this node's. `first_turn`: with which of a name's addresses to begin; let it
    /// differ from node to node, so that not all begin with the same.
    pub(crate) fn new(
        resolve_interval: Duration,
        own: impl IntoIterator<Item = SocketAddr>,
        first_turn: usize,
    ) -> Names {
        let mut known = Known { names: BTreeMap::new(), own: BTreeMap::new(), first_turn };
        own.into_iter().for_each(|address| known.add_own(address));
        Names { resolve_interval, lookups: Arc::default(), known: Mutex::new(known) }
    }

    /// The addresses to try for `to`, in this order.
    pub(crate) async fn addresses<R: Runtime>(
        &self,
        to: &Address,
        deadline: Instant,
    ) -> Result<Vec<SocketAddr>, Failure> {
        // An IP address is dialled as it is. If it is this node's own, the core learns so and waits.
        if let Ok(ip) = to.host().parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, to.port())]);
        }
        let fresh_until = self.known().fresh_until(to);
        if fresh_until.is_none_or(|fresh_until| fresh_until <= Instant::now()) {
            self.resolve::<R>(to, deadline, fresh_until.is_some()).await?;
        }
        match self.known().next(Instant::now(), to) {
            addresses if addresses.is_empty() => Err(Failure::OnlyItself),
            addresses => Ok(addresses),
        }
    }

    /// Learns the addresses of `to`. It is no error that they cannot be had if some `are_known` already.
    async fn resolve<R: Runtime>(&self, to: &Address, deadline: Instant, are_known: bool) -> Result<(), Failure> {
        let begin = Instant::now();
        // Then there must be time left to connect to them.
        let patience = if are_known { begin + deadline.saturating_duration_since(begin) / 2 } else { deadline };
        let resolved = by::<R, _>(patience, self.lookups.resolve::<R>(to)).await;
        let fresh_until = Instant::now() + self.resolve_interval;
        let failure = match resolved {
            Some(Ok(addresses)) if !addresses.is_empty() => {
                self.known().learn(to, addresses, fresh_until);
                return Ok(());
            }
            Some(Ok(_)) => Failure::Unreached(io::Error::new(io::ErrorKind::NotFound, "the host has no address")),
            Some(Err(error)) => Failure::Unreached(error),
            None => Failure::ConnectTimedOut,
        };
        if !are_known {
            return Err(failure);
        }
        debug!(host = %to, reason = %failure, "not resolved; the addresses known before are used");
        self.known().trust(to, fresh_until);
        Ok(())
    }

    /// What was dialled as `to` went wrong: it is resolved again before the next dial.
    pub(crate) fn distrust(&self, to: &Address) {
        self.known().trust(to, Instant::now());
    }

    /// This node advertises `new` from now on. Others may have `old` by then, unless it `listens` there.
    pub(crate) fn advertises(&self, old: &Address, new: &Address, listens: SocketAddr) {
        let socket = |address: &Address| Some(SocketAddr::new(address.host().parse().ok()?, address.port()));
        let mut known = self.known();
        if let Some(old) = socket(old).filter(|old| canonical(*old) != canonical(listens)) {
            known.own.remove(&canonical(old));
        }
        if let Some(new) = socket(new) {
            known.add_own(new);
        }
    }

    /// This node has reached itself at `address`, which is left out for a while.
    pub(crate) fn reached_itself(&self, address: SocketAddr) {
        self.known().reached_itself(Instant::now(), address);
    }

    /// Another node has answered at `address`.
    pub(crate) fn reached_another(&self, address: SocketAddr) {
        self.known().reached_another(address);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Known {
    names: BTreeMap<Address, Name>,
    own: BTreeMap<SocketAddr, Own>,
    first_turn: usize,
}

/// An address of this node's own.
#[derive(Clone, Copy)]
enum Own {
    /// It listens there, or advertises it.
    Always,
    /// It has reached itself there, and waits.
    Until { again: Instant, wait: Duration },
}

struct Name {
    addresses: Vec<SocketAddr>,
    fresh_until: Instant,
    turn: usize,
}

impl Known {
    fn fresh_until(&self, name: &Address) -> Option<Instant> {
        self.names.get(name).map(|name| name.fresh_until)
    }

    /// What to try next of a name: none of this node's own addresses, so perhaps nothing.
    fn next(&mut self, now: Instant, name: &Address) -> Vec<SocketAddr> {
        let Some(name) = self.names.get_mut(name) else { return Vec::new() };
        let is_other = |address: &SocketAddr| match self.own.get(&canonical(*address)) {
            Some(Own::Always) => false,
            Some(Own::Until { again, .. }) => now >= *again,
            None => true,
        };
        let mut addresses: Vec<_> = name.addresses.iter().copied().filter(is_other).collect();
        if !addresses.is_empty() {
            let first = name.turn % addresses.len();
            addresses.rotate_left(first);
            addresses.truncate(MOST_TRIED);
            name.turn = name.turn.wrapping_add(1);
        }
        addresses
    }

    fn learn(&mut self, name: &Address, mut addresses: Vec<SocketAddr>, fresh_until: Instant) {
        // Resolvers shuffle; here each has its turn.
        addresses.sort_unstable();
        addresses.dedup();
        addresses.truncate(MOST_ADDRESSES);
        let turn = self.names.get(name).map_or(self.first_turn, |known| known.turn);
        if self.names.len() >= MOST_NAMES && !self.names.contains_key(name) {
            let oldest = self.names.iter().min_by_key(|(_, name)| name.fresh_until).map(|(name, _)| name.clone());
            oldest.and_then(|name| self.names.remove(&name));
        }
        self.names.insert(name.clone(), Name { addresses, fresh_until, turn });
    }

    fn trust(&mut self, name: &Address, fresh_until: Instant) {
        if let Some(name) = self.names.get_mut(name) {
            name.fresh_until = fresh_until;
        }
    }

    fn add_own(&mut self, address: SocketAddr) {
        if self.own.len() < MOST_OWN {
            self.own.insert(canonical(address), Own::Always);
        }
    }

    fn reached_itself(&mut self, now: Instant, address: SocketAddr) {
        let address = canonical(address);
        let wait = match self.own.get(&address) {
            Some(Own::Always) => return,
            Some(Own::Until { wait, .. }) => (*wait * 2).min(LONGEST_WAIT),
            None if self.own.len() >= MOST_OWN => return,
            None => FIRST_WAIT,
        };
        self.own.insert(address, Own::Until { again: now + wait, wait });
    }

    fn reached_another(&mut self, address: SocketAddr) {
        let address = canonical(address);
        if matches!(self.own.get(&address), Some(Own::Until { .. })) {
            self.own.remove(&address);
        }
    }
}

/// An IPv4 address in its own form, however it was written.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn known(first_turn: usize) -> Known {
        Known { names: BTreeMap::new(), own: BTreeMap::new(), first_turn }
    }

    fn service() -> Address {
        Address::new("nodes.example", 7000)
    }

    fn node(number: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, number], 7000))
    }

    fn firsts(known: &mut Known, count: usize) -> Vec<Option<SocketAddr>> {
        (0..count).map(|_| known.next(Instant::now(), &service()).first().copied()).collect()
    }

    #[test]
    fn each_address_has_its_turn_also_when_the_resolver_shuffles_them() {
        let mut known = known(4);
        let mut firsts = Vec::new();
        for shuffled in [[1, 2, 3], [3, 1, 2], [2, 3, 1]] {
            known.learn(&service(), shuffled.map(node).to_vec(), Instant::now());
            firsts.push(known.next(Instant::now(), &service())[0]);
        }
        assert_eq!(firsts, [node(2), node(3), node(1)], "from the turn it was given on");
    }

    #[test]
    fn a_dial_tries_a_few_addresses_and_the_dials_try_them_all() {
        let mut known = known(0);
        known.learn(&service(), (1..=9).map(node).collect(), Instant::now());
        assert_eq!(known.next(Instant::now(), &service()), [1, 2, 3, 4].map(node));
        assert_eq!(known.next(Instant::now(), &service()), [2, 3, 4, 5].map(node));
        assert_eq!(firsts(&mut known, 7), [3, 4, 5, 6, 7, 8, 9].map(|number| Some(node(number))));
    }

    #[test]
    fn this_nodes_own_addresses_are_left_out_in_whatever_form() {
        let mut known = known(0);
        known.learn(&service(), vec![node(1), "[::ffff:10.0.0.2]:7000".parse().unwrap(), node(3)], Instant::now());
        known.add_own(node(2));
        assert_eq!(firsts(&mut known, 4), [1, 3, 1, 3].map(|number| Some(node(number))));
        known.add_own("[::ffff:10.0.0.1]:7000".parse().unwrap());
        known.add_own(SocketAddr::from(([10, 0, 0, 3], 7001)));
        assert_eq!(firsts(&mut known, 2), [Some(node(3)), Some(node(3))], "another port is another node");
        known.add_own(node(3));
        assert_eq!(firsts(&mut known, 1), [None]);
    }

    #[test]
    fn an_address_where_it_has_reached_itself_is_tried_again_ever_later() {
        let mut known = known(0);
        let mut now = Instant::now();
        known.add_own(node(2));
        known.learn(&service(), vec![node(1), node(2)], now + HOUR);
        for secs in [8, 16, 32, 64, 64] {
            known.reached_itself(now, node(1));
            known.reached_itself(now, node(2));
            assert_eq!(known.next(now + Duration::from_secs(secs - 1), &service()), []);
            now += Duration::from_secs(secs);
            assert_eq!(known.next(now, &service()), [node(1)], "what it listens at stays left out");
        }
        known.reached_itself(now, node(1));
        known.reached_another(node(1));
        assert_eq!(known.next(now, &service()), [node(1)]);
        known.reached_itself(now, node(1));
        assert_eq!(known.next(now + FIRST_WAIT, &service()), [node(1)], "it begins anew");
    }

    #[test]
    fn what_a_resolver_may_fill_is_bounded() {
        let mut known = known(0);
        let start = Instant::now();
        for number in 0..=MOST_NAMES {
            let name = Address::new(format!("node{number}.example"), 7000);
            known.learn(&name, vec![node(1)], start + HOUR + Duration::from_nanos(number as u64));
        }
        assert_eq!(known.names.len(), MOST_NAMES);
        assert!(known.fresh_until(&Address::new("node0.example", 7000)).is_none(), "the oldest gives way");
        assert!(known.fresh_until(&Address::new("node1.example", 7000)).is_some());

        let many = (0..=u16::try_from(MOST_ADDRESSES).unwrap()).map(|port| SocketAddr::from(([10, 0, 0, 1], port)));
        known.learn(&service(), many.clone().collect(), start + HOUR);
        assert_eq!(known.names[&service()].addresses.len(), MOST_ADDRESSES);
        many.for_each(|address| known.add_own(address));
        assert_eq!(known.own.len(), MOST_OWN);
    }
}
