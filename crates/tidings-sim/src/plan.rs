//! The plan that faults come to: single actions, each at its time.

use std::time::Duration;

use tidings_core::Instant;

use crate::fault::{Fault, FaultKind, Generation};
use crate::random::Random;
use crate::world::Listens;

/// A process beside the scenario's own nodes: the fault that brings it, and which one of that fault's it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Guest {
    /// The number of the fault, from 0 on.
    pub(crate) fault: usize,
    pub(crate) number: usize,
}

/// One thing to do to the world.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    Crash(usize),
    PowerOff(usize),
    Restart(usize, Generation),
    Leave(usize),
    Pause(usize),
    Resume(usize),
    Stall(usize, Duration),
    Slow(usize, Duration),
    Separate(Vec<usize>, u32),
    Deaf(usize, bool),
    Cut(usize, usize, bool),
    Loss(usize, f64),
    ClockJump(usize, Duration),
    ClockSkew(usize, i32),
    /// A guest starts, or starts again; the flag: its name will not come again.
    Arrive(Guest, bool),
    /// A guest ends; the flag: it says goodbye first.
    Depart(Guest, bool),
    Clone(Guest, usize, Listens),
    Rival(Guest, usize, Generation),
    /// The stranger of this fault begins to lie, about these nodes.
    Lie(Guest, Vec<usize>),
}

impl Fault {
    /// The nodes it happens to, and what is done when. `number`: which of the scenario's faults it is.
    pub(crate) fn plan(
        &self,
        nodes: usize,
        number: usize,
        random: &mut Random,
    ) -> (Vec<usize>, Vec<(Instant, Action)>) {
        let who = self.who.among(nodes, random);
        let others = match &self.kind {
            FaultKind::Cut { to, .. } => to.among(nodes, random),
            _ => Vec::new(),
        };
        let mut plan = Vec::new();
        for time in 0..self.times.max(1) {
            let at = Instant::ZERO + self.at + self.every * time;
            if self.kind.plan_as_a_whole(at, number, &who, &mut plan) {
                continue;
            }
            for (position, node) in who.iter().enumerate() {
                let at = at + self.stagger * u32::try_from(position).unwrap_or(u32::MAX);
                self.kind.plan(at, *node, &others, &mut plan);
                self.kind.plan_doubles(at, Guest { fault: number, number: *node }, &mut plan);
            }
        }
        (who, plan)
    }
}

impl FaultKind {
    fn plan(&self, at: Instant, node: usize, others: &[usize], plan: &mut Vec<(Instant, Action)>) {
        match *self {
            FaultKind::Crash { power: false } => plan.push((at, Action::Crash(node))),
            FaultKind::Crash { power: true } => plan.push((at, Action::PowerOff(node))),
            FaultKind::Restart { down, generation } => {
                plan.push((at, Action::Crash(node)));
                plan.push((at + down, Action::Restart(node, generation)));
            }
            FaultKind::Leave {} => plan.push((at, Action::Leave(node))),
            FaultKind::Pause { duration } => {
                plan.push((at, Action::Pause(node)));
                plan.push((at + duration, Action::Resume(node)));
            }
            FaultKind::Stall { duration } => plan.push((at, Action::Stall(node, duration))),
            FaultKind::Slow { delay, duration } => {
                plan.push((at, Action::Slow(node, delay)));
                plan.push((at + duration, Action::Slow(node, Duration::ZERO)));
            }
            FaultKind::Deaf { duration } => {
                plan.push((at, Action::Deaf(node, true)));
                plan.push((at + duration, Action::Deaf(node, false)));
            }
            FaultKind::Cut { duration, .. } => {
                for other in others.iter().filter(|other| **other != node) {
                    plan.push((at, Action::Cut(node, *other, true)));
                    plan.push((at + duration, Action::Cut(node, *other, false)));
                }
            }
            FaultKind::Loss { loss, duration } => {
                plan.push((at, Action::Loss(node, loss)));
                plan.push((at + duration, Action::Loss(node, 0.0)));
            }
            FaultKind::ClockJump { by } => plan.push((at, Action::ClockJump(node, by))),
            FaultKind::ClockSkew { rate_ppm } => plan.push((at, Action::ClockSkew(node, rate_ppm))),
            // Planned as a whole, or as a second process.
            FaultKind::Partition { .. } | FaultKind::Churn { .. } | FaultKind::Stranger { .. } => {}
            FaultKind::Clone { .. } | FaultKind::Rival { .. } => {}
        }
    }

    /// Plans what does not happen to each node by itself. False: it is nothing of that kind.
    fn plan_as_a_whole(&self, at: Instant, fault: usize, who: &[usize], plan: &mut Vec<(Instant, Action)>) -> bool {
        match *self {
            FaultKind::Partition { duration } => {
                let side = u32::try_from(fault + 1).unwrap_or(u32::MAX);
                plan.push((at, Action::Separate(who.to_vec(), side)));
                plan.push((at + duration, Action::Separate(who.to_vec(), 0)));
            }
            FaultKind::Churn { interval, lives, leave, stable_names, duration } => {
                // A name's turn comes when its last run is over.
                let names = usize::try_from(lives.as_nanos() / interval.as_nanos()).unwrap_or(usize::MAX);
                let names = if stable_names { names.saturating_add(1) } else { usize::MAX };
                let mut starts = at;
                for number in 0.. {
                    if starts > at + duration {
                        break;
                    }
                    let guest = Guest { fault, number: number % names };
                    plan.push((starts, Action::Arrive(guest, !stable_names)));
                    plan.push((starts + lives, Action::Depart(guest, leave)));
                    starts += interval;
                }
            }
            FaultKind::Stranger { duration, .. } => {
                let guest = Guest { fault, number: 0 };
                plan.push((at, Action::Lie(guest, who.to_vec())));
                plan.push((at + duration, Action::Depart(guest, false)));
            }
            _ => return false,
        }
        true
    }

    /// Plans a second process beside a node's own.
    fn plan_doubles(&self, at: Instant, guest: Guest, plan: &mut Vec<(Instant, Action)>) {
        let (action, duration) = match *self {
            FaultKind::Clone { listens, duration } => (Action::Clone(guest, guest.number, listens), duration),
            FaultKind::Rival { generation, duration } => (Action::Rival(guest, guest.number, generation), duration),
            _ => return,
        };
        plan.push((at, action));
        plan.push((at + duration, Action::Depart(guest, false)));
    }
}
