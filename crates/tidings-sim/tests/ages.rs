//! Clusters that outlive their members: the dead end everywhere within one grace period, and nothing grows.

mod common;

use std::time::Duration;

use common::*;
use tidings_core::{Config, EventKind, Instant, NodeId};
use tidings_sim::{LinkConfig, World};

const GRACE: Duration = Duration::from_secs(120);
/// News may be so late: a few rounds.
const TRANSIT: Duration = Duration::from_secs(10);

fn with_short_grace(config: &mut Config) {
    config.failure_detector.dead_node_grace_period = GRACE;
}

/// How a guest's life ends, and what the next one is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guests {
    Crash,
    Leave,
    /// Three names, each started again 15 s after its end.
    StableNames,
}

/// Three nodes stay, one more joins every 30 s and runs 75 s. After 50 minutes: the nodes known to the newest one that
/// has had time to learn, and how many there may be.
fn after_fifty_minutes(guests: Guests) -> (usize, usize) {
    let mut world = cluster(1, 3, with_short_grace);
    let mut ends: Vec<(Instant, usize)> = Vec::new();
    let mut ended: Vec<Instant> = Vec::new();
    let (mut newest, mut retired) = (0, Vec::new());
    for number in 0..100 {
        let starts = secs(30 + 30 * number as u64);
        while let Some(position) = ends.iter().position(|(at, _)| *at <= starts) {
            let (at, index) = ends.remove(position);
            world.run_until(at);
            if guests == Guests::Leave {
                world.leave(index);
                world.run_until(at + Duration::from_secs(2));
            }
            world.crash(index);
            ended.push(world.now());
            if guests != Guests::StableNames {
                retired.push((world.now() + GRACE * 3, index));
            }
        }
        world.run_until(starts);
        retired.retain(|(at, index)| {
            let is_due = *at <= starts;
            if is_due {
                world.retire(*index);
            }
            !is_due
        });
        let generation = wall_clock(&world);
        newest = if guests == Guests::StableNames && number >= 3 {
            let index = 3 + number % 3;
            world.restart(index, generation).expect("a valid config");
            index
        } else {
            let mut config = config(world.len(), generation);
            with_short_grace(&mut config);
            world.add(config).expect("a valid config")
        };
        ends.push((starts + Duration::from_secs(75), newest));
    }
    world.run_until(world.now() + TRANSIT);
    let lately = ended.iter().filter(|at| **at + GRACE + TRANSIT > world.now()).count();
    (known(&world, newest), world.running().count() + lately)
}

#[test]
fn the_newest_of_a_hundred_guests_who_crashed_knows_the_running_and_the_lately_dead() {
    let (known, allowed) = after_fifty_minutes(Guests::Crash);
    assert!(known <= allowed, "{known} known, {allowed} allowed");
}

#[test]
fn the_newest_of_a_hundred_guests_who_left_knows_the_running_and_those_who_left_lately() {
    let (known, allowed) = after_fifty_minutes(Guests::Leave);
    assert!(known <= allowed, "{known} known, {allowed} allowed");
}

#[test]
fn three_names_started_again_a_hundred_times_are_not_a_hundred_nodes() {
    let (known, allowed) = after_fifty_minutes(Guests::StableNames);
    assert!(known <= allowed, "{known} known, {allowed} allowed");
}

#[test]
fn one_dead_node_ends_everywhere_though_newcomers_go_on_hearing_of_it() {
    let mut world = cluster(1, 3, with_short_grace);
    set(&mut world, 2, "colour", "green");
    world.run_until(secs(20));
    let dead = world.node(2).expect("it runs").id().clone();
    world.crash(2);
    for number in 1..30 {
        world.run_until(secs(20 + 40 * number));
        let mut config = config(world.len(), wall_clock(&world));
        with_short_grace(&mut config);
        world.add(config).expect("a valid config");
    }
    world.run_until(secs(1_200));
    let knows = |index: &usize| world.node(*index).is_some_and(|node| node.node_state(&dead).is_some());
    let still: Vec<usize> = world.running().filter(knows).collect();
    let newest = world.len() - 1;
    let colour = value(&world, newest, &dead, "colour");
    assert_eq!((still.len(), colour), (0, None), "these still know it: {still:?}");
}

/// Bytes that a node sends in a second, on average, while `pass` lets time pass.
fn rate(world: &mut World, pass: impl FnOnce(&mut World)) -> f64 {
    let (before, began) = (world.traffic().bytes, world.now());
    pass(world);
    let elapsed = world.now().saturating_duration_since(began).as_secs_f64();
    (world.traffic().bytes - before) as f64 / elapsed / world.running().count() as f64
}

/// Six nodes with a round each 10 s, one of which is started again every sixth of a grace period, for so many of them.
/// Bytes a second of a node, a grace period each.
fn with_regular_restarts(grace: Duration, periods: u64) -> Vec<f64> {
    let mut world = World::new(1, LinkConfig::default());
    for index in 0..6 {
        let mut config = config(index, wall_clock(&world));
        config.gossip_interval = Duration::from_secs(10);
        config.failure_detector.dead_node_grace_period = grace;
        world.add(config).expect("a valid config");
    }
    let mut index = 0;
    let mut period = |world: &mut World| {
        for _ in 0..6 {
            world.run_until(world.now() + grace / 6);
            let generation = wall_clock(world);
            world.restart(index, generation).expect("a valid config");
            index = (index + 1) % 6;
        }
    };
    (0..periods).map(|_| rate(&mut world, &mut period)).collect()
}

#[test]
fn restarts_cost_on_the_fourteenth_day_what_they_cost_on_the_second() {
    // Days of 24 minutes, which is the grace period, and a restart every 4 minutes.
    let days = with_regular_restarts(Duration::from_secs(24 * 60), 14);
    assert!(days[13] <= 1.2 * days[1], "bytes a second of a node, day by day: {days:.0?}");
}

#[test]
fn a_node_that_crashes_after_each_start_does_not_cost_more_and_more() {
    let mut world = cluster(1, 10, |_| ());
    let minute = |world: &mut World| {
        for _ in 0..12 {
            world.run_until(world.now() + Duration::from_secs(4));
            world.crash(9);
            world.run_until(world.now() + Duration::from_secs(1));
            let generation = wall_clock(world);
            world.restart(9, generation).expect("a valid config");
        }
    };
    let minutes: Vec<f64> = (0..10).map(|_| rate(&mut world, minute)).collect();
    assert!(minutes[9] <= 1.5 * minutes[1], "bytes a second of a node, minute by minute: {minutes:.0?}");
}

#[test]
fn those_who_came_and_left_keep_nobody_out() {
    let with_few = |config: &mut Config| config.limits.max_nodes = 50;
    let mut world = cluster(1, 10, with_few);
    for _ in 0..50 {
        let mut config = config(world.len(), wall_clock(&world));
        with_few(&mut config);
        let guest = world.add(config).expect("a valid config");
        world.run_until(world.now() + Duration::from_secs(8));
        world.leave(guest);
        world.run_until(world.now() + Duration::from_secs(3));
        world.crash(guest);
    }
    let mut config = config(world.len(), wall_clock(&world));
    with_few(&mut config);
    let newest = world.add(config).expect("a valid config");
    world.run_until(world.now() + Duration::from_secs(20));
    let name = format!("node{newest}");
    let sees = (0..10).filter(|index| live_names(&world, *index).contains(&name)).count();
    assert_eq!(sees, 10, "of ten take the newcomer for live");
}

#[test]
fn a_subscriber_is_told_nothing_of_a_run_that_was_replaced() {
    let mut late = 0;
    for seed in 1..=8 {
        let mut world = cluster(seed, 3, |_| ());
        for key in 0..120 {
            set(&mut world, 1, &format!("key{key}"), &"v".repeat(2_000));
        }
        set(&mut world, 1, "role", "old");
        world.run_until(secs(30));
        let old = world.node(1).expect("it runs").id().clone();
        world.crash(1);
        world.run_until(secs(31));
        let generation = wall_clock(&world);
        world.restart(1, generation).expect("a valid config");
        set(&mut world, 1, "role", "new");
        world.run_until(secs(40));
        world.take_news();

        let joiner = world.add(config(world.len(), wall_clock(&world))).expect("a valid config");
        world.run_until(secs(60));
        late += usize::from(tells_of_old_after_new(&mut world, joiner, &old));
    }
    assert_eq!(late, 0, "of eight subscribers were told of the old run after the new one");
}

/// Whether a node's events speak of `old` after they have spoken of another run of its name.
fn tells_of_old_after_new(world: &mut World, observer: usize, old: &NodeId) -> bool {
    let mut has_told_new = false;
    for (index, event) in world.take_news() {
        let subject = match &event.kind {
            EventKind::NodeJoined { node } | EventKind::KeyChanged { node, .. } => node,
            _ => continue,
        };
        if index != observer || subject.name() != old.name() {
            continue;
        }
        if subject == old && has_told_new {
            return true;
        }
        has_told_new |= subject != old;
    }
    false
}
