//! Nodes whose address changes while they run, as by DHCP: nobody takes them for dead, and their key-values go on.

mod common;

use std::time::Duration;

use common::*;
use tidings_core::{EventKind, NodeId};
use tidings_sim::{World, address};

fn id_of(world: &World, index: usize) -> NodeId {
    world.node(index).expect("it runs").id().clone()
}

fn move_to(world: &mut World, index: usize, place: usize) {
    world.set_advertise_addr(index, address(place)).expect("it runs").expect("a valid address");
}

/// Whether all of `nodes` see each other under their present ids, and the value of each.
fn all_is_right(world: &World, nodes: usize, value_of: &str) -> bool {
    let all: Vec<usize> = (0..nodes).collect();
    let has_values = |observer: usize| {
        all.iter().all(|index| value(world, observer, &id_of(world, *index), "role").as_deref() == Some(value_of))
    };
    agree(world, &all) && all.iter().all(|observer| has_values(*observer))
}

fn with_roles(seed: u64, nodes: usize) -> World {
    let mut world = cluster(seed, nodes, |_| ());
    for index in 0..nodes {
        set(&mut world, index, "role", "member");
    }
    world.run_until(secs(30));
    assert!(all_is_right(&world, nodes, "member"));
    world.take_news();
    world
}

/// Whether anybody was told dead or forgotten, or lost a key.
fn losses(world: &mut World) -> Vec<(usize, EventKind)> {
    let is_loss = |kind: &EventKind| {
        let is_gone = matches!(kind, EventKind::NodeForgotten { .. } | EventKind::NodeConflict { .. });
        is_gone || matches!(kind, EventKind::NodeDied { .. } | EventKind::NodeRestarted { .. })
    };
    world.take_news().into_iter().map(|(index, event)| (index, event.kind)).filter(|(_, kind)| is_loss(kind)).collect()
}

#[test]
fn a_node_that_moves_is_no_death_and_keeps_its_values() {
    for nodes in [3, 8, 30] {
        for seed in 1..=10 {
            let mut world = with_roles(seed, nodes);
            move_to(&mut world, 2, 500);
            let took = time_until(&mut world, Duration::from_secs(60), |world| all_is_right(world, nodes, "member"));
            let took = took.unwrap_or_else(|| panic!("{nodes} nodes, seed {seed}: it has not moved everywhere"));
            assert!(took <= Duration::from_secs(20), "{nodes} nodes, seed {seed}: {took:?}");
            set(&mut world, 2, "role", "member");
            world.run_until(world.now() + Duration::from_secs(60));
            assert!(all_is_right(&world, nodes, "member"));
            assert_eq!(losses(&mut world), [], "{nodes} nodes, seed {seed}");
        }
    }
}

#[test]
fn what_it_sets_after_it_has_moved_arrives_and_it_may_move_again_and_back() {
    let mut world = with_roles(1, 5);
    for place in [500, 501, 2] {
        move_to(&mut world, 2, place);
        world.run_until(world.now() + Duration::from_secs(1));
        let role = format!("at {place}");
        set(&mut world, 2, "role", &role);
        world.run_until(world.now() + Duration::from_secs(30));
        let id = id_of(&world, 2);
        let shown: Vec<_> = (0..5).map(|index| value(&world, index, &id, "role")).collect();
        assert_eq!(shown, vec![Some(role); 5]);
    }
    assert_eq!(losses(&mut world), []);
}

#[test]
fn two_nodes_swap_their_addresses() {
    for seed in 1..=10 {
        let mut world = with_roles(seed, 6);
        move_to(&mut world, 3, 600);
        move_to(&mut world, 4, 3);
        move_to(&mut world, 3, 4);
        world.run_until(world.now() + Duration::from_secs(60));
        assert!(all_is_right(&world, 6, "member"), "seed {seed}");
        assert_eq!(losses(&mut world), [], "seed {seed}");
    }
}
