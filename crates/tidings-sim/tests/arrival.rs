//! What `set` accepts reaches everybody, also a member that can dial but not be dialled.

use tidings_core::{Config, Instant, Lifetime, NodeId};
use tidings_sim::{LinkConfig, World, address};

/// The last of three nodes cannot be dialled: a firewall is before it. `payload` is everybody's.
fn world(seed: u64, payload: usize) -> World {
    let mut world = World::new(seed, LinkConfig::default());
    for index in 0..3 {
        let mut config = Config::new(NodeId::new(format!("node{index}"), 1, address(index)));
        config.seeds = vec![address(0), address(1)];
        config.max_payload_size = payload;
        world.add(config).expect("a valid config");
    }
    world.lead(address(2), &[]);
    world
}

/// The longest value that the node accepts for this key.
fn set_longest(world: &mut World, index: usize, payload: usize) -> usize {
    let is_set = |world: &mut World, len: usize| {
        matches!(world.set(index, "k", &"v".repeat(len), Lifetime::Forever), Some(Ok(_)))
    };
    // Nothing is accepted above the first that is; halving needs no more than that.
    let (mut accepted, mut refused) = (0, payload);
    while refused - accepted > 1 {
        let middle = usize::midpoint(accepted, refused);
        *if is_set(world, middle) { &mut accepted } else { &mut refused } = middle;
    }
    assert!(is_set(world, accepted));
    accepted
}

#[test]
fn the_longest_value_and_all_later_news_come_to_a_member_that_nobody_can_dial() {
    for (seed, payload) in [(1, 65_507), (2, 65_507), (3, 4_096), (4, 700)] {
        let mut world = world(seed, payload);
        world.run_until(Instant::from_secs(10));
        let longest = set_longest(&mut world, 0, payload);
        assert!(longest > payload / 2, "{longest} of {payload}");
        world.set(0, "later", "news", Lifetime::Forever);
        world.run_until(Instant::from_secs(60));
        let owner = world.node(0).expect("it runs").id().clone();
        for reader in [1, 2] {
            let state = world.node(reader).and_then(|node| node.node_state(&owner));
            let len = |key| state.and_then(|state| state.get(key)).map(|value| value.len());
            assert_eq!((len("k"), len("later")), (Some(longest), Some(4)), "{payload} bytes, node {reader}");
        }
    }
}

#[test]
fn so_do_the_values_of_another_that_nobody_can_dial() {
    // Two that cannot be dialled have nothing but the third between them, which relays in a SynAck.
    let mut world = world(7, 65_507);
    world.lead(address(1), &[]);
    world.run_until(Instant::from_secs(10));
    let longest = set_longest(&mut world, 1, 65_507);
    world.run_until(Instant::from_secs(90));
    let owner = world.node(1).expect("it runs").id().clone();
    let state = world.node(2).and_then(|node| node.node_state(&owner));
    assert_eq!(state.and_then(|state| state.get("k")).map(|value| value.len()), Some(longest));
}
