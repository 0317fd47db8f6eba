//! Clusters that do not fit their packets.

use std::time::Duration;

use tidings_sim::{Checks, LinkConfig, Protocol, Scenario, Workload, run};

/// Sixty nodes whose digest holds a fifth of them. No packet is lost, and none may be declared dead. (A loss of nearly
/// nothing keeps the run going after a false alarm, so that all are counted.)
#[test]
fn nobody_is_declared_dead_because_digests_hold_a_fifth_of_the_nodes() {
    let scenario = Scenario {
        nodes: 60,
        duration: Duration::from_secs(60),
        checks: Checks::Off,
        protocol: Protocol { max_payload_size: vec![620], ..Protocol::default() },
        link: LinkConfig { loss: 1e-9, ..LinkConfig::default() },
        workload: Workload { keys: 0, ..Workload::default() },
        ..Scenario::default()
    };
    let report = run(&scenario).expect("a valid scenario");
    assert_eq!(report.false_positives, 0);
    assert!(report.rounds_to_converge.is_some(), "not all heard of all");
}
