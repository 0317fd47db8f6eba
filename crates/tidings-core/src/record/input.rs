//! What a node was given.

use alloc::borrow::Cow;
use core::fmt;
use core::net::IpAddr;

use serde::{Deserialize, Serialize, Serializer};

use super::output::Answer;
use crate::exchange::{ExchangeId, Outcome, Via};
use crate::id::{Address, NodeId};
use crate::identity::PeerIdentity;
use crate::node::Node;
use crate::state::Lifetime;
use crate::time::Instant;

/// One call of a [`Node`]'s verb, with its arguments but the time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Input<'a> {
    /// [`Node::accept`].
    Accept {
        /// Who connected.
        from: IpAddr,
    },
    /// [`Node::handle_connected`].
    Connected {
        /// The exchange.
        exchange: ExchangeId,
    },
    /// [`Node::handle_packet`].
    Packet {
        /// The exchange.
        via: Via,
        /// The packet, without its length.
        #[serde(serialize_with = "as_bytes")]
        packet: &'a [u8],
        /// Who the peer proved to be.
        peer: Cow<'a, PeerIdentity>,
    },
    /// [`Node::handle_closed`].
    Closed {
        /// The exchange.
        exchange: ExchangeId,
        /// How it ended.
        outcome: Outcome,
    },
    /// [`Node::handle_timeout`].
    Timeout,
    /// [`Node::set`].
    Set {
        /// The key.
        key: &'a str,
        /// Its value.
        value: &'a str,
        /// How long it is to live.
        lifetime: Lifetime,
    },
    /// [`Node::delete`].
    Delete {
        /// The key.
        key: &'a str,
    },
    /// [`Node::delete_after_ttl`].
    DeleteAfterTtl {
        /// The key.
        key: &'a str,
    },
    /// [`Node::republish`].
    Republish,
    /// [`Node::leave`].
    Leave,
    /// [`Node::set_advertise_addr`].
    SetAdvertiseAddr {
        /// The new address.
        address: Cow<'a, Address>,
    },
    /// [`Node::forget`].
    Forget {
        /// The node.
        node: Cow<'a, NodeId>,
    },
    /// [`Node::set_seeds`].
    SetSeeds {
        /// The new ones.
        seeds: Cow<'a, [Address]>,
    },
}

fn as_bytes<S: Serializer>(bytes: &&[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// What a node answered, and the packet in it.
pub(super) type Answered = (Answer, Option<bytes::Bytes>);

impl Input<'_> {
    /// Gives a node this input.
    pub(super) fn apply(&self, node: &mut Node, now: Instant) -> Answered {
        let answer = match self {
            Input::Accept { from } => Answer::from(&node.accept(now, *from)),
            Input::Connected { exchange } => Answer::from(&node.handle_connected(now, *exchange)),
            Input::Packet { via, packet, peer } => {
                let reply = node.handle_packet(now, *via, packet, peer);
                return (Answer::from(&reply), reply.packet);
            }
            Input::Closed { exchange, outcome } => Answer::from(&node.handle_closed(now, *exchange, *outcome)),
            Input::Timeout => Answer::from(&node.handle_timeout(now)),
            Input::Set { key, value, lifetime } => Answer::from(&node.set(now, key, value, *lifetime)),
            Input::Delete { key } => Answer::from(&node.delete(now, key)),
            Input::DeleteAfterTtl { key } => Answer::from(&node.delete_after_ttl(now, key)),
            Input::Republish => Answer::from(&node.republish(now)),
            Input::Leave => Answer::from(&node.leave(now)),
            Input::SetAdvertiseAddr { address } => Answer::from(&node.set_advertise_addr(now, Address::clone(address))),
            Input::Forget { node: id } => Answer::from(&node.forget(now, id)),
            Input::SetSeeds { seeds } => Answer::from(&node.set_seeds(seeds.to_vec())),
        };
        (answer, None)
    }
}

impl fmt::Display for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Accept { from } => write!(f, "{from} connects"),
            Input::Connected { exchange } => write!(f, "{exchange} is connected"),
            Input::Packet { via, packet, peer } => {
                let (role, exchange) = match via {
                    Via::Dialled(exchange) => ("dialled", exchange),
                    Via::Accepted(exchange) => ("accepted", exchange),
                };
                write!(f, "a packet of {} bytes comes on {role} {exchange}", packet.len())?;
                match &**peer {
                    PeerIdentity::Plaintext => Ok(()),
                    PeerIdentity::Anonymous => f.write_str(", over TLS without a certificate"),
                    PeerIdentity::Shown(names) | PeerIdentity::Demanded(names) => write!(f, ", certified as {names}"),
                }
            }
            Input::Closed { exchange, outcome } => write!(f, "{exchange} is closed: {outcome:?}"),
            Input::Timeout => f.write_str("the time has come"),
            Input::Set { key, value, lifetime } => write!(f, "set {key:?} to {value:?}, {lifetime:?}"),
            Input::Delete { key } => write!(f, "delete {key:?}"),
            Input::DeleteAfterTtl { key } => write!(f, "delete {key:?} after its grace period"),
            Input::Republish => f.write_str("publish all keys again"),
            Input::Leave => f.write_str("leave"),
            Input::SetAdvertiseAddr { address } => write!(f, "advertise {address}"),
            Input::Forget { node } => write!(f, "forget {node}"),
            Input::SetSeeds { seeds } => write!(f, "take {seeds:?} for seeds"),
        }
    }
}
