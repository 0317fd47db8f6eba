//! Crowds of nodes that nobody but a stranger has ever seen: those that live do not lose each other over them.

mod common;

use std::time::Duration;

use common::*;
use tidings_core::{Config, NodeId};
use tidings_sim::{Lie, LinkConfig, Stranger, World, address};

/// Where the stranger answers.
const STRANGER: usize = 900;
/// A small table: what counts is how much of it the inventions could fill.
const MAX_NODES: usize = 400;

fn small_tables(config: &mut Config) {
    config.limits.max_nodes = MAX_NODES;
    config.limits.max_forgotten_nodes = MAX_NODES;
}

/// A stranger that tells these nodes, twice a second, of so many nodes that are not there.
fn inventor(nodes: u32, beat: bool, tells: &[usize]) -> Stranger {
    let id = NodeId::new("stranger", 1, address(STRANGER));
    let mut stranger = Stranger::new(id, tells.iter().map(|index| address(*index)).collect());
    stranger.lies = vec![Lie::Invent { nodes, beat }];
    stranger.every = Duration::from_millis(500);
    stranger
}

/// Whether these nodes take each other for live, whoever else may be.
fn know_each_other(world: &World, nodes: &[usize]) -> bool {
    most_missing(world, nodes) == 0
}

/// Told dead or replaced, of the nodes that there are.
fn wrong_obituaries(world: &mut World) -> Vec<String> {
    let told = obituaries(world).into_iter().map(|(index, kind)| format!("node {index}: {kind}"));
    told.filter(|text| !text.contains("invented") && !text.contains("stranger")).collect()
}

#[test]
fn inventions_that_beat_leave_no_node_alone() {
    let mut world = cluster(3, 5, |config| config.limits.max_nodes = 2_000);
    let all = [0, 1, 2, 3, 4];
    let stranger = world.add_stranger(inventor(1_500, true, &all));
    let end = world.now() + Duration::from_secs(40);
    let wrong = longest_wrong(&mut world, end, |world| know_each_other(world, &all));
    assert!(world.lies_told(stranger) > 40);
    assert!(live(&world, 0).len() > 1_000, "the inventions are taken for live: {}", live(&world, 0).len());
    assert_eq!((wrong, wrong_obituaries(&mut world)), (Duration::ZERO, Vec::new()));
}

#[test]
fn two_halves_find_each_other_among_the_invented_dead() {
    let mut world = cluster(5, 4, small_tables);
    let all = [0, 1, 2, 3];
    // They were live, so they keep their places when they die.
    let stranger = world.add_stranger(inventor(350, true, &all));
    world.run_until(world.now() + Duration::from_secs(10));
    world.retire(stranger);
    for (a, b) in [(0, 2), (0, 3), (1, 2), (1, 3)] {
        world.network().cut(a, b);
        world.network().cut(b, a);
    }
    world.run_until(world.now() + Duration::from_secs(60));
    assert!(world.node(0).expect("it runs").dead_nodes().len() > 300, "the invented dead are there");
    assert_eq!(most_missing(&world, &all), 2, "each half has given the other up");
    world.heal(LinkConfig::default());
    let healed = time_until(&mut world, Duration::from_secs(60), |world| know_each_other(world, &all));
    assert!(healed.is_some_and(|healed| healed < Duration::from_secs(40)), "healed after {healed:?}");
}

#[test]
fn a_rolling_restart_loses_nobody_where_inventions_fill_the_tables() {
    for beat in [false, true] {
        let mut world = cluster(7, 5, small_tables);
        let all = [0, 1, 2, 3, 4];
        let stranger = world.add_stranger(inventor(2 * u32::try_from(MAX_NODES).unwrap(), beat, &all));
        world.run_until(world.now() + Duration::from_secs(15));
        assert!(known(&world, 0) > 100, "{} known", known(&world, 0));
        for index in all {
            world.crash(index);
            world.run_until(world.now() + Duration::from_secs(3));
            let generation = wall_clock(&world);
            world.restart(index, generation).expect("a valid config");
            world.run_until(world.now() + Duration::from_secs(12));
        }
        world.retire(stranger);
        let found = time_until(&mut world, Duration::from_secs(60), |world| know_each_other(world, &all));
        assert!(found.is_some(), "beating: {beat}: {} missing", most_missing(&world, &all));
    }
}
