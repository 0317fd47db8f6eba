//! Counters for everything a node sent, received, rejected and cut short.

use crate::wire::aiocluster::MessageKind;
use crate::work::Work;

/// What a node has done since its start. Every counter only grows; take differences for rates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Gossip rounds run.
    pub rounds: u64,
    /// Exchanges a round wanted but did not open, since `max_concurrent_gossip` were open, or one with that address
    /// still waits for its answer.
    pub exchanges_not_opened: u64,
    /// Exchanges opened to other nodes.
    pub exchanges_opened: u64,
    /// Of the exchanges opened, those to addresses that nothing but hearsay speaks for: nobody has answered there, and
    /// its node has not dialled from there. Seeds do not count.
    pub dials_unproven: u64,
    /// Addresses that were left out of a round, summed over rounds: they have failed and wait, or they are unproven and
    /// too many of those have failed.
    pub dials_held_back: u64,
    /// Exchanges accepted from other nodes.
    pub exchanges_accepted: u64,
    /// Connections refused in `accept`, since a limit of accepted exchanges was reached.
    pub exchanges_refused: u64,
    /// Exchanges, of either side, that went all the way.
    pub exchanges_completed: u64,
    /// Exchanges, of either side, that ended early: refused, timed out, rejected or cut off.
    pub exchanges_failed: u64,
    /// Packets handed to the caller to be sent.
    pub packets_sent: PacketCounts,
    /// Packets handed in and understood.
    pub packets_received: PacketCounts,
    /// Bytes of the packets sent, without length prefixes.
    pub bytes_sent: u64,
    /// Bytes of the packets handed in, understood or not.
    pub bytes_received: u64,
    /// The largest packet sent, in bytes.
    pub max_packet_bytes_sent: u64,
    /// Packets that changed nothing, by reason.
    pub rejected: RejectedCounts,
    /// Entries of understood packets left out because they were malformed or over a limit.
    pub entries_skipped: u64,
    /// Claims of versions or heartbeats that no node can have reached, left out.
    pub jumps_refused: u64,
    /// Nodes heard of but not taken in, since `limits.max_nodes` were known.
    pub nodes_refused: u64,
    /// Nodes heard of but not taken in, since they had ended before.
    pub departed_ignored: u64,
    /// Times that a node of a name that belongs to another certificate spoke, or was spoken of.
    pub names_refused: u64,
    /// News of forgotten nodes that was no proof of life.
    pub forgotten_ignored: u64,
    /// What peers said about this node's own key-values; never taken.
    pub own_deltas_rejected: u64,
    /// Deltas of a node that did not follow on what is held here, or were older than it.
    pub deltas_ignored: u64,
    /// Key-values taken from deltas.
    pub key_values_applied: u64,
    /// Deltas after which a node's state was started again (its tombstones had been collected).
    pub resets: u64,
    /// Digests that did not fit their packet and went out partial.
    pub digests_truncated: u64,
    /// Nodes' deltas cut short for want of room.
    pub deltas_truncated: u64,
    /// Times this node moved past what peers held of it and published its key-values again.
    pub republished: u64,
    /// Local pauses noticed.
    pub pauses: u64,
    /// Events queued.
    pub events: u64,
    /// Events dropped, oldest first, because the caller did not drain them.
    pub events_dropped: u64,
    /// What all inputs have cost.
    pub work: Work,
}

/// Packets by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PacketCounts {
    /// Syn.
    pub syn: u64,
    /// SynAck.
    pub syn_ack: u64,
    /// Ack.
    pub ack: u64,
    /// BadCluster.
    pub bad_cluster: u64,
}

impl PacketCounts {
    pub(crate) fn count(&mut self, kind: MessageKind) {
        *match kind {
            MessageKind::Syn => &mut self.syn,
            MessageKind::SynAck => &mut self.syn_ack,
            MessageKind::Ack => &mut self.ack,
            MessageKind::BadCluster => &mut self.bad_cluster,
        } += 1;
    }

    /// All kinds together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.syn + self.syn_ack + self.ack + self.bad_cluster
    }
}

/// Rejected packets by reason; see [`Rejected`](crate::Rejected).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RejectedCounts {
    /// Not a packet.
    pub malformed: u64,
    /// Of another cluster.
    pub other_cluster: u64,
    /// Not the message that this exchange was waiting for.
    pub unexpected_message: u64,
    /// For an exchange that is not open.
    pub unknown_exchange: u64,
    /// From another node than the one dialled.
    pub wrong_peer: u64,
    /// From this node itself.
    pub own_packet: u64,
    /// From a peer whose certificate does not hold the `tls_name` of the node it speaks as.
    pub wrong_name: u64,
}

impl RejectedCounts {
    /// All reasons together.
    #[must_use]
    pub fn total(&self) -> u64 {
        let RejectedCounts {
            malformed,
            other_cluster,
            unexpected_message,
            unknown_exchange,
            wrong_peer,
            own_packet,
            wrong_name,
        } = *self;
        malformed + other_cluster + unexpected_message + unknown_exchange + wrong_peer + own_packet + wrong_name
    }
}
