//! Several nodes against a plain reference model, under any order of writes, time, loss, repetition and restarts.
//!
//! The model of a node's key-values is a map; that of a replica is "some value the owner once had, and in the end the
//! one it has". Payloads are tiny, so that nearly every digest and delta is cut short.

mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use tidings_core::invariants::{self, Violation};
use tidings_core::{Instant, Lifetime, Node, SetError};
use world::{SAME_GENERATION, World};

const NODES: usize = 4;
const GRACE: Duration = Duration::from_secs(20);

#[derive(Clone, Debug)]
enum Op {
    Set { node: usize, key: u8, value: u8, lifetime: Lifetime },
    Delete { node: usize, key: u8 },
    DeleteAfterTtl { node: usize, key: u8 },
    Advance { millis: u64 },
    Deliver { position: usize },
    Lose { position: usize },
    Replay { position: usize },
    Restart { node: usize },
}

fn lifetime() -> impl Strategy<Value = Lifetime> {
    prop_oneof![
        4 => Just(Lifetime::Forever),
        1 => Just(Lifetime::Grace),
        2 => (1_u64..30_000).prop_map(|millis| Lifetime::For(Duration::from_millis(millis))),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let node = 0..NODES;
    let key = 0_u8..12;
    prop_oneof![
        6 => (node.clone(), key.clone(), any::<u8>(), lifetime())
            .prop_map(|(node, key, value, lifetime)| Op::Set { node, key, value, lifetime }),
        3 => (node.clone(), key.clone()).prop_map(|(node, key)| Op::Delete { node, key }),
        1 => (node.clone(), key).prop_map(|(node, key)| Op::DeleteAfterTtl { node, key }),
        8 => (1_u64..4_000).prop_map(|millis| Op::Advance { millis }),
        1 => (10_000_u64..30_000).prop_map(|millis| Op::Advance { millis }),
        30 => any::<usize>().prop_map(|position| Op::Deliver { position }),
        6 => any::<usize>().prop_map(|position| Op::Lose { position }),
        4 => any::<usize>().prop_map(|position| Op::Replay { position }),
        1 => node.prop_map(|node| Op::Restart { node }),
    ]
}

/// What a key's owner was told: the value, and when it will go by itself.
#[derive(Clone, Debug)]
struct Told {
    value: String,
    until: Instant,
}

/// The plain model: for each node what it was told, and every value it ever had in this run.
#[derive(Debug, Default, Clone)]
struct Model {
    keys: BTreeMap<String, Told>,
    ever: BTreeSet<(String, String)>,
}

impl Model {
    fn set(&mut self, now: Instant, key: &str, value: &str, lifetime: Lifetime) {
        let until = match lifetime {
            Lifetime::Forever => Instant::FAR_FUTURE,
            Lifetime::Grace => now + GRACE,
            Lifetime::For(duration) => now + duration,
        };
        self.keys.insert(key.into(), Told { value: value.into(), until });
        self.ever.insert((key.into(), value.into()));
    }

    /// What can be read now. A grace period ends with a round, so up to one gossip interval late: `slack`.
    fn agrees(&self, now: Instant, slack: Duration, node: &Node) -> Result<(), String> {
        let state = node.node_state(node.id()).expect("its own state");
        let readable: BTreeMap<&str, &str> = state.iter().map(|(key, value)| (key, &*value.value)).collect();
        for (key, told) in &self.keys {
            let held = readable.get(key.as_str());
            if told.until > now && held != Some(&told.value.as_str()) {
                return Err(format!("{} should read {key} as {told:?} and reads {held:?}", node.id()));
            }
            if told.until + slack <= now && held.is_some() {
                return Err(format!("{} reads {key}, which was over at {:?}", node.id(), told.until));
            }
        }
        match readable.keys().find(|key| !self.keys.contains_key(**key)) {
            Some(key) => Err(format!("{} reads {key}, which was deleted or never set", node.id())),
            None => Ok(()),
        }
    }
}

struct Run {
    world: World,
    models: Vec<Model>,
    restarts: u64,
}

impl Run {
    fn new(seed: u64, max_payload_size: usize) -> Run {
        let world = World::new(NODES, seed, move |index, generation| {
            let mut config = world::config(index, generation, NODES);
            config.max_payload_size = max_payload_size;
            config.marked_for_deletion_grace_period = GRACE;
            config.failure_detector.dead_node_grace_period = Duration::from_secs(120);
            config
        });
        Run { world, models: vec![Model::default(); NODES], restarts: 0 }
    }

    fn apply(&mut self, op: &Op) -> Result<(), String> {
        let now = self.world.now;
        let name = |key: u8| format!("key{key}");
        match *op {
            Op::Set { node, key, value, lifetime } => {
                // Up to 200 bytes, so that few fit a packet.
                let (key, value) = (name(key), "v".repeat(1 + usize::from(value) % 200));
                match self.world.nodes[node].set(now, &key, &value, lifetime) {
                    Ok(_) => self.models[node].set(now, &key, &value, lifetime),
                    Err(SetError::TooLargeForPacket { .. }) => {}
                    Err(error) => return Err(error.to_string()),
                }
                self.world.drain(node);
            }
            Op::Delete { node, key } => {
                self.world.nodes[node].delete(now, &name(key)).map_err(|error| error.to_string())?;
                self.models[node].keys.remove(&name(key));
                self.world.drain(node);
            }
            Op::DeleteAfterTtl { node, key } => {
                let version = self.world.nodes[node].delete_after_ttl(now, &name(key));
                if version.map_err(|error| error.to_string())?.is_some()
                    && let Some(told) = self.models[node].keys.get_mut(&name(key))
                {
                    told.until = now + GRACE;
                }
                self.world.drain(node);
            }
            Op::Advance { millis } => self.world.advance(Duration::from_millis(millis)),
            Op::Deliver { position } if self.world.in_flight() > 0 => {
                let position = position % self.world.in_flight();
                self.world.deliver(position).map_err(|violation| violation.to_string())?;
            }
            Op::Lose { position } if self.world.in_flight() > 0 => {
                let position = position % self.world.in_flight();
                self.world.lose(position);
            }
            Op::Replay { position } => self.world.replay(position).map_err(|violation| violation.to_string())?,
            Op::Restart { node } => {
                self.restarts += 1;
                // Every other time with the generation it had. That it was running before shows in its heartbeat, so
                // its peers must have heard a few.
                let old = self.world.nodes[node].id().generation_id();
                let heard = self.world.nodes.iter().filter_map(|peer| {
                    let snapshot = peer.snapshot(now);
                    snapshot.member(self.world.nodes[node].id()).map(|member| member.heartbeat)
                });
                let is_well_known = heard.min().is_some_and(|heartbeat| heartbeat > 30);
                let is_same = self.restarts.is_multiple_of(2) && is_well_known && old >= SAME_GENERATION;
                let next =
                    if self.restarts.is_multiple_of(3) { SAME_GENERATION + self.restarts } else { self.restarts + 1 };
                self.world.restart(node, if is_same { old } else { next.max(old + 1) });
                self.models[node].keys.clear();
                if is_same {
                    self.world.run(Duration::from_secs(3)).map_err(|violation| violation.to_string())?;
                }
            }
            Op::Deliver { .. } | Op::Lose { .. } => {}
        }
        self.check()
    }

    fn check(&mut self) -> Result<(), String> {
        for index in 0..NODES {
            self.world.check(index).map_err(|violation| violation.to_string())?;
            self.models[index].agrees(self.world.now, Duration::from_secs(1), &self.world.nodes[index])?;
        }
        for (index, node) in self.world.nodes.iter().enumerate() {
            for other in 0..NODES {
                let id = self.world.nodes[other].id();
                let Some(copy) = node.node_state(id).filter(|_| index != other) else { continue };
                let never = copy.iter().find(|(key, value)| {
                    !self.models[other].ever.contains(&((*key).to_string(), value.value.to_string()))
                });
                if let Some((key, value)) = never {
                    return Err(format!("{} holds {key}={value:?} of {id}, which never said so", node.id()));
                }
            }
        }
        Ok(())
    }

    /// Faults stop: within a bounded time everyone holds the same, which is what the owners were told.
    fn heal(&mut self) -> Result<(), String> {
        let violation = |violation: Violation| violation.to_string();
        self.world.run(Duration::from_secs(90)).map_err(violation)?;
        self.check()?;
        let nodes: Vec<&Node> = self.world.nodes.iter().collect();
        invariants::convergence(&nodes).map_err(violation)?;
        let running: Vec<_> = nodes.iter().map(|node| node.id()).collect();
        for node in &nodes {
            invariants::accuracy(node, &running).map_err(violation)?;
        }
        Ok(())
    }
}

proptest! {
    // PROPTEST_CASES asks for more.
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases / 8,
        max_shrink_iters: 1_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nodes_agree_with_the_model_and_in_the_end_with_each_other(
        seed in any::<u64>(),
        max_payload_size in prop_oneof![Just(512_usize), 512_usize..1_200],
        ops in proptest::collection::vec(op(), 1..250),
    ) {
        let mut run = Run::new(seed, max_payload_size);
        for op in &ops {
            run.apply(op).map_err(TestCaseError::fail)?;
        }
        run.heal().map_err(TestCaseError::fail)?;
    }
}

#[test]
fn the_same_seed_gives_the_same_run_to_the_byte() {
    let trace = |seed| {
        let mut world = World::new(5, seed, |index, generation| world::config(index, generation, 5));
        world.nodes[0].set(world.now, "a", "1", Lifetime::Forever).expect("a valid key");
        world.run(Duration::from_secs(20)).expect("no violation");
        format!("{world:?} {:?}", world.events)
    };
    assert_eq!(trace(1), trace(1));
    assert_ne!(trace(1), trace(2));
}
