//! The truth about runs: which have run, in which order, and when each ended.

use std::collections::BTreeMap;

use tidings_core::{Instant, NodeId};

/// Every run that is remembered. Two processes may share an id.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    runs: BTreeMap<NodeId, Run>,
    begun: u64,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    processes: u32,
    ended: Instant,
    order: u64,
}

impl Runs {
    /// A process with this id begins.
    pub(crate) fn begin(&mut self, id: &NodeId) {
        self.begun += 1;
        let run = Run { processes: 0, ended: Instant::ZERO, order: self.begun };
        self.runs.entry(id.clone()).or_insert(run).processes += 1;
    }

    /// A process with this id has ended.
    pub(crate) fn end(&mut self, now: Instant, id: &NodeId) {
        if let Some(run) = self.runs.get_mut(id) {
            run.processes = run.processes.saturating_sub(1);
            run.ended = now;
        }
    }

    /// Which run it is, of all that there have been.
    pub(crate) fn order(&self, id: &NodeId) -> Option<u64> {
        self.runs.get(id).map(|run| run.order)
    }

    pub(crate) fn is_running(&self, id: &NodeId) -> bool {
        self.runs.get(id).is_some_and(|run| run.processes > 0)
    }

    /// When it ended, if it has.
    pub(crate) fn ended(&self, id: &NodeId) -> Option<Instant> {
        self.runs.get(id).filter(|run| run.processes == 0).map(|run| run.ended)
    }

    /// Forgets the runs that ended before `then`, and gives their ids.
    pub(crate) fn forget_before(&mut self, then: Instant) -> Vec<NodeId> {
        let is_over = |run: &Run| run.processes == 0 && run.ended < then;
        let over: Vec<NodeId> = self.runs.iter().filter(|(_, run)| is_over(run)).map(|(id, _)| id.clone()).collect();
        for id in &over {
            self.runs.remove(id);
        }
        over
    }
}
