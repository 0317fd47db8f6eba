//! The dialect between nodes of ours: what it costs, and how soon and how rightly a death is seen.

use std::time::Duration;

use tidings_core::{Dialect, EventKind, Instant};
use tidings_sim::{
    Fault, FaultKind, Generation, Latency, LinkConfig, Protocol, Report, Scenario, Who, Workload, World, run,
};

fn scenario(nodes: usize, secs: u64) -> Scenario {
    Scenario {
        nodes,
        duration: Duration::from_secs(secs),
        protocol: Protocol { dialect: Dialect::Tidings, ..Protocol::default() },
        ..Scenario::default()
    }
}

fn fault(at: u64, who: Vec<usize>, kind: FaultKind) -> Fault {
    let (stagger, every) = (Duration::ZERO, Duration::ZERO);
    Fault { at: Duration::from_secs(at), who: Who::Nodes(who), stagger, times: 0, every, kind }
}

fn clean_run(scenario: &Scenario) -> Report {
    let report = run(scenario).expect("a valid scenario");
    assert!(report.violations.is_empty(), "{:?}", report.violations);
    report
}

#[test]
fn a_quiet_cluster_costs_the_same_at_any_size() {
    let rate = |nodes| {
        let report = clean_run(&scenario(nodes, 40));
        assert!(report.rounds_to_converge.is_some_and(|rounds| rounds < 10.0), "{nodes}: {report:?}");
        report.quiet_bytes_per_node_per_s
    };
    let (few, many) = (rate(8), rate(40));
    assert!(few < 300.0 && many < few * 1.15, "{few} {many}");
}

#[test]
fn hosts_that_vanish_are_declared_dead_everywhere_in_seven_seconds_and_stay_so() {
    for (nodes, who) in [(2, vec![1]), (3, vec![2]), (10, vec![3, 4, 5]), (30, vec![1, 7, 9])] {
        let mut scenario = scenario(nodes, 70);
        scenario.faults = vec![fault(30, who.clone(), FaultKind::Crash { power: true })];
        let report = clean_run(&scenario);
        let detection = report.detection_s;
        assert_eq!(detection.count, (nodes - who.len()) * who.len(), "{nodes}: {detection:?}");
        assert!(detection.max < 7.0, "{nodes}: {detection:?}");
        assert_eq!((report.false_positives, report.revived), (0, 0), "{nodes}");
    }
}

#[test]
fn lost_packets_kill_nobody() {
    for (nodes, loss) in [(5, 0.5), (12, 0.3)] {
        let mut scenario = scenario(nodes, 50);
        scenario.link.loss = loss;
        let report = clean_run(&scenario);
        assert_eq!(report.false_positives, 0, "{nodes} nodes, loss {loss}");
    }
}

#[test]
fn a_crash_is_seen_where_every_second_packet_is_lost() {
    let mut scenario = scenario(12, 80);
    scenario.link.loss = 0.5;
    scenario.faults = vec![fault(40, vec![4], FaultKind::Crash { power: true })];
    let report = clean_run(&scenario);
    assert_eq!((report.detection_s.count, report.false_positives), (11, 0));
    assert!(report.detection_s.max < 12.0, "{:?}", report.detection_s);
}

#[test]
fn processes_that_are_paused_for_less_than_the_suspicion_time_are_not_declared_dead() {
    let mut scenario = scenario(12, 70);
    let pause = FaultKind::Pause { duration: Duration::from_millis(2_500) };
    scenario.faults = (0..4).map(|time| fault(20 + 10 * time, vec![1, 2], pause.clone())).collect();
    assert_eq!(clean_run(&scenario).false_positives, 0);
}

#[test]
fn what_is_written_reaches_everybody_at_once() {
    let mut scenario = scenario(30, 60);
    scenario.workload = Workload { writes_per_s: 0.5, ..Workload::default() };
    let spread = clean_run(&scenario).key_spread_s;
    assert!(spread.count > 400 && spread.max < 2.5, "{spread:?}");
}

#[test]
fn halves_that_were_cut_off_find_together() {
    let mut scenario = scenario(16, 100);
    let half = (8..16).collect();
    scenario.faults = vec![fault(30, half, FaultKind::Partition { duration: Duration::from_secs(20) })];
    scenario.heal = true;
    let report = clean_run(&scenario);
    assert!(report.rounds_to_heal.is_some_and(|rounds| rounds <= 10.0), "{:?}", report.rounds_to_heal);
}

#[test]
fn a_restarted_node_takes_the_place_of_its_former_run_everywhere() {
    let mut scenario = scenario(12, 45);
    let down = Duration::from_millis(300);
    scenario.faults = vec![fault(30, vec![3], FaultKind::Restart { down, generation: Generation::New })];
    scenario.heal = true;
    let report = clean_run(&scenario);
    assert!(report.rounds_to_heal.is_some_and(|rounds| rounds <= 3.0), "{:?}", report.rounds_to_heal);
    assert_eq!(report.revived, 0);
}

#[test]
fn who_leaves_has_left_at_everybody() {
    let mut scenario = scenario(10, 60);
    scenario.faults = vec![fault(30, vec![4], FaultKind::Leave {})];
    scenario.heal = true;
    let report = clean_run(&scenario);
    assert_eq!((report.false_positives, report.detection_s.count), (0, 0), "it has left and is not dead");
}

#[test]
fn a_node_that_nobody_answers_says_so_and_accuses_nobody() {
    let mut world = World::new(1, LinkConfig::default());
    let scenario = scenario(8, 60);
    for index in 0..8 {
        world.add(scenario.config(index, 1)).expect("a valid config");
    }
    world.run_until(Instant::from_secs(20));
    world.take_news();
    world.network().set_deaf(3, true);
    world.run_until(Instant::from_secs(40));
    let news = world.take_news();
    let told = |kind: fn(&EventKind) -> bool| -> Vec<usize> {
        news.iter().filter(|(_, event)| kind(&event.kind)).map(|(node, _)| *node).collect()
    };
    assert_eq!(told(|kind| matches!(kind, EventKind::Isolated { .. })), [3]);
    // It sees them dead in the end, and they see it; among the others nobody is even suspected.
    let third = world.node(3).expect("it runs").id().clone();
    let suspected = news.iter().filter(|(node, event)| {
        *node != 3 && matches!(&event.kind, EventKind::NodeSuspected { node, .. } if *node != third)
    });
    assert_eq!(suspected.count(), 0);
}

#[test]
fn slow_links_are_learnt() {
    let mut scenario = scenario(10, 90);
    scenario.link = LinkConfig {
        latency: Latency { min: Duration::from_millis(200), max: Duration::from_millis(250), tail: 0.0 },
        loss: 0.1,
        ..LinkConfig::default()
    };
    scenario.faults = vec![fault(50, vec![2], FaultKind::Crash { power: true })];
    let report = clean_run(&scenario);
    assert_eq!((report.detection_s.count, report.false_positives), (9, 0));
    assert!(report.detection_s.max < 8.0, "{:?}", report.detection_s);
}
