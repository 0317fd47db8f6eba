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
        self.members.in_question(self.now, self.config.max_interval())
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
fn a_run_that_answers_at_the_address_of_another_takes_its_place_at_once_whatever_its_generation() {
    for generation in [2, 9] {
        let (mut world, old, new) = (World::new(), id("a", 5), id("a", generation));
        world.beat(20, 1, &[&old]);
        world.tell_state(&old, set("k", "old", 1));
        world.events();
        world.second(&[(&new, 1)]);
        assert_eq!((world.liveness(&new), world.events()), (None, vec![]), "hearsay");
        world.hear_itself(&entry(&new, 2));
        assert_eq!(world.events(), [format!("a-5-a:7000 was restarted as {new}")]);
        assert_eq!((world.liveness(&old), world.members.get(&new).unwrap().complete_version), (None, 0));
        world.beat(2, 3, &[&new]);
        assert_eq!(world.events(), [format!("{new} joined")]);
    }
}

#[test]
fn by_hearsay_a_run_takes_the_place_of_another_when_that_has_fallen_silent() {
    for generation in [2, 9] {
        let (mut world, old, new) = (World::new(), id("a", 5), id("a", generation));
        world.beat(20, 1, &[&old]);
        world.events();
        world.beat(5, 1, &[&new]);
        assert_eq!((world.liveness(&old), world.liveness(&new)), (Some(Liveness::Live), None));
        world.beat(3, 6, &[&new]);
        assert_eq!((world.liveness(&old), world.liveness(&new)), (None, Some(Liveness::Live)));
        assert_eq!(world.events(), [format!("a-5-a:7000 was restarted as {new}"), format!("{new} joined")]);
    }
}

#[test]
fn a_forged_run_that_beats_takes_no_place_for_as_long_as_the_true_one_beats() {
    let (mut world, a, forged) = (World::new(), id("a", 1), id("a", 99));
    world.beat(120, 1, &[&a, &forged]);
    let conflict = "a-1-a:7000 and a-99-a:7000 have one name and both are running; stop one or rename it";
    assert_eq!(world.events(), ["a-1-a:7000 joined", conflict]);
    assert_eq!((world.liveness(&a), world.liveness(&forged)), (Some(Liveness::Live), None));
    // Who dials in and says so is no better.
    world.hear_proved(&entry(&forged, 500), Proof::Presence);
    assert_eq!(world.liveness(&a), Some(Liveness::Live));
    assert_eq!(world.events(), NONE);
}

#[test]
fn any_number_of_forged_runs_takes_one_place() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.beat(20, 1, &[&a]);
    for generation in 2..2_000 {
        world.hear(&entry(&id("a", generation), 1));
    }
    assert_eq!((world.members.len(), world.liveness(&a)), (1, Some(Liveness::Live)));
    world.beat(60, 21, &[&a]);
    assert!(world.members.get(&a).unwrap().challenger.is_none(), "it was never seen beating");
}

#[test]
fn stragglers_of_a_replaced_run_are_neither_a_conflict_nor_a_takeover() {
    let (mut world, old, new) = (World::new(), id("a", 1), id("a", 2));
    world.beat(20, 1, &[&old]);
    world.hear_itself(&entry(&new, 1));
    world.events();
    // Slow relays bring heartbeats of the old run for a while, and the new one beats slowly.
    for beat in 0..9 {
        world.second(&[(&old, 21 + beat), (&new, 1 + beat / 4)]);
    }
    assert_eq!(world.liveness(&old), None);
    world.beat(60, 5, &[&new]);
    assert_eq!(world.liveness(&new), Some(Liveness::Live));
    assert_eq!(world.events(), ["a-2-a:7000 joined"]);
}

#[test]
fn a_python_relay_does_not_bring_a_replaced_run_back_though_it_says_no_run() {
    let (mut world, old, new) = (World::new(), id("a", 1), id("a", 2));
    world.beat(20, 1, &[&old]);
    world.hear_itself(&entry(&new, 1));
    world.beat(5, 2, &[&new]);
    world.silence(UNTIL_DEAD);
    for beat in 21..26 {
        let (members, mut env) = world.env();
        hear(members, &mut env, &NodeDigest { run: None, ..entry(&old, beat) }, false);
        world.silence(1);
    }
    assert_eq!((world.liveness(&old), world.liveness(&new)), (None, Some(Liveness::Dead)));
}

#[test]
fn two_processes_behind_one_address_are_told_of_once_and_do_not_take_turns() {
    // A machine was cloned: the ids are the same, the runs are not.
    let a = id("a", 1);
    let of = |number, heartbeat| NodeDigest { run: Some(run(number)), ..entry(&a, heartbeat) };
    for (first, second) in [(3, 8), (8, 3)] {
        let mut world = World::new();
        for beat in 1..5 {
            world.second(&[]);
            world.hear_itself(&of(first, beat));
        }
        assert_eq!(world.events(), ["a-1-a:7000 joined"]);
        for beat in 5..60 {
            world.second(&[]);
            world.hear_itself(&of(if beat % 2 == 0 { first } else { second }, beat));
        }
        assert_eq!(world.members.get(&a).unwrap().run(), Some(run(8)), "the same one everywhere");
        let told = world.events();
        let conflict = "two processes run as a-1-a:7000; stop one, or give it another name and address";
        assert_eq!(told.iter().filter(|event| *event == conflict).count(), 1, "{told:?}");
        let turns = told.iter().filter(|event| event.contains("was restarted")).count();
        assert!(turns <= 2, "{told:?}");
    }
}

#[test]
fn of_one_generation_another_process_begins_anew_whatever_the_former_one_was_at() {
    let (mut world, a) = (World::new(), id("a", 1));
    let of = |number, heartbeat| NodeDigest { run: Some(run(number)), max_version: 7, ..entry(&a, heartbeat) };
    for beat in 1..500 {
        world.second(&[]);
        world.hear(&of(1, beat));
    }
    world.tell_state(&a, set("k", "former", 1));
    world.hear_itself(&of(2, 1));
    assert_eq!(world.members.get(&a).unwrap().complete_version, 0);
    for beat in 2..5 {
        world.second(&[]);
        world.hear(&of(2, beat));
    }
    assert_eq!(world.liveness(&a), Some(Liveness::Live));

    // Also after it was forgotten.
    world.silence(UNTIL_DEAD);
    world.skip(DAY);
    assert_eq!(world.liveness(&a), None);
    for beat in 1..5 {
        world.second(&[]);
        world.hear(&of(3, beat));
    }
    assert_eq!(world.liveness(&a), Some(Liveness::Live));
}

#[test]
fn of_two_runs_that_prove_themselves_elsewhere_the_majority_decides() {
    let here = id("a", 1);
    let there = NodeId::new("a", 2, Address::new("elsewhere", 7000));
    let voters: Vec<NodeId> = (0..5).map(|number| id(&format!("m{number}"), 1)).collect();
    let ruling = |votes: &[bool]| {
        let mut world = World::new();
        world.beat(5, 1, &[&here]);
        for beat in 6..45 {
            world.second(&[(&here, beat), (&there, beat)]);
            world.hear_itself(&entry(&here, beat + 1_000));
            world.hear_itself(&entry(&there, beat + 1_000));
        }
        assert_eq!(world.liveness(&here), Some(Liveness::Live), "it was there first");
        for (voter, for_other) in voters.iter().zip(votes) {
            let shown = if *for_other { [&there, &here] } else { [&here, &there] };
            world.members.take_votes(voter, shown.into_iter());
        }
        world.second(&[]);
        world.liveness(&there).is_some()
    };
    assert!(!ruling(&[true, false]), "with its own, two of three are for the first");
    assert!(ruling(&[true, true]));
    assert!(ruling(&[true]), "in a tie the later run counts");
    assert!(!ruling(&[true, false, false]));
}

#[test]
fn a_certificate_settles_at_once_which_run_is_the_later_one() {
    let at = |host: &str, generation| {
        NodeId::with_tls_name("a", generation, Address::new(host, 7000), Some("a.example".into()))
    };
    let (mut world, old, new) = (World::new(), at("h", 1), at("i", 2));
    world.beat(20, 1, &[&old]);
    world.hear_proved(&entry(&old, 30), Proof::Certificate);
    world.hear_proved(&entry(&new, 1), Proof::Certificate);
    assert_eq!((world.liveness(&old), world.liveness(&new)), (None, Some(Liveness::Dead)));
    // A straggler of the old one proves no more than that it was there.
    world.hear_proved(&entry(&old, 31), Proof::Certificate);
    assert!(world.liveness(&new).is_some());
}

#[test]
fn a_name_that_was_used_with_a_certificate_is_refused_to_all_others() {
    let named = |generation, tls_name: &str| {
        NodeId::with_tls_name("a", generation, Address::new("h", 7000), Some(tls_name.into()))
    };
    let (mut world, a, evil) = (World::new(), named(1, "a.example"), named(9, "evil.example"));
    world.beat(20, 1, &[&a]);
    world.members.bind(&a, 99);
    world.events();
    world.hear_proved(&entry(&evil, 1), Proof::Certificate);
    world.beat(30, 21, &[&evil]);
    assert_eq!((world.liveness(&evil), world.stats.names_refused), (None, 31));
    let refused = "a-9-h:7000 goes by a name that belongs to the certificate of a-1-h:7000: refused; give it another \
                   name, or forget the node that had this one";
    assert_eq!(world.events(), [refused, "a-1-h:7000 died"]);
    // Nor does it get the name when the node is forgotten, until an operator says so.
    world.skip(DAY);
    world.beat(5, 60, &[&evil]);
    assert_eq!((world.liveness(&a), world.liveness(&evil)), (None, None));
    let (members, mut env) = world.env();
    assert_eq!(members.forget_for_good(&mut env, &a), Ok(()), "it is not known any more, but its name was bound");
    assert_eq!(members.forget_for_good(&mut env, &a), Err(ForgetError::Unknown { node: a.clone() }));
    world.beat(5, 70, &[&evil]);
    assert_eq!(world.liveness(&evil), Some(Liveness::Live));
}

#[test]
fn another_process_under_this_nodes_own_name_counts_for_nothing_here_and_is_told_of() {
    for generation in [0, 2] {
        let mut world = World::new();
        let other = id("me", generation);
        world.beat(9, 1, &[&other]);
        assert_eq!((world.liveness(&other), world.events()), (None, vec![]), "stragglers, it may be");
        world.beat(20, 10, &[&other]);
        let conflict = format!("me-1-me:7000 and {other} have one name and both are running; stop one or rename it");
        assert_eq!(world.events(), [conflict]);
    }
}

#[test]
fn a_conflict_that_ends_and_begins_again_is_told_of_again() {
    let (mut world, a, other) = (World::new(), id("a", 2), id("a", 1));
    world.beat(60, 1, &[&a, &other]);
    let conflict = "a-2-a:7000 and a-1-a:7000 have one name and both are running; stop one or rename it";
    assert_eq!(world.events(), ["a-2-a:7000 joined", conflict]);
    for beat in 61..160 {
        world.second(&[(&a, beat)]);
    }
    assert_eq!(world.events(), NONE);
    world.beat(20, 200, &[&a, &other]);
    assert_eq!(world.events(), [conflict]);
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
    for silence_ms in [10_001, 3_600_000, u64::MAX] {
        world.hear(&NodeDigest { silence_ms: Some(silence_ms), ..entry(&a, 20) });
    }
    assert_eq!((world.members.len(), world.stats.departed_ignored), (0, 3));
    world.hear(&NodeDigest { silence_ms: Some(9_000), ..entry(&a, 20) });
    assert_eq!(world.members.len(), 1, "it may be slow");
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
    world.second(&[(&a, 20 + HEARSAY_STEP + 1)]);
    assert_eq!(world.stats.jumps_refused, 1);
    world.beat(5, 21, &[&a]);
    assert_eq!(world.liveness(&a), Some(Liveness::Live));
}

#[test]
fn the_forgotten_are_remembered_for_as_long_as_a_python_peer_tells_of_them() {
    let (mut world, a) = (World::new(), id("a", 1));
    let python = NodeDigest { run: None, ..entry(&a, 20) };
    for beat in 1..=20 {
        world.second(&[]);
        world.hear(&NodeDigest { heartbeat: beat, ..python.clone() });
    }
    world.silence(UNTIL_DEAD);
    world.skip(DAY);
    world.skip(2 * DAY - Duration::from_secs(10));
    world.hear(&python);
    assert_eq!((world.liveness(&a), world.members.forgotten_len()), (None, 1));
    world.skip(Duration::from_secs(10));
    assert_eq!(world.members.forgotten_len(), 0);
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
    world.silence(32);
    assert_eq!((world.members.len(), world.members.forgotten_len()), (0, 2));
    world.second(&[(&id("a", 1), 5)]);
    assert!(world.liveness(&id("a", 1)).is_some(), "no longer known to be forgotten");
    world.second(&[(&id("b", 1), 5), (&id("c", 1), 5)]);
    assert_eq!((world.liveness(&id("b", 1)), world.liveness(&id("c", 1))), (None, None));
}

#[test]
fn hearsay_of_a_heartbeat_may_run_ahead_so_far_and_no_further() {
    let (mut world, a) = (World::new(), id("a", 1));
    let heartbeat = |world: &World| world.members.get(&id("a", 1)).unwrap().pulse.heartbeat();
    world.second(&[(&a, 5)]);
    world.second(&[(&a, 5 + HEARSAY_STEP + HEARSAY_STEP_PER_SEC + 1)]);
    assert_eq!((heartbeat(&world), world.stats.jumps_refused), (5, 1));
    assert_eq!(world.in_question().collect::<Vec<_>>(), [a.gossip_advertise_addr()], "it is to be asked");
    world.second(&[(&a, 5 + HEARSAY_STEP + 2 * HEARSAY_STEP_PER_SEC)]);
    assert_eq!((heartbeat(&world), world.stats.jumps_refused), (5 + HEARSAY_STEP + 2 * HEARSAY_STEP_PER_SEC, 1));
}

#[test]
fn what_a_node_says_itself_sets_its_heartbeat_up_and_down() {
    let (mut world, a) = (World::new(), id("a", 1));
    let heartbeat = |world: &World| world.members.get(&id("a", 1)).unwrap().pulse.heartbeat();
    world.second(&[(&a, 5)]);
    world.hear_itself(&entry(&a, 1 << 60));
    assert_eq!(heartbeat(&world), 1 << 60);
    world.hear_itself(&entry(&a, 6));
    assert_eq!((heartbeat(&world), world.in_question().count()), (6, 0));
    // Another answer of its own, a little older, was under way.
    world.hear_itself(&entry(&a, 4));
    assert_eq!(heartbeat(&world), 6);
    // Who dials in and says that it is this node is not the node.
    world.hear_proved(&entry(&a, 1 << 60), Proof::Presence);
    assert_eq!((heartbeat(&world), world.stats.jumps_refused), (6, 1));
}

#[test]
fn hearsay_of_a_version_may_run_ahead_so_far_and_no_further_and_the_node_itself_sets_it() {
    let (mut world, a) = (World::new(), id("a", 1));
    let heard = |world: &World| world.members.get(&id("a", 1)).unwrap().heard_version;
    // A relay may have heard of it five seconds ago.
    let step = HEARSAY_STEP + 5 * HEARSAY_STEP_PER_SEC;
    world.hear(&NodeDigest { max_version: 100, ..entry(&a, 1) });
    world.hear(&NodeDigest { max_version: 100 + step + 1, ..entry(&a, 1) });
    assert_eq!((heard(&world), world.stats.jumps_refused), (100, 1));
    world.hear(&NodeDigest { max_version: 100 + step, ..entry(&a, 1) });
    assert_eq!((heard(&world), world.stats.jumps_refused), (100 + step, 1));
    world.hear(&NodeDigest { max_version: 7, ..entry(&a, 1) });
    assert_eq!(heard(&world), 100 + step, "hearsay never goes back");
    world.hear_itself(&NodeDigest { max_version: 7, ..entry(&a, 2) });
    assert_eq!(heard(&world), 7);
}

#[test]
fn key_values_that_a_node_never_had_go_when_it_says_itself_how_far_it_is() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.beat(5, 1, &[&a]);
    world.tell_state(&a, set("true", "1", 1));
    let far = 2 + HEARSAY_STEP;
    world.tell_state(&a, set("forged", "1", 2));
    let (members, mut env) = world.env();
    let claim = Claim { from: 2, complete_to: Some(far), as_of: far, last_gc: 0, says_if_cut: true };
    members.apply(&mut env, &a, claim, &[set("far", "1", far)], Word::Relay).unwrap();
    world.events();
    world.hear_itself(&NodeDigest { max_version: 1, ..entry(&a, 6) });
    let state = &world.members.get(&a).unwrap().state;
    assert_eq!((state.get("true"), state.get("forged"), state.get("far")), (Some("1"), None, None));
    assert_eq!((state.max_version(), world.events().len()), (0, 2), "it is asked for anew, and two deletions are told");
}

#[test]
fn what_others_say_of_a_nodes_kind_ends_with_its_own_word() {
    let (mut world, a) = (World::new(), id("a", 1));
    let known = |world: &World| world.members.get(&id("a", 1)).unwrap().run();
    world.hear(&entry(&a, 1));
    assert_eq!(known(&world), Some(run(1)), "a relay says that it is one of ours");
    world.hear_itself(&NodeDigest { run: None, ..entry(&a, 2) });
    assert_eq!(known(&world), None, "it is a Python node");
    world.hear(&entry(&a, 3));
    assert_eq!(known(&world), None);
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
    assert_eq!((peer.state.last_gc_version(), peer.released_version, peer.pulse.heartbeat()), (0, None, 2));
    world.hear(&told);
    let peer = world.members.get(&a).unwrap();
    assert_eq!((peer.state.last_gc_version(), peer.released_version), (1, Some(9)));
    world.hear(&NodeDigest { released_version: None, ..entry(&a, 1) });
    assert_eq!(world.members.get(&a).unwrap().released_version, Some(9), "that was older");
}

#[test]
fn once_known_for_one_of_us_a_node_stays_it() {
    let (mut world, a) = (World::new(), id("a", 1));
    world.hear(&NodeDigest { run: None, ..entry(&a, 1) });
    assert_eq!(world.members.get(&a).unwrap().run(), None);
    world.hear(&entry(&a, 1));
    // A Python relay drops the field.
    world.hear(&NodeDigest { run: None, ..entry(&a, 2) });
    assert_eq!(world.members.get(&a).unwrap().run(), Some(run(1)));
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
fn invent(world: &mut World, count: usize) {
    (0..count).for_each(|number| world.hear_quickly(&entry(&id(&format!("invented{number}"), 1), 1)));
    world.members.check().unwrap();
}

#[test]
fn invented_nodes_take_no_place_from_those_that_live_or_come() {
    let mut world = World::new();
    world.config.limits.max_nodes = 400;
    let (a, b, c) = (id("a", 1), id("b", 1), id("c", 1));
    world.beat(5, 1, &[&a]);
    invent(&mut world, 1_000);
    assert_eq!(
        (world.members.len(), world.stats.nodes_refused),
        (101, 900),
        "a quarter of all places, and the one live"
    );
    // Who speaks itself has a place at once, and who was invented has none beside it.
    world.hear_proved(&entry(&b, 1), Proof::Presence);
    assert_eq!((world.liveness(&b), world.members.len()), (Some(Liveness::Dead), 101));
    invent(&mut world, 1_000);
    assert!(world.liveness(&b).is_some() && world.liveness(&a) == Some(Liveness::Live));
    // Hearsay has its time to become more than that, and then gives way to other hearsay.
    world.hear(&entry(&c, 1));
    assert_eq!(world.liveness(&c), None);
    world.silence(11);
    world.hear(&entry(&c, 1));
    assert!(world.liveness(&c).is_some());
    world.beat(3, 2, &[&a, &b, &c]);
    assert_eq!((world.liveness(&b), world.liveness(&c)), (Some(Liveness::Live), Some(Liveness::Live)));
    world.silence(32);
    assert_eq!(world.members.len(), 3, "the invented ones have a short life");
}

#[test]
fn where_no_place_is_free_those_that_ended_long_ago_give_up_theirs() {
    let mut world = World::new();
    world.config.limits.max_nodes = 64;
    let nodes: Vec<NodeId> = (0..64).map(|number| id(&format!("n{number}"), 1)).collect();
    let all: Vec<&NodeId> = nodes.iter().collect();
    world.beat(5, 1, &all);
    world.beat(15, 6, &all[1..]);
    let comer = id("comer", 1);
    world.hear_itself(&entry(&comer, 1));
    assert_eq!((world.liveness(&comer), world.members.len()), (None, 64), "all may come back yet");
    world.beat(16, 21, &all[1..]);
    assert_eq!((world.liveness(&nodes[0]), world.members.len()), (None, 63));
    world.hear_itself(&entry(&comer, 1));
    assert!(world.liveness(&comer).is_some());
}

#[test]
fn what_a_message_says_of_a_node_whose_place_was_given_up_meanwhile_is_passed_over() {
    let mut world = World::new();
    world.config.limits.max_nodes = 64;
    invent(&mut world, 64);
    let (first, comer) = (id("invented0", 1), id("comer", 1));
    let position = world.members.by_encoded(first.encoded()).unwrap().0;
    world.hear_proved(&entry(&comer, 1), Proof::Presence);
    assert_eq!(world.members.by_encoded(comer.encoded()).unwrap().0, position);
    let said = entry(&first, 2);
    let (members, mut env) = world.env();
    let relay = id("relay", 1);
    let report = said.report(Sender { written: env.now, ..sender(&relay, 1) });
    members.hear_of_peer(&mut env, position, &report);
    world.members.check().unwrap();
    assert_eq!(world.liveness(&first), None);
}

#[test]
fn thousands_of_generations_of_one_name_are_one_node_and_one_challenger() {
    let mut world = World::new();
    for generation in 0..5_500 {
        world.hear_quickly(&NodeDigest { run: Some(run(generation + 1)), ..entry(&id("a", generation.into()), 1) });
    }
    world.members.check().unwrap();
    let (ids, addresses) = (world.members.ids.len(), world.members.addresses.iter().count());
    assert_eq!((world.members.len(), ids, addresses, world.members.forgotten_len()), (1, 1, 1, 0));
    let known = world.members.iter().filter(|(_, peer)| peer.challenger.is_some()).count();
    assert_eq!(known, 1);
}

#[test]
fn all_places_at_one_address_are_forgotten_in_one_round() {
    let mut world = World::new();
    let at_one_address = |number| NodeId::new(format!("n{number}"), 1, Address::new("everyone", 7000));
    (0..20_000).for_each(|number| world.hear_quickly(&entry(&at_one_address(number), 1)));
    assert_eq!(world.members.len(), 5_000);
    world.skip(DAY);
    assert_eq!((world.members.len(), world.members.addresses.iter().count()), (0, 0));
    assert_eq!(world.members.forgotten_len(), 5_000);
}
