//! Why a packet was rejected, or a config refused.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::ops::RangeInclusive;

use crate::id::{Address, NodeId};
use crate::identity::CertificateNames;
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
    /// It came from this node itself, which dialled an address of its own. An IP address it dials again after some
    /// rounds, for others may be reached there too; of a name, the caller leaves the address out by which it was reached, and may reach others. A Syn was answered, so
    /// that the dialling side hears of it.
    OwnPacket,
    /// The peer's certificate does not hold the `tls_name` of the node that it speaks as.
    WrongName {
        /// The node that the packet says it comes from.
        speaks_as: NodeId,
        /// What the certificate holds.
        held: Arc<CertificateNames>,
    },
    /// The peer's certificate is good for the `tls_name` that it speaks with, but the name of the node belongs to another.
    NameTaken {
        /// The node that the packet says it comes from.
        speaks_as: NodeId,
        /// The `tls_name` that a node of this name has to have.
        belongs_to: String,
    },
    /// The peer's name is not its `tls_name`, and [`names_are_tls_names`](crate::Config::names_are_tls_names) is set.
    NameIsNotTlsName {
        /// The node that the packet says it comes from.
        speaks_as: NodeId,
    },
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
            Rejected::WrongName { speaks_as, held } => match speaks_as.tls_name() {
                Some(tls_name) => write!(
                    f,
                    "it speaks as {speaks_as} with the tls_name {tls_name:?}, but its certificate holds {held}; give the \
                     node a certificate with that name, or a tls_name that its certificate holds"
                ),
                None => write!(
                    f,
                    "it speaks as {speaks_as} without a tls_name, which none of this cluster may; its certificate holds \
                     {held}: give the node one of these"
                ),
            },
            Rejected::NameTaken { speaks_as, belongs_to } => write!(
                f,
                "it speaks as {speaks_as} with the tls_name {:?}, but that name belongs to the certificate of \
                 {belongs_to:?}; give the node another name, or forget the node that had this one",
                speaks_as.tls_name().unwrap_or_default()
            ),
            Rejected::NameIsNotTlsName { speaks_as } => write!(
                f,
                "it speaks as {speaks_as} with the tls_name {:?}, and names_are_tls_names is set here; name the node as \
                 its certificate does",
                speaks_as.tls_name().unwrap_or_default()
            ),
        }
    }
}

impl core::error::Error for Rejected {}

/// Why a node was not forgotten. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForgetError {
    /// It is live, or the node itself: it would come back at once. Stop it first.
    Live {
        /// The node.
        node: NodeId,
    },
    /// It is not known here: it was never heard of, or is forgotten already.
    Unknown {
        /// The node.
        node: NodeId,
    },
}

impl fmt::Display for ForgetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForgetError::Live { node } => write!(f, "{node} is live and would come back at once; stop it first"),
            ForgetError::Unknown { node } => write!(f, "{node} is not known here; nothing is left to forget"),
        }
    }
}

impl core::error::Error for ForgetError {}

/// A setting outside its range. No node was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigError {
    /// The field, as in `failure_detector.phi_threshold`.
    pub field: &'static str,
    /// The value it had.
    pub value: String,
    /// What it may be.
    pub allowed: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}; allowed: {}", self.field, self.value, self.allowed)
    }
}

impl core::error::Error for ConfigError {}

/// Fails unless `value` is within `range` (a NaN never is).
pub(crate) fn within<T>(field: &'static str, value: T, range: RangeInclusive<T>) -> Result<(), ConfigError>
where
    T: PartialOrd + fmt::Debug,
{
    if range.contains(&value) {
        return Ok(());
    }
    let allowed = format!("{:?} to {:?}", range.start(), range.end());
    Err(ConfigError { field, value: format!("{value:?}"), allowed })
}
