//! Exchanges: what hosts, links and processes do from a dial to the close of both ends.

use std::time::Duration;

use bytes::Bytes;
use tidings_core::{ExchangeId, Next, Outcome, PeerIdentity, Via, invariants};

use super::World;
use crate::connection::{ConnectionId, Dial, Side};
use crate::host::{Process, Program};
use crate::link::Fate;
use crate::queue::{Arrival, Copy, Happening};
use crate::trace::Note;

impl World {
    pub(super) fn dial(&mut self, from: usize, to: usize, dial: Dial) {
        let is_stranger = dial.exchange.is_none();
        let id = self.connections.dial(from, to, dial);
        if is_stranger {
            self.give_up_later(id, Side::Dialler);
        }
        if !self.network.is_cut(from, to) {
            let at = self.hosts[from].passes(self.now) + self.network.latency();
            self.queue.push(self.hosts[to].passes(at), Happening::Connect(id));
        }
    }

    /// The system of the dialled host answers, whatever the process there does.
    pub(super) fn reach_host(&mut self, id: ConnectionId) -> Option<usize> {
        let connection = self.connections.get_mut(id)?;
        let (from, to) = (connection.end(Side::Dialler).node, connection.end(Side::Acceptor).node);
        let is_answered = match self.hosts[to].process {
            Process::Gone => return None,
            Process::Crashed => false,
            Process::Running | Process::Paused => true,
        };
        if is_answered {
            connection.end_mut(Side::Acceptor).is_open = true;
            self.queue.push(self.now, Happening::Accept(id));
        }
        if !self.network.is_cut(to, from) {
            let at = self.hosts[from].passes(self.hosts[to].passes(self.now) + self.network.latency());
            self.queue.push(at, if is_answered { Happening::Connected(id) } else { Happening::Refused(id) });
        }
        None
    }

    pub(super) fn accept(&mut self, id: ConnectionId) -> Option<()> {
        let connection = self.connections.get_mut(id)?;
        let (from, to) = (connection.end(Side::Dialler).node, connection.end(Side::Acceptor).node);
        if !connection.end(Side::Acceptor).is_open {
            return None;
        }
        let from_ip = self.hosts[from].ip;
        let host = &mut self.hosts[to];
        let now = host.clock.read(self.now);
        let (is_accepted, exchange) = match &mut host.program {
            Program::Node(node) => {
                let exchange = node.accept(now, from_ip);
                (exchange.is_some(), exchange)
            }
            Program::Stranger(stranger) => {
                stranger.accept();
                (true, None)
            }
            Program::Nothing => (false, None),
        };
        self.trace.note(self.now, to, Note::Accepted { from });
        if is_accepted {
            connection.end_mut(Side::Acceptor).exchange = exchange;
            if exchange.is_none() {
                self.give_up_later(id, Side::Acceptor);
            }
        } else {
            connection.end_mut(Side::Acceptor).is_open = false;
            self.tell_peer_of_close(id, Side::Acceptor);
            self.connections.tidy(id);
        }
        Some(())
    }

    pub(super) fn connected(&mut self, id: ConnectionId) -> Option<()> {
        let connection = self.connections.get_mut(id)?;
        if !connection.end(Side::Dialler).is_open {
            return None;
        }
        let exchange = connection.end(Side::Dialler).exchange;
        let syn = connection.syn.take()?;
        let (from, to) = (connection.end(Side::Dialler).node, connection.end(Side::Acceptor).node);
        if !agree_on_tls(&self.hosts[from].identity, &self.hosts[to].identity, connection.expects.as_deref()) {
            return self.close(id, Side::Dialler, Outcome::Failed);
        }
        let host = &mut self.hosts[from];
        let now = host.clock.read(self.now);
        if let (Some(node), Some(exchange)) = (host.node_mut(), exchange) {
            node.handle_connected(now, exchange);
        }
        self.send(id, Side::Dialler, syn);
        Some(())
    }

    fn send(&mut self, id: ConnectionId, side: Side, packet: Bytes) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let (from, to) = (connection.end(side).node, connection.end(side.other()).node);
        self.traffic.packets += 1;
        self.traffic.bytes += packet.len() as u64;
        self.traffic.max_packet_bytes = self.traffic.max_packet_bytes.max(packet.len() as u64);
        let end = connection.end_mut(side);
        let stalls = end.stalls;
        let is_syn = side == Side::Dialler && !std::mem::replace(&mut end.has_spoken, true);
        let fate = match stalls {
            true => Fate::Lost,
            false => self.network.carry(self.hosts[from].passes(self.now), from, to, packet.len()),
        };
        self.trace.note(self.now, from, Note::Sent { to, packet: &packet, lost: fate == Fate::Lost });
        let Fate::Arrives { at, again } = fate else {
            connection.end_mut(side).stalls = true;
            return;
        };
        let at = self.hosts[to].passes(at);
        connection.end_mut(side).sent_until = at;
        // The peer has its exchange by now, unless its process is paused: then it gets it first of all when it goes on.
        let side = side.other();
        let (via, run) = (connection.via(side), self.hosts[to].run);
        let arrival = |copy| {
            let packet = packet.clone();
            Happening::Packet(Arrival { connection: id, side, from, node: to, run, via, packet, copy })
        };
        self.queue.push(at, arrival(Copy::Original));
        if let Some(again) = again {
            let copy = if is_syn && self.random.chance(0.5) { Copy::Anew } else { Copy::Again };
            self.queue.push(self.hosts[to].passes(again), arrival(copy));
        }
    }

    /// A packet has come. The copy of one counts only if it overtook the original; the node must not mind the others.
    pub(super) fn receive(&mut self, arrival: &Arrival) -> Option<()> {
        let Arrival { connection: id, side, from, node, .. } = *arrival;
        let identity = self.hosts[from].identity.clone();
        let from_ip = self.hosts[from].ip;
        let host = &mut self.hosts[node];
        if host.run != arrival.run {
            return None;
        }
        let packet = &*arrival.packet;
        let is_copy = arrival.copy != Copy::Original;
        let now = host.clock.read(self.now);
        let connection = self.connections.get_mut(id);
        let is_open = connection.as_ref().is_some_and(|connection| connection.end(side).is_open);
        let node_of_host = match &mut host.program {
            Program::Node(recorder) => recorder,
            Program::Stranger(stranger) => {
                if is_copy || !is_open {
                    return None;
                }
                self.trace.note(self.now, node, Note::Received { from, packet, is_copy });
                let answer = stranger.handle_packet(now, packet);
                return self.answer(id, side, answer.packet, answer.reads_on);
            }
            Program::Nothing => return None,
        };
        let via = match arrival.copy {
            Copy::Anew => node_of_host.accept(now, from_ip).map(Via::Accepted)?,
            Copy::Original | Copy::Again => {
                arrival.via.or_else(|| connection.and_then(|connection| connection.via(side)))?
            }
        };
        self.trace.note(self.now, node, Note::Received { from, packet, is_copy });
        let before = node_of_host.stats().work;
        let reply = node_of_host.handle_packet(now, via, packet, &identity);
        let bytes = packet.len() + reply.packet.as_ref().map_or(0, Bytes::len);
        if let Err(dear) = invariants::work(before, node_of_host, bytes) {
            self.too_dear.get_or_insert(dear);
        }
        if let Some(reason) = &reply.rejected {
            self.trace.note(self.now, node, Note::Rejected { reason });
        }
        if let (Copy::Anew, Via::Accepted(exchange)) = (arrival.copy, via) {
            node_of_host.handle_closed(now, exchange, Outcome::Failed);
            return Some(());
        }
        if !is_open {
            return Some(());
        }
        self.answer(id, side, reply.packet, reply.next == Next::Read)
    }

    /// Sends the answer, if there is one, and reads on or closes.
    fn answer(&mut self, id: ConnectionId, side: Side, packet: Option<Bytes>, reads_on: bool) -> Option<()> {
        if let Some(packet) = packet {
            self.send(id, side, packet);
        }
        if !reads_on {
            return self.close(id, side, Outcome::Done);
        }
        Some(())
    }

    /// Closes one end, if it is open, and tells the node.
    pub(super) fn close(&mut self, id: ConnectionId, side: Side, outcome: Outcome) -> Option<()> {
        let node = self.connections.get_mut(id)?.end(side).node;
        let exchange = self.cut(id, side, outcome)?;
        if let Some(exchange) = exchange {
            let host = &mut self.hosts[node];
            let now = host.clock.read(self.now);
            if let Some(node) = host.node_mut() {
                node.handle_closed(now, exchange, outcome);
            }
        }
        Some(())
    }

    /// A deadline passed at this node.
    pub(super) fn abort(&mut self, node: usize, exchange: ExchangeId) {
        if let Some((id, side)) = self.connections.of(node, exchange) {
            self.cut(id, side, Outcome::TimedOut);
        }
    }

    /// A stranger has no core that keeps its deadlines.
    fn give_up_later(&mut self, id: ConnectionId, side: Side) {
        const WHOLE_EXCHANGE: Duration = Duration::from_secs(10);
        self.queue.push(self.now + WHOLE_EXCHANGE, Happening::GivenUp { connection: id, side });
    }

    /// Closes one end, if it is open, and gives the exchange that it carried.
    fn cut(&mut self, id: ConnectionId, side: Side, outcome: Outcome) -> Option<Option<ExchangeId>> {
        let connection = self.connections.get_mut(id)?;
        let peer = connection.end(side.other()).node;
        let end = connection.end_mut(side);
        if !std::mem::replace(&mut end.is_open, false) {
            return None;
        }
        let (node, exchange) = (end.node, end.exchange);
        self.trace.note(self.now, node, Note::Closed { peer, outcome });
        self.tell_peer_of_close(id, side);
        self.connections.tidy(id);
        Some(exchange)
    }

    /// The end at `side` is closed: the other one learns of it after all that was sent, unless something of that is lost.
    pub(super) fn tell_peer_of_close(&mut self, id: ConnectionId, side: Side) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let (end, peer) = (connection.end(side), connection.end(side.other()));
        if !peer.is_open || end.stalls || self.network.is_cut(end.node, peer.node) {
            return;
        }
        let (from, to, after) = (end.node, peer.node, end.sent_until);
        let at = self.hosts[to].passes(self.hosts[from].passes(self.now) + self.network.latency());
        let at = at.max(after + Duration::from_nanos(1));
        self.queue.push(at, Happening::PeerClosed { connection: id, side: side.other() });
    }
}

/// Whether a connection comes about, as TLS or without: the dialler checks the name that it expects. (That the acceptor
/// insists on a certificate is the same for all: one cluster has it, or has not.)
fn agree_on_tls(dialler: &PeerIdentity, acceptor: &PeerIdentity, expected: Option<&str>) -> bool {
    match (dialler, acceptor) {
        (PeerIdentity::Plaintext, PeerIdentity::Plaintext) => true,
        (PeerIdentity::Plaintext, _) | (_, PeerIdentity::Plaintext) => false,
        (_, PeerIdentity::Demanded(names) | PeerIdentity::Shown(names)) => {
            expected.is_none_or(|expected| names.hold(expected))
        }
        _ => expected.is_none(),
    }
}
