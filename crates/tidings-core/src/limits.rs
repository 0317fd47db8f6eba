//! How much this node takes from others, and how much it holds.

use alloc::format;

use crate::error::{ConfigError, within};

/// The highest version and heartbeat that is taken from a peer: 2^63 - 1.
///
/// aiocluster and tidings count up by one, so that nothing honest comes near it; above it, there is no room to move
/// past what a peer claims.
pub const MAX_VERSION: u64 = i64::MAX as u64;

/// How far what others say of a node may run ahead of what is known of it: its heartbeat and its versions. What is beyond
/// that the node has to say itself.
pub(crate) const HEARSAY_STEP: u64 = 1 << 23;

/// ... and how much further for each second since the node was last heard of.
pub(crate) const HEARSAY_STEP_PER_SEC: u64 = 1 << 22;

/// How far a node moves its own heartbeat in a second to get past what others claim. Half of what is believed when it is
/// told on, so that those who are a little behind believe the next word of the node itself.
pub(crate) const OWN_STEP: u64 = HEARSAY_STEP_PER_SEC;

/// How far ahead of its own a version may be that a node moves past: further than any that others believe.
pub(crate) const FARTHEST_CLAIM: u64 = 4 * HEARSAY_STEP;

/// Bounds on a node's memory, and on what peers may send.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Limits {
    /// How much one packet may hold.
    pub decode: DecodeLimits,
    /// Other nodes known at once, dead ones included, 1 to 1,000,000. At most a quarter of them (64 at least) were never live
    /// here. Further ones are not taken in, unless one that counts less gives up its place. Default: 20,000.
    pub max_nodes: usize,
    /// Forgotten nodes remembered, 1 to 1,000,000; past it the oldest give way. Default: 20,000.
    pub max_forgotten_nodes: usize,
    /// Keys of one node, tombstones included, 1 to 10,000,000. Default: 100,000.
    pub max_keys_per_node: usize,
    /// Bytes of one node's keys and values, and [`ENTRY_OVERHEAD`](crate::ENTRY_OVERHEAD) for each, 1 to 16 GiB. Default:
    /// 64 MiB.
    pub max_state_bytes_per_node: usize,
    /// The same of all other nodes together, 1 to 64 GiB. Default: 1 GiB.
    pub max_state_bytes: usize,
    /// Exchanges that peers have open to this node at once, 1 to 65,536. Default: 512.
    pub max_accepted_exchanges: usize,
    /// The same for one IP address, 1 to 65,536: one peer cannot take every place. Default: 256.
    pub max_accepted_exchanges_per_ip: usize,
    /// Events that wait to be drained, 1 to 10,000,000; past it the oldest are dropped. Default: 100,000.
    pub max_queued_events: usize,
    /// Bytes that these may hold on to, 1 to 16 GiB; past it the oldest are dropped as well. Default: 16 MiB.
    pub max_queued_event_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            decode: DecodeLimits::default(),
            max_nodes: 20_000,
            max_forgotten_nodes: 20_000,
            max_keys_per_node: 100_000,
            max_state_bytes_per_node: 64 << 20,
            max_state_bytes: 1 << 30,
            max_accepted_exchanges: 512,
            max_accepted_exchanges_per_ip: 256,
            max_queued_events: 100_000,
            max_queued_event_bytes: 16 << 20,
        }
    }
}

impl Limits {
    pub(crate) fn validate(&self, max_payload_size: usize) -> Result<(), ConfigError> {
        within("limits.decode.max_packet_bytes", self.decode.max_packet_bytes, 2 * max_payload_size..=64 << 20)?;
        within("limits.decode.max_name_bytes", self.decode.max_name_bytes, 1..=65_536)?;
        within("limits.decode.max_key_bytes", self.decode.max_key_bytes, 1..=64 << 20)?;
        within("limits.decode.max_value_bytes", self.decode.max_value_bytes, 1..=64 << 20)?;
        within("limits.decode.max_digest_entries", self.decode.max_digest_entries, 2..=1_000_001)?;
        within("limits.decode.max_node_deltas", self.decode.max_node_deltas, 1..=1_000_000)?;
        within("limits.decode.max_key_values", self.decode.max_key_values, 1..=10_000_000)?;
        within("limits.max_nodes", self.max_nodes, 1..=1_000_000)?;
        self.digests_hold_all_nodes()?;
        within("limits.max_forgotten_nodes", self.max_forgotten_nodes, 1..=1_000_000)?;
        within("limits.max_keys_per_node", self.max_keys_per_node, 1..=10_000_000)?;
        within("limits.max_state_bytes_per_node", self.max_state_bytes_per_node as u64, 1..=16 << 30)?;
        within("limits.max_state_bytes", self.max_state_bytes as u64, 1..=64 << 30)?;
        within("limits.max_accepted_exchanges", self.max_accepted_exchanges, 1..=65_536)?;
        within("limits.max_accepted_exchanges_per_ip", self.max_accepted_exchanges_per_ip, 1..=65_536)?;
        within("limits.max_queued_events", self.max_queued_events, 1..=10_000_000)?;
        within("limits.max_queued_event_bytes", self.max_queued_event_bytes as u64, 1..=16 << 30)
    }

    /// A digest is read whole when its sender knows as many nodes as this one may: of those past the limit nothing would
    /// ever be heard.
    fn digests_hold_all_nodes(&self) -> Result<(), ConfigError> {
        let (entries, nodes) = (self.decode.max_digest_entries, self.max_nodes);
        if entries > nodes {
            return Ok(());
        }
        let allowed = format!("more than limits.max_nodes, which is {nodes}; raise the one or lower the other");
        Err(ConfigError { field: "limits.decode.max_digest_entries", value: format!("{entries}"), allowed })
    }
}

/// How much one packet from a peer may hold. Part of the node's configuration.
///
/// A packet over [`max_packet_bytes`](DecodeLimits::max_packet_bytes) or with a cluster id over
/// [`max_name_bytes`](DecodeLimits::max_name_bytes) is rejected whole; past any other limit only what is over it is
/// left out, and counted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
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
    /// The most nodes in a digest, 2 to 1,000,001, and more than `max_nodes`. Default: 25,000.
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
            max_digest_entries: 25_000,
            max_node_deltas: 10_000,
            max_key_values: 32_768,
        }
    }
}
