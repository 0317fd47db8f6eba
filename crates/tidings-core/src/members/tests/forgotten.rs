//! The memory of the forgotten.

use super::*;

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
fn old_packets_of_the_runs_before_a_forgotten_one_bring_none_back() {
    let (first, second) = (run(7), run(8));
    for ids in [[id("a", 1), id("a", 2)], [id("a", 1), id("a", 1)]] {
        let (mut world, [a, b]) = (World::new(), &ids);
        let told = |node: &NodeId, number, heartbeat| NodeDigest { run: Some(number), ..entry(node, heartbeat) };
        world.hear_itself(&told(a, first, 20));
        for beat in 1..=20 {
            world.second(&[]);
            world.hear_itself(&told(b, second, beat));
        }
        assert!(world.members.get(b).is_some_and(|peer| peer.run() == Some(second)), "{b} holds the name");
        world.silence(UNTIL_DEAD);
        world.skip(DAY);
        world.hear_itself(&told(a, first, 20));
        world.second(&[]);
        assert_eq!(world.members.len(), 0, "{a} came back");
        world.hear_itself(&told(b, second, 21));
        assert_eq!(world.members.len(), 1);
    }
}

#[test]
fn an_old_packet_of_a_forgotten_run_does_not_take_the_name_of_a_silent_one() {
    let (mut world, old, new) = (World::new(), id("a", 1), id("a", 2));
    for beat in 1..=20 {
        world.second(&[]);
        world.hear_itself(&NodeDigest { run: Some(run(7)), ..entry(&old, beat) });
    }
    world.silence(UNTIL_DEAD);
    world.skip(DAY);
    world.hear_itself(&NodeDigest { run: Some(run(8)), ..entry(&new, 3) });
    world.silence(UNTIL_DEAD);
    world.hear_itself(&NodeDigest { run: Some(run(7)), ..entry(&old, 20) });
    world.second(&[]);
    assert!(world.members.get(&old).is_none() && world.members.get(&new).is_some());
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
