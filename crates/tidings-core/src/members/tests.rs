//! What becomes of a node that beats, falls silent, comes back, restarts, leaves and is forgotten.

use alloc::string::{String, ToString};
use alloc::vec;
use core::time::Duration;

use super::*;
use crate::config::FailureDetectorConfig;
use crate::dialect::aiocluster::Sender;
use crate::dialect::aiocluster::unmarked::claim_of;
use crate::reconcile::NodeDelta;
use crate::testing::{config, deleted, entry, hear, id, secs, set};
use crate::wire::aiocluster::NodeDigest;

/// The members as one node, "me" of generation 1, sees them, a second at a time.
struct World {
    members: Members,
    config: Config,
    events: EventQueue,
    stats: Stats,
    now: Instant,
}

impl World {
    fn new() -> World {
        World {
            members: Members::new(id("me", 1), 1),
            config: config("me"),
            events: EventQueue::new(1_000),
            stats: Stats::default(),
            now: secs(1_000),
        }
    }

    fn env(&mut self) -> (&mut Members, Env<'_>) {
        let World { members, config, events, stats, now } = self;
        (members, Env { now: *now, active: *now, detector: Detector::new(config, 0.0), config, events, stats })
    }

    fn hear(&mut self, entry: &NodeDigest) {
        let (members, mut env) = self.env();
        hear(members, &mut env, entry, true);
        self.members.check().unwrap();
    }

    /// A second passes, in which these nodes' heartbeats reached the given values.
    fn second(&mut self, beats: &[(&NodeId, u64)]) {
        self.now += Duration::from_secs(1);
        for (node, heartbeat) in beats {
            self.hear(&entry(node, *heartbeat));
        }
        let (members, mut env) = self.env();
        members.refresh_all(&mut env);
        self.members.check().unwrap();
    }

    /// So many seconds in each of which these nodes beat; in the first their hearts stand at `from`.
    fn beat(&mut self, seconds: u64, from: u64, nodes: &[&NodeId]) {
        for beat in from..from + seconds {
            let beats: Vec<(&NodeId, u64)> = nodes.iter().map(|node| (*node, beat)).collect();
            self.second(&beats);
        }
    }

    fn silence(&mut self, seconds: u64) {
        self.beat(seconds, 0, &[]);
    }

    /// Far into the future, with a round there.
    fn skip(&mut self, duration: Duration) {
        self.now += duration;
        self.second(&[]);
    }

    fn tell_state(&mut self, node: &NodeId, update: KeyValueUpdate) {
        let delta = NodeDelta {
            node_id: node.clone(),
            from_version_excluded: update.version - 1,
            last_gc_version: 0,
            max_version: Some(update.version),
            sender_complete_version: Some(update.version),
            key_values: vec![update],
        };
        let claim = claim_of(&delta, Sender { id: node, protocol_revision: 1 });
        let (members, mut env) = self.env();
        let (position, _, peer) = members.peers.get_full_mut(node).unwrap();
        peer.change_state(|state| state.apply(env.now, claim, &delta.key_values, &env.config.limits, &mut Vec::new()));
        members.refresh(&mut env, position);
        self.members.check().unwrap();
    }

    fn liveness(&self, node: &NodeId) -> Option<Liveness> {
        self.members.get(node).map(Peer::liveness)
    }

    fn is_scheduled(&self, node: &NodeId) -> bool {
        self.members.get(node).unwrap().is_scheduled_for_deletion(self.now, &self.config)
    }

    /// The events since the last call, as text.
    fn events(&mut self) -> Vec<String> {
        core::iter::from_fn(|| self.events.pop()).map(|event| event.kind.to_string()).collect()
    }
}

const NONE: [&str; 0] = [];
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// By then a node that beat once a second and stopped is dead: more than 6 means of 1 s.
const UNTIL_DEAD: u64 = 7;

#[test]
fn a_node_joins_with_its_second_heartbeat_beyond_the_first_value() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.beat(2, 500, &[&a]);
    assert_eq!((world.liveness(&a), world.events()), (Some(Liveness::Dead), vec![]));
    world.second(&[(&a, 502)]);
    assert_eq!((world.liveness(&a), world.events()), (Some(Liveness::Live), vec!["a-1-a:7000 joined".into()]));
    world.beat(30, 503, &[&a]);
    assert_eq!(world.events(), NONE);
}

#[test]
fn a_heartbeat_that_does_not_grow_is_none() {
    let (mut world, a) = (World::new(), id("a", 1));
    for _ in 0..10 {
        world.second(&[(&a, 7), (&a, 6)]);
    }
    assert_eq!((world.liveness(&a), world.members.get(&a).unwrap().heartbeat), (Some(Liveness::Dead), 7));
}

#[test]
fn a_silent_node_dies_and_one_beat_soon_after_brings_it_back() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.beat(20, 1, &[&a]);
    world.silence(UNTIL_DEAD);
    assert_eq!(world.liveness(&a), Some(Liveness::Dead));
    assert_eq!(world.events(), ["a-1-a:7000 joined", "a-1-a:7000 died"]);
    world.second(&[(&a, 21)]);
    assert_eq!(world.events(), ["a-1-a:7000 joined"]);
}

#[test]
fn who_will_be_silent_for_too_long_before_the_next_round_is_looked_at_then() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.beat(20, 1, &[&a]);
    world.now += Duration::from_millis(500);
    world.hear(&entry(&a, 21));
    world.silence(5);
    // 18 samples of 1 s, one of 0.5 s, and 50 of 1 s expected.
    let due = world.members.next_due().unwrap();
    let silence = due.saturating_duration_since(world.now - Duration::from_secs(5));
    assert!((silence.as_secs_f64() - 6.0 * 68.5 / 69.0).abs() < 1e-4, "{silence:?}");

    let mut look = |now| {
        world.now = now;
        let (members, mut env) = world.env();
        members.refresh_due(&mut env);
        (world.liveness(&a), world.members.next_due())
    };
    assert_eq!(look(due - Duration::from_nanos(1)), (Some(Liveness::Live), Some(due)));
    assert_eq!(look(due), (Some(Liveness::Dead), None));
}

#[test]
fn after_a_long_silence_it_takes_two_beats_to_come_back() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.beat(20, 1, &[&a]);
    world.silence(600);
    world.events();
    world.second(&[(&a, 21)]);
    assert_eq!(world.liveness(&a), Some(Liveness::Dead));
    world.second(&[(&a, 22)]);
    assert_eq!(world.events(), ["a-1-a:7000 joined"]);
}

#[test]
fn a_new_generation_takes_the_place_of_the_old_one_at_once() {
    let (mut world, old, new) = (World::new(), id("a", 1), id("a", 2));
    world.beat(20, 1, &[&old]);
    world.events();
    world.second(&[(&new, 1)]);
    assert_eq!(world.events(), ["a-1-a:7000 was restarted as a-2-a:7000"]);
    assert_eq!(world.liveness(&old), Some(Liveness::Dead));
    world.beat(2, 2, &[&new]);
    assert_eq!(world.events(), ["a-2-a:7000 joined"]);
}

#[test]
fn stragglers_of_the_old_run_are_neither_a_conflict_nor_a_takeover() {
    let (mut world, old, new) = (World::new(), id("a", 1), id("a", 2));
    world.beat(20, 1, &[&old]);
    world.second(&[(&new, 1)]);
    world.events();
    // Slow relays bring heartbeats of the old run for a while, and the new one beats slowly.
    for beat in 0..9 {
        world.second(&[(&old, 21 + beat), (&new, 1 + beat / 4)]);
    }
    assert_eq!(world.liveness(&old), Some(Liveness::Dead));
    world.beat(60, 5, &[&new]);
    assert_eq!(world.liveness(&new), Some(Liveness::Live));
    assert_eq!(world.events(), ["a-2-a:7000 joined"]);
}

#[test]
fn two_runs_that_both_beat_are_a_conflict_told_once() {
    let (mut world, old, new) = (World::new(), id("a", 1), id("a", 2));
    world.beat(60, 1, &[&old, &new]);
    let conflict = "a-2-a:7000 and a-1-a:7000 have one name and both are running; stop one or rename it";
    assert_eq!(world.events(), ["a-2-a:7000 joined", conflict]);
    assert_eq!((world.liveness(&old), world.liveness(&new)), (Some(Liveness::Dead), Some(Liveness::Live)));

    // It ends, and begins again: that is another one.
    for beat in 61..61 + UNTIL_DEAD {
        world.second(&[(&new, beat)]);
    }
    assert_eq!(world.events(), NONE);
    for beat in 0..20 {
        world.second(&[(&old, 200 + beat), (&new, 200 + beat)]);
    }
    assert_eq!(world.events(), [conflict]);
}

#[test]
fn a_lower_generation_counts_again_when_only_it_beats() {
    // A machine whose clock went back starts its node with a lower generation.
    let (mut world, high, low) = (World::new(), id("a", 9), id("a", 3));
    // Patient enough for the higher one to be live still when the lower one has beaten for long.
    world.config.failure_detector = FailureDetectorConfig::aiocluster();
    world.beat(20, 1, &[&high]);
    world.events();
    world.beat(9, 1, &[&low]);
    assert_eq!((world.liveness(&low), world.events()), (Some(Liveness::Dead), vec![]), "high has just been heard");
    world.beat(60, 10, &[&low]);
    assert_eq!((world.liveness(&high), world.liveness(&low)), (Some(Liveness::Dead), Some(Liveness::Live)));
    assert_eq!(world.events(), ["a-9-a:7000 was restarted as a-3-a:7000", "a-3-a:7000 joined"]);

    // And a higher one after it is a restart as ever.
    let higher = id("a", 10);
    world.second(&[(&higher, 1)]);
    assert_eq!(world.events(), ["a-3-a:7000 was restarted as a-10-a:7000"]);
}

#[test]
fn a_run_left_over_when_its_successor_is_forgotten_counts_again_as_soon_as_it_beats() {
    let (mut world, high, low) = (World::new(), id("a", 9), id("a", 3));
    world.beat(20, 1, &[&high]);
    world.silence(UNTIL_DEAD);
    // Just before the higher run is forgotten the lower one is heard of, but does not beat yet.
    world.skip(DAY - Duration::from_secs(60));
    world.second(&[(&low, 1)]);
    world.silence(120);
    assert_eq!(world.liveness(&high), None);
    world.events();
    world.beat(15, 2, &[&low]);
    assert_eq!((world.events(), world.liveness(&low)), (vec!["a-3-a:7000 joined".to_string()], Some(Liveness::Live)));
}

#[test]
fn an_older_run_of_this_very_node_does_not_count_and_one_that_beats_is_a_conflict() {
    let mut world = World::new();
    let older = id("me", 0);
    world.beat(9, 1, &[&older]);
    assert_eq!((world.liveness(&older), world.events()), (Some(Liveness::Dead), vec![]), "stragglers, it may be");
    world.beat(20, 10, &[&older]);
    let conflict = "me-1-me:7000 and me-0-me:7000 have one name and both are running; stop one or rename it";
    assert_eq!(world.events(), [conflict]);
}

#[test]
fn a_newer_run_of_this_very_node_counts_and_this_one_says_that_both_run() {
    let mut world = World::new();
    let newer = id("me", 2);
    world.beat(9, 1, &[&newer]);
    assert_eq!(world.events(), ["me-2-me:7000 joined"]);
    world.beat(40, 10, &[&newer]);
    let conflict = "me-2-me:7000 and me-1-me:7000 have one name and both are running; stop one or rename it";
    assert_eq!(world.events(), [conflict]);
}

#[test]
fn a_node_that_says_goodbye_has_left_and_its_silence_is_no_death() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.beat(20, 1, &[&a]);
    world.events();
    world.tell_state(&a, set(LEFT_KEY, "1", 1));
    assert_eq!((world.liveness(&a), world.events()), (Some(Liveness::Left), vec!["a-1-a:7000 left".into()]));
    world.beat(3, 21, &[&a]);
    world.silence(100);
    assert_eq!((world.liveness(&a), world.events()), (Some(Liveness::Left), vec![]));
    // Its key was removed: it has started again with the same generation.
    world.tell_state(&a, deleted(LEFT_KEY, 2));
    world.beat(3, 200, &[&a]);
    assert_eq!((world.liveness(&a), world.events()), (Some(Liveness::Live), vec!["a-1-a:7000 joined".into()]));
}

#[test]
fn a_dead_node_is_told_of_for_half_its_grace_period_and_then_forgotten() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.beat(20, 1, &[&a]);
    world.silence(UNTIL_DEAD);
    let died = world.members.get(&a).unwrap().since;
    world.events();

    world.now = died + DAY / 2 - Duration::from_nanos(1);
    assert!(!world.is_scheduled(&a));
    world.now = died + DAY / 2;
    assert!(world.is_scheduled(&a));
    world.now = died + DAY - Duration::from_secs(2);
    world.second(&[]);
    assert!(world.members.get(&a).is_some());
    world.second(&[]);
    assert_eq!((world.liveness(&a), world.events()), (None, vec!["a-1-a:7000 is forgotten".into()]));
    assert_eq!(world.members.forgotten_len(), 1);
}

#[test]
fn a_live_node_is_never_scheduled_and_a_node_never_live_goes_without_a_word() {
    let (mut world, a, b) = (World::new(), id("a", 1), id("b", 1));
    world.second(&[(&b, 5)]);
    world.beat(20, 1, &[&a]);
    world.events();
    world.now += DAY;
    assert!(!world.is_scheduled(&a) && world.is_scheduled(&b));
    world.second(&[(&a, 21)]);
    assert_eq!((world.liveness(&a), world.liveness(&b), world.events()), (Some(Liveness::Live), None, vec![]));
}

#[test]
fn older_news_do_not_bring_a_forgotten_node_back() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.beat(20, 1, &[&a]);
    world.silence(UNTIL_DEAD);
    world.skip(DAY);
    world.events();
    // What it was at its end, and a later heartbeat that some other node saw of it: told over and over.
    for _ in 0..60 {
        world.second(&[(&a, 20), (&a, 25), (&a, 7)]);
    }
    assert_eq!((world.liveness(&a), world.events()), (None, vec![]));
    assert_eq!(world.stats.forgotten_ignored, 180);
    // Now and then a little later: no proof of life either.
    for heartbeat in 26..40 {
        world.second(&[(&a, heartbeat)]);
        world.silence(10);
    }
    assert_eq!(world.liveness(&a), None);
}

#[test]
fn a_forgotten_node_that_really_beats_comes_back() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.beat(20, 1, &[&a]);
    world.silence(UNTIL_DEAD);
    world.skip(DAY);
    world.events();
    world.beat(2, 21, &[&a]);
    assert_eq!(world.liveness(&a), None);
    world.beat(1, 23, &[&a]);
    assert_eq!((world.liveness(&a), world.members.forgotten_len()), (Some(Liveness::Dead), 0));
    world.beat(2, 24, &[&a]);
    assert_eq!(world.events(), ["a-1-a:7000 joined"]);
}

#[test]
fn a_jump_said_of_a_forgotten_node_does_not_keep_it_out() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.beat(20, 1, &[&a]);
    world.silence(UNTIL_DEAD);
    world.skip(DAY);
    world.second(&[(&a, 20 + MAX_JUMP + 1)]);
    assert_eq!(world.stats.jumps_refused, 1);
    world.beat(5, 21, &[&a]);
    assert_eq!(world.liveness(&a), Some(Liveness::Live));
}

#[test]
fn the_forgotten_are_remembered_however_long_ago_it_was() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.beat(20, 1, &[&a]);
    world.silence(UNTIL_DEAD);
    world.skip(DAY);
    world.skip(100 * DAY);
    world.beat(1, 20, &[&a]);
    assert_eq!((world.liveness(&a), world.members.forgotten_len()), (None, 1));
}

#[test]
fn past_the_limit_no_node_comes_in_until_one_is_forgotten() {
    let mut world = World::new();
    world.config.limits.max_nodes = 2;
    let (a, b, c) = (id("a", 1), id("b", 1), id("c", 1));
    world.beat(5, 1, &[&a, &b, &c]);
    assert_eq!((world.members.len(), world.liveness(&c), world.stats.nodes_refused), (2, None, 5));
    for beat in 6..=6 + UNTIL_DEAD {
        world.second(&[(&a, beat)]);
    }
    world.now += DAY;
    world.second(&[(&a, 1_000)]);
    assert_eq!(world.liveness(&b), None);
    world.second(&[(&c, 6)]);
    assert!(world.liveness(&c).is_some());
}

#[test]
fn past_the_limit_the_oldest_of_the_forgotten_gives_way() {
    let mut world = World::new();
    world.config.limits.max_forgotten_nodes = 2;
    for name in ["a", "b", "c"] {
        world.second(&[(&id(name, 1), 5)]);
    }
    world.now += DAY - Duration::from_secs(3);
    world.silence(3);
    assert_eq!((world.members.len(), world.members.forgotten_len()), (0, 2));
    world.second(&[(&id("a", 1), 5)]);
    assert!(world.liveness(&id("a", 1)).is_some(), "no longer known to be forgotten");
    world.second(&[(&id("b", 1), 5), (&id("c", 1), 5)]);
    assert_eq!((world.liveness(&id("b", 1)), world.liveness(&id("c", 1))), (None, None));
}

#[test]
fn a_heartbeat_may_jump_so_far_and_no_further() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.second(&[(&a, 5)]);
    world.second(&[(&a, 5 + MAX_JUMP + 1)]);
    assert_eq!((world.members.get(&a).unwrap().heartbeat, world.stats.jumps_refused), (5, 1));
    world.second(&[(&a, 5 + MAX_JUMP)]);
    assert_eq!((world.members.get(&a).unwrap().heartbeat, world.stats.jumps_refused), (5 + MAX_JUMP, 1));
}

#[test]
fn a_version_heard_of_may_jump_so_far_and_no_further() {
    let (mut world, a) = (World::new(), id("a", 1));
    let heard = |world: &World| world.members.get(&id("a", 1)).unwrap().heard_version;
    world.hear(&NodeDigest { max_version: 100, ..entry(&a, 1) });
    world.hear(&NodeDigest { max_version: 100 + MAX_JUMP + 1, ..entry(&a, 1) });
    assert_eq!((heard(&world), world.stats.jumps_refused), (100, 1));
    world.hear(&NodeDigest { max_version: 100 + MAX_JUMP, ..entry(&a, 1) });
    assert_eq!((heard(&world), world.stats.jumps_refused), (100 + MAX_JUMP, 1));
    world.hear(&NodeDigest { max_version: 7, ..entry(&a, 1) });
    assert_eq!(heard(&world), 100 + MAX_JUMP, "never back");
}

#[test]
fn only_a_trusted_word_collects_tombstones_and_sets_the_released_version() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.hear(&entry(&a, 1));
    world.tell_state(&a, deleted("k", 1));
    let told = NodeDigest { last_gc_version: 1, max_version: 1, released_version: Some(9), ..entry(&a, 2) };
    let (members, mut env) = world.env();
    hear(members, &mut env, &told, false);
    let peer = world.members.get(&a).unwrap();
    assert_eq!((peer.state.last_gc_version(), peer.released_version, peer.heartbeat), (0, None, 2));
    world.hear(&told);
    let peer = world.members.get(&a).unwrap();
    assert_eq!((peer.state.last_gc_version(), peer.released_version), (1, Some(9)));
    world.hear(&NodeDigest { released_version: None, ..entry(&a, 1) });
    assert_eq!(world.members.get(&a).unwrap().released_version, Some(9), "that was older");
}

#[test]
fn once_known_for_one_of_us_a_node_stays_it() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.hear(&NodeDigest { protocol_revision: 0, ..entry(&a, 1) });
    assert_eq!(world.members.get(&a).unwrap().protocol_revision, 0);
    world.hear(&entry(&a, 1));
    // A Python relay drops the field.
    world.hear(&NodeDigest { protocol_revision: 0, ..entry(&a, 2) });
    assert_eq!(world.members.get(&a).unwrap().protocol_revision, 1);
}

#[test]
fn a_node_that_never_joined_is_reported_forgotten_only_if_its_keys_were_told_of() {
    let (with_keys, without) = (id("a", 1), id("b", 1));
    let mut world = World::new();
    world.hear(&entry(&with_keys, 1));
    world.hear(&entry(&without, 1));
    let claim = Claim { from: 0, complete_to: Some(1), as_of: 1, last_gc: 0, says_if_cut: true };
    let (members, mut env) = world.env();
    assert!(members.apply(&mut env, &with_keys, claim, &[set("k", "v", 1)]).is_some());
    assert_eq!(world.events(), ["a-1-a:7000 set \"k\" to \"v\" (version 1)"]);
    world.skip(DAY);
    assert_eq!((world.liveness(&with_keys), world.liveness(&without)), (None, None));
    assert_eq!(world.events(), ["a-1-a:7000 is forgotten"]);
}
