//! What a node tells its user, in order and numbered.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use crate::id::NodeId;
use crate::limits::Limits;
use crate::state::VersionedValue;
use crate::stats::Stats;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub struct Event {
    /// Counts up by one from 1. A gap means that events were dropped because they were not drained in time.
    pub sequence: u64,
    /// What happened.
    pub kind: EventKind,
}

/// What happened. Its `Display` reads as a line of a log.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum EventKind {
    /// The node is live: two heartbeats in a row were seen.
    NodeJoined {
        /// The node.
        node: NodeId,
    },
    /// A live node said that it leaves.
    NodeLeft {
        /// The node.
        node: NodeId,
    },
    /// A live node has been silent for too long.
    NodeDied {
        /// The node.
        node: NodeId,
    },
    /// Somebody, perhaps this node, accuses a live node of being dead. It is declared dead unless a later sign of life
    /// comes. Only in [`Dialect::Tidings`](crate::Dialect), as the next two.
    NodeSuspected {
        /// The node.
        node: NodeId,
        /// How long it has been silent.
        silent_for: Duration,
        /// Who told this node so; itself, if it found that out.
        by: NodeId,
        /// The evidence, where this node found it out itself: -log10 of the chance that failures such as these come
        /// together while the node lives.
        evidence: Option<f64>,
    },
    /// A suspected node lives.
    NodeRecovered {
        /// The node.
        node: NodeId,
    },
    /// Nobody answers this node: what it shows is out of date, and it accuses nobody.
    Isolated {
        /// How long nobody has answered, about.
        since: Duration,
    },
    /// A node that died or left is remembered no longer, or another run has its name now; its key-values are gone. It may be
    /// one that never joined, but whose key-values were told of.
    NodeForgotten {
        /// The node.
        node: NodeId,
    },
    /// Another run of the same name has taken the place of a live one. Of the old one nothing is told any more; its
    /// key-values are gone.
    NodeRestarted {
        /// The run that was live. Its id may be the same: then the process is another one.
        old: NodeId,
        /// The run that has it now; it joins when its heartbeats are seen.
        new: NodeId,
    },
    /// A live process advertises another address from now on, this node itself perhaps. It is the same run: it stays live, and
    /// its key-values go on under the new id.
    NodeMoved {
        /// Its id until now.
        old: NodeId,
        /// Its id from now on, with a generation higher by one for each move.
        new: NodeId,
    },
    /// Somebody goes by a name that belongs to another certificate. Nothing of it counts.
    NameRefused {
        /// The node that holds the name.
        node: NodeId,
        /// The other one.
        other: NodeId,
    },
    /// Two processes of one name are running, it may be even under one id. Stop one, or give it another name.
    NodeConflict {
        /// The node that counts here; this node itself, if it is one of the two.
        node: NodeId,
        /// The other one.
        other: NodeId,
    },
    /// A packet of another cluster came, or a dialled node says it belongs to another.
    OtherCluster {
        /// The other cluster's id.
        cluster_id: Arc<str>,
        /// The sender, if it said who it is.
        from: Option<NodeId>,
    },
    /// A key of some node, this one too, was set, deleted or expired.
    KeyChanged {
        /// The key's owner.
        node: NodeId,
        /// The key.
        key: Arc<str>,
        /// What was held before, a tombstone too.
        old: Option<VersionedValue>,
        /// What is held now; deleted and expired keys have the status `Deleted`.
        new: VersionedValue,
    },
    /// A peer claims versions or heartbeats of this very node that it cannot have reached. If peers keep ignoring
    /// this node, start it with a new generation.
    VersionRefused {
        /// The highest version or heartbeat here.
        own: u64,
        /// What the peer claims.
        claimed: u64,
    },
    /// The digest of all known nodes no longer fits a packet, so that each packet carries a random part of it.
    DigestTruncated {
        /// The nodes that did not fit.
        left_out: usize,
        /// The limit.
        max_payload_size: usize,
    },
    /// The farewell is over: `leave` was asked for, and so many nodes that stay have been told.
    LeaveFinished {
        /// Nodes that this one told itself.
        told: usize,
    },
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventKind::NodeJoined { node } => write!(f, "{node} joined"),
            EventKind::NodeLeft { node } => write!(f, "{node} left"),
            EventKind::NodeDied { node } => write!(f, "{node} died"),
            EventKind::NodeForgotten { node } => write!(f, "{node} is forgotten"),
            EventKind::NodeRestarted { old, new } => write!(f, "{old} was restarted as {new}"),
            EventKind::NodeMoved { old, new } => write!(f, "{old} moved and is {new} now"),
            EventKind::NameRefused { node, other } => write!(
                f,
                "{other} goes by a name that belongs to the certificate of {node}: refused; give it another name, or \
                 forget the node that had this one"
            ),
            EventKind::NodeConflict { node, other } if node == other => {
                write!(f, "two processes run as {node}; stop one, or give it another name and address")
            }
            EventKind::NodeConflict { node, other } => {
                write!(f, "{node} and {other} have one name and both are running; stop one or rename it")
            }
            EventKind::NodeSuspected { node, silent_for, by, .. } => {
                write!(f, "{node} is suspected, silent for {silent_for:?}, by the word of {by}")
            }
            EventKind::NodeRecovered { node } => write!(f, "{node} is suspected no longer: it lives"),
            EventKind::Isolated { since } => {
                write!(f, "nobody has answered this node for {since:?}; see its network, what it shows is out of date")
            }
            EventKind::OtherCluster { cluster_id, from: Some(node) } => {
                write!(f, "{node} belongs to another cluster, {cluster_id:?}; see cluster_id and seeds of both")
            }
            EventKind::OtherCluster { cluster_id, from: None } => {
                write!(f, "another cluster, {cluster_id:?}, was heard; see cluster_id and seeds of both")
            }
            EventKind::KeyChanged { node, key, new, .. } if new.is_readable() => {
                write!(f, "{node} set {key:?} to {:?} (version {})", new.value, new.version)
            }
            EventKind::KeyChanged { node, key, new, .. } => {
                write!(f, "{node} deleted {key:?} (version {})", new.version)
            }
            EventKind::VersionRefused { own, claimed } => {
                write!(f, "a peer claims version or heartbeat {claimed} of this node, which is at {own}: refused; ")?;
                write!(f, "if peers ignore this node, start it with a new generation")
            }
            EventKind::DigestTruncated { left_out, max_payload_size } => {
                write!(
                    f,
                    "{left_out} nodes do not fit a digest of max_payload_size {max_payload_size} bytes; gossip "
                )?;
                write!(f, "goes on with a random part each time, slower; raise max_payload_size on every node")
            }
            EventKind::LeaveFinished { told } => write!(f, "left; told {told} nodes"),
        }
    }
}

impl EventKind {
    /// How much memory it may be all that holds on to, in bytes: key-values are shared with a state until they change there.
    fn bytes(&self) -> usize {
        let of_value = |value: &VersionedValue| value.value.len();
        match self {
            EventKind::NodeJoined { node }
            | EventKind::NodeLeft { node }
            | EventKind::NodeDied { node }
            | EventKind::NodeForgotten { node } => node.bytes(),
            EventKind::NodeRecovered { node } => node.bytes(),
            EventKind::NodeSuspected { node, by, .. } => node.bytes() + by.bytes(),
            EventKind::NodeRestarted { old, new } | EventKind::NodeMoved { old, new } => old.bytes() + new.bytes(),
            EventKind::NameRefused { node, other } | EventKind::NodeConflict { node, other } => {
                node.bytes() + other.bytes()
            }
            EventKind::OtherCluster { cluster_id, from } => cluster_id.len() + from.as_ref().map_or(0, NodeId::bytes),
            EventKind::KeyChanged { node, key, old, new } => {
                node.bytes() + key.len() + old.as_ref().map_or(0, of_value) + of_value(new)
            }
            EventKind::Isolated { .. }
            | EventKind::VersionRefused { .. }
            | EventKind::DigestTruncated { .. }
            | EventKind::LeaveFinished { .. } => 0,
        }
    }
}

/// What an event takes beside what it holds on to. The same on every machine, so that a recording plays everywhere.
const EVENT_BYTES: usize = 128;

impl Event {
    fn bytes(&self) -> usize {
        EVENT_BYTES + self.kind.bytes()
    }
}

/// Events that wait to be drained, bounded: past a limit the oldest give way. The last one is always kept.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct EventQueue {
    queue: VecDeque<Event>,
    last_sequence: u64,
    limit: usize,
    bytes: usize,
    max_bytes: usize,
}

impl EventQueue {
    pub(crate) fn new(limits: &Limits) -> EventQueue {
        let Limits { max_queued_events, max_queued_event_bytes, .. } = *limits;
        EventQueue {
            queue: VecDeque::new(),
            last_sequence: 0,
            limit: max_queued_events,
            bytes: 0,
            max_bytes: max_queued_event_bytes,
        }
    }

    pub(crate) fn push(&mut self, kind: EventKind, stats: &mut Stats) {
        self.last_sequence += 1;
        stats.events += 1;
        let event = Event { sequence: self.last_sequence, kind };
        let bytes = event.bytes();
        while self.queue.len() >= self.limit || self.bytes.saturating_add(bytes) > self.max_bytes {
            if self.pop().is_none() {
                break;
            }
            stats.events_dropped += 1;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.queue.push_back(event);
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        let event = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(event.bytes());
        Some(event)
    }

    /// What `invariants` holds against the queue.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.bytes != self.queue.iter().map(Event::bytes).sum::<usize>() {
            return Err("the bytes are not those of the events");
        }
        if self.queue.len() > self.limit || (self.queue.len() > 1 && self.bytes > self.max_bytes) {
            return Err("more wait than may");
        }
        Ok(())
    }

    pub(crate) fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// Whether these are its limits.
    #[cfg(feature = "record")]
    pub(crate) fn is_within(&self, limits: &Limits) -> bool {
        (self.limit, self.max_bytes) == (limits.max_queued_events, limits.max_queued_event_bytes)
    }

    /// What waits to be drained of the events after this one, in order.
    #[cfg(feature = "record")]
    pub(crate) fn after(&self, sequence: u64) -> impl Iterator<Item = &Event> {
        self.queue.iter().skip(self.queue.partition_point(|event| event.sequence <= sequence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_the_limit_the_oldest_give_way_and_the_gap_shows() {
        let mut stats = Stats::default();
        let mut events = EventQueue::new(&Limits { max_queued_events: 2, ..Limits::default() });
        for told in 0..3 {
            events.push(EventKind::LeaveFinished { told }, &mut stats);
        }
        let drained: alloc::vec::Vec<u64> = core::iter::from_fn(|| events.pop()).map(|event| event.sequence).collect();
        assert_eq!(drained, [2, 3]);
        assert_eq!((stats.events, stats.events_dropped, events.last_sequence()), (3, 1, 3));
    }

    #[test]
    fn large_events_give_way_before_there_are_many() {
        let mut stats = Stats::default();
        let mut events = EventQueue::new(&Limits { max_queued_event_bytes: 1 << 20, ..Limits::default() });
        let large = |len| EventKind::OtherCluster { cluster_id: "c".repeat(len).into(), from: None };
        for _ in 0..2_000 {
            events.push(large(60_000), &mut stats);
            events.check().unwrap();
        }
        assert_eq!((events.queue.len(), stats.events_dropped), (17, 1_983));
        // One that is larger than all may be is not lost.
        events.push(large(2 << 20), &mut stats);
        events.check().unwrap();
        assert_eq!((events.queue.len(), events.pop().map(|event| event.sequence)), (1, Some(2_001)));
        assert_eq!(events.bytes, 0);
    }
}
