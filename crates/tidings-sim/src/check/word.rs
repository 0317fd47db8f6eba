//! The rule of words: one stranger holds few under suspicion and none dead, and all is right soon after it is gone.

use std::collections::BTreeSet;
use std::time::Duration;

use tidings_core::{EventKind, Instant, NodeId};

use super::Runs;
use super::violation::{Rule, Violation};
use crate::fault::FaultKind;
use crate::scenario::Scenario;
use crate::world::World;

/// So many nodes may be not live somewhere while one stranger lies.
const MOST_SUSPECTS: usize = 3;

/// Holds the nodes against the rule, in a scenario where nothing is wrong but that strangers lie, one at a time.
#[derive(Debug)]
pub(crate) struct Words {
    /// The nodes knew each other before anybody lied.
    is_settled: bool,
    /// All must be right then.
    right_by: Option<Instant>,
    soon: Duration,
}

impl Words {
    /// `None`: something else may be wrong as well.
    pub(crate) fn new(scenario: &Scenario) -> Option<Words> {
        let stranger = |kind: &FaultKind| match kind {
            FaultKind::Stranger { duration, .. } => Some(*duration),
            _ => None,
        };
        let mut lies: Vec<(Duration, Duration)> = Vec::new();
        for fault in &scenario.faults {
            lies.push((fault.at, fault.at + stranger(&fault.kind)? + fault.every * fault.times));
        }
        lies.sort_unstable();
        let soon = Duration::from_secs(30).max(scenario.protocol.interval * 30);
        let is_one_at_a_time = lies.windows(2).all(|pair| pair[0].1 + soon < pair[1].0);
        let is_strict = !lies.is_empty() && is_one_at_a_time && scenario.is_clean() && scenario.boot_over.is_zero();
        is_strict.then_some(Words { is_settled: false, right_by: None, soon })
    }

    /// Somebody begins to lie.
    pub(crate) fn begin(&mut self, is_converged: bool) {
        self.is_settled |= is_converged;
        self.right_by = None;
    }

    /// The liar is gone.
    pub(crate) fn end(&mut self, now: Instant) {
        self.right_by = Some(now + self.soon);
    }

    /// Whether a liar is gone, and the nodes have some time left to set all right. Their users hold still.
    pub(crate) fn is_recovering(&self) -> bool {
        self.right_by.is_some()
    }

    /// When all must be right, once a liar is gone. Taken once.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        self.right_by.take_if(|at| *at <= now).is_some() && self.is_settled
    }

    /// Takes an event of a node.
    pub(crate) fn event(&self, world: &World, runs: &Runs, index: usize, kind: &EventKind) -> Result<(), Violation> {
        let (EventKind::NodeDied { node } | EventKind::NodeLeft { node } | EventKind::NodeRestarted { old: node, .. }) =
            kind
        else {
            return Ok(());
        };
        if !self.is_settled || !runs.is_running(node) {
            return Ok(());
        }
        let message = format!("node {index} tells: {kind}, and it runs");
        Err(Violation { at: world.now(), rule: Rule::Word, message })
    }

    /// Counts the running nodes that are not live somewhere. `live`: whom a node takes for live, itself left out.
    pub(crate) fn check<'a>(
        &self,
        world: &World,
        live: impl Fn(usize) -> Option<&'a BTreeSet<NodeId>>,
        cluster_of: impl Fn(usize) -> usize,
    ) -> Result<(), Violation> {
        if !self.is_settled {
            return Ok(());
        }
        let running: Vec<(usize, &NodeId)> =
            world.running().filter_map(|index| Some((index, world.node(index)?.id()))).collect();
        let is_missed = |(owner, id): &(usize, &NodeId)| {
            let mut others =
                running.iter().filter(|(index, _)| index != owner && cluster_of(*index) == cluster_of(*owner));
            others.any(|(index, _)| live(*index).is_some_and(|live| !live.contains(*id)))
        };
        let suspects: Vec<usize> = running.iter().filter(|node| is_missed(node)).map(|(index, _)| *index).collect();
        if suspects.len() <= MOST_SUSPECTS {
            return Ok(());
        }
        let message = format!("the nodes {suspects:?} are not live somewhere, while one stranger lies");
        Err(Violation { at: world.now(), rule: Rule::Word, message })
    }
}
