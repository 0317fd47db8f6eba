//! Many nodes leave at once: to those who stay they have left, and none has died.

use std::time::Duration;

use tidings_core::{Config, EventKind, Instant, NodeId};
use tidings_sim::{Latency, LinkConfig, World, address};

const RUNS: u64 = 40;

/// Lets all nodes but the first few leave, in turn, over this time. Each is stopped at once when it has said goodbye.
/// Gives the deaths that those who stay tell of, and how many leavers they do not show as left in the end.
fn leave(seed: u64, (nodes, stay): (usize, usize), spread: Duration) -> (usize, usize) {
    let latency = Latency { min: Duration::from_millis(1), max: Duration::from_millis(20), tail: 0.0 };
    let mut world = World::new(seed, LinkConfig { latency, ..LinkConfig::default() });
    for index in 0..nodes {
        let mut config = Config::new(NodeId::new(format!("node{index}"), 1, address(index)));
        config.seeds = vec![address(0)];
        world.add(config).expect("a valid config");
    }
    let start = Instant::from_secs(8);
    world.run_until(start);
    let leavers = nodes - stay;
    let mut died = 0;
    let apart = spread / u32::try_from(leavers).expect("a few nodes");
    for (number, index) in (0..).zip(stay..nodes) {
        died += died_until(&mut world, start + apart * number, stay);
        world.leave(index);
    }
    died += died_until(&mut world, start + spread + Duration::from_secs(20), stay);
    assert_eq!(world.running().count(), stay, "seed {seed}: every farewell ends");
    let of_stayer = |index| world.node(index).map_or(0, |node| node.left_nodes().len());
    (died, leavers * stay - (0..stay).map(of_stayer).sum::<usize>())
}

/// Lets time pass, stops who has said goodbye, and counts the deaths that those who stay tell of.
fn died_until(world: &mut World, until: Instant, stay: usize) -> usize {
    let mut died = 0;
    loop {
        for (node, event) in world.take_news() {
            match event.kind {
                EventKind::LeaveFinished { .. } => world.crash(node),
                EventKind::NodeDied { .. } if node < stay => died += 1,
                _ => {}
            }
        }
        if world.step(until).is_none() {
            return died;
        }
    }
}

fn nobody_dies(sizes: (usize, usize), spreads_ms: &[u64]) {
    let runs = spreads_ms.iter().flat_map(|spread| (1..=RUNS).map(|seed| (Duration::from_millis(*spread), seed)));
    let outcomes = runs.map(|(spread, seed)| (spread, seed, leave(seed, sizes, spread)));
    let wrong: Vec<_> = outcomes.filter(|(.., outcome)| *outcome != (0, 0)).collect();
    assert!(wrong.is_empty(), "{} wrong, (spread, seed, (died, not left)): {wrong:?}", wrong.len());
}

#[test]
fn seven_of_eight_leave() {
    nobody_dies((8, 1), &[0, 50, 1_000]);
}

#[test]
fn seventeen_of_twenty_leave() {
    nobody_dies((20, 3), &[0, 50]);
}

#[test]
fn all_but_three_of_fifty_leave() {
    nobody_dies((50, 3), &[0]);
}
