//! What a node made of an input.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{ConfigError, ForgetError};
use crate::event::Event;
use crate::exchange::{Abort, ExchangeId, Next, Reply, Transmit};
use crate::id::{Address, NodeId};
use crate::node::Node;
use crate::state::SetError;
use crate::time::Instant;

/// All that followed from one input. Its `Display` has a line for each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Output {
    /// What the call returned.
    pub answer: Answer,
    /// The exchanges to be opened, as [`Node::poll_transmit`] gives them.
    pub transmits: Vec<Sent>,
    /// The exchanges to be cut, as [`Node::poll_abort`] gives them.
    pub aborts: Vec<Abort>,
    /// As [`Node::poll_event`] gives them.
    pub events: Vec<Event>,
    /// As [`Node::poll_timeout`] gives it.
    pub timeout: Option<Instant>,
}

/// What a verb of the node returned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Answer {
    /// The verb returns nothing.
    Nothing,
    /// Of [`Node::accept`].
    Accepted(Option<ExchangeId>),
    /// Of [`Node::handle_packet`].
    Reply {
        /// The answer to the peer.
        packet: Option<Fingerprint>,
        /// Whether the exchange goes on.
        next: Next,
        /// Why the packet was rejected, in words.
        rejected: Option<String>,
    },
    /// Of [`Node::set`] and the two that delete: the version, or why not, in words.
    Version(Result<Option<u64>, String>),
    /// Of [`Node::forget`]: or why not, in words.
    Forgotten(Result<(), String>),
    /// Of [`Node::set_advertise_addr`]: or why not, in words.
    Moved(Result<(), String>),
    /// Of [`Node::republish`].
    Count(u64),
}

/// One [`Transmit`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sent {
    /// The new exchange.
    pub exchange: ExchangeId,
    /// Whom to connect to.
    pub to: Address,
    /// The name that the peer's certificate must hold.
    pub tls_name: Option<String>,
    /// The first packet.
    pub packet: Fingerprint,
}

/// What is recorded of a packet that came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fingerprint {
    /// In bytes.
    pub len: u64,
    /// XXH3-64.
    pub hash: u64,
}

impl Fingerprint {
    fn of(packet: &[u8]) -> Fingerprint {
        Fingerprint { len: packet.len() as u64, hash: xxh3_64(packet) }
    }
}

/// How far a node had come before an input.
pub(super) struct Mark {
    sequence: u64,
    exchange: ExchangeId,
    /// How many wait to be drained.
    aborts: usize,
}

impl Mark {
    pub(super) fn of(node: &Node) -> Mark {
        let exchanges = node.exchanges();
        let sequence = node.knowledge().events.last_sequence();
        Mark { sequence, exchange: exchanges.last_id(), aborts: exchanges.aborts().len() }
    }

    /// What is new. The node's outputs stay where they are, to be drained.
    pub(super) fn output_since(&self, node: &Node, answer: Answer) -> Output {
        Output {
            answer,
            transmits: self.transmits_since(node).map(Sent::from).collect(),
            aborts: node.exchanges().aborts().iter().skip(self.aborts).cloned().collect(),
            events: node.knowledge().events.after(self.sequence).cloned().collect(),
            timeout: node.poll_timeout(),
        }
    }

    pub(super) fn transmits_since<'a>(&self, node: &'a Node) -> impl Iterator<Item = &'a Transmit> {
        let transmits = node.transmits();
        transmits.iter().skip(transmits.partition_point(|transmit| transmit.exchange <= self.exchange))
    }
}

impl From<&Transmit> for Sent {
    fn from(transmit: &Transmit) -> Sent {
        let Transmit { exchange, to, tls_name, packet } = transmit;
        let packet = Fingerprint::of(packet);
        Sent { exchange: *exchange, to: to.clone(), tls_name: tls_name.clone(), packet }
    }
}

impl From<&()> for Answer {
    fn from((): &()) -> Answer {
        Answer::Nothing
    }
}

impl From<&Option<ExchangeId>> for Answer {
    fn from(accepted: &Option<ExchangeId>) -> Answer {
        Answer::Accepted(*accepted)
    }
}

impl From<&Reply> for Answer {
    fn from(Reply { packet, next, rejected }: &Reply) -> Answer {
        let packet = packet.as_deref().map(Fingerprint::of);
        Answer::Reply { packet, next: *next, rejected: rejected.as_ref().map(ToString::to_string) }
    }
}

impl From<&Result<u64, SetError>> for Answer {
    fn from(result: &Result<u64, SetError>) -> Answer {
        Answer::Version(result.as_ref().map(|version| Some(*version)).map_err(ToString::to_string))
    }
}

impl From<&Result<Option<u64>, SetError>> for Answer {
    fn from(result: &Result<Option<u64>, SetError>) -> Answer {
        Answer::Version(result.as_ref().map(|version| *version).map_err(ToString::to_string))
    }
}

impl From<&Result<NodeId, ConfigError>> for Answer {
    fn from(result: &Result<NodeId, ConfigError>) -> Answer {
        Answer::Moved(result.as_ref().map(|_| ()).map_err(ToString::to_string))
    }
}

impl From<&Result<(), ForgetError>> for Answer {
    fn from(result: &Result<(), ForgetError>) -> Answer {
        Answer::Forgotten(result.as_ref().copied().map_err(ToString::to_string))
    }
}

impl From<&usize> for Answer {
    fn from(count: &usize) -> Answer {
        Answer::Count(*count as u64)
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Output { answer, transmits, aborts, events, timeout } = self;
        if *answer != Answer::Nothing {
            writeln!(f, "{answer}")?;
        }
        for Sent { exchange, to, tls_name, packet } in transmits {
            write!(f, "opens {exchange} to {to}")?;
            tls_name.iter().try_for_each(|name| write!(f, ", certified as {name:?}"))?;
            writeln!(f, ", with {packet}")?;
        }
        for Abort { exchange, deadline, .. } in aborts {
            writeln!(f, "cuts {exchange}: {deadline} timeout")?;
        }
        for Event { sequence, kind } in events {
            writeln!(f, "event {sequence}: {kind}")?;
        }
        match timeout {
            Some(timeout) => write!(f, "waits until {timeout:?}"),
            None => f.write_str("waits for no deadline"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Nothing => f.write_str("answers nothing"),
            Answer::Accepted(Some(exchange)) => write!(f, "accepts as {exchange}"),
            Answer::Accepted(None) => f.write_str("refuses"),
            Answer::Reply { packet, next, rejected } => {
                match packet {
                    Some(packet) => write!(f, "replies with {packet}")?,
                    None => f.write_str("sends no reply")?,
                }
                f.write_str(match next {
                    Next::Read => ", reads on",
                    Next::Close => ", closes",
                })?;
                rejected.iter().try_for_each(|reason| write!(f, ", rejects: {reason}"))
            }
            Answer::Version(Ok(Some(version))) => write!(f, "gives version {version}"),
            Answer::Version(Ok(None)) => f.write_str("has nothing to delete"),
            Answer::Version(Err(reason)) => write!(f, "refuses: {reason}"),
            Answer::Forgotten(Ok(())) => f.write_str("forgets it"),
            Answer::Forgotten(Err(reason)) => write!(f, "refuses: {reason}"),
            Answer::Moved(Ok(())) => f.write_str("moved"),
            Answer::Moved(Err(error)) => write!(f, "refused: {error}"),
            Answer::Count(count) => write!(f, "gives {count} keys a new version"),
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a packet of {} bytes, hash {:016x}", self.len, self.hash)
    }
}
