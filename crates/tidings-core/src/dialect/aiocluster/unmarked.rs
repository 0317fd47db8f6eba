//! What exists only because of Python aiocluster 1.1.0: rules for peers that know nothing of ours.
//!
//! Such a peer is *unmarked*: its packets carry no protocol revision. It relays key-values with holes, claims versions
//! it does not hold, collects other nodes' tombstones on its own clock, and drops live keys below a collected
//! tombstone. Each function here answers one of these; docs/protocol.md gives each its paragraph. Without such peers
//! this file could go: every function has a plain answer for marked ones.

use crate::config::Config;
use crate::id::{Address, NodeId};
use crate::members::{Members, Peer};
use crate::reconcile::{Delta, Known, News, NodeDelta};
use crate::snapshot::Liveness;
use crate::state::{Claim, NodeState, OwnState};
use crate::time::Instant;
use crate::wire::aiocluster::size;

use super::Sender;
use crate::wire::aiocluster::Digest;

/// What a delta says, given who sent it.
///
/// - One of us says where a delta cut short ends, and relays only what has no holes: its word counts as it stands.
/// - An unmarked owner sends its own key-values in order, but with its full `max_version` even where it was cut short
///   (defect 1): it is complete only up to the last key-value in it.
/// - An unmarked relay may have holes: its key-values are taken, its versions are not (defects 1, 3, 20).
pub(crate) fn claim_of(delta: &NodeDelta, sender: Sender<'_>) -> Claim {
    let last_sent = delta.key_values.last().map_or(delta.from_version_excluded, |last| last.version);
    let from = delta.from_version_excluded;
    let last_gc = delta.last_gc_version;
    if sender.is_marked() {
        let complete_to = delta.max_version.unwrap_or(last_sent);
        let as_of = delta.sender_complete_version.unwrap_or(complete_to);
        return Claim { from, complete_to: Some(complete_to), as_of, last_gc, says_if_cut: true };
    }
    let as_of = delta.max_version.unwrap_or(last_sent).max(last_gc);
    if *sender.id == delta.node_id {
        return Claim { from, complete_to: Some(last_sent), as_of, last_gc, says_if_cut: false };
    }
    Claim { from, complete_to: None, as_of, last_gc: 0, says_if_cut: false }
}

/// What a digest shows as (`max_version`, `complete_version`) of a node.
///
/// An unmarked relay with holes resends the same key-values for ever to whoever shows a version below its own; so it is
/// shown the highest version heard of, beside which a field of ours carries the complete one. An unmarked owner itself is
/// shown the complete one, since only it can fill what is missing. One of ours reads both, and moves past a version that
/// it never had.
pub(crate) fn versions_to_show(peer: &Peer, to_owner: impl FnOnce() -> bool) -> (u64, Option<u64>) {
    let complete = peer.complete_version;
    let heard = peer.heard_version.max(complete);
    let is_for_owner = || !peer.is_marked() && to_owner();
    if heard == complete || is_for_owner() { (complete, None) } else { (heard, Some(complete)) }
}

/// What an unmarked owner says by sending nothing of itself in a SynAck.
///
/// A node whose keys were all collected sends no delta, and a key whose tombstone was missed lives on (defect 5). But it
/// answers in one go: if its digest shows more collected tombstones than we have seen, and its delta does not start us
/// again, then it has no live key. (Its own delta comes first, so that nothing crowds it out.)
///
/// That holds only if it was shown what we hold, as it surely is at its own address. At another, where an earlier run of
/// it was, it may have been shown what we have heard of ([`versions_to_show`]), and has no more than that.
pub(crate) fn claim_of_silence<'a>(
    dialled: &Address,
    digest: &'a Digest,
    delta: &Delta,
    sender: Sender<'_>,
) -> Option<(&'a NodeId, Claim)> {
    let own = digest.entries.first().filter(|_| !sender.is_marked())?;
    let was_asked = own.node_id.gossip_advertise_addr() == dialled;
    if !was_asked
        || own.last_gc_version == 0
        || delta.node_deltas.iter().any(|node_delta| node_delta.node_id == own.node_id)
    {
        return None;
    }
    let (as_of, last_gc) = (own.max_version, own.last_gc_version);
    Some((&own.node_id, Claim { from: 0, complete_to: Some(0), as_of, last_gc, says_if_cut: false }))
}

/// The part of a SynAck that is the delta's where digest and delta do not fit: an eighth, for an unmarked peer resends the
/// whole state of every node that a digest cut short does not show.
pub(crate) const DELTA_PART: usize = 8;

/// Bounds what an unmarked peer is sent of one node. `None`: nothing.
///
/// - Nothing beyond the released version: see [`version_to_release`].
/// - It drops every key at or below the `last_gc_version` it is told, live ones too (defect 3). So unless it has to start
///   again it is told nothing that it does not know.
/// - When it starts again, it filters what it is sent against its old `max_version` (defect 4) and so loses the keys
///   below it. The owner gives such keys new versions first ([`keep_live_keys_above_gc`]), so only the owner may do it.
pub(crate) fn bound_news<'a>(
    mut news: News<'a>,
    known: Option<Known>,
    released: Option<u64>,
    is_owner: bool,
) -> Option<News<'a>> {
    let Known { complete_version: known_version, last_gc_version: known_gc } = known.unwrap_or_default();
    let is_reset = news.from < known_version;
    if is_reset && !is_owner {
        return None;
    }
    if !is_reset && known_version > 0 {
        news.last_gc = news.last_gc.min(known_gc);
    }
    news.up_to = news.up_to.min(released.unwrap_or(u64::MAX));
    (news.up_to > known_version).then_some(news)
}

/// Gives the own live keys at or below the collected tombstones new versions, where an unmarked peer holds a copy.
///
/// Unmarked peers collect this node's tombstones on their own clock, pass the version on, and drop live keys at or below
/// it at each other (defects 3, 20). Above it the keys are safe. Nearly always there is nothing to do: after one pass
/// every live key stands above all tombstones of the next grace period. Returns how many keys there were.
pub(crate) fn keep_live_keys_above_gc(own: &mut OwnState) -> usize {
    if own.has_live_below_gc() { own.reversion_below_gc() } else { 0 }
}

/// Whether some unmarked node may hold a copy of this node's state.
pub(crate) fn has_unmarked(members: &Members) -> bool {
    members.iter().any(|(_, peer)| !peer.is_marked() && peer.liveness() == Liveness::Live)
}

/// How many versions an owner lets unmarked peers get ahead of the slowest of them.
const MAX_VERSIONS_AHEAD: usize = 300;

/// The version up to which unmarked peers may be told the own key-values; `None`: no bound, for there are none.
///
/// An unmarked peer that is far behind another gets a delta cut short from it, with the full `max_version` (defect 1),
/// and a hole for ever. So the owner keeps them together: nothing goes out further than 300 versions, or half a packet,
/// above the slowest live one, and our relays keep to the same bound.
pub(crate) fn version_to_release(own: &NodeState, members: &Members, active: Instant, config: &Config) -> Option<u64> {
    let floor = slowest_unmarked(members, active, config)?;
    let mut bytes = 0;
    let mut released = floor;
    for entry in own.news(floor, own.max_version()).take(MAX_VERSIONS_AHEAD) {
        let value = &entry.value;
        bytes += size::key_value_len(&entry.key, &value.value, value.version, value.status);
        // The first one always goes, however large.
        if bytes > config.max_payload_size / 2 && released > floor {
            return Some(released);
        }
        released = value.version;
    }
    let is_all = own.news(released, own.max_version()).next().is_none();
    Some(if is_all { own.max_version() } else { released })
}

/// The lowest version of this node that an unmarked live peer said it holds.
///
/// A peer just heard of counts as live and as holding nothing. One that has not been in touch for long does not count, nor
/// one that has taken nothing for as long while there was something to take: it would hold up all others.
fn slowest_unmarked(members: &Members, active: Instant, config: &Config) -> Option<u64> {
    let rounds = u32::try_from(members.len()).unwrap_or(u32::MAX).max(30);
    let patience = config.gossip_interval.saturating_mul(rounds);
    let version_of = |peer: &Peer| {
        let first_heard = peer.pulse.first_heard();
        let is_new = active <= first_heard + config.max_interval();
        if peer.is_marked() || !(peer.liveness() == Liveness::Live || is_new) {
            return None;
        }
        match peer.holding {
            // It is in touch, but takes nothing: it need not even be a member.
            Some(held) if held.behind_since.is_some_and(|since| active > since + patience) => None,
            Some(held) => (active <= held.said_at + patience).then_some(held.version),
            None => (active <= first_heard + patience).then_some(0),
        }
    };
    members.iter().filter_map(|(_, peer)| version_of(peer)).min()
}

#[cfg(test)]
mod tests;
