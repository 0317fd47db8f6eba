//! The bounds that the failure detector's defaults were chosen for; docs/simulation.md has the measurements.

use std::time::Duration;

use tidings_core::{Config, Instant, NodeId};
use tidings_sim::{Checks, Fault, FaultKind, LinkConfig, Report, Scenario, ScenarioError, Who, World, address};

/// Three of a hundred nodes crash after `at_s`; nothing else is wrong.
fn crash(at_s: u64) -> Result<Report, ScenarioError> {
    let at = Duration::from_secs(at_s);
    let fault = Fault {
        at,
        who: Who::Nodes(vec![97, 98, 99]),
        stagger: Duration::ZERO,
        times: 0,
        every: Duration::ZERO,
        kind: FaultKind::Crash { power: false },
    };
    tidings_sim::run(&Scenario {
        nodes: 100,
        duration: at + Duration::from_secs(12),
        checks: Checks::Off,
        faults: vec![fault],
        ..Scenario::default()
    })
}

#[test]
fn a_crash_among_a_hundred_is_noticed_in_time_and_an_early_one_nearly_as_soon() {
    let (late, early) = (crash(60).unwrap(), crash(10).unwrap());
    for report in [&late, &early] {
        assert_eq!((report.detection_s.count, report.false_positives), (3 * 97, 0));
    }
    let (late, early) = (late.detection_s, early.detection_s);
    assert!(late.median <= 7.0 && late.max <= 8.5, "{late:?}");
    assert!(early.median <= 1.3 * late.median && early.max <= 1.3 * late.max, "{early:?}, {late:?}");
}

/// How long after the crash of its only peer a node tells of it, in virtual seconds; all timers of the node are late.
fn detection_with_late_timers(interval_ms: u64, late_ms: u64) -> Option<u64> {
    let mut world = World::new(1, LinkConfig::default());
    for index in 0..2 {
        let mut config = Config::new(NodeId::new(format!("node{index}"), 1, address(index)));
        config.seeds = vec![address(0)];
        config.gossip_interval = Duration::from_millis(interval_ms);
        world.add(config).expect("a valid config");
    }
    world.delay_timers(0, Duration::from_millis(late_ms));
    world.run_until(Instant::from_secs(30));
    assert_eq!(world.node(0).map(|node| node.live_nodes().len()), Some(2), "late by {late_ms} ms");
    world.crash(1);
    (1..600).find(|secs| {
        world.run_until(Instant::from_secs(30 + secs));
        world.node(0).is_some_and(|node| node.live_nodes().len() == 1)
    })
}

#[test]
fn timers_that_are_always_late_hold_up_no_death() {
    for (interval_ms, late_ms) in [(10, 260), (10, 1_500), (1_000, 1_500)] {
        let noticed = detection_with_late_timers(interval_ms, late_ms);
        assert!(noticed.is_some_and(|secs| secs <= 30), "{interval_ms} ms, late by {late_ms} ms: {noticed:?} s");
    }
}

#[test]
fn half_of_all_packets_are_lost_and_nobody_is_declared_dead() {
    for seed in 1..=8 {
        let mut scenario =
            Scenario { seed, duration: Duration::from_secs(600), checks: Checks::Off, ..Scenario::default() };
        scenario.link.loss = 0.5;
        let report = tidings_sim::run(&scenario).unwrap();
        let first = report.rounds_to_converge.unwrap_or(f64::INFINITY);
        assert!(first < 120.0, "seed {seed} did not form a cluster: {first}");
        assert_eq!(report.false_positives, 0, "seed {seed}");
    }
}
