//! Every system over the same links: what the links promise is kept, crashes are found, and a seed means one run.

use std::collections::BTreeSet;
use std::time::Duration;

use tidings_bench::{Change, Kind, Outcome, System, run};
use tidings_core::Instant;
use tidings_sim::{Checks, Fault, FaultKind, Random, Scenario, Share, Who};

const ALL: [Kind; 4] = [Kind::Tidings, Kind::Chitchat, Kind::ChitchatV1, Kind::Foca];

fn scenario(nodes: usize, loss: f64) -> Scenario {
    let seconds = Duration::from_secs;
    let mut scenario = Scenario { nodes, seed: 7, duration: seconds(60), boot_over: seconds(1), ..Scenario::default() };
    scenario.link.loss = loss;
    scenario
}

fn with_crash(mut scenario: Scenario) -> Scenario {
    let (at, stagger, every) = (Duration::from_secs(30), Duration::ZERO, Duration::ZERO);
    let (who, kind) = (Who::Some(Share::Count(2)), FaultKind::Crash { power: false });
    scenario.faults.push(Fault { at, who, stagger, times: 0, every, kind });
    scenario
}

fn build(kind: Kind, scenario: &Scenario) -> Box<dyn System> {
    let mut system = kind.build(scenario, Random::from_seed(scenario.seed)).expect("the system can be set up");
    for _ in 0..scenario.nodes {
        system.spawn().expect("a node starts");
    }
    system
}

#[test]
fn links_lose_as_many_packets_as_asked_and_take_as_long() {
    for kind in [Kind::Chitchat, Kind::ChitchatV1, Kind::Foca] {
        let mut system = build(kind, &scenario(12, 0.3));
        system.run_until(Instant::from_secs(120)).unwrap();
        let links = system.deliveries().unwrap();
        let lost = links.lost as f64 / links.sent as f64;
        assert!(links.sent > 2_000 && (0.27..0.33).contains(&lost), "{kind}: {links:?}");
        // What neither was lost nor has arrived is still on its way.
        assert!((links.sent - links.lost - links.arrived) < 50, "{kind}: {links:?}");
        let [shortest, longest] = [links.shortest, links.longest].map(Option::unwrap);
        // tokio's timers round up to a millisecond.
        assert!((Duration::from_millis(1)..Duration::from_millis(3)).contains(&shortest), "{kind}: {shortest:?}");
        assert!((Duration::from_millis(19)..=Duration::from_millis(21)).contains(&longest), "{kind}: {longest:?}");
    }
}

#[test]
fn a_crash_is_found_by_all_and_nobody_else_is_declared_dead() {
    for kind in ALL {
        let outcome = run(kind, &with_crash(scenario(10, 0.0))).unwrap();
        assert_eq!(outcome.detection_s.count, 2 * 8, "{kind}");
        assert!((1.0..20.0).contains(&outcome.detection_s.max), "{kind}: {:?}", outcome.detection_s);
        assert_eq!(outcome.false_positives, 0, "{kind}");
        assert!(outcome.rounds_to_converge.is_some_and(|rounds| rounds < 12.0), "{kind}: {outcome:?}");
    }
}

#[test]
fn what_the_nodes_told_adds_up_to_what_they_show() {
    for kind in ALL {
        let scenario = scenario(8, 0.1);
        let mut system = build(kind, &scenario);
        system.run_until(Instant::from_secs(30)).unwrap();
        assert!(system.has_all_key_values(&(0..8).collect::<Vec<_>>()), "{kind}");
        let mut told = vec![BTreeSet::new(); scenario.nodes];
        let mut crash_and_check = |crashed: Option<usize>, until| {
            system.run_until(Instant::from_secs(until)).unwrap();
            for news in system.take_news() {
                assert!(match news.change {
                    Change::Joined => told[news.observer].insert(news.subject),
                    Change::Died => told[news.observer].remove(&news.subject),
                });
            }
            for observer in (0..scenario.nodes).filter(|observer| Some(*observer) != crashed) {
                let others: Vec<usize> =
                    (0..scenario.nodes).filter(|index| *index != observer && Some(*index) != crashed).collect();
                assert_eq!(system.live(observer), others, "{kind}");
                assert_eq!(told[observer].iter().copied().collect::<Vec<_>>(), others, "{kind}");
            }
            system.crash(3);
        };
        crash_and_check(None, 40);
        crash_and_check(Some(3), 80);
    }
}

/// chitchat draws from the process's own generator, and says so.
#[test]
fn the_same_seed_is_the_same_run_where_a_system_allows_it() {
    let json = |outcome: Outcome| {
        let mut json = serde_json::to_value(outcome).unwrap();
        json["node_hours_per_cpu_s"].take();
        json
    };
    let scenario = with_crash(scenario(10, 0.2));
    for kind in [Kind::Tidings, Kind::Foca] {
        let once = json(run(kind, &scenario).unwrap());
        assert!(once["trace_hash"].is_string());
        assert_eq!(json(run(kind, &scenario).unwrap()), once, "{kind}");
        let other = Scenario { seed: 8, ..scenario.clone() };
        assert_ne!(json(run(kind, &other).unwrap())["trace_hash"], once["trace_hash"], "{kind}");
    }
    assert_eq!(run(Kind::Chitchat, &scenario).unwrap().trace_hash, None);
}

#[test]
fn tidings_is_measured_as_tidings_sim_measures_it() {
    let scenario = Scenario { checks: Checks::Off, ..with_crash(scenario(12, 0.2)) };
    let (theirs, ours) = (tidings_sim::run(&scenario).unwrap(), run(Kind::Tidings, &scenario).unwrap());
    let [theirs, mut ours] = [serde_json::to_value(theirs).unwrap(), serde_json::to_value(ours).unwrap()];
    assert_eq!(ours.as_object_mut().unwrap().remove("system"), Some("tidings".into()));
    let fields = |json: &serde_json::Value| json.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&ours), fields(&theirs));
    for (field, value) in ours.as_object().unwrap() {
        match (field.as_str(), value.as_f64(), theirs[field].as_f64()) {
            ("node_hours_per_cpu_s" | "violations" | "violated", ..) => {}
            (_, Some(ours), Some(theirs)) => assert!((ours - theirs).abs() <= 1e-9 * theirs, "{field}"),
            _ => assert_eq!(*value, theirs[field], "{field}"),
        }
    }
}

#[test]
fn what_a_system_cannot_have_is_refused() {
    let mut scenario = with_crash(scenario(4, 0.0));
    scenario.faults[0].kind = FaultKind::Pause { duration: Duration::from_secs(1) };
    assert!(run(Kind::Foca, &scenario).unwrap_err().to_string().contains("allowed here: crash"));
    scenario.faults.clear();
    scenario.link.duplicate = 0.1;
    assert!(run(Kind::Chitchat, &scenario).unwrap_err().to_string().contains("link.duplicate is 0.1"));
}
