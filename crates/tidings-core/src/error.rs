//! Why a packet was rejected.

use alloc::sync::Arc;
use core::fmt;

use crate::id::{Address, NodeId};
use crate::wire::DecodeError;

/// Why a packet changed nothing but counters. The exchange is over; close the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejected {
    /// It is not a packet, or longer than `limits.decode.max_packet_bytes`.
    Malformed(DecodeError),
    /// It belongs to another cluster. A Syn was answered with BadCluster.
    OtherCluster {
        /// The id the packet carries.
        cluster_id: Arc<str>,
    },
    /// It is not the message that this exchange was waiting for: an Ack before a Syn, a second Syn, ...
    UnexpectedMessage {
        /// What came: `Syn`, `SynAck`, `Ack` or `BadCluster`.
        got: &'static str,
    },
    /// There is no such open exchange.
    UnknownExchange,
    /// Another node answered than the one that was dialled.
    WrongPeer {
        /// The address that was dialled.
        dialled: Address,
        /// The node that answered.
        got: NodeId,
    },
    /// It came from this node itself, which dialled an address of its own. An IP address it does not dial again; of a
    /// name, the caller leaves the address out by which it was reached, and may reach others. A Syn was answered, so
    /// that the dialling side hears of it.
    OwnPacket,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejected::Malformed(error) => write!(f, "not a packet: {error}"),
            Rejected::OtherCluster { cluster_id } => write!(f, "of another cluster, {cluster_id:?}"),
            Rejected::UnexpectedMessage { got } => write!(f, "{got} came where it does not belong"),
            Rejected::UnknownExchange => write!(f, "for an exchange that is not open"),
            Rejected::WrongPeer { dialled, got } => write!(f, "{got} answered where {dialled} was dialled"),
            Rejected::OwnPacket => write!(f, "this node reached itself"),
        }
    }
}

impl core::error::Error for Rejected {}
