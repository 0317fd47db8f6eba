//! One stranger tells of members at addresses of a third party: how often they are dialled.

mod common;

use std::time::Duration;

use common::*;
use tidings_core::{Instant, NodeId};
use tidings_sim::{Lie, Stranger, World, address};

const NODES: usize = 10;
const STRANGER: usize = 900;

/// How often all nodes together have dialled addresses that nothing but hearsay speaks for.
fn unproven_dials(world: &World) -> u64 {
    (0..NODES).filter_map(|index| world.node(index)).map(|node| node.stats().dials_unproven).sum()
}

fn inventor(nodes: u32, most: u64) -> Stranger {
    let id = NodeId::new("stranger", 1, address(STRANGER));
    let mut stranger = Stranger::new(id, (0..NODES).map(address).collect());
    stranger.lies = vec![Lie::Invent { nodes, beat: true }];
    stranger.most = most;
    stranger
}

/// Lets a stranger invent members for an hour. Gives how often they were dialled.
fn dialled_in_an_hour(stranger: Stranger) -> u64 {
    let mut world = cluster(1, NODES, |_| ());
    let before = unproven_dials(&world);
    let stranger = world.add_stranger(stranger);
    world.run_until(world.now() + Duration::from_secs(3_600));
    assert!(world.lies_told(stranger) > 0);
    let names = live_names(&world, 0);
    assert!((0..NODES).all(|index| names.contains(&format!("node{index}"))), "the members are live: {names:?}");
    let ended = obituaries(&mut world);
    let honest: Vec<_> = ended.iter().filter(|(_, kind)| kind.to_string().contains("node")).collect();
    assert!(honest.is_empty(), "{honest:?}");
    unproven_dials(&world) - before
}

#[test]
fn one_packet_makes_a_cluster_dial_a_third_party_a_few_times() {
    let dialled = dialled_in_an_hour(inventor(50, 1));
    assert!(dialled <= 400, "{dialled} dials");
}

#[test]
fn a_stranger_that_invents_members_for_an_hour_is_rationed() {
    // Each of ten nodes: 16 dials, and one more in 16 rounds; and what is under way.
    let dialled = dialled_in_an_hour(inventor(50, u64::MAX));
    assert!((100..=2_800).contains(&dialled), "{dialled} dials");
}

#[test]
fn the_closed_address_of_a_dead_member_is_dialled_ever_more_rarely() {
    let mut world = cluster(1, 3, |config| config.seeds.truncate(1));
    world.crash(2);
    world.run_until(Instant::from_secs(60));
    let failed = |world: &World| world.node(1).map_or(0, |node| node.stats().exchanges_failed);
    let before = failed(&world);
    world.run_until(Instant::from_secs(660));
    let dialled = failed(&world) - before;
    assert!((20..=100).contains(&dialled), "{dialled} dials in 600 rounds");
}
