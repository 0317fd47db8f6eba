//! News packed into a byte budget.

use alloc::vec::Vec;

use crate::reconcile::{Delta, News, NodeDelta};
use crate::rng::Random;
use crate::state::{KeyValueUpdate, ValueStatus};

/// How long what is told will be once it is encoded, in bytes. They compose, so that a packer stays in linear time.
pub(crate) trait Lengths {
    /// One key-value, as it adds to its node delta.
    fn key_value_len(&self, key: &str, value: &str, version: u64, status: ValueStatus) -> usize;

    /// What a node delta holds beside its key-values. It depends on the values of the versions in it.
    fn node_delta_header_len(&self, node_delta: &NodeDelta) -> usize;

    /// One node delta, from its header's length and its key-values' lengths together.
    fn node_delta_len(&self, header_len: usize, key_values_len: usize) -> usize;
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
pub(crate) fn pack(news: &[News<'_>], budget: usize, lengths: &impl Lengths, random: &mut Random) -> Packed {
    let mut order: Vec<(usize, &News<'_>)> = news.iter().map(|news| (news.len_up_to(lengths, budget), news)).collect();
    order.sort_by_key(|(len, _)| *len);

    let mut packed = Packed::default();
    let lead = random.index(order.len());
    // Nothing is kept free for what does not fit at all.
    let mut reserved =
        order.get(lead).map(|(_, news)| news.smallest_len(lengths)).filter(|len| *len <= budget).unwrap_or(0);
    let mut left = budget - reserved;
    for (position, (whole_len, news)) in order.iter().enumerate() {
        let share = left / (order.len() - position);
        let room = if position == lead {
            left += core::mem::take(&mut reserved);
            share.max(news.smallest_len(lengths)).min(left)
        } else {
            share
        };
        let (node_delta, len) =
            if *whole_len <= room { (Some(news.whole()), *whole_len) } else { news.cut(lengths, room) };
        let is_cut = node_delta.as_ref().is_none_or(|node_delta| node_delta.max_version != Some(news.up_to));
        packed.truncated += u64::from(is_cut);
        left -= len;
        packed.len += len;
        packed.delta.node_deltas.extend(node_delta);
    }
    packed
}

impl News<'_> {
    fn lens(&self, lengths: &impl Lengths) -> impl Iterator<Item = usize> {
        let news = self.state.news(self.from, self.up_to);
        news.map(|(key, value)| lengths.key_value_len(key, &value.value, value.version, value.status))
    }

    /// The length of the whole, or something above `limit`.
    fn len_up_to(&self, lengths: &impl Lengths, limit: usize) -> usize {
        let header_len = lengths.node_delta_header_len(&self.header());
        let mut key_values_len = 0;
        for len in self.lens(lengths) {
            key_values_len += len;
            if key_values_len > limit {
                break;
            }
        }
        lengths.node_delta_len(header_len, key_values_len)
    }

    /// The length with the first key-value alone.
    fn smallest_len(&self, lengths: &impl Lengths) -> usize {
        let header_len = lengths.node_delta_header_len(&self.header());
        lengths.node_delta_len(header_len, self.lens(lengths).next().unwrap_or(0))
    }

    /// As much of the news, in order of version, as fits `room`, and its length; `None` where not even one key-value does.
    fn cut(&self, lengths: &impl Lengths, room: usize) -> (Option<NodeDelta>, usize) {
        let mut node_delta = self.header();
        let header_len = lengths.node_delta_header_len(&node_delta);
        let mut key_values_len = 0;
        for (update, len) in self.updates().zip(self.lens(lengths)) {
            if lengths.node_delta_len(header_len, key_values_len + len) > room {
                node_delta.max_version = node_delta.key_values.last().map(|last: &KeyValueUpdate| last.version);
                break;
            }
            key_values_len += len;
            node_delta.key_values.push(update);
        }
        let header_len = lengths.node_delta_header_len(&node_delta);
        let len = lengths.node_delta_len(header_len, key_values_len);
        if node_delta.max_version.is_none() || len > room { (None, 0) } else { (Some(node_delta), len) }
    }
}

#[cfg(test)]
mod tests;
