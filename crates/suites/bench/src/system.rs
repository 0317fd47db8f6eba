//! A cluster of one membership system in virtual time.

mod chitchat;
mod foca;
mod tidings;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clap::ValueEnum;
use serde::Serialize;
use tidings_core::Instant;
use tidings_sim::{Random, Scenario, Traffic};

use crate::links::Deliveries;

/// A cluster of one membership system, its clock and its links. Nodes are named by their index, in the order in which
/// they were started.
pub trait System {
    /// Starts the next node. The first one is the seed of all.
    ///
    /// # Errors
    /// The system does not take the settings.
    fn spawn(&mut self) -> anyhow::Result<()>;

    /// Lets virtual time pass up to `until`, with all that happens in it.
    ///
    /// # Errors
    /// A node failed of itself: not by [`System::crash`], nor because of what the links do.
    fn run_until(&mut self, until: Instant) -> anyhow::Result<()>;

    /// Ends a node's process at once, for good.
    fn crash(&mut self, index: usize);

    /// Takes what nodes found out about each other since the last call, in the order in which they did.
    fn take_news(&mut self) -> Vec<News>;

    /// Whom the node takes for live, itself left out, in order.
    fn live(&self, observer: usize) -> Vec<usize>;

    /// Whether each of these nodes has all key-values of all of them. Of a system without key-values: yes.
    fn has_all_key_values(&self, running: &[usize]) -> bool;

    /// What has passed over the links.
    fn traffic(&self) -> Traffic;

    /// What the links did with it; `None`: that is not counted apart.
    fn deliveries(&self) -> Option<Deliveries>;

    /// A hash of all that has happened; `None`: the same seed does not give the same run.
    fn trace_hash(&self) -> Option<u64>;
}

/// Something that one node found out about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News {
    /// When.
    pub at: Instant,
    /// Who found it out.
    pub observer: usize,
    /// About whom.
    pub subject: usize,
    /// What.
    pub change: Change,
}

/// What a node may find out about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is live.
    Joined,
    /// It is dead.
    Died,
}

/// The systems there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// tidings, through `tidings-sim`.
    Tidings,
    /// chitchat 0.13, in its default protocol version, 0.
    Chitchat,
    /// chitchat 0.13 in its protocol version 1, which compresses digests.
    ChitchatV1,
    /// foca 2.0, which is SWIM: members only, no key-values.
    Foca,
}

impl Kind {
    /// An empty cluster of this system. `random` decides what the links do and, where the system lets it, the nodes.
    ///
    /// # Errors
    /// The system cannot be set up.
    pub fn build(self, scenario: &Scenario, random: Random) -> anyhow::Result<Box<dyn System>> {
        let scenario = scenario.clone();
        Ok(match self {
            Kind::Tidings => Box::new(tidings::Tidings::new(scenario, random)),
            Kind::Chitchat => Box::new(chitchat::Cluster::new(scenario, random, ::chitchat::ProtocolVersion::V0)?),
            Kind::ChitchatV1 => Box::new(chitchat::Cluster::new(scenario, random, ::chitchat::ProtocolVersion::V1)?),
            Kind::Foca => Box::new(foca::Cluster::new(scenario, random)?),
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Tidings => "tidings",
            Kind::Chitchat => "chitchat",
            Kind::ChitchatV1 => "chitchat-v1",
            Kind::Foca => "foca",
        })
    }
}

/// Every node's generation, or what of one is shared: nanoseconds since 1970, as long on the wire as in real life.
const GENERATION: u64 = 1_750_000_000_000_000_000;

/// The address 10.0.0.1, of the node 0.
const FIRST_IP: u32 = 0x0a00_0001;

/// The address of a node: that of `tidings_sim::address`.
fn socket_address(index: usize) -> SocketAddr {
    // Scenarios have at most 100,000 nodes.
    let offset = u32::try_from(index).unwrap_or(u32::MAX - FIRST_IP);
    SocketAddr::new(IpAddr::V4(Ipv4Addr::from(FIRST_IP + offset)), 7000)
}

/// The node at this address.
fn index_of(address: SocketAddr) -> Option<usize> {
    let IpAddr::V4(ip) = address.ip() else { return None };
    usize::try_from(u32::from(ip).checked_sub(FIRST_IP)?).ok()
}

/// The values that a node's user sets, as `tidings-sim` writes them: each another one, all of the same length.
#[derive(Debug, Default)]
struct Values {
    writes: u64,
}

impl Values {
    fn next(&mut self, len: usize) -> String {
        self.writes += 1;
        let number = format!("{}:", self.writes);
        let padding = len.saturating_sub(number.len());
        number + &"v".repeat(padding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_the_simulator_and_read_back() {
        for index in [0, 1, 254, 255, 300, 99_999] {
            let address = tidings_sim::address(index);
            assert_eq!(socket_address(index).to_string(), format!("{}:{}", address.host(), address.port()));
            assert_eq!(index_of(socket_address(index)), Some(index));
        }
        assert_eq!(index_of(([9, 0, 0, 1], 1).into()), None);
    }
}
