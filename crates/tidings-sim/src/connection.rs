//! Connections between two nodes, each carrying one exchange, as TCP and the driver would have them.

use std::collections::BTreeMap;

use bytes::Bytes;
use tidings_core::{ExchangeId, Instant, Via};

/// Names one connection, for the whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnectionId(u64);

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Dialler,
    Acceptor,
}

impl Side {
    pub(crate) fn other(self) -> Side {
        match self {
            Side::Dialler => Side::Acceptor,
            Side::Acceptor => Side::Dialler,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) node: usize,
    /// The node's exchange; `None`: the acceptor has not accepted yet, or is no node.
    pub(crate) exchange: Option<ExchangeId>,
    pub(crate) is_open: bool,
    /// It has sent a packet.
    pub(crate) has_spoken: bool,
    /// Something it sent was lost: what it sends later waits for that, so for ever.
    pub(crate) stalls: bool,
    /// When the last of what it sent arrives; its end comes after that.
    pub(crate) sent_until: Instant,
}

#[derive(Clone, Debug)]
pub(crate) struct Connection {
    dialler: End,
    acceptor: End,
    /// The Syn, until the dialler is connected.
    pub(crate) syn: Option<Bytes>,
    /// The name that the acceptor's certificate must hold, where the dialler expects one.
    pub(crate) expects: Option<String>,
}

/// What a process sends first on a connection of its own.
#[derive(Debug)]
pub(crate) struct Dial {
    /// The node's exchange; `None`: it is no node that dials.
    pub(crate) exchange: Option<ExchangeId>,
    pub(crate) syn: Bytes,
    pub(crate) expects: Option<String>,
}

impl Connection {
    pub(crate) fn end(&self, side: Side) -> &End {
        match side {
            Side::Dialler => &self.dialler,
            Side::Acceptor => &self.acceptor,
        }
    }

    pub(crate) fn end_mut(&mut self, side: Side) -> &mut End {
        match side {
            Side::Dialler => &mut self.dialler,
            Side::Acceptor => &mut self.acceptor,
        }
    }

    /// The node's name for the exchange at this end.
    pub(crate) fn via(&self, side: Side) -> Option<Via> {
        let exchange = self.end(side).exchange?;
        Some(match side {
            Side::Dialler => Via::Dialled(exchange),
            Side::Acceptor => Via::Accepted(exchange),
        })
    }

    fn is_over(&self) -> bool {
        !self.dialler.is_open && !self.acceptor.is_open
    }
}

/// The connections that are open, or about to be, at one end at least.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: BTreeMap<ConnectionId, Connection>,
    last: u64,
}

impl Connections {
    pub(crate) fn dial(&mut self, from: usize, to: usize, dial: Dial) -> ConnectionId {
        let end = |node, exchange, is_open| End {
            node,
            is_open,
            exchange,
            has_spoken: false,
            stalls: false,
            sent_until: Instant::ZERO,
        };
        self.last += 1;
        let id = ConnectionId(self.last);
        let Dial { exchange, syn, expects } = dial;
        let (dialler, acceptor) = (end(from, exchange, true), end(to, None, false));
        self.open.insert(id, Connection { dialler, acceptor, syn: Some(syn), expects });
        id
    }

    pub(crate) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.open.get_mut(&id)
    }

    /// Forgets a connection both ends of which are closed.
    pub(crate) fn tidy(&mut self, id: ConnectionId) {
        if self.open.get(&id).is_some_and(Connection::is_over) {
            self.open.remove(&id);
        }
    }

    /// The open ends at this node.
    pub(crate) fn at(&self, node: usize) -> Vec<(ConnectionId, Side)> {
        let ends = self
            .open
            .iter()
            .flat_map(|(id, connection)| [Side::Dialler, Side::Acceptor].map(|side| (*id, side, connection.end(side))));
        ends.filter(|(_, _, end)| end.is_open && end.node == node).map(|(id, side, _)| (id, side)).collect()
    }

    /// The open end at this node that carries its exchange.
    pub(crate) fn of(&self, node: usize, exchange: ExchangeId) -> Option<(ConnectionId, Side)> {
        let is_it = |end: &End| end.is_open && end.node == node && end.exchange == Some(exchange);
        self.open.iter().find_map(|(id, connection)| {
            let side = [Side::Dialler, Side::Acceptor].into_iter().find(|side| is_it(connection.end(*side)))?;
            Some((*id, side))
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }
}
