//! The sans-IO core of tidings: cluster membership and small shared key-values by gossip, as a pure state machine.
//!
//! A [`Node`] is one member's whole protocol state. It reads no clock, opens no socket, starts no thread and draws no
//! global random number: the caller hands in instants and packets, and takes packets and events out. So one and the
//! same code runs on any async runtime, in a simulator, and in a fuzzer. The drivers (`tidings-tokio`,
//! `tidings-smol`) are such callers; use them unless you have a runtime of your own.
//!
//! # The contract
//!
//! - **Inputs** are `handle_*` and [`accept`](Node::accept). `now` comes first and never runs backwards; an earlier one
//!   is clamped.
//! - **Outputs** are `poll_*`. After any input or command, drain [`poll_transmit`](Node::poll_transmit),
//!   [`poll_abort`](Node::poll_abort) and [`poll_event`](Node::poll_event), in this order, then read
//!   [`poll_timeout`](Node::poll_timeout) again.
//! - **An exchange** is Syn, SynAck, Ack on one connection. To open one the node gives a [`Transmit`]; tell it with
//!   [`handle_connected`](Node::handle_connected) when the connection is made. An exchange that a peer opens is announced
//!   with [`accept`](Node::accept). The [`Reply`] to each packet says what to send, and whether to read on. Each exchange
//!   ends with one [`handle_closed`](Node::handle_closed), or with an [`Abort`]: the node keeps its deadlines
//!   ([`ExchangeTimeouts`]), and the caller sets no timer but that of `poll_timeout`.
//! - **The same config, seed and inputs give the same outputs**, byte for byte.
//!
//! # A whole run loop
//!
//! Three nodes exchange packets with no runtime at all: the network is a function call, and time is a number.
//!
//! ```
//! use std::{collections::BTreeMap, net::IpAddr, time::Duration};
//! use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//! use tidings_core::{Address, Config, Instant, Lifetime, Next, Node, NodeId, Outcome, PeerIdentity, Transmit, Via};
//!
//! const LOCALHOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
//!
//! // One exchange: what a driver does with sockets, from the Syn to the close of both sides.
//! fn exchange(now: Instant, nodes: &mut BTreeMap<Address, Node>, dialler: &Address, syn: Transmit) {
//!     let peer = PeerIdentity::default();
//!     let dialled = syn.exchange;
//!     let Some(accepted) = nodes.get_mut(&syn.to).and_then(|node| node.accept(now, LOCALHOST)) else {
//!         nodes.get_mut(dialler).unwrap().handle_closed(now, dialled, Outcome::Refused);
//!         return;
//!     };
//!     nodes.get_mut(dialler).unwrap().handle_connected(now, dialled);
//!     let (mut packet, mut at_dialler) = (syn.packet, false);
//!     loop {
//!         let (address, via) = match at_dialler {
//!             true => (dialler, Via::Dialled(dialled)),
//!             false => (&syn.to, Via::Accepted(accepted)),
//!         };
//!         let reply = nodes.get_mut(address).unwrap().handle_packet(now, via, &packet, &peer);
//!         at_dialler = !at_dialler;
//!         match (reply.packet, reply.next) {
//!             (Some(answer), _) => packet = answer,
//!             (None, Next::Read) => unreachable!("a side that reads on has said something"),
//!             (None, Next::Close) => break,
//!         }
//!     }
//!     nodes.get_mut(dialler).unwrap().handle_closed(now, dialled, Outcome::Done);
//!     nodes.get_mut(&syn.to).unwrap().handle_closed(now, accepted, Outcome::Done);
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut rng = ChaCha8Rng::seed_from_u64(7);
//! let mut nodes = BTreeMap::new();
//! for number in 1..=3 {
//!     let address = Address::new("127.0.0.1", 7000 + number);
//!     let mut config = Config::new(NodeId::new(format!("simple{number}"), 1, address.clone()));
//!     config.cluster_id = "simple".into();
//!     config.seeds = vec![Address::new("127.0.0.1", 7001)];
//!     let mut node = Node::new(config, Instant::ZERO, &mut rng)?;
//!     node.set(Instant::ZERO, "number", &number.to_string(), Lifetime::Forever)?;
//!     nodes.insert(address, node);
//! }
//!
//! // The loop: sleep until the earliest deadline, wake that node, carry its packets.
//! let mut now = Instant::ZERO;
//! while now < Instant::ZERO + Duration::from_secs(10) {
//!     let due = nodes.iter().filter_map(|(address, node)| Some((node.poll_timeout()?, address.clone()))).min();
//!     let Some((deadline, address)) = due else { break };
//!     now = deadline;
//!     let node = nodes.get_mut(&address).unwrap();
//!     node.handle_timeout(now);
//!     for syn in std::iter::from_fn(|| node.poll_transmit()).collect::<Vec<_>>() {
//!         exchange(now, &mut nodes, &address, syn);
//!     }
//!     // A real network may be slow; this one is not.
//!     assert_eq!(nodes.get_mut(&address).unwrap().poll_abort(), None);
//! }
//!
//! for node in nodes.values_mut() {
//!     assert_eq!(node.live_nodes().len(), 3);
//!     for id in node.live_nodes() {
//!         let state = node.node_state(&id).unwrap();
//!         assert_eq!(state.get("number"), Some(&id.name()["simple".len()..]));
//!     }
//!     while let Some(event) = node.poll_event() {
//!         println!("{:>3} {}", event.sequence, event.kind);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Recording
//!
//! With the feature `record`, the module `record` writes down what a node is given, as bytes, and plays it again: what
//! went wrong in production can be looked at step by step, and becomes a test.
//!
//! # Sources
//!
//! Reconciliation is Scuttlebutt ("Efficient Reconciliation and Flow Control for Anti-Entropy Protocols", van Renesse,
//! Dumitriu, Gough, Thomas, 2008); failure detection is phi-accrual ("The φ Accrual Failure Detector", Hayashibara,
//! Défago, Yared, Katayama, 2004); wire, names and defaults are those of Python aiocluster 1.1.0, whose clusters a node
//! can join.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod config;
mod dialect;
mod dials;
mod error;
mod event;
mod exchange;
mod farewell;
mod id;
mod identity;
pub mod invariants;
mod knowledge;
mod limits;
mod members;
mod node;
pub mod reconcile;
#[cfg(feature = "record")]
pub mod record;
mod rng;
mod self_reach;
mod snapshot;
mod state;
mod stats;
pub mod suspicion;
#[cfg(test)]
mod testing;
mod time;
pub mod wire;
mod work;

pub use config::{Config, DetectionConfig, Dialect, ExchangeTimeouts, FailureDetectorConfig};
pub use error::{ConfigError, ForgetError, Rejected};
pub use event::{Event, EventKind};
pub use exchange::{Abort, Deadline, ExchangeId, Next, Outcome, Reply, Transmit, Via};
pub use id::{Address, NodeId, ParseAddressError, Run};
pub use identity::{CertificateNames, PeerIdentity};
pub use limits::{DecodeLimits, Limits, MAX_VERSION};
pub use node::Node;
pub use snapshot::{Liveness, Member, Snapshot};
pub use state::{
    ENTRY_OVERHEAD, KeyValueUpdate, Lifetime, NodeState, RESERVED_PREFIX, SetError, ValueStatus, VersionedValue,
};
pub use stats::{PacketCounts, RejectedCounts, Stats};
pub use time::Instant;
pub use work::Work;
