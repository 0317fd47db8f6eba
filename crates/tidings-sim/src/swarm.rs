//! The swarm: each seed is a scenario of its own, and what fails is made smaller.

mod life;

use std::time::Duration;

use crate::check::Rule;
use crate::fault::{Fault, FaultKind, Generation};
use crate::link::{Latency, LinkConfig};
use crate::outcome::Report;
use crate::random::Random;
use crate::scenario::{Checks, Protocol, Scenario, Workload};
use crate::simulation::run;
use crate::text::Who;

/// The scenario that belongs to a seed: how many nodes, which settings, what goes wrong and how badly.
#[must_use]
pub fn scenario(seed: u64) -> Scenario {
    let mut random = Random::from_seed(seed);
    let random = &mut random;
    let nodes = count(random, &[(2, 3), (4, 6), (4, 6), (7, 12), (13, 24)]);
    let workload = workload(random);
    let duration = Duration::from_secs(random.between(20, 120));
    let scenario = Scenario {
        name: format!("swarm {seed}"),
        seed,
        nodes,
        seeds: count(random, &[(1, 1), (1, 3)]).min(nodes),
        clusters: if random.chance(0.1) { 2 } else { 1 },
        duration,
        boot_over: if random.chance(0.3) { duration / 4 } else { Duration::ZERO },
        heal: true,
        tls: false,
        day: None,
        checks: Checks::Sampled,
        protocol: protocol(random, nodes, &workload),
        link: link(random),
        faults: faults(random, nodes, duration),
        workload,
    };
    let scenario = if seed % 8 == 7 { with_repeated_generation(scenario) } else { scenario };
    life::with_life(scenario)
}

/// Adds what chance alone brings about too seldom: late in a longer run a node, well known by then, comes back with the
/// generation it had. Half of the time nothing was written since the start, so that the versions of both runs agree.
fn with_repeated_generation(mut scenario: Scenario) -> Scenario {
    let random = &mut Random::from_seed(!scenario.seed);
    scenario.duration = scenario.duration.max(Duration::from_secs(60));
    if random.chance(0.5) {
        scenario.workload.writes_per_s = 0.0;
    }
    let before_end = random.duration(Duration::from_secs(1), Duration::from_secs(3));
    let down = random.duration(Duration::ZERO, Duration::from_millis(500));
    scenario.faults.push(Fault {
        at: scenario.duration - before_end,
        who: Who::Nodes(vec![random.index(scenario.nodes)]),
        stagger: Duration::ZERO,
        times: 0,
        every: Duration::ZERO,
        kind: FaultKind::Restart { down, generation: Generation::Same },
    });
    scenario
}

/// A number from one of these ranges.
fn count(random: &mut Random, ranges: &[(u64, u64)]) -> usize {
    let (low, high) = random.choose(ranges).copied().unwrap_or((1, 1));
    usize::try_from(random.between(low, high)).unwrap_or(usize::MAX)
}

fn workload(random: &mut Random) -> Workload {
    Workload {
        keys: count(random, &[(0, 2), (3, 8), (9, 20)]),
        value_bytes: count(random, &[(4, 20), (20, 120)]),
        writes_per_s: [0.0, 0.5, 2.0, 10.0][random.index(4)],
        deletes: random.chance(0.7),
    }
}

fn protocol(random: &mut Random, nodes: usize, workload: &Workload) -> Protocol {
    let defaults = Protocol::default();
    // A digest of less than half of all nodes would let heartbeats come too seldom.
    let floor = (512 + workload.value_bytes).max(nodes * 50);
    let mut payload = || match random.index(3) {
        0 => 65_507,
        1 => floor + random.index(floor),
        _ => floor,
    };
    let max_payload_size = vec![payload(), payload()];
    Protocol {
        interval: Duration::from_millis(random.between(3, 15) * 100),
        gossip_count: count(random, &[(1, 3), (3, 3)]),
        max_payload_size,
        grace: Duration::from_secs(random.between(5, 60)),
        dead_grace: match random.index(3) {
            0 => defaults.dead_grace,
            _ => Duration::from_secs(random.between(30, 150)),
        },
        ..defaults
    }
}

fn link(random: &mut Random) -> LinkConfig {
    let min = Duration::from_micros(random.between(50, 5_000));
    let max = min + Duration::from_millis(random.between(0, 40));
    let mut sometimes = |probability: f64, worst: u64| {
        if random.chance(probability) { random.between(0, worst) as f64 / 100.0 } else { 0.0 }
    };
    let (loss, duplicate, reorder, tail) =
        (sometimes(0.6, 60), sometimes(0.5, 30), sometimes(0.5, 30), sometimes(0.3, 20));
    let bandwidth = if random.chance(0.15) { random.between(20_000, 200_000) } else { 0 };
    LinkConfig { latency: Latency { min, max, tail }, loss, duplicate, reorder, bandwidth }
}

fn faults(random: &mut Random, nodes: usize, duration: Duration) -> Vec<Fault> {
    let number = count(random, &[(0, 0), (1, 3), (2, 6), (4, 10)]);
    let longest = duration / 2;
    (0..number)
        .map(|_| {
            let many = count(random, &[(1, 1), (1, 1), (1, nodes as u64)]);
            let mut who = random.sample(nodes, many);
            who.sort_unstable();
            let at = random.duration(Duration::ZERO, duration);
            let kind = kind(random, nodes, longest);
            let stagger = if random.chance(0.3) { Duration::from_secs(random.between(1, 5)) } else { Duration::ZERO };
            Fault { at, who: Who::Nodes(who), stagger, times: 0, every: Duration::ZERO, kind }
        })
        .collect()
}

fn kind(random: &mut Random, nodes: usize, longest: Duration) -> FaultKind {
    let duration = random.duration(Duration::from_millis(100), longest);
    match random.index(16) {
        0 => FaultKind::Crash { power: random.chance(0.5) },
        1..=4 => FaultKind::Restart {
            down: random.duration(Duration::ZERO, longest),
            generation: match random.index(6) {
                0 => Generation::Same,
                1 => Generation::Lower,
                _ => Generation::New,
            },
        },
        5 => FaultKind::Leave {},
        6..=7 => FaultKind::Pause { duration },
        8 => FaultKind::Stall { duration },
        9 => FaultKind::Slow { delay: random.duration(Duration::ZERO, Duration::from_secs(2)), duration },
        10..=11 => FaultKind::Partition { duration },
        12 => FaultKind::Deaf { duration },
        13 => FaultKind::Cut { to: Who::Nodes(random.sample(nodes, 1 + nodes / 3)), duration },
        14 => FaultKind::Loss { loss: random.between(20, 100) as f64 / 100.0, duration },
        _ => match random.chance(0.5) {
            true => FaultKind::ClockJump { by: random.duration(Duration::from_millis(1), longest * 8) },
            false => FaultKind::ClockSkew { rate_ppm: [-200_000, -500, 500, 200_000][random.index(4)] },
        },
    }
}

/// Makes a failing scenario smaller as long as the same rule is violated, in at most `budget` runs. Gives the smallest
/// one and its report; `None`: it does not fail.
#[must_use]
pub fn shrink(scenario: &Scenario, budget: usize) -> Option<(Scenario, Report)> {
    let report = run(scenario).ok()?;
    let rule = report.violated?;
    let mut best = (scenario.clone(), report);
    let mut runs = 0;
    'again: loop {
        for smaller in smaller(&best.0, &best.1) {
            if runs == budget {
                break 'again;
            }
            runs += 1;
            if let Some(report) = still_fails(&smaller, rule) {
                best = (smaller, report);
                continue 'again;
            }
        }
        break;
    }
    Some(best)
}

fn still_fails(scenario: &Scenario, rule: Rule) -> Option<Report> {
    run(scenario).ok().filter(|report| report.violated == Some(rule))
}

/// Scenarios that are a little smaller, the boldest first.
fn smaller(scenario: &Scenario, report: &Report) -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Scenario)| {
        let mut other = scenario.clone();
        change(&mut other);
        if other != *scenario {
            all.push(other);
        }
    };
    let half = scenario.faults.len() / 2;
    with(&|s| s.faults = Vec::new());
    with(&|s| s.faults.truncate(half));
    with(&|s| {
        s.faults.drain(..half);
    });
    for nodes in [scenario.nodes / 2, scenario.nodes - 1] {
        with(&|s| s.nodes = nodes.max(1 + s.clusters));
        if scenario.seeds > nodes {
            return all;
        }
    }
    for index in 0..scenario.faults.len() {
        with(&|s| {
            s.faults.remove(index);
        });
    }
    let failed_at = Duration::from_secs_f64(report.virtual_s);
    with(&|s| s.duration = s.duration.min(failed_at));
    with(&|s| s.duration /= 2);
    with(&|s| s.clusters = 1);
    with(&|s| s.boot_over = Duration::ZERO);
    with(&|s| s.link = LinkConfig { latency: s.link.latency, ..LinkConfig::default() });
    with(&|s| s.link.bandwidth = 0);
    with(&|s| s.link.reorder = 0.0);
    with(&|s| s.link.duplicate = 0.0);
    with(&|s| s.link.loss = 0.0);
    with(&|s| s.link.latency.tail = 0.0);
    with(&|s| s.workload.writes_per_s = 0.0);
    with(&|s| s.workload.deletes = false);
    with(&|s| s.workload.keys /= 2);
    with(&|s| s.workload.keys = s.workload.keys.saturating_sub(1));
    with(&|s| s.protocol.max_payload_size = vec![65_507]);
    with(&|s| s.seeds = 1);
    with(&|s| s.tls = false);
    for index in 0..scenario.faults.len() {
        with(&|s| s.faults[index].stagger = Duration::ZERO);
        with(&|s| s.faults[index].times /= 2);
        with(&|s| s.faults[index].kind.halve());
        with(&|s| {
            if let Who::Nodes(who) = &mut s.faults[index].who {
                who.truncate(who.len().div_ceil(2));
            }
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_is_a_valid_scenario_that_reads_back_as_it_is_written() {
        for seed in 0..300 {
            let scenario = scenario(seed);
            scenario.validate().unwrap();
            let text = toml::to_string(&scenario).unwrap();
            assert_eq!(toml::from_str::<Scenario>(&text).unwrap(), scenario, "{text}");
        }
    }
}
