//! The open exchanges: Syn, SynAck, Ack on one connection, and what each still waits for.

use alloc::collections::BTreeMap;
use alloc::string::String;
use bytes::Bytes;
use core::fmt;
use core::net::IpAddr;

use crate::error::Rejected;
use crate::id::{Address, NodeId};

/// Names one exchange, dialled or accepted, for as long as the node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub struct ExchangeId(u64);

#[cfg(feature = "record")]
impl ExchangeId {
    /// Which one it is of all exchanges, from 1 on.
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exchange {}", self.0)
    }
}

/// The role of this node in an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub enum Via {
    /// The packet is the answer on an exchange this node opened.
    Dialled(ExchangeId),
    /// The packet came on an exchange opened to this node.
    Accepted(ExchangeId),
}

/// How an exchange ended, as the caller saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Outcome {
    /// All packets were sent, and the last reply said [`Next::Close`].
    Done,
    /// The connection was refused or could not be made.
    Refused,
    /// A deadline for connecting, reading or writing passed.
    TimedOut,
    /// The connection broke, or what came on it was no frame.
    Failed,
}

/// Open an exchange: connect to `to`, send `packet`, and hand in the answer with [`Via::Dialled`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub struct Transmit {
    /// Names the exchange in what follows.
    pub exchange: ExchangeId,
    /// Whom to connect to.
    pub to: Address,
    /// The name the peer's certificate must hold, if it is known to have one.
    pub tls_name: Option<String>,
    /// The packet, without its length.
    pub packet: Bytes,
}

/// What to do after a packet was handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Send this first, if it is there.
    pub packet: Option<Bytes>,
    /// Then read another packet, or close.
    pub next: Next,
    /// The packet changed nothing, for this reason; worth a line in a log.
    pub rejected: Option<Rejected>,
}

/// What an exchange needs after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub enum Next {
    /// Read the peer's next packet.
    Read,
    /// Close the connection, and say so with `handle_closed`.
    Close,
}

/// What an exchange waits for.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Stage {
    /// Dialled: the answer to our Syn, from `to`.
    SynAck { to: Address },
    /// Accepted: the Syn.
    Syn,
    /// Accepted: the Ack to our SynAck, from the node that sent the Syn.
    Ack { from: NodeId, protocol_revision: u32 },
    /// Nothing: only to be closed. `told`: the node that holds our key-values up to a version once the Ack is sent.
    Close { completed: bool, told: Option<(NodeId, u64)> },
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
struct Exchange {
    stage: Stage,
    /// Whence it was accepted; `None`: dialled.
    accepted_from: Option<IpAddr>,
    /// It was dialled to say goodbye.
    tells_farewell: bool,
    /// It was dialled to a node that is live, as far as is known.
    to_live: bool,
    /// Who speaks on it, once it has.
    peer: Option<NodeId>,
}

/// What an exchange was when it was closed.
#[derive(Clone, Debug)]
pub(crate) struct Closed {
    pub(crate) stage: Stage,
    pub(crate) tells_farewell: bool,
    pub(crate) to_live: bool,
}

/// The open exchanges, by id. Each stays until the caller says that it is closed.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Exchanges {
    open: BTreeMap<ExchangeId, Exchange>,
    accepted: usize,
    accepted_by_ip: BTreeMap<IpAddr, usize>,
    last_id: u64,
}

impl Exchanges {
    /// Opens an exchange by dialling `to`.
    pub(crate) fn dial(&mut self, to: Address, to_live: bool, tells_farewell: bool) -> ExchangeId {
        self.insert(Exchange { stage: Stage::SynAck { to }, accepted_from: None, tells_farewell, to_live, peer: None })
    }

    /// Takes in an exchange opened by a peer; `None`: there are too many, of all peers or of this one.
    pub(crate) fn accept(&mut self, from: IpAddr, max: usize, max_per_ip: usize) -> Option<ExchangeId> {
        let from_this_ip = self.accepted_by_ip.get(&from).copied().unwrap_or(0);
        if self.accepted >= max || from_this_ip >= max_per_ip {
            return None;
        }
        self.accepted += 1;
        self.accepted_by_ip.insert(from, from_this_ip + 1);
        Some(self.insert(Exchange {
            stage: Stage::Syn,
            accepted_from: Some(from),
            tells_farewell: false,
            to_live: false,
            peer: None,
        }))
    }

    fn insert(&mut self, exchange: Exchange) -> ExchangeId {
        self.last_id += 1;
        let id = ExchangeId(self.last_id);
        self.open.insert(id, exchange);
        id
    }

    /// The exchange that was opened last.
    #[cfg(feature = "record")]
    pub(crate) fn last_id(&self) -> ExchangeId {
        ExchangeId(self.last_id)
    }

    /// What `invariants` holds against the exchanges.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let mut by_ip: BTreeMap<IpAddr, usize> = BTreeMap::new();
        self.open
            .values()
            .filter_map(|exchange| exchange.accepted_from)
            .for_each(|ip| *by_ip.entry(ip).or_default() += 1);
        if self.accepted != by_ip.values().sum() || self.accepted_by_ip != by_ip {
            return Err("the accepted ones are not as many as are counted");
        }
        if self.open.last_key_value().is_some_and(|(id, _)| id.0 > self.last_id) {
            return Err("one is open that is still to come");
        }
        Ok(())
    }

    /// How many this node has open by its own dialling.
    pub(crate) fn dialled(&self) -> usize {
        self.open.len() - self.accepted
    }

    /// How many peers have open to this node.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted
    }

    /// Whether an exchange with this address is open by our dialling.
    pub(crate) fn is_dialling(&self, address: &Address) -> bool {
        self.open.values().any(|exchange| matches!(&exchange.stage, Stage::SynAck { to } if to == address))
    }

    /// What the exchange waits for, if it is open and this node has that role in it. From now on it waits for
    /// nothing, until [`Exchanges::wait_for`] says otherwise.
    pub(crate) fn take_stage(&mut self, via: Via) -> Option<Stage> {
        let (id, is_dialled) = match via {
            Via::Dialled(id) => (id, true),
            Via::Accepted(id) => (id, false),
        };
        let exchange = self.open.get_mut(&id)?;
        if exchange.accepted_from.is_none() != is_dialled {
            return None;
        }
        let idle = Stage::Close { completed: false, told: None };
        Some(core::mem::replace(&mut exchange.stage, idle))
    }

    pub(crate) fn wait_for(&mut self, via: Via, stage: Stage) {
        let (Via::Dialled(id) | Via::Accepted(id)) = via;
        if let Some(exchange) = self.open.get_mut(&id) {
            exchange.stage = stage;
        }
    }

    /// The peer has said who it is.
    pub(crate) fn introduce(&mut self, via: Via, peer: &NodeId) {
        let (Via::Dialled(id) | Via::Accepted(id)) = via;
        if let Some(exchange) = self.open.get_mut(&id) {
            exchange.peer = Some(peer.clone());
        }
    }

    /// Who speaks on an open exchange, if it has said so.
    pub(crate) fn peer(&self, id: ExchangeId) -> Option<&NodeId> {
        self.open.get(&id)?.peer.as_ref()
    }

    /// Forgets an exchange and gives what it was.
    pub(crate) fn close(&mut self, id: ExchangeId) -> Option<Closed> {
        let exchange = self.open.remove(&id)?;
        if let Some(ip) = exchange.accepted_from {
            self.accepted -= 1;
            if let Some(count) = self.accepted_by_ip.get_mut(&ip) {
                *count -= 1;
                if *count == 0 {
                    self.accepted_by_ip.remove(&ip);
                }
            }
        }
        let Exchange { stage, tells_farewell, to_live, .. } = exchange;
        Some(Closed { stage, tells_farewell, to_live })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    const A: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn accepted_exchanges_are_bounded_in_all_and_by_peer_and_a_close_makes_room() {
        let mut exchanges = Exchanges::default();
        let first = exchanges.accept(A, 3, 2).unwrap();
        exchanges.accept(A, 3, 2).unwrap();
        assert_eq!(exchanges.accept(A, 3, 2), None, "two of one address");
        exchanges.accept(B, 3, 2).unwrap();
        assert_eq!(exchanges.accept(B, 3, 2), None, "three in all");
        exchanges.close(first).unwrap();
        assert!(exchanges.accept(A, 3, 2).is_some());
        assert!(exchanges.close(first).is_none(), "closed already");
    }

    #[test]
    fn a_stage_is_given_only_to_its_own_role_and_only_once() {
        let mut exchanges = Exchanges::default();
        let dialled = exchanges.dial(Address::new("h", 1), false, false);
        assert!(exchanges.take_stage(Via::Accepted(dialled)).is_none());
        assert!(matches!(exchanges.take_stage(Via::Dialled(dialled)), Some(Stage::SynAck { .. })));
        assert!(matches!(exchanges.take_stage(Via::Dialled(dialled)), Some(Stage::Close { .. })));
        assert_eq!((exchanges.dialled(), exchanges.accepted()), (1, 0));
    }

    #[test]
    fn what_an_exchange_waits_for_is_what_it_is_when_it_is_closed() {
        let mut exchanges = Exchanges::default();
        let accepted = exchanges.accept(A, 9, 9).unwrap();
        assert!(matches!(exchanges.take_stage(Via::Accepted(accepted)), Some(Stage::Syn)));
        let from = crate::testing::id("a", 1);
        exchanges.introduce(Via::Accepted(accepted), &from);
        assert_eq!(exchanges.peer(accepted), Some(&from));
        exchanges.wait_for(Via::Accepted(accepted), Stage::Ack { from, protocol_revision: 1 });
        let closed = exchanges.close(accepted).unwrap();
        assert_eq!(exchanges.peer(accepted), None);
        assert!(matches!(closed, Closed { stage: Stage::Ack { .. }, tells_farewell: false, to_live: false }));

        let dialled = exchanges.dial(Address::new("h", 1), true, true);
        assert!(exchanges.close(dialled).is_some_and(|closed| closed.tells_farewell && closed.to_live));
        assert_eq!((exchanges.dialled(), exchanges.accepted()), (0, 0));
        // Of what is closed nothing is expected, and nothing is kept.
        exchanges.wait_for(Via::Dialled(dialled), Stage::Syn);
        assert!(exchanges.take_stage(Via::Dialled(dialled)).is_none() && exchanges.close(dialled).is_none());
    }

    #[test]
    fn an_address_is_being_dialled_until_its_answer_is_in() {
        let mut exchanges = Exchanges::default();
        let (here, there) = (Address::new("h", 1), Address::new("h", 2));
        let dialled = exchanges.dial(here.clone(), false, false);
        assert!(exchanges.is_dialling(&here) && !exchanges.is_dialling(&there));
        exchanges.take_stage(Via::Dialled(dialled)).unwrap();
        assert!(!exchanges.is_dialling(&here));
    }
}
