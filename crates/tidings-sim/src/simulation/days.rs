//! A run day by day: what each costs, and that none costs more than those before.

use std::time::Duration;

use tidings_core::Instant;

use crate::check::{Rule, Violation};
use crate::outcome::Day;
use crate::scenario::Scenario;
use crate::world::World;

/// The days so far.
#[derive(Debug)]
pub(super) struct Days {
    length: Option<Duration>,
    pub(super) all: Vec<Day>,
    began: Instant,
    /// Bytes sent before the day.
    bytes: u64,
    pub(super) starts: u64,
    pub(super) events: u64,
}

impl Days {
    pub(super) fn new(scenario: &Scenario) -> Days {
        Days { length: scenario.day, all: Vec::new(), began: Instant::ZERO, bytes: 0, starts: 0, events: 0 }
    }

    /// Ends the day, if it is over.
    pub(super) fn look(&mut self, world: &World, running: &[usize]) {
        let Some(length) = self.length.filter(|length| world.now() >= self.began + *length) else { return };
        let bytes = world.traffic().bytes;
        let node_s = length.as_secs_f64() * running.len().max(1) as f64;
        let known = running.iter().filter_map(|index| world.node(*index)).map(|node| 1 + node.heartbeats().count());
        let day = Day {
            day: u32::try_from(self.all.len() + 1).unwrap_or(u32::MAX),
            starts: self.starts,
            running: running.len(),
            most_known: known.max().unwrap_or(0),
            bytes_per_node_per_s: (bytes - self.bytes) as f64 / node_s,
            events: self.events,
        };
        self.all.push(day);
        (self.bytes, self.starts, self.events) = (bytes, 0, 0);
        self.began += length;
    }

    /// Whether no day cost half as much again as the second one. (The first one has the start in it.)
    ///
    /// # Errors
    /// The first day that did.
    pub(super) fn growth(&self, now: Instant) -> Result<(), Violation> {
        let Some(second) = self.all.get(1) else { return Ok(()) };
        let then = second.bytes_per_node_per_s;
        match self.all.iter().find(|day| day.bytes_per_node_per_s > then * 1.5) {
            Some(day) => {
                let rate = day.bytes_per_node_per_s;
                let message = format!("a node sends {rate:.0} bytes/s on day {}, {then:.0} on day 2", day.day);
                Err(Violation { at: now, rule: Rule::Growth, message })
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_that_costs_half_as_much_again_as_the_second_is_growth() {
        let mut days = Days::new(&Scenario::default());
        let day = |day, rate| Day { day, bytes_per_node_per_s: rate, ..Day::default() };
        days.all = vec![day(1, 900.0), day(2, 100.0), day(3, 150.0)];
        assert!(days.growth(Instant::ZERO).is_err(), "the first day has the start in it, and is no day to go by");
        days.all[0] = day(1, 120.0);
        days.growth(Instant::ZERO).unwrap();
        days.all.push(day(4, 151.0));
        let found = days.growth(Instant::ZERO).unwrap_err();
        assert!(found.message.contains("day 4"), "{found}");
    }
}
