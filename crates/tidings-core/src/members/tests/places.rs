//! Whose place among the members goes to whom.

use super::*;

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
