//! Names that more than one process goes by.

use super::*;

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
fn by_hearsay_no_run_takes_the_place_of_one_that_has_just_proved_itself() {
    for proof in [Proof::Address, Proof::Certificate] {
        let (mut world, old, new) = (World::new(), id("a", 1), id("a", 2));
        // The first that is heard of the name is its latest run. Slow relays still tell of the one before.
        world.hear_proved(&entry(&new, 1), proof);
        world.beat(5, 36, &[&old]);
        assert_eq!((world.liveness(&old), world.members.get(&new).is_some()), (None, true), "{proof:?}");
        world.beat(2, 2, &[&new]);
        assert_eq!(world.events(), [format!("{new} joined")], "{proof:?}");
    }
}

#[test]
fn a_proof_without_heartbeats_holds_a_name_for_so_long_only() {
    let (mut world, old, new) = (World::new(), id("a", 1), id("a", 2));
    world.hear_proved(&entry(&new, 1), Proof::Address);
    world.beat(60, 36, &[&old]);
    assert_eq!((world.liveness(&old), world.liveness(&new)), (Some(Liveness::Live), None));
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
