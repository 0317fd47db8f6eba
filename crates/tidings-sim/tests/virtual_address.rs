//! A seed that is one address for all nodes: whoever dials it may reach itself.

use tidings_core::{Address, Config, Instant, NodeId};
use tidings_sim::{LinkConfig, World, address};

#[test]
fn a_cluster_forms_behind_one_virtual_address() {
    let virtual_ip = Address::new("10.255.255.1", 7000);
    for nodes in [2, 3, 5] {
        let mut alone = Vec::new();
        for seed in 1..=40 {
            let mut world = World::new(seed, LinkConfig::default());
            for index in 0..nodes {
                let mut config = Config::new(NodeId::new(format!("node{index}"), 1, address(index)));
                config.seeds = vec![virtual_ip.clone()];
                world.add(config).expect("a valid config");
            }
            world.lead(virtual_ip.clone(), &(0..nodes).collect::<Vec<_>>());
            let is_formed = (1..=12).any(|tens| {
                world.run_until(Instant::from_secs(10 * tens));
                (0..nodes).all(|index| world.node(index).is_some_and(|node| node.live_nodes().len() == nodes))
            });
            if !is_formed {
                alone.push(seed);
            }
        }
        assert!(alone.is_empty(), "{nodes} nodes: {} of 40 did not form: {alone:?}", alone.len());
    }
}
