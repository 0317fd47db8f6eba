//! The memory of forgotten nodes, so that older news does not bring them back.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::id::{NodeId, Run};
use crate::limits::HEARSAY_STEP;
use crate::members::peer::Former;
use crate::members::precedence::Word;
use crate::members::{Env, Peer, Report};
use crate::time::Instant;

/// So many heartbeats in a row, each a proof of nothing by itself, bring a forgotten node back.
pub(super) const BEATS_TO_RETURN: u32 = 3;

/// The forgotten nodes, for as long as there is room for them and one of ours or a Python peer might still tell of them.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Forgotten {
    nodes: BTreeMap<NodeId, Memory>,
    /// The same in the order in which they were forgotten.
    order: BTreeSet<(Instant, NodeId)>,
    /// Those of them that Python relays have told of lately, so that no digest needs a look at all.
    relayed: BTreeMap<NodeId, Relayed>,
}

/// What a Python relay last told of a forgotten node, and when (in active time).
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
struct Relayed {
    at: Instant,
    max_version: u64,
    last_gc_version: u64,
}

/// What is remembered of one forgotten node.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
struct Memory {
    heartbeat: u64,
    run: Option<Run>,
    /// Another run under the same id, before this one, and its heartbeat at its end.
    former: Option<(Run, u64)>,
    /// When it was forgotten: the oldest give way.
    at: Instant,
    /// When its heartbeat last went up, and how often in a row.
    beat_at: Instant,
    beats: u32,
}

/// A node that others are told of no more, as Python peers are shown it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Echo<'a> {
    pub(crate) id: &'a NodeId,
    pub(crate) heartbeat: u64,
    pub(crate) max_version: u64,
    pub(crate) last_gc_version: u64,
}

impl Forgotten {
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn contains(&self, id: &NodeId) -> bool {
        self.nodes.contains_key(id)
    }

    /// Takes in a node that is forgotten now, and the run whose place it had: old news of that one would find its name free.
    pub(super) fn remember(&mut self, env: &Env<'_>, id: NodeId, peer: &Peer) {
        if let Some(former) = &peer.former {
            self.remember_former(env, former, &id);
        }
        let relayed = peer.relayed_at.map(|at| Relayed {
            at,
            max_version: peer.heard_version.max(peer.complete_version),
            last_gc_version: peer.last_gc_version,
        });
        let same_id = peer.former.as_ref().filter(|former| former.id == id);
        let memory = Memory::new(env, peer.pulse.heartbeat(), peer.run());
        self.insert(
            env,
            id.clone(),
            Memory { former: same_id.and_then(|former| Some((former.run?, former.heartbeat))), ..memory },
        );
        if let Some(relayed) = relayed {
            self.relayed.insert(id, relayed);
        }
    }

    /// Takes in a run that was replaced before `holder`, and is of another id than that.
    pub(super) fn remember_former(&mut self, env: &Env<'_>, former: &Former, holder: &NodeId) {
        if former.id != *holder {
            self.insert(env, former.id.clone(), Memory::new(env, former.heartbeat, former.run));
        }
    }

    /// The one that was forgotten first gives way where there is no room.
    fn insert(&mut self, env: &Env<'_>, id: NodeId, memory: Memory) {
        self.remove(&id);
        while self.nodes.len() >= env.config.limits.max_forgotten_nodes {
            let Some((_, oldest)) = self.order.first().cloned() else { break };
            self.remove(&oldest);
        }
        self.order.insert((memory.at, id.clone()));
        self.nodes.insert(id, memory);
    }

    /// Ends the memory of what nobody can tell of any more: our nodes tell of nothing that ended longer ago than one grace
    /// period, and behind Python relays it takes two. Once a round.
    pub(super) fn expire(&mut self, env: &Env<'_>) {
        let grace = env.config.failure_detector.dead_node_grace_period;
        while let Some((_, id)) = self.order.first().filter(|(at, _)| env.now >= *at + grace * 2).cloned() {
            self.remove(&id);
        }
        self.relayed.retain(|_, relayed| !env.detector.is_long_after(relayed.at, env.active));
    }

    /// Takes note of what is said of a node; true when it is no forgotten one, or may return: it is another run, it says itself
    /// that it has beaten since, or it has beaten often enough.
    pub(super) fn lets_return(&mut self, env: &mut Env<'_>, report: &Report<'_>) -> bool {
        let Some(memory) = self.nodes.get_mut(report.id) else { return true };
        let is_other_run = Run::differ(memory.run, report.run) && !memory.is_of_former(report);
        // Its own word may have been under way for long, while this process was stopped.
        let says_so = matches!(report.word, Word::Own(_)) && report.heartbeat > memory.heartbeat;
        let is_back = is_other_run || says_so || memory.is_back(env, report.heartbeat);
        env.stats.forgotten_ignored += u64::from(!is_back);
        if report.word == Word::UnmarkedRelay {
            let Report { max_version, last_gc_version, .. } = *report;
            self.relayed.insert(report.id.clone(), Relayed { at: env.active, max_version, last_gc_version });
        }
        is_back
    }

    /// Whether it was known already before this node was forgotten.
    pub(super) fn is_old_news(&self, report: &Report<'_>) -> bool {
        self.nodes.get(report.id).is_some_and(|memory| {
            let is_of_run = !Run::differ(memory.run, report.run) && report.heartbeat <= memory.heartbeat;
            is_of_run || memory.is_of_former(report)
        })
    }

    /// The forgotten nodes that a Python relay still tells of; Python peers are shown what they have shown themselves.
    pub(super) fn echoes(&self) -> impl Iterator<Item = Echo<'_>> {
        self.relayed.iter().filter_map(|(id, relayed)| {
            let Relayed { max_version, last_gc_version, .. } = *relayed;
            Some(Echo { id, heartbeat: self.nodes.get(id)?.heartbeat, max_version, last_gc_version })
        })
    }

    /// Ends the memory of a node, and gives what it was at its end.
    pub(super) fn remove(&mut self, id: &NodeId) -> Option<Former> {
        let Memory { heartbeat, run, at, .. } = self.nodes.remove(id)?;
        self.order.remove(&(at, id.clone()));
        self.relayed.remove(id);
        Some(Former { id: id.clone(), run, heartbeat, conflict_told: false })
    }

    /// What `invariants` holds against the memory.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let is_ordered = |(id, memory): (&NodeId, &Memory)| self.order.contains(&(memory.at, id.clone()));
        if self.order.len() != self.nodes.len() || !self.nodes.iter().all(is_ordered) {
            return Err("the forgotten nodes in order are not those that are remembered");
        }
        if self.relayed.keys().any(|id| !self.nodes.contains_key(id)) {
            return Err("a node that is relayed is not a forgotten one");
        }
        Ok(())
    }

    /// The highest of all numbers that are counted up from here.
    #[cfg(feature = "record")]
    pub(super) fn highest_number(&self) -> u64 {
        let of_one = |memory: &Memory| memory.heartbeat.max(u64::from(memory.beats) << 32);
        self.nodes.values().map(of_one).max().unwrap_or(0)
    }
}

impl Memory {
    fn new(env: &Env<'_>, heartbeat: u64, run: Option<Run>) -> Memory {
        Memory { heartbeat, run, former: None, at: env.now, beat_at: env.active, beats: 0 }
    }

    /// Whether it is an old packet of the run before that one, and no third run.
    fn is_of_former(&self, report: &Report<'_>) -> bool {
        self.former.is_some_and(|(run, end)| report.run == Some(run) && report.heartbeat <= end)
    }

    /// Takes note of a heartbeat; true when there were enough of them in a row.
    fn is_back(&mut self, env: &mut Env<'_>, heartbeat: u64) -> bool {
        if heartbeat <= self.heartbeat {
            return false;
        }
        if heartbeat - self.heartbeat > HEARSAY_STEP {
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
