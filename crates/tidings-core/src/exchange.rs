//! The open exchanges: Syn, SynAck, Ack on one connection, what each still waits for, and until when.

mod deadline;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use crate::config::ExchangeTimeouts;
use crate::error::Rejected;
use crate::id::{Address, NodeId};
use crate::members::Proof;
use crate::time::Instant;
use deadline::Deadlines;

pub use deadline::Deadline;

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

impl Via {
    /// The exchange, in either role.
    #[must_use]
    pub fn exchange(self) -> ExchangeId {
        let (Via::Dialled(id) | Via::Accepted(id)) = self;
        id
    }
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
    /// A deadline passed. The node finds that out by itself; see [`Abort`].
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

/// Cut the connection of an exchange: a deadline passed, and the exchange is over.
///
/// There is nothing more to say about it: packets that still come are rejected, and `handle_closed` does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Abort {
    /// The exchange.
    pub exchange: ExchangeId,
    /// The deadline that passed.
    pub deadline: Deadline,
    /// Who spoke on it, if it has said so.
    pub peer: Option<NodeId>,
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
    SynAck { to: Address, asked_at: Instant },
    /// Accepted: the Syn.
    Syn { accepted_at: Instant, may_have_waited: Duration },
    /// Accepted: the Ack to our SynAck, from the node that sent the Syn.
    Ack { from: NodeId, protocol_revision: u32, proof: Proof, asked_at: Instant },
    /// In the dialect between nodes of ours: the next message of an exchange. `asked_at`: when the last one was sent, or the
    /// connection was made. `from`: who spoke on it before. `is_announced`: the dialler said that it has more to say.
    Message { to: Option<Address>, asked_at: Instant, from: Option<NodeId>, is_announced: bool },
    /// Nothing: only to be closed. `told`: the node that holds our key-values up to a version once the Ack is sent.
    Close { completed: bool, told: Option<(NodeId, u64)> },
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
struct Exchange {
    stage: Stage,
    /// What is under way: `Connect`, then `Packet`.
    step: Deadline,
    /// When this step must be over, and with it perhaps the whole.
    due: Instant,
    /// When all of it must be over.
    whole_due: Instant,
    /// Whence it was accepted; `None`: dialled.
    accepted_from: Option<IpAddr>,
    /// It was dialled to say goodbye.
    tells_farewell: bool,
    /// It was dialled to a node that is live, as far as is known, and has not been silent for long.
    to_live: bool,
    /// Where it was dialled, as long as nobody has answered there.
    unanswered: Option<Address>,
    /// Who speaks on it, once it has.
    peer: Option<NodeId>,
}

/// What an exchange was when it was closed.
#[derive(Clone, Debug)]
pub(crate) struct Closed {
    pub(crate) stage: Stage,
    pub(crate) tells_farewell: bool,
    pub(crate) to_live: bool,
    pub(crate) unanswered: Option<Address>,
}

/// The open exchanges, by id. Each stays until the caller says that it is closed, or a deadline passes.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Exchanges {
    open: BTreeMap<ExchangeId, Exchange>,
    accepted: usize,
    accepted_by_ip: BTreeMap<IpAddr, usize>,
    last_id: u64,
    deadlines: Deadlines,
    aborts: VecDeque<Abort>,
}

/// What time it is, and how long exchanges may take from now on, by the active clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience<'a> {
    pub(crate) now: Instant,
    pub(crate) active: Instant,
    pub(crate) timeouts: &'a ExchangeTimeouts,
}

impl Patience<'_> {
    /// When a step that begins now must be over.
    fn due(&self, step: Deadline, whole_due: Instant) -> Instant {
        match step {
            Deadline::Connect => whole_due.min(self.active + self.timeouts.connect),
            Deadline::Packet => whole_due.min(self.active + self.timeouts.packet),
            Deadline::Whole => whole_due,
        }
    }
}

impl Exchanges {
    /// Opens an exchange by dialling `to`.
    pub(crate) fn dial(
        &mut self,
        patience: Patience<'_>,
        to: Address,
        to_live: bool,
        tells_farewell: bool,
    ) -> ExchangeId {
        let whole_due = patience.active + patience.timeouts.whole;
        self.insert(Exchange {
            unanswered: Some(to.clone()),
            stage: Stage::SynAck { to, asked_at: patience.now },
            step: Deadline::Connect,
            due: patience.due(Deadline::Connect, whole_due),
            whole_due,
            accepted_from: None,
            tells_farewell,
            to_live,
            peer: None,
        })
    }

    /// The same in the dialect between nodes of ours, for whoever is at `to`.
    pub(crate) fn dial_message(
        &mut self,
        patience: Patience<'_>,
        to: Address,
        is_announced: bool,
        tells_farewell: bool,
    ) -> ExchangeId {
        let stage = Stage::Message { to: Some(to.clone()), asked_at: patience.now, from: None, is_announced };
        let id = self.dial(patience, to, false, tells_farewell);
        if let Some(exchange) = self.open.get_mut(&id) {
            exchange.stage = stage;
        }
        id
    }

    /// Takes in an exchange opened by a peer, which may have waited for so long; `None`: there are too many, of all peers or of this one.
    pub(crate) fn accept(
        &mut self,
        patience: Patience<'_>,
        may_have_waited: Duration,
        from: IpAddr,
        max: usize,
        max_per_ip: usize,
    ) -> Option<ExchangeId> {
        let from_this_ip = self.accepted_by_ip.get(&from).copied().unwrap_or(0);
        if self.accepted + self.aborts.len() >= max || from_this_ip >= max_per_ip {
            return None;
        }
        self.accepted += 1;
        self.accepted_by_ip.insert(from, from_this_ip + 1);
        let whole_due = patience.active + patience.timeouts.whole;
        Some(self.insert(Exchange {
            unanswered: None,
            stage: Stage::Syn { accepted_at: patience.now, may_have_waited },
            step: Deadline::Packet,
            due: patience.due(Deadline::Packet, whole_due),
            whole_due,
            accepted_from: Some(from),
            tells_farewell: false,
            to_live: false,
            peer: None,
        }))
    }

    fn insert(&mut self, exchange: Exchange) -> ExchangeId {
        self.last_id += 1;
        let id = ExchangeId(self.last_id);
        self.deadlines.insert(exchange.due, id);
        self.open.insert(id, exchange);
        id
    }

    /// The connection of a dialled exchange is made; the packets' turn has come.
    pub(crate) fn connected(&mut self, patience: Patience<'_>, id: ExchangeId) {
        let Some(exchange) = self.open.get_mut(&id).filter(|exchange| exchange.step == Deadline::Connect) else {
            return;
        };
        if let Stage::Message { asked_at, .. } = &mut exchange.stage {
            *asked_at = patience.now;
        }
        self.begin_step(patience, id);
    }

    /// The next packet, ours or the peer's, has from now on its own time.
    pub(crate) fn begin_step(&mut self, patience: Patience<'_>, id: ExchangeId) {
        if let Some(exchange) = self.open.get_mut(&id) {
            self.deadlines.remove(exchange.due, id);
            exchange.step = Deadline::Packet;
            exchange.due = patience.due(Deadline::Packet, exchange.whole_due);
            self.deadlines.insert(exchange.due, id);
        }
    }

    /// When the next deadline passes, on the active clock.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Lets no deadline pass before `active`.
    pub(crate) fn spare_until(&mut self, active: Instant) {
        self.deadlines.spare_until(active);
    }

    /// The exchanges whose deadline has passed; each is to be closed.
    pub(crate) fn overdue(&self, active: Instant) -> Vec<ExchangeId> {
        self.deadlines.overdue(active)
    }

    /// Has the caller cut the connection of an exchange that is about to be closed.
    pub(crate) fn abort(&mut self, id: ExchangeId) {
        if let Some(exchange) = self.open.get(&id) {
            let deadline = if exchange.due < exchange.whole_due { exchange.step } else { Deadline::Whole };
            self.aborts.push_back(Abort { exchange: id, deadline, peer: exchange.peer.clone() });
        }
    }

    pub(crate) fn next_abort(&mut self) -> Option<Abort> {
        self.aborts.pop_front()
    }

    /// What waits to be drained. Until then it counts as open, in both directions, so that there are never more of both
    /// than may be open.
    pub(crate) fn aborts(&self) -> &VecDeque<Abort> {
        &self.aborts
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
        if self.accepted != by_ip.values().sum::<usize>() || self.accepted_by_ip != by_ip {
            return Err("the accepted ones are not as many as are counted");
        }
        if self.open.last_key_value().is_some_and(|(id, _)| id.0 > self.last_id) {
            return Err("one is open that is still to come");
        }
        if !self.deadlines.are(self.open.iter().map(|(id, exchange)| (exchange.due, *id))) {
            return Err("the deadlines are not those of the open ones");
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
        self.open.values().any(|exchange| matches!(&exchange.stage, Stage::SynAck { to, .. } if to == address))
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
        if let Some(exchange) = self.open.get_mut(&via.exchange()) {
            exchange.stage = stage;
        }
    }

    /// The peer has said who it is.
    pub(crate) fn introduce(&mut self, via: Via, peer: &NodeId) {
        if let Some(exchange) = self.open.get_mut(&via.exchange()) {
            exchange.peer = Some(peer.clone());
        }
    }

    /// A node has answered where the exchange was dialled.
    pub(crate) fn answered(&mut self, via: Via) {
        if let Some(exchange) = self.open.get_mut(&via.exchange()) {
            exchange.unanswered = None;
        }
    }

    /// Whence an exchange was accepted; `None`: it was dialled, or is not open.
    pub(crate) fn accepted_from(&self, via: Via) -> Option<IpAddr> {
        self.open.get(&via.exchange())?.accepted_from
    }

    /// Who speaks on an open exchange, if it has said so.
    pub(crate) fn peer(&self, id: ExchangeId) -> Option<&NodeId> {
        self.open.get(&id)?.peer.as_ref()
    }

    /// Forgets an exchange and gives what it was.
    pub(crate) fn close(&mut self, id: ExchangeId) -> Option<Closed> {
        let exchange = self.open.remove(&id)?;
        self.deadlines.remove(exchange.due, id);
        if let Some(ip) = exchange.accepted_from {
            self.accepted -= 1;
            if let Some(count) = self.accepted_by_ip.get_mut(&ip) {
                *count -= 1;
                if *count == 0 {
                    self.accepted_by_ip.remove(&ip);
                }
            }
        }
        let Exchange { stage, tells_farewell, to_live, unanswered, .. } = exchange;
        Some(Closed { stage, tells_farewell, to_live, unanswered })
    }
}

#[cfg(test)]
mod tests;
