//! Small clusters, and what their nodes make of each other, for the tests of long lives and of strangers.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::time::Duration;

use tidings_core::{Config, EventKind, Instant, Lifetime, Liveness, NodeId};
use tidings_sim::{LinkConfig, World, address};

/// The id of a node's run.
pub(crate) fn id(index: usize, generation: u64) -> NodeId {
    NodeId::new(format!("node{index}"), generation, address(index))
}

/// The config of a node's run, with the first two nodes for seeds.
pub(crate) fn config(index: usize, generation: u64) -> Config {
    let mut config = Config::new(id(index, generation));
    config.seeds = vec![address(0), address(1)];
    config
}

pub(crate) fn secs(seconds: u64) -> Instant {
    Instant::from_secs(seconds)
}

/// Generations as a wall clock gives them, in nanoseconds.
pub(crate) fn wall_clock(world: &World) -> u64 {
    1_750_000_000_000_000_000 + world.now().as_nanos()
}

/// Nodes that know each other, with ten seconds behind them. `change` changes each node's config.
pub(crate) fn cluster(seed: u64, nodes: usize, change: impl Fn(&mut Config)) -> World {
    let mut world = World::new(seed, LinkConfig::default());
    for index in 0..nodes {
        let mut config = config(index, wall_clock(&world));
        change(&mut config);
        world.add(config).expect("a valid config");
    }
    world.run_until(secs(10));
    for index in 0..nodes {
        assert_eq!(live_names(&world, index).len(), nodes, "node {index} knows all");
    }
    world.take_news();
    world
}

pub(crate) fn set(world: &mut World, index: usize, key: &str, value: &str) {
    world.set(index, key, value, Lifetime::Forever).expect("it runs").expect("a valid key");
}

/// The names of all live nodes as one node sees them, its own too.
pub(crate) fn live_names(world: &World, index: usize) -> Vec<String> {
    let mut names: Vec<String> = live(world, index).iter().map(|id| id.name().to_string()).collect();
    names.sort();
    names
}

pub(crate) fn live(world: &World, index: usize) -> Vec<NodeId> {
    world.node(index).map(|node| node.live_nodes()).unwrap_or_default()
}

/// How many nodes one node knows, whatever it takes them for.
pub(crate) fn known(world: &World, index: usize) -> usize {
    world.node(index).map_or(0, |node| node.snapshot(world.local_now(index)).members.len())
}

/// What one node shows of a key of another.
pub(crate) fn value(world: &World, index: usize, id: &NodeId, key: &str) -> Option<String> {
    world.node(index)?.node_state(id)?.get(key).map(str::to_string)
}

/// Lets time pass, and gives the longest time that `is_right` did not hold, looked at ten times a second.
pub(crate) fn longest_wrong(world: &mut World, until: Instant, is_right: impl Fn(&World) -> bool) -> Duration {
    let (mut longest, mut wrong) = (Duration::ZERO, Duration::ZERO);
    let step = Duration::from_millis(100);
    while world.now() < until {
        world.run_until(world.now() + step);
        wrong = if is_right(world) { Duration::ZERO } else { wrong + step };
        longest = longest.max(wrong);
    }
    longest
}

/// Lets time pass until it is right; how long that took. `None`: it was not right in time.
pub(crate) fn time_until(world: &mut World, within: Duration, is_right: impl Fn(&World) -> bool) -> Option<Duration> {
    let began = world.now();
    while !is_right(world) {
        if world.now() >= began + within {
            return None;
        }
        world.run_until(world.now() + Duration::from_millis(100));
    }
    Some(world.now().saturating_duration_since(began))
}

/// Whether these nodes take exactly each other's present runs for live.
pub(crate) fn agree(world: &World, nodes: &[usize]) -> bool {
    let mut ids: Vec<NodeId> = nodes.iter().filter_map(|index| world.node(*index)).map(|n| n.id().clone()).collect();
    ids.sort();
    nodes.iter().all(|index| {
        let mut live = live(world, *index);
        live.sort();
        live == ids
    })
}

/// The most of `nodes` that any of them does not take for live now.
pub(crate) fn most_missing(world: &World, nodes: &[usize]) -> usize {
    let missing = |observer: &usize| {
        let live = live(world, *observer);
        let ids = nodes.iter().filter_map(|index| world.node(*index)).map(|node| node.id());
        ids.filter(|id| !live.contains(id)).count()
    };
    nodes.iter().map(missing).max().unwrap_or(0)
}

/// Who was told to be dead, to have left or to be replaced since the last call, each with the node that told it.
pub(crate) fn obituaries(world: &mut World) -> Vec<(usize, EventKind)> {
    let is_one = |kind: &EventKind| {
        matches!(kind, EventKind::NodeDied { .. } | EventKind::NodeLeft { .. } | EventKind::NodeRestarted { .. })
    };
    world.take_news().into_iter().map(|(index, event)| (index, event.kind)).filter(|(_, kind)| is_one(kind)).collect()
}

pub(crate) fn liveness(world: &World, index: usize, id: &NodeId) -> Option<Liveness> {
    world.node(index)?.snapshot(world.local_now(index)).member(id).map(|member| member.liveness)
}
