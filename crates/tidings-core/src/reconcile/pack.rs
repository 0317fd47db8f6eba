//! The delta: the key-values a peer lacks, packed into a byte budget.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::id::NodeId;
use crate::rng::Random;
use crate::state::{NodeState, ValueStatus};
use crate::wire::aiocluster::size;

/// News of several nodes for one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// News of one node each.
    pub node_deltas: Vec<NodeDelta>,
}

/// News of one node: its key-values above a version, in increasing order of version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeDelta {
    /// The owner of the key-values.
    pub node_id: NodeId,
    /// The key-values are the sender's with versions above this; 0 may be a reset.
    pub from_version_excluded: u64,
    /// Tombstones at or below this version are gone from the sender's copy.
    pub last_gc_version: u64,
    /// In increasing order of version.
    pub key_values: Vec<KeyValueUpdate>,
    /// Where the receiver stands after this delta. An unmarked peer sends its own highest version, even with a
    /// delta cut short.
    pub max_version: Option<u64>,
    /// The version up to which the sender's own copy has no holes; `None` from an unmarked peer.
    pub sender_complete_version: Option<u64>,
}

/// One key with the value of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValueUpdate {
    /// The key; may be empty.
    pub key: Arc<str>,
    /// The value; empty for a tombstone.
    pub value: Arc<str>,
    /// The owner's version at which the key got this value or status.
    pub version: u64,
    /// Set, deleted, or to be deleted after the grace period.
    pub status: ValueStatus,
}

/// What a peer lacks of one node, before it is cut to fit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct News<'a> {
    pub(crate) node_id: &'a NodeId,
    pub(crate) state: &'a NodeState,
    /// The peer holds everything up to here; 0 where it must start again.
    pub(crate) from: u64,
    /// The peer may be told everything up to here.
    pub(crate) up_to: u64,
    /// What the peer is told of the collected tombstones.
    pub(crate) last_gc: u64,
}

/// News packed into a budget.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    pub(crate) delta: Delta,
    /// The encoded length of the delta's body, in bytes.
    pub(crate) len: usize,
    /// Nodes whose news was cut short or left out.
    pub(crate) truncated: u64,
}

/// Packs news into at most `budget` bytes, in linear time.
///
/// Every node gets an equal share of the room, and what it leaves goes to the larger ones: the smallest news first, so
/// that a large neighbour starves nobody. A random node places its first key-value before all others, so that a value
/// larger than any share gets its turn as well. Within a node, key-values go in order of version, and a delta cut
/// short says so: its `max_version` is that of the last key-value in it.
pub(crate) fn pack(news: &[News<'_>], budget: usize, random: &mut Random) -> Packed {
    let mut order: Vec<(usize, &News<'_>)> = news.iter().map(|news| (news.len_up_to(budget), news)).collect();
    order.sort_by_key(|(len, _)| *len);

    let mut packed = Packed::default();
    let lead = random.index(order.len());
    // Nothing is kept free for what does not fit at all.
    let mut reserved = order.get(lead).map(|(_, news)| news.smallest_len()).filter(|len| *len <= budget).unwrap_or(0);
    let mut left = budget - reserved;
    for (position, (whole_len, news)) in order.iter().enumerate() {
        let share = left / (order.len() - position);
        let room = if position == lead {
            left += core::mem::take(&mut reserved);
            share.max(news.smallest_len()).min(left)
        } else {
            share
        };
        let (node_delta, len) = if *whole_len <= room { (Some(news.whole()), *whole_len) } else { news.cut(room) };
        let is_cut = node_delta.as_ref().is_none_or(|node_delta| node_delta.max_version != Some(news.up_to));
        packed.truncated += u64::from(is_cut);
        left -= len;
        packed.len += len;
        packed.delta.node_deltas.extend(node_delta);
    }
    packed
}

impl News<'_> {
    fn updates(&self) -> impl Iterator<Item = KeyValueUpdate> {
        self.state.news(self.from, self.up_to).map(|(key, value)| KeyValueUpdate {
            key: key.clone(),
            value: value.value.clone(),
            version: value.version,
            status: value.status,
        })
    }

    fn header(&self) -> NodeDelta {
        NodeDelta {
            node_id: self.node_id.clone(),
            from_version_excluded: self.from,
            last_gc_version: self.last_gc,
            key_values: Vec::new(),
            max_version: Some(self.up_to),
            sender_complete_version: Some(self.state.knows_deletions_to()),
        }
    }

    fn lens(&self) -> impl Iterator<Item = usize> {
        let news = self.state.news(self.from, self.up_to);
        news.map(|(key, value)| {
            #[cfg(test)]
            tests::count_sized();
            size::key_value_len(key, &value.value, value.version, value.status)
        })
    }

    fn whole(&self) -> NodeDelta {
        NodeDelta { key_values: self.updates().collect(), ..self.header() }
    }

    /// The length of the whole, or something above `limit`.
    fn len_up_to(&self, limit: usize) -> usize {
        let header_len = size::node_delta_header_len(&self.header());
        let mut key_values_len = 0;
        for len in self.lens() {
            key_values_len += len;
            if key_values_len > limit {
                break;
            }
        }
        size::node_delta_len(header_len, key_values_len)
    }

    /// The length with the first key-value alone.
    fn smallest_len(&self) -> usize {
        let header_len = size::node_delta_header_len(&self.header());
        size::node_delta_len(header_len, self.lens().next().unwrap_or(0))
    }

    /// As much of the news, in order of version, as fits `room`, and its length; `None` where not even one key-value does.
    fn cut(&self, room: usize) -> (Option<NodeDelta>, usize) {
        let mut node_delta = self.header();
        let header_len = size::node_delta_header_len(&node_delta);
        let mut key_values_len = 0;
        for (update, len) in self.updates().zip(self.lens()) {
            if size::node_delta_len(header_len, key_values_len + len) > room {
                node_delta.max_version = node_delta.key_values.last().map(|last: &KeyValueUpdate| last.version);
                break;
            }
            key_values_len += len;
            node_delta.key_values.push(update);
        }
        let header_len = size::node_delta_header_len(&node_delta);
        let len = size::node_delta_len(header_len, key_values_len);
        if node_delta.max_version.is_none() || len > room { (None, 0) } else { (Some(node_delta), len) }
    }
}

#[cfg(test)]
mod tests;
