//! News packed into a byte budget.

use alloc::vec::Vec;

use crate::reconcile::{Delta, News, NodeDelta};
use crate::rng::Random;
use crate::state::{KeyValueUpdate, ValueStatus};
use crate::work::Work;

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
    /// What it cost to find out: the news, and the key-values measured and sent.
    pub(crate) work: Work,
}

/// The bytes that a delta may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Of all key-values together.
    pub(crate) usual: usize,
    /// Of a single key-value that is larger than that.
    pub(crate) single: usize,
}

impl Budget {
    /// The same for one key-value as for many.
    pub(crate) fn of(bytes: usize) -> Budget {
        Budget { usual: bytes, single: bytes }
    }
}

/// Packs news into a budget. Looks at no more key-values than about three times what the budget holds, and
/// at three of each node.
///
/// Every node gets an equal share of the room, and what it leaves goes to the larger ones: the smallest news first, so
/// that a large neighbour starves nobody. Where the room is too little for a key-value of each, fewer nodes share it, the
/// smallest news first all the same. A random node places its first key-value before all others, so that a value larger
/// than any share gets its turn as well; that one alone may go beyond the usual budget. Within a node, key-values go in order of version, and a delta cut short says so:
/// its `max_version` is that of the last key-value in it.
pub(crate) fn pack(news: &[News<'_>], budget: Budget, lengths: &impl Lengths, random: &mut Random) -> Packed {
    let mut order: Vec<_> = news.iter().map(|news| Measure::new(news, news.lens(lengths), lengths)).collect();
    measure(&mut order, budget.usual, lengths);
    order.sort_by_key(|measure| measure.place(lengths));

    // The smallest first key-value from each place on.
    let mut smallest_from: Vec<usize> = order.iter().map(|measure| measure.smallest).collect();
    for position in (1..smallest_from.len()).rev() {
        smallest_from[position - 1] = smallest_from[position - 1].min(smallest_from[position]);
    }

    let mut packed = Packed::default();
    packed.work.visit(order.iter().map(|measure| 1 + measure.measured).sum());
    let lead = random.index(order.len());
    // Nothing is kept free for what does not fit at all.
    let most = budget.usual.max(budget.single);
    let mut reserved = order.get(lead).map(|measure| measure.smallest).filter(|len| *len <= most).unwrap_or(0);
    let mut left = budget.usual.saturating_sub(reserved);
    for (position, measure) in order.iter().enumerate() {
        let (news, smallest) = (measure.news, measure.smallest);
        // No more can have something of what is left.
        let sharing = (order.len() - position).min(left / smallest_from[position].max(1)).max(1);
        let share = left / sharing;
        let room = if position == lead {
            left += core::mem::take(&mut reserved);
            share.max(smallest).min(left)
        } else {
            share
        };
        let whole_len = measure.len(lengths);
        let (node_delta, len) = match () {
            () if measure.is_whole && whole_len <= room => (Some(news.whole()), whole_len),
            () if smallest <= room => news.cut(lengths, room),
            () => (None, 0),
        };
        let is_cut = node_delta.as_ref().is_none_or(|node_delta| node_delta.max_version != Some(news.up_to));
        packed.truncated += u64::from(is_cut);
        left -= len;
        packed.len += len;
        packed.work.visit(node_delta.as_ref().map_or(0, |node_delta| node_delta.key_values.len()));
        packed.delta.node_deltas.extend(node_delta);
    }
    packed
}

/// The news of one node, measured as far as it was worth it.
struct Measure<'a, I> {
    news: &'a News<'a>,
    /// The lengths of the key-values that are not in `key_values_len` yet.
    lens: I,
    header_len: usize,
    key_values_len: usize,
    /// How many key-values are in it.
    measured: usize,
    /// The length with the first key-value alone.
    smallest: usize,
    /// All of it was measured.
    is_whole: bool,
}

impl<'a, I: Iterator<Item = usize>> Measure<'a, I> {
    fn new(news: &'a News<'a>, mut lens: I, lengths: &impl Lengths) -> Measure<'a, I> {
        let header_len = lengths.node_delta_header_len(&news.header());
        let first = lens.next();
        let key_values_len = first.unwrap_or(0);
        let smallest = lengths.node_delta_len(header_len, key_values_len);
        let (measured, is_whole) = (first.iter().count(), first.is_none());
        Measure { news, lens, header_len, key_values_len, measured, smallest, is_whole }
    }

    /// The length as far as it was measured.
    fn len(&self, lengths: &impl Lengths) -> usize {
        lengths.node_delta_len(self.header_len, self.key_values_len)
    }

    /// The smallest news come first. Those that were not measured whole are longer than all that were; how much longer is
    /// guessed from the number of versions in them.
    fn place(&self, lengths: &impl Lengths) -> (bool, usize) {
        let versions = usize::try_from(self.news.up_to.saturating_sub(self.news.from)).unwrap_or(usize::MAX);
        let most = versions.min(self.news.state.entries());
        let guess = self.len(lengths).saturating_mul(most) / self.measured.max(1);
        if self.is_whole { (false, self.len(lengths)) } else { (true, guess) }
    }

    /// Goes on measuring until it is known whether the whole is longer than `limit`.
    fn measure_to(&mut self, limit: usize, lengths: &impl Lengths) {
        while !self.is_whole && self.len(lengths) <= limit {
            match self.lens.next() {
                Some(len) => (self.key_values_len, self.measured) = (self.key_values_len + len, self.measured + 1),
                None => self.is_whole = true,
            }
        }
    }
}

/// Finds out the smallest news: measures each node's as far as its equal share goes, and again as far as what those left
/// that need less. So all together are measured as far as the budget goes, and not each by itself.
fn measure<I: Iterator<Item = usize>>(order: &mut [Measure<'_, I>], budget: usize, lengths: &impl Lengths) {
    // After some rounds those that are left differ by little.
    const ROUNDS: usize = 8;
    let (mut left, mut waiting) = (budget, order.len());
    for _ in 0..ROUNDS {
        let Some(share) = left.checked_div(waiting) else { return };
        let before = waiting;
        (left, waiting) = (budget, 0);
        for measure in order.iter_mut() {
            measure.measure_to(share, lengths);
            match measure.is_whole {
                true => left = left.saturating_sub(measure.len(lengths)),
                false => waiting += 1,
            }
        }
        if waiting == before {
            return;
        }
    }
}

impl News<'_> {
    fn lens(&self, lengths: &impl Lengths) -> impl Iterator<Item = usize> {
        let news = self.state.news(self.from, self.up_to);
        news.map(|entry| {
            let value = &entry.value;
            lengths.key_value_len(&entry.key, &value.value, value.version, value.status)
        })
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
