//! What three of seven seeds have besides: a life longer than the grace period, strangers, or two processes of one name.

use std::time::Duration;

use super::count;
use crate::fault::{Fault, FaultKind, Generation};
use crate::link::{Latency, LinkConfig};
use crate::random::Random;
use crate::scenario::Scenario;
use crate::stranger::{BEYOND_WHAT_IS_WRITTEN, ForgedAddress, ForgedGeneration, Lie};
use crate::text::Who;
use crate::world::Listens;

/// Adds to the seed's scenario what its number asks for. (The numbers are such that the seeds of `regressions.txt` stay
/// what they were.)
pub(super) fn with_life(scenario: Scenario) -> Scenario {
    let random = &mut Random::from_seed(scenario.seed.rotate_left(32) ^ 0x11fe);
    match scenario.seed % 7 {
        0 => with_ages(scenario, random),
        1 => with_strangers(scenario, random),
        6 => with_doubles(scenario, random),
        _ => scenario,
    }
}

fn fault(at: Duration, who: Vec<usize>, kind: FaultKind) -> Fault {
    Fault { at, who: Who::Nodes(who), stagger: Duration::ZERO, times: 0, every: Duration::ZERO, kind }
}

/// Several grace periods, with rounds so slow that they cost little, of nodes that come and go.
fn with_ages(mut scenario: Scenario, random: &mut Random) -> Scenario {
    let nodes = count(random, &[(3, 8)]);
    let interval = Duration::from_secs(random.between(1, 10));
    let grace = (interval * count_u32(random, 20, 40)).max(Duration::from_secs(60));
    scenario.faults.retain(|fault| matches!(&fault.who, Who::Nodes(who) if who.iter().all(|index| *index < nodes)));
    scenario.faults.truncate(3);
    (scenario.nodes, scenario.seeds) = (nodes, scenario.seeds.min(nodes));
    (scenario.protocol.interval, scenario.protocol.dead_grace) = (interval, grace);
    scenario.duration = scenario.duration.max(grace * count_u32(random, 3, 5));
    scenario.workload.writes_per_s /= interval.as_secs_f64();
    scenario.workload.keys = scenario.workload.keys.min(8);
    let (at, duration) = (interval * 10, scenario.duration - interval * 10);
    scenario.faults.push(match random.index(5) {
        0 => {
            // One crashes a while after each start.
            let every = interval * count_u32(random, 2, 8);
            let times = u32::try_from(duration.as_nanos() / every.as_nanos()).unwrap_or(1);
            let kind = FaultKind::Restart { down: interval / 2, generation: Generation::New };
            Fault { times, every, ..fault(at, vec![random.index(nodes)], kind) }
        }
        1 => {
            // All are started again, one after the other, every "night".
            let (stagger, every) = (interval * 4, grace / 2 + interval * 40);
            let times = u32::try_from(duration.as_nanos() / every.as_nanos()).unwrap_or(1);
            let kind = FaultKind::Restart { down: interval, generation: Generation::New };
            Fault { times, every, stagger, ..fault(at, (0..nodes).collect(), kind) }
        }
        _ => {
            let kind = FaultKind::Churn {
                interval: grace / count_u32(random, 2, 6),
                lives: random.duration(interval * 4, grace * 2),
                leave: random.chance(0.5),
                stable_names: random.chance(0.4),
                duration,
            };
            fault(at, Vec::new(), kind)
        }
    });
    scenario
}

/// One stranger or two; half of the time nothing else is wrong, so that the rule of words holds strictly.
fn with_strangers(mut scenario: Scenario, random: &mut Random) -> Scenario {
    let nodes = count(random, &[(4, 10)]);
    (scenario.nodes, scenario.clusters) = (nodes, 1);
    scenario.seeds = scenario.seeds.min(nodes);
    scenario.tls = random.chance(0.5);
    if random.chance(0.5) {
        scenario.faults.clear();
        scenario.boot_over = Duration::ZERO;
        let latency = Latency { min: Duration::from_millis(1), max: Duration::from_millis(20), tail: 0.0 };
        scenario.link = LinkConfig { latency, ..LinkConfig::default() };
        scenario.protocol.interval = scenario.protocol.interval.max(Duration::from_millis(500));
        scenario.protocol.max_payload_size = vec![65_507];
    }
    scenario.faults.truncate(3);
    let mut at = scenario.protocol.interval * 30;
    for _ in 0..count(random, &[(1, 1), (1, 2)]) {
        let duration = Duration::from_secs(random.between(5, 60));
        let about = count(random, &[(1, 1), (1, nodes as u64)]);
        let told = count(random, &[(1, 1), (1, nodes as u64), (nodes as u64, nodes as u64)]);
        let lies: Vec<Lie> = (0..count(random, &[(1, 1), (1, 2)])).map(|_| lie(random)).collect();
        // Without certificates, a stranger that answers at its own address in another's name is a restart of that one,
        // for all that anybody can tell.
        let is_run_of_its_own = |lie: &Lie| matches!(lie, Lie::Run { at: ForgedAddress::Stranger, .. });
        let may_be_owner = scenario.tls || !lies.iter().any(is_run_of_its_own);
        let kind = FaultKind::Stranger {
            lies,
            to: Who::Nodes(random.sample(nodes, told)),
            to_owner: random.chance(0.2),
            as_owner: random.chance(0.2) && may_be_owner,
            unmarked: random.chance(0.3),
            interval: random.duration(Duration::from_millis(200), Duration::from_secs(2)),
            duration,
        };
        scenario.faults.push(fault(at, random.sample(nodes, about), kind));
        at += duration + Duration::from_secs(40);
    }
    // Half of the time there is time to see that all is right again.
    let ends = if random.chance(0.5) { at } else { at - Duration::from_secs(35) };
    scenario.duration = scenario.duration.max(ends);
    scenario
}

fn lie(random: &mut Random) -> Lie {
    /// What a peer believes, and an owner does not follow.
    const BEYOND: u64 = 3 << 30;
    let mut by = || [0, 1, 3, 1_000, (1 << 31) - 5_000, BEYOND][random.index(6)];
    let (heartbeat, version, above) = (by(), by(), by().max(1));
    match random.index(10) {
        0..=2 => Lie::Raise { heartbeat, version },
        3 => Lie::Beat {},
        4..=5 => Lie::Run {
            generation: [
                ForgedGeneration::Higher,
                ForgedGeneration::Newer,
                ForgedGeneration::Lower,
                ForgedGeneration::Same,
            ][random.index(4)],
            at: [ForgedAddress::Owner, ForgedAddress::Nobody, ForgedAddress::Stranger][random.index(3)],
        },
        6 => Lie::Farewell {},
        7 => Lie::Keys { above: above.max(BEYOND_WHAT_IS_WRITTEN) },
        8 => Lie::Revision { revision: u32::from(random.chance(0.5)) },
        _ => Lie::Invent { nodes: count_u32(random, 1, 50), beat: random.chance(0.5) },
    }
}

/// Two processes of one name, a clock in the future, a generation used again, a restart behind a partition.
fn with_doubles(mut scenario: Scenario, random: &mut Random) -> Scenario {
    let nodes = count(random, &[(3, 8)]);
    (scenario.nodes, scenario.clusters) = (nodes, 1);
    scenario.seeds = scenario.seeds.min(nodes);
    scenario.tls = random.chance(0.2);
    scenario.faults.truncate(2);
    scenario.duration = scenario.duration.max(Duration::from_secs(60));
    for _ in 0..count(random, &[(1, 1), (1, 3)]) {
        let who = random.index(nodes);
        let at = random.duration(Duration::from_secs(5), scenario.duration * 3 / 4);
        let duration = random.duration(Duration::from_secs(1), scenario.duration / 3);
        let restart = |generation| FaultKind::Restart { down: Duration::from_secs(1), generation };
        match random.index(6) {
            0..=1 => {
                let listens = [Listens::Shares, Listens::TakesOver, Listens::Elsewhere][random.index(3)];
                scenario.faults.push(fault(at, vec![who], FaultKind::Clone { listens, duration }));
            }
            2 => {
                let generation = [Generation::New, Generation::Lower, Generation::Reused][random.index(3)];
                scenario.faults.push(fault(at, vec![who], FaultKind::Rival { generation, duration }));
            }
            3 => {
                scenario.faults.push(fault(at, vec![who], restart(Generation::Future)));
                scenario.faults.push(fault(at + duration, vec![who], restart(Generation::New)));
            }
            4 => scenario.faults.push(fault(at, vec![who], restart(Generation::Reused))),
            _ => {
                let mut side = random.sample(nodes, 1 + nodes / 3);
                side.push(who);
                let generation = [Generation::New, Generation::Lower, Generation::Reused][random.index(3)];
                scenario.faults.push(fault(at, side, FaultKind::Partition { duration }));
                scenario.faults.push(fault(at + duration / 2, vec![who], restart(generation)));
            }
        }
    }
    scenario
}

fn count_u32(random: &mut Random, low: u64, high: u64) -> u32 {
    u32::try_from(random.between(low, high)).unwrap_or(1)
}
