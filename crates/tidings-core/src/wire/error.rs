//! Why bytes are not a packet.

use core::fmt;

/// Why bytes are not a packet. Nothing of them was applied, whichever it is; close the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The packet is longer than the limit. Nothing of it was read or applied; raise
    /// [`DecodeLimits::max_packet_bytes`](crate::DecodeLimits::max_packet_bytes) if it is honest.
    TooLong {
        /// The packet's length, in bytes.
        len: usize,
        /// [`DecodeLimits::max_packet_bytes`](crate::DecodeLimits::max_packet_bytes).
        limit: usize,
    },
    /// The bytes are not protobuf, are cut off, hold a field of another type than the schema's, or a string that is
    /// not UTF-8. Nothing of them was applied; what sends such bytes is no node.
    NotProtobuf {
        /// The schema's name of the message that could not be read.
        message: &'static str,
    },
    /// The cluster id is longer than the limit. Nothing of the packet was applied; raise
    /// [`DecodeLimits::max_name_bytes`](crate::DecodeLimits::max_name_bytes) if it is honest.
    ClusterIdTooLong {
        /// The cluster id's length, in bytes.
        len: usize,
        /// [`DecodeLimits::max_name_bytes`](crate::DecodeLimits::max_name_bytes).
        limit: usize,
    },
    /// The cluster id holds a character that no name may hold: a control character, or one that turns text around or is
    /// not seen. Nothing of the packet was applied; no node of ours can be configured so.
    ClusterIdRefused {
        /// The first such character.
        character: char,
    },
    /// The packet holds none of the four messages; a later protocol may have more. Nothing of it was applied.
    NoMessage,
    /// The digest has no first entry that names its sender, or a wrong one. Nothing of the packet was applied: without
    /// a sender nothing says whose word it is.
    NoSender,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::TooLong { len, limit } => write!(
                f,
                "a packet of {len} bytes is over the limit of {limit}; nothing of it was applied; raise \
                 max_packet_bytes if it is honest"
            ),
            DecodeError::NotProtobuf { message } => write!(
                f,
                "the packet's {message} is not protobuf or is cut off; nothing of the packet was applied; check that \
                 the sender is a tidings or aiocluster node, with TLS on both sides or on none"
            ),
            DecodeError::ClusterIdTooLong { len, limit } => write!(
                f,
                "a cluster_id of {len} bytes is over the limit of {limit}; nothing of the packet was applied; raise \
                 max_name_bytes if it is honest"
            ),
            DecodeError::ClusterIdRefused { character } => write!(
                f,
                "the cluster_id holds the character {character:?}, and no name may hold control characters or marks that \
                 turn text around or are not seen; nothing of the packet was applied; rename the sender's cluster"
            ),
            DecodeError::NoMessage => f.write_str(
                "the packet holds no syn, synack, ack or bad_cluster; nothing of it was applied; the sender may speak \
                 a later protocol",
            ),
            DecodeError::NoSender => f.write_str(
                "the digest's first entry does not name its sender, or has a value out of range; nothing of the \
                 packet was applied; the sender must put itself first, with a name, a host and a port",
            ),
        }
    }
}

impl core::error::Error for DecodeError {}
