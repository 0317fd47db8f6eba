//! What becomes of a node that beats, falls silent, comes back, restarts, leaves and is forgotten.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use core::time::Duration;

use super::*;
use crate::config::FailureDetectorConfig;
use crate::dialect::aiocluster::Sender;
use crate::dialect::aiocluster::unmarked::claim_of;
use crate::error::ForgetError;
use crate::id::Address;
use crate::limits::{HEARSAY_STEP, HEARSAY_STEP_PER_SEC};
use crate::reconcile::NodeDelta;
use crate::testing::{config, deleted, entry, hear, hear_from, id, run, secs, sender, set};
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
            config: Config {
                failure_detector: FailureDetectorConfig { dead_node_grace_period: DAY, ..Default::default() },
                ..config("me")
            },
            events: EventQueue::new(&config("me").limits),
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

    /// The same without a look at all that is known afterwards.
    fn hear_quickly(&mut self, entry: &NodeDigest) {
        let (members, mut env) = self.env();
        hear(members, &mut env, entry, true);
    }

    /// The node itself says this, at the address where it is reached.
    fn hear_itself(&mut self, entry: &NodeDigest) {
        self.hear_proved(entry, Proof::Address);
    }

    fn hear_proved(&mut self, entry: &NodeDigest, proof: Proof) {
        let (members, mut env) = self.env();
        let node = entry.node_id.clone();
        hear_from(members, &mut env, entry, Sender { proof, ..sender(&node, entry.run.is_some().into()) });
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
        self.tell_state_by(node, update, Word::Relay);
    }

    fn tell_state_by(&mut self, node: &NodeId, update: KeyValueUpdate, word: Word) {
        let delta = NodeDelta {
            node_id: node.clone(),
            from_version_excluded: update.version - 1,
            last_gc_version: 0,
            max_version: Some(update.version),
            sender_complete_version: Some(update.version),
            run: None,
            key_values: vec![update],
        };
        let claim = claim_of(&delta, sender(node, 1));
        let (members, mut env) = self.env();
        members.apply(&mut env, node, claim, &delta.key_values, word).unwrap();
        self.members.check().unwrap();
    }

    fn in_question(&self) -> impl Iterator<Item = &Address> {
        let detector = Detector::new(&self.config, 0.0);
        self.members.in_question(self.now, detector, self.config.max_interval())
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
    assert_eq!((world.liveness(&a), world.members.get(&a).unwrap().pulse.heartbeat()), (Some(Liveness::Dead), 7));
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
fn a_node_that_says_goodbye_has_left_and_its_silence_is_no_death() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.beat(20, 1, &[&a]);
    world.events();
    world.tell_state_by(&a, set(LEFT_KEY, "1", 1), Word::Own(Proof::Address));
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
fn a_goodbye_that_others_tell_of_counts_when_the_node_falls_silent_and_is_no_death_then() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.beat(20, 1, &[&a]);
    world.events();
    world.tell_state(&a, set(LEFT_KEY, "1", 1));
    world.beat(60, 21, &[&a]);
    assert_eq!((world.liveness(&a), world.events()), (Some(Liveness::Live), vec![]), "it beats on: a lie");
    // What it says itself of another key does not make the lie its own word.
    world.tell_state_by(&a, set("k", "v", 2), Word::Own(Proof::Certificate));
    assert_eq!(world.liveness(&a), Some(Liveness::Live));
    world.events();
    world.silence(5);
    assert_eq!((world.liveness(&a), world.events()), (Some(Liveness::Left), vec!["a-1-a:7000 left".into()]));
}

#[test]
fn a_dead_node_is_told_of_for_half_its_grace_period_and_then_forgotten() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.beat(20, 1, &[&a]);
    // Its last heartbeat was heard from a relay, which had heard it within five seconds.
    let last_seen = world.now - Duration::from_secs(5);
    world.silence(UNTIL_DEAD);
    world.events();

    world.now = last_seen + DAY / 2 - Duration::from_nanos(1);
    assert!(!world.is_scheduled(&a));
    world.now = last_seen + DAY / 2;
    assert!(world.is_scheduled(&a));
    world.now = last_seen + DAY - Duration::from_secs(2);
    world.second(&[]);
    assert!(world.members.get(&a).is_some());
    world.second(&[]);
    assert_eq!((world.liveness(&a), world.events()), (None, vec!["a-1-a:7000 is forgotten".into()]));
    assert_eq!(world.members.forgotten_len(), 1);
}

#[test]
fn the_silence_of_a_dead_node_never_starts_anew_however_often_it_is_told() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.config.failure_detector.dead_node_grace_period = Duration::from_secs(120);
    world.beat(20, 1, &[&a]);
    let silent_since = world.now;
    // Somebody who has just heard of it passes it on, again and again.
    for _ in 0..200 {
        world.second(&[]);
        let silence = (world.now - Duration::ZERO).saturating_duration_since(silent_since);
        let silence_ms = u64::try_from(silence.as_millis()).unwrap();
        world.hear(&NodeDigest { silence_ms: Some(silence_ms), ..entry(&a, 20) });
        if world.liveness(&a).is_none() {
            break;
        }
    }
    assert_eq!(world.now.saturating_duration_since(silent_since), Duration::from_secs(120));
}

#[test]
fn a_node_that_ended_before_it_was_ever_heard_of_is_not_taken_in() {
    let (mut world, a) = (World::new(), id("a", 1));
    for silence_ms in [30_001, 3_600_000, u64::MAX] {
        world.hear(&NodeDigest { silence_ms: Some(silence_ms), ..entry(&a, 20) });
    }
    assert_eq!((world.members.len(), world.stats.departed_ignored), (0, 3));
    world.hear(&NodeDigest { silence_ms: Some(30_000), ..entry(&a, 20) });
    assert_eq!(world.members.len(), 1, "it may be live, and heard of by nothing but Syns");
}

#[test]
fn a_node_that_is_never_seen_beating_goes_after_a_few_intervals() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.second(&[(&a, 5)]);
    for _ in 0..29 {
        world.second(&[(&a, 5)]);
    }
    assert!(world.liveness(&a).is_some());
    world.silence(2);
    assert_eq!((world.liveness(&a), world.events()), (None, vec![]));
    // Who tells of it still does not bring it back.
    for _ in 0..60 {
        world.hear(&NodeDigest { run: None, ..entry(&a, 5) });
    }
    assert_eq!((world.liveness(&a), world.stats.forgotten_ignored), (None, 60));
}

#[test]
fn an_operator_may_forget_a_node_that_is_not_live() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.beat(20, 1, &[&a]);
    let forget = |world: &mut World| {
        let (members, mut env) = world.env();
        members.forget_for_good(&mut env, &id("a", 1))
    };
    assert_eq!(forget(&mut world), Err(ForgetError::Live { node: a.clone() }));
    world.silence(UNTIL_DEAD);
    assert_eq!((forget(&mut world), forget(&mut world)), (Ok(()), Err(ForgetError::Unknown { node: a })));
    assert_eq!(world.events(), ["a-1-a:7000 joined", "a-1-a:7000 died", "a-1-a:7000 is forgotten"]);
}

#[test]
fn the_name_of_a_live_node_is_not_released_by_a_former_run() {
    let named = |generation, tls_name: &str| {
        NodeId::with_tls_name("a", generation, Address::new("h", 7000), Some(tls_name.into()))
    };
    let (mut world, former, live) = (World::new(), named(1, "a.example"), named(2, "a.example"));
    world.beat(20, 1, &[&live]);
    world.members.bind(&live, 99);
    let (members, mut env) = world.env();
    assert_eq!(members.forget_for_good(&mut env, &former), Err(ForgetError::Live { node: live }));
    let refused = members.refuses_name(&mut env, &named(9, "evil.example"));
    assert_eq!(refused.as_deref(), Some("a.example"));
}

#[test]
fn a_live_node_is_never_scheduled() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.beat(20, 1, &[&a]);
    world.now += DAY;
    assert!(!world.is_scheduled(&a));
    world.second(&[(&a, 21)]);
    assert_eq!((world.liveness(&a), world.events()), (Some(Liveness::Live), vec!["a-1-a:7000 joined".into()]));
}

#[test]
fn a_node_that_never_joined_is_reported_forgotten_only_if_its_keys_were_told_of() {
    let (with_keys, without) = (id("a", 1), id("b", 1));
    let mut world = World::new();
    world.hear(&entry(&with_keys, 1));
    world.hear(&entry(&without, 1));
    let claim = Claim { from: 0, complete_to: Some(1), as_of: 1, last_gc: 0, says_if_cut: true };
    let (members, mut env) = world.env();
    assert!(members.apply(&mut env, &with_keys, claim, &[set("k", "v", 1)], Word::Relay).is_some());
    assert_eq!(world.events(), ["a-1-a:7000 set \"k\" to \"v\" (version 1)"]);
    world.skip(DAY);
    assert_eq!((world.liveness(&with_keys), world.liveness(&without)), (None, None));
    assert_eq!(world.events(), ["a-1-a:7000 is forgotten"]);
}

/// Invented nodes, each told of once by a relay.
mod forgotten;
mod hear;
mod names;
mod places;

#[test]
fn nobody_is_patient_for_longer_than_a_grace_period() {
    let grace = Duration::from_secs(60);
    // One that beat, and one that somebody told of when it was silent already.
    for (share, beats, expected) in [(1.0, 20, 5..=12), (0.01, 20, 50..=60), (0.01, 1, 0..=0)] {
        let (mut world, a) = (World::new(), id("a", 1));
        world.config.failure_detector.dead_node_grace_period = grace;
        let (mut live_for, mut known_for) = (0, 0);
        for second in 1..=300 {
            world.now += Duration::from_secs(1);
            let (members, mut env) = world.env();
            env.detector = env.detector.told_of(share);
            let silence_ms = (beats == 1).then_some(20_000);
            if second <= beats {
                hear(members, &mut env, &NodeDigest { silence_ms, ..entry(&a, second) }, true);
            }
            members.refresh_all(&mut env);
            live_for += u64::from(second > beats && members.is_live(&a));
            known_for += u64::from(second > beats && members.get(&a).is_some());
        }
        assert!(expected.contains(&live_for), "live for {live_for} s, told of {share}");
        assert!(known_for <= 60, "known for {known_for} s, told of {share}");
    }
}
