//! Runs of one name: two at once, one with a number that was used before, one from the future.

mod common;

use std::time::Duration;

use common::*;
use tidings_core::{EventKind, NodeId};
use tidings_sim::{Listens, World};

fn is_conflict(kind: &EventKind) -> bool {
    matches!(kind, EventKind::NodeConflict { .. })
}

/// A clone of node 1 is started, and both run for 27 s: the conflicts told, and the changes of its key.
fn clone_war(listens: Listens) -> (usize, usize) {
    let mut world = cluster(1, 5, |_| ());
    set(&mut world, 1, "role", "the first");
    world.run_until(secs(20));
    world.take_news();
    let clone = world.add_clone(1, listens).expect("a valid config").expect("it runs");
    set(&mut world, clone, "role", "the clone");
    world.run_until(secs(47));
    let news: Vec<EventKind> = world.take_news().into_iter().map(|(_, event)| event.kind).collect();
    let changes = news.iter().filter(|kind| matches!(kind, EventKind::KeyChanged { key, .. } if **key == *"role"));
    (news.iter().filter(|kind| is_conflict(kind)).count(), changes.count())
}

#[test]
fn two_clones_behind_one_address_are_told_apart_and_told_of() {
    let (conflicts, changes) = clone_war(Listens::Shares);
    assert!(conflicts > 0 && changes <= 15, "{conflicts} conflicts told, {changes} changes of one key");
}

#[test]
fn a_clone_that_takes_the_address_over_is_told_of() {
    let (conflicts, changes) = clone_war(Listens::TakesOver);
    assert!(conflicts > 0 && changes <= 15, "{conflicts} conflicts told, {changes} changes of one key");
}

#[test]
fn a_clone_that_dials_from_elsewhere_is_told_of() {
    let (conflicts, changes) = clone_war(Listens::Elsewhere);
    assert!(conflicts > 0 && changes <= 15, "{conflicts} conflicts told, {changes} changes of one key");
}

#[test]
fn a_generation_used_again_after_it_was_forgotten_is_seen_at_once() {
    let mut world = cluster(1, 4, |config| {
        config.failure_detector.dead_node_grace_period = Duration::from_secs(60);
    });
    world.run_until(secs(300));
    let run = world.node(3).expect("it runs").id().clone();
    world.crash(3);
    world.run_until(secs(400));
    assert!((0..3).all(|index| known(&world, index) == 3), "it is forgotten");
    world.restart(3, run.generation_id()).expect("a valid config");
    let took = time_until(&mut world, Duration::from_secs(600), |world| agree(world, &[0, 1, 2, 3]));
    assert!(took.is_some_and(|took| took <= Duration::from_secs(10)), "it took {took:?}");
}

#[test]
fn a_second_run_with_as_many_versions_replaces_the_values_of_the_first() {
    let mut world = cluster(1, 4, |_| ());
    set(&mut world, 3, "role", "old");
    world.run_until(secs(13));
    let run = world.node(3).expect("it runs").id().clone();
    world.crash(3);
    // Nobody hears of the second run before it has beaten more often than the first one ever did.
    world.network().separate(&[3], 1);
    world.restart(3, run.generation_id()).expect("a valid config");
    set(&mut world, 3, "role", "new");
    world.run_until(secs(80));
    world.network().heal();
    world.run_until(secs(120));
    let shown: Vec<_> = (0..4).map(|index| value(&world, index, &run, "role")).collect();
    assert_eq!(shown, vec![Some("new".to_string()); 4]);
}

#[test]
fn after_a_start_with_a_clock_in_the_future_later_starts_take_no_longer() {
    let mut world = cluster(1, 5, |_| ());
    const DAY: u64 = 24 * 3_600 * 1_000_000_000;
    let future = wall_clock(&world) + DAY;
    world.restart(4, future).expect("a valid config");
    world.run_until(secs(60));
    let mut took = Vec::new();
    for start in 1..=3 {
        world.run_until(secs(60 * start));
        let generation = wall_clock(&world);
        world.restart(4, generation).expect("a valid config");
        took.push(time_until(&mut world, Duration::from_secs(60), |world| agree(world, &[0, 1, 2, 3, 4])));
    }
    let is_quick = |took: &Option<Duration>| took.is_some_and(|took| took <= Duration::from_secs(4));
    assert!(took.iter().all(is_quick), "each start with the right clock took {took:?}");
}

#[test]
fn after_a_partition_all_agree_which_of_two_runs_counts() {
    let mut world = cluster(1, 6, |_| ());
    world.run_until(secs(20));
    // Node 2 goes on at the one side. At the other its name is started again, at another address and with a clock that
    // is behind.
    world.network().separate(&[3, 4, 5, 6], 1);
    world.run_until(secs(50));
    let generation = wall_clock(&world) - 3_600_000_000_000;
    let mut config = config(6, generation);
    config.node_id = NodeId::new("node2", generation, tidings_sim::address(6));
    config.seeds = vec![tidings_sim::address(3)];
    world.add(config).expect("a valid config");
    world.run_until(secs(120));
    world.network().heal();
    world.run_until(secs(240));
    let counts = |world: &World, index: usize| live(world, index).into_iter().find(|id| id.name() == "node2");
    let seen: Vec<_> = [0, 1, 3, 4, 5].map(|index| counts(&world, index)).into();
    assert!(seen.iter().all(|id| id.is_some() && *id == seen[0]), "the run that counts, node by node: {seen:?}");
}
