//! An application's own test: a leader, chosen as the oldest live member, on a simulated cluster.
//!
//! The application is one function from what a node shows to its choice. The test asks of it what its users rely on: in
//! the end everybody follows the same leader, and a leader that has crashed is not followed for long.

use std::time::Duration;

use tidings_core::{Config, Instant, Node, NodeId};
use tidings_sim::{Latency, LinkConfig, World, address};

/// The application: the live member with the lowest generation leads; of two, the one whose name comes first.
fn leader(node: &Node) -> NodeId {
    let live = node.live_nodes();
    live.into_iter().min_by_key(|id| (id.generation_id(), id.name().to_string())).expect("at least itself")
}

/// Five nodes, the oldest first, on a network that loses every tenth packet.
fn cluster(seed: u64) -> World {
    let latency = Latency { min: Duration::from_millis(1), max: Duration::from_millis(50), tail: 0.05 };
    let mut world = World::new(seed, LinkConfig { latency, loss: 0.1, ..LinkConfig::default() });
    for index in 0..5 {
        let mut config = Config::new(NodeId::new(format!("node{index}"), 100 + index as u64, address(index)));
        config.seeds = vec![address(0), address(1)];
        world.add(config).expect("a valid config");
    }
    world
}

fn leaders(world: &World) -> Vec<String> {
    let running = world.running().filter_map(|index| world.node(index));
    running.map(|node| leader(node).name().to_string()).collect()
}

#[test]
fn everybody_follows_the_oldest_and_after_its_crash_the_next() {
    for seed in 0..20 {
        let mut world = cluster(seed);
        world.run_until(Instant::from_secs(20));
        assert_eq!(leaders(&world), ["node0"; 5], "seed {seed}");

        world.crash(0);
        world.run_until(Instant::from_secs(80));
        assert_eq!(leaders(&world), ["node1"; 4], "seed {seed}");

        world.restart(0, 200).expect("a valid config");
        world.run_until(Instant::from_secs(100));
        assert_eq!(leaders(&world), ["node1"; 5], "seed {seed}: who comes back is the youngest");
    }
}

#[test]
fn a_partition_has_two_leaders_and_one_again_when_it_heals() {
    let mut world = cluster(3);
    world.run_until(Instant::from_secs(20));
    world.network().separate(&[3, 4], 1);
    world.run_until(Instant::from_secs(90));
    assert_eq!(leaders(&world), ["node0", "node0", "node0", "node3", "node3"]);
    world.network().heal();
    world.run_until(Instant::from_secs(150));
    assert_eq!(leaders(&world), ["node0"; 5]);
}
