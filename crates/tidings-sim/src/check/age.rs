//! The rule of ages: nobody is told to have lived later than it did, and the dead end everywhere within one grace period.

use std::time::Duration;

use tidings_core::NodeId;

use super::runs::Runs;
use crate::fault::FaultKind;
use crate::scenario::Scenario;
use crate::world::World;

/// How long a run may be known after its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ages {
    longest: Duration,
    /// All clocks run at one rate, so that a silence is as long at every node.
    is_exact: bool,
}

impl Ages {
    /// A grace period, and a few rounds and broken exchanges for the last news to come around. `None`: strangers make up
    /// runs, and nothing can be said.
    pub(crate) fn new(scenario: &Scenario) -> Option<Ages> {
        const TRANSIT_ROUNDS: u32 = 10;
        const BROKEN_EXCHANGES: Duration = Duration::from_secs(30);
        let is_stranger = |kind: &FaultKind| matches!(kind, FaultKind::Stranger { .. });
        let makes_up_runs = scenario.faults.iter().any(|fault| is_stranger(&fault.kind));
        let has_slow_clocks = scenario.faults.iter().any(|fault| matches!(fault.kind, FaultKind::ClockSkew { .. }));
        // A clock that is a fifth too slow, beside those of the nodes that it passed through.
        let grace = scenario.protocol.dead_grace.mul_f64(if has_slow_clocks { 1.6 } else { 1.0 });
        let longest = grace + scenario.protocol.interval * TRANSIT_ROUNDS + BROKEN_EXCHANGES;
        (!makes_up_runs).then_some(Ages { longest, is_exact: !has_slow_clocks })
    }

    /// Looks at whom a node knows.
    ///
    /// # Errors
    /// It knows a run that ended too long ago, or takes one to have lived later than it did.
    pub(crate) fn check(&self, world: &World, runs: &Runs, index: usize) -> Result<(), String> {
        let Some(node) = world.node(index) else { return Ok(()) };
        // After a pause it has first to be woken.
        if node.poll_timeout().is_some_and(|deadline| deadline <= world.local_now(index)) {
            return Ok(());
        }
        let is_over = |id: &NodeId| match runs.ended(id) {
            Some(ended) => world.now() > ended + self.longest,
            // Nothing is remembered of a run whose grace period is long over.
            None => !runs.is_running(id),
        };
        if let Some((id, _)) = node.heartbeats().find(|(id, _)| is_over(id)) {
            let longest = self.longest;
            return Err(format!("it knows {id}, which ended {:?}; nobody may after {longest:?}", runs.ended(id)));
        }
        if !self.is_exact {
            return Ok(());
        }
        for member in node.snapshot(world.local_now(index)).members {
            let (Some(silent_for), Some(ended)) = (member.silent_for, runs.ended(&member.id)) else { continue };
            let silence = world.now().saturating_duration_since(ended);
            if silent_for < silence {
                let id = &member.id;
                return Err(format!(
                    "it takes {id} to have been silent for {silent_for:?}, and it has been for {silence:?}"
                ));
            }
        }
        Ok(())
    }
}
