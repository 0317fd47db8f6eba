//! When a node suspects another, and when it has reason to be patient.

use super::*;
use crate::testing::hear;
use crate::wire::aiocluster::NodeDigest;

/// Three nodes that have known each other for long; from now on "c" cannot be reached.
fn without_c(unreached: Outcome) -> Net {
    let mut net = Net::new(&["a", "b", "c"], |_| {});
    net.run(60);
    net.events("a");
    net.unreached = unreached;
    net.down.insert(address("c"));
    net
}

#[test]
fn a_death_is_told_at_its_instant_not_at_the_next_round() {
    let mut net = without_c(Outcome::Refused);
    let (rounds, phi) = loop {
        let rounds = net.node("a").stats().rounds;
        let deadline = net.node("a").poll_timeout().unwrap();
        let phi = net.node("a").phi(deadline, &id("c", 1)).unwrap();
        net.run_until(deadline);
        if net.events("a") == ["c-1-c:7000 died"] {
            break (rounds, phi);
        }
        assert!(phi < 6.0, "it should be dead: {phi}");
    };
    assert_eq!(net.node("a").stats().rounds, rounds, "no round was due");
    assert!((phi - 6.0).abs() < 1e-3, "{phi}");
}

#[test]
fn who_is_heard_shortly_before_its_instant_lives() {
    let mut net = without_c(Outcome::Refused);
    // Until "a" has set its timer for the death of "c".
    let due = (0..100).find_map(|_| {
        let next_round = net.node("a").next_round;
        let deadline = net.node("a").poll_timeout().filter(|deadline| *deadline < next_round);
        if deadline.is_none() {
            net.run_until(next_round);
        }
        deadline
    });
    let due = due.expect("a timer before a round");
    let at = due - Duration::from_millis(1);
    let beat = net.node("a").knowledge.members.get(&id("c", 1)).unwrap().pulse.heartbeat() + 1;
    let (members, mut env) = net.node("a").knowledge.members(Moment { now: at, active: at });
    hear(members, &mut env, &NodeDigest { run: None, ..entry(&id("c", 1), beat) }, true);
    net.node("a").handle_timeout(due);
    assert_eq!(net.live("a").len(), 3);
    assert!(net.node("a").poll_timeout() > Some(due), "the timer is used up");
}

#[test]
fn while_exchanges_hang_others_may_be_silent_for_longer() {
    let mut refused = without_c(Outcome::Refused);
    refused.down.insert(address("b"));
    assert!(refused.node("a").failed_share() < 0.01);
    refused.run(8);
    assert_eq!(refused.live("a"), ["a"]);
    assert!(refused.node("a").failed_share() < 0.01, "the network has carried the refusals");

    let mut hanging = without_c(Outcome::TimedOut);
    hanging.down.insert(address("b"));
    hanging.run(8);
    assert_eq!(hanging.live("a").len(), 3);
    let share = hanging.node("a").failed_share();
    assert!((0.8..1.0).contains(&share), "{share}");
    hanging.run(12);
    assert_eq!(hanging.live("a"), ["a"]);

    // Who is known to be dead does not have to answer.
    let share = hanging.node("a").failed_share();
    hanging.run(60);
    assert_eq!(hanging.node("a").failed_share(), share);
}

#[test]
fn a_node_that_has_just_started_is_patient() {
    let mut net = Net::new(&["a", "b"], |_| {});
    assert_eq!(net.node("a").failed_share(), 1.0);
    net.run(60);
    assert!(net.node("a").failed_share() < 0.01);
}

#[test]
fn a_pause_moves_the_instant_of_a_death() {
    let mut net = without_c(Outcome::Refused);
    net.run(2);
    // "a" stops for a minute, and "b" with it.
    net.now += Duration::from_secs(60);
    net.run(1);
    assert_eq!(net.live("a").len(), 3);
    let deadline = net.node("a").poll_timeout().unwrap();
    assert!(deadline > net.now, "{deadline:?}");
    net.run(8);
    assert_eq!(net.events("a"), ["c-1-c:7000 died"]);
    assert_eq!(net.node("a").stats().pauses, 1);
}
