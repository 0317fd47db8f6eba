//! The simulator's links for systems that send datagrams.

use std::time::Duration;

use tidings_core::Instant;
use tidings_sim::{Fate, LinkConfig, Network, Random, Traffic};

/// The simulator's links, with a count of what passes.
#[derive(Debug)]
pub struct Links {
    network: Network,
    traffic: Traffic,
    deliveries: Deliveries,
}

/// What became of the datagrams so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// How many were sent.
    pub sent: u64,
    /// How many were lost.
    pub lost: u64,
    /// How many a running node has received, repetitions included.
    pub arrived: u64,
    /// The shortest time one was on the way.
    pub shortest: Option<Duration>,
    /// The longest time one was on the way.
    pub longest: Option<Duration>,
}

impl Links {
    /// Links that behave as `config` says.
    #[must_use]
    pub fn new(config: LinkConfig, random: Random) -> Links {
        Links { network: Network::new(config, random), traffic: Traffic::default(), deliveries: Deliveries::default() }
    }

    /// Sends a datagram, and gives the times at which it arrives: none, one, or two.
    pub fn send(&mut self, now: Instant, from: usize, to: usize, bytes: usize) -> [Option<Instant>; 2] {
        self.traffic.packets += 1;
        self.traffic.bytes += bytes as u64;
        self.traffic.max_packet_bytes = self.traffic.max_packet_bytes.max(bytes as u64);
        self.deliveries.sent += 1;
        match self.network.carry(now, from, to, bytes) {
            Fate::Lost => {
                self.deliveries.lost += 1;
                [None, None]
            }
            Fate::Arrives { at, again } => [Some(at), again],
        }
    }

    /// A datagram that was sent at `sent` arrives.
    pub fn arrived(&mut self, sent: Instant, now: Instant) {
        let took = now.saturating_duration_since(sent);
        let Deliveries { arrived, shortest, longest, .. } = &mut self.deliveries;
        *arrived += 1;
        *shortest = Some(shortest.map_or(took, |shortest| shortest.min(took)));
        *longest = Some(longest.map_or(took, |longest| longest.max(took)));
    }

    /// What was sent so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// What became of it.
    #[must_use]
    pub fn deliveries(&self) -> Deliveries {
        self.deliveries
    }
}
