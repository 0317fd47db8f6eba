//! What is believed of what is said of a node.

use super::*;

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
fn who_has_answered_before_is_asked_itself_before_it_is_declared_dead() {
    let (mut world, known, hearsay) = (World::new(), id("a", 1), id("b", 1));
    for beat in 1..=20 {
        world.second(&[(&hearsay, beat)]);
        world.hear_itself(&entry(&known, beat));
    }
    let mut asked = 0;
    while world.liveness(&known) == Some(Liveness::Live) {
        let in_question: Vec<&Address> = world.in_question().collect();
        assert!(in_question.is_empty() || in_question == [known.gossip_advertise_addr()], "{in_question:?}");
        asked += in_question.len();
        world.second(&[]);
    }
    assert!((2..=4).contains(&asked), "in the last third of its time: {asked}");
    assert_eq!(world.in_question().count(), 0, "it is dead");
}
