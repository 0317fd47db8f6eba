//! How much this node takes from others.

/// The highest version and heartbeat that is taken from a peer: 2^63 - 1.
///
/// aiocluster and tidings count up by one, so that nothing honest comes near it; above it, there is no room to move
/// past what a peer claims.
pub const MAX_VERSION: u64 = i64::MAX as u64;

/// How much one packet from a peer may hold. Part of the node's configuration.
///
/// A packet over [`max_packet_bytes`](DecodeLimits::max_packet_bytes) or with a cluster id over
/// [`max_name_bytes`](DecodeLimits::max_name_bytes) is rejected whole; past any other limit only what is over it is
/// left out, and counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// The longest packet, in bytes, without the length before it. At least twice what we send, since an aiocluster
    /// node sends packets longer than its own limit. Default: 131,014.
    pub max_packet_bytes: usize,
    /// The longest cluster id, node name, host and certificate name, in bytes each. Default: 1,024.
    pub max_name_bytes: usize,
    /// The longest key, in bytes. Default: 65,507.
    ///
    /// A node's news stops at a key or value that is over its limit, and nothing newer of that node comes in; so the
    /// default takes whatever fits a packet of an aiocluster node.
    pub max_key_bytes: usize,
    /// The longest value, in bytes. Default: 65,507, for the same reason.
    pub max_value_bytes: usize,
    /// The most nodes in a digest. Default: 10,000, which is more than the default packet can hold.
    pub max_digest_entries: usize,
    /// The most nodes in a delta. Default: 10,000.
    pub max_node_deltas: usize,
    /// The most key-values in a delta, those of all nodes together. Default: 32,768.
    pub max_key_values: usize,
}

impl Default for DecodeLimits {
    fn default() -> DecodeLimits {
        DecodeLimits {
            max_packet_bytes: 2 * 65_507,
            max_name_bytes: 1_024,
            max_key_bytes: 65_507,
            max_value_bytes: 65_507,
            max_digest_entries: 10_000,
            max_node_deltas: 10_000,
            max_key_values: 32_768,
        }
    }
}
