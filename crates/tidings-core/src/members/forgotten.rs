//! The memory of forgotten nodes, so that older news does not bring them back.

use alloc::collections::BTreeMap;

use crate::id::NodeId;
use crate::limits::MAX_JUMP;
use crate::members::Env;
use crate::time::Instant;

/// So many heartbeats in a row, each a proof of nothing by itself, bring a forgotten node back.
pub(super) const BEATS_TO_RETURN: u32 = 3;

/// The forgotten nodes, for as long as there is room for them.
///
/// A node that starts knows nothing of the dead, learns of one from a peer that has not forgotten it yet, and so may
/// pass it on long after everybody else has forgotten it.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Forgotten {
    nodes: BTreeMap<NodeId, Memory>,
}

/// What is remembered of one forgotten node.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
struct Memory {
    heartbeat: u64,
    /// When it was forgotten: the oldest give way.
    at: Instant,
    /// When its heartbeat last went up, and how often in a row.
    beat_at: Instant,
    beats: u32,
}

impl Forgotten {
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn contains(&self, id: &NodeId) -> bool {
        self.nodes.contains_key(id)
    }

    /// Takes in a node that is forgotten now; the one that was forgotten first gives way where there is no room.
    pub(super) fn remember(&mut self, env: &Env<'_>, id: NodeId, heartbeat: u64) {
        if self.nodes.len() >= env.config.limits.max_forgotten_nodes {
            let oldest = self.nodes.iter().min_by_key(|(_, memory)| memory.at).map(|(oldest, _)| oldest.clone());
            oldest.and_then(|oldest| self.nodes.remove(&oldest));
        }
        self.nodes.insert(id, Memory { heartbeat, at: env.now, beat_at: env.active, beats: 0 });
    }

    /// Takes note of a heartbeat of `id`; true when it is no forgotten node, or has beaten often enough to return.
    pub(super) fn lets_return(&mut self, env: &mut Env<'_>, id: &NodeId, heartbeat: u64) -> bool {
        let Some(memory) = self.nodes.get_mut(id) else { return true };
        let is_back = memory.is_back(env, heartbeat);
        env.stats.forgotten_ignored += u64::from(!is_back);
        is_back
    }

    pub(super) fn remove(&mut self, id: &NodeId) {
        self.nodes.remove(id);
    }

    /// The highest of all numbers that are counted up from here.
    #[cfg(feature = "record")]
    pub(super) fn highest_number(&self) -> u64 {
        let of_one = |memory: &Memory| memory.heartbeat.max(u64::from(memory.beats) << 32);
        self.nodes.values().map(of_one).max().unwrap_or(0)
    }
}

impl Memory {
    /// Takes note of a heartbeat; true when there were enough of them in a row.
    fn is_back(&mut self, env: &mut Env<'_>, heartbeat: u64) -> bool {
        if heartbeat <= self.heartbeat {
            return false;
        }
        if heartbeat - self.heartbeat > MAX_JUMP {
            env.stats.jumps_refused += 1;
            return false;
        }
        let in_a_row = !env.detector.is_long_after(self.beat_at, env.active);
        self.beats = if in_a_row { self.beats + 1 } else { 1 };
        self.beat_at = env.active;
        self.heartbeat = heartbeat;
        self.beats >= BEATS_TO_RETURN
    }
}
