//! What is recorded of a simulated node can be played by itself, and comes out the same.

use std::time::Duration;

use tidings_core::{Config, Instant, Lifetime, Node, NodeId};
use tidings_sim::record::End;
use tidings_sim::{Keep, LinkConfig, World, address, replay, run, run_and_keep, swarm};

/// Four nodes on a network that loses packets.
fn cluster() -> World {
    let mut world = World::new(5, LinkConfig { loss: 0.2, ..LinkConfig::default() });
    for index in 0..4 {
        let mut config = Config::new(NodeId::new(format!("node{index}"), 1, address(index)));
        config.seeds = vec![address(0)];
        config.marked_for_deletion_grace_period = Duration::from_secs(10);
        world.add(config).expect("a valid config");
    }
    world
}

fn live_through(world: &mut World) {
    for second in 1..60 {
        world
            .set(0, "second", &second.to_string(), Lifetime::For(Duration::from_secs(3)))
            .expect("it runs")
            .expect("short");
        match second {
            10 => world.crash(3),
            20 => world.delete(2, "second").map(drop).expect("it runs"),
            30 => world.restart(3, 2).expect("a valid config"),
            40 => world.pause(1),
            45 => world.resume(1),
            50 => world.leave(2),
            _ => {}
        }
        world.run_until(Instant::from_secs(second));
    }
}

fn view(node: &Node, now: Instant) -> String {
    format!("{:?}", node.snapshot(now))
}

#[test]
fn recorded_nodes_come_out_the_same_by_themselves() {
    let mut unrecorded = cluster();
    live_through(&mut unrecorded);
    let mut world = cluster();
    (0..4).for_each(|index| world.record(index));
    live_through(&mut world);
    assert_eq!(world.trace_hash(), unrecorded.trace_hash(), "to be recorded changes nothing");

    for index in 0..4 {
        let (now, real) = (world.local_now(index), view(world.node(index).expect("it runs"), world.local_now(index)));
        let replayed =
            replay(world.recording(index).expect("it is recorded")).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(view(&replayed.node, now), real);
        assert!(replayed.steps > 100 && replayed.unchecked == 0 && replayed.end == End::Whole, "{}", replayed.steps);
        let generation = if index == 3 { 2 } else { 1 };
        assert_eq!(replayed.node.id().generation_id(), generation, "the last run");
    }
    assert!(unrecorded.recording(0).is_none());
}

#[test]
fn whatever_a_swarm_does_to_a_node_can_be_played_again() {
    let mut steps = 0;
    for seed in 0..6 {
        let scenario = swarm::scenario(seed);
        let report = run_and_keep(&scenario, Keep { record: Some(1), ..Keep::default() }).expect("a valid scenario");
        let recording = report.recording.expect("every scenario has a second node");
        steps += replay(&recording).unwrap_or_else(|error| panic!("seed {seed}: {error}")).steps;
        if seed == 0 {
            let plain = run(&scenario).expect("a valid scenario");
            assert_eq!((plain.trace_hash, plain.recording), (report.trace_hash, None));
        }
    }
    assert!(steps > 2_000, "{steps}");
}
