//! What unmarked peers say, and what they are told.

use super::*;

#[test]
fn defect_20_an_owner_adopts_what_a_python_peer_collected_behind_its_back() {
    let (mut a, py) = (node("a"), id("b", 1));
    own_set(&mut a, "keep", "v");
    own_set(&mut a, "gone", "v");
    a.own.delete(Instant::from_secs(1), "gone", &mut Vec::new());
    hear(&mut a, at(2), &said_of_a(1, 3, 3), python(&py));
    assert_eq!(a.own.state().last_gc_version(), 3);
    let versions: Vec<(&str, u64)> = a.own.state().iter_all().map(|(key, value)| (key, value.version)).collect();
    assert_eq!(versions, [("keep", 4)], "above what that peer drops, and the tombstone is gone");
}

#[test]
fn defect_3_a_python_peer_is_reset_only_with_versions_above_all_it_holds() {
    let (mut a, py) = (node("a"), id("b", 1));
    own_set(&mut a, "keep", "v");
    own_set(&mut a, "gone", "v");
    a.own.delete(Instant::from_secs(1), "gone", &mut Vec::new());
    a.own.adopt_gc(Instant::from_secs(1), 3, &mut Vec::new());
    // It knew the first two keys, and not that one was deleted.
    let (_, delta) = of_synack(answer_syn(&mut a, at(2), &said_of_a(1, 0, 2), python(&py)));
    let [of_a] = delta.node_deltas.as_slice() else { panic!("{delta:?}") };
    assert_eq!((of_a.from_version_excluded, of_a.last_gc_version), (0, 3));
    let versions: Vec<u64> = of_a.key_values.iter().map(|update| update.version).collect();
    assert_eq!(versions, [4], "it takes nothing at or below its version 2, and drops all at or below 3");
}

#[test]
fn defect_1_an_owner_paces_python_peers_and_not_its_own_kind() {
    let (mut a, py) = (node("a"), id("py", 1));
    (0..1_000).for_each(|number| own_set(&mut a, &format!("key{number}"), "v"));
    let sent_to = |a: &mut Gossip, sender: Sender<'_>, known: u64| {
        let of_a = NodeDigest { max_version: known, ..entry(&id("a", 1), 1) };
        let digest = digest_of([NodeDigest { run: None, ..entry(sender.id, 1) }, of_a]);
        let (digest, delta) = of_synack(answer_syn(a, at(1), &digest, sender));
        (delta.node_deltas.first().and_then(|node_delta| node_delta.max_version), digest.entries[0].released_version)
    };
    assert_eq!(sent_to(&mut a, python(&py), 0), (Some(300), Some(300)));
    assert_eq!(sent_to(&mut a, python(&id("py2", 1)), 250), (Some(300), Some(300)), "the slowest counts");
    assert_eq!(sent_to(&mut a, python(&py), 300), (Some(550), Some(550)));
    assert_eq!(sent_to(&mut a, ours(&id("b", 1)), 300).0, Some(1_000));
}

#[test]
fn defect_1_a_live_owners_bound_holds_at_its_relays_and_a_dead_ones_does_not() {
    let (mut a, owner, py) = (node("a"), id("owner", 1), id("py", 1));
    let beat = |a: &mut Gossip, now: u64| {
        let of_owner = NodeDigest { max_version: 3, released_version: Some(2), ..entry(&owner, now) };
        hear(a, at(now), &digest_of([of_owner]), ours(&owner));
    };
    (1..=3).for_each(|now| beat(&mut a, now));
    a.apply(at(3), &whole(&owner, vec![set("k", "1", 1), set("l", "2", 2), set("m", "3", 3)]), ours(&owner));
    let sent = |a: &mut Gossip, now: u64| {
        let (_, delta) = of_synack(answer_syn(a, at(now), &digest_of([entry(&py, 1)]), python(&py)));
        delta.node_deltas.iter().find(|node_delta| node_delta.node_id == owner).unwrap().max_version
    };
    assert_eq!(sent(&mut a, 4), Some(2));
    a.maintain(at(100));
    assert_eq!(sent(&mut a, 100), Some(3), "it cannot release any more");
}

#[test]
fn a_python_relay_fills_no_holes_and_the_owner_does() {
    let (mut a, owner, relay) = (node("a"), id("owner", 1), id("relay", 1));
    let digest = digest_of([entry(&relay, 1), NodeDigest { max_version: 9, ..entry(&owner, 1) }]);
    hear(&mut a, at(1), &digest, python(&relay));
    a.apply(at(1), &whole(&owner, vec![set("x", "1", 9)]), python(&relay));
    assert_eq!(keys(&a, &owner), "x=1");
    let shown = |a: &mut Gossip, to: &NodeId| {
        let Message::Syn { digest } = read(&a.syn(at(1), to.gossip_advertise_addr())) else { panic!() };
        let entry = digest.entries.into_iter().find(|entry| entry.node_id == owner).unwrap();
        (entry.max_version, entry.complete_version)
    };
    assert_eq!(shown(&mut a, &relay), (9, Some(0)), "the relay would send it again and again");
    assert_eq!(shown(&mut a, &owner), (0, None));
    // One of us is not told of what may have holes before it.
    let (_, delta) = of_synack(answer_syn(&mut a, at(2), &digest_of([entry(&id("b", 1), 1)]), ours(&id("b", 1))));
    assert!(!delta.node_deltas.iter().any(|node_delta| node_delta.node_id == owner), "{delta:?}");

    a.apply(at(3), &whole(&owner, vec![set("w", "0", 4), set("x", "1", 9)]), python(&owner));
    assert_eq!((keys(&a, &owner).as_str(), shown(&mut a, &relay)), ("w=0 x=1", (9, None)));
}

#[test]
fn a_farewell_crosses_a_python_relay_and_is_no_key_of_the_users() {
    let (mut a, leaver, relay) = (node("a"), id("leaver", 1), id("relay", 1));
    for beat in 1..6 {
        let digest = digest_of([entry(&relay, beat), entry(&leaver, beat)]);
        hear(&mut a, at(beat), &digest, python(&relay));
    }
    events(&mut a);
    let shown = NodeDigest { max_version: 9, ..entry(&leaver, 6) };
    hear(&mut a, at(6), &digest_of([entry(&relay, 6), shown]), python(&relay));
    a.apply(at(6), &whole(&leaver, vec![set(LEFT_KEY, "1", 9)]), python(&relay));
    a.maintain(at(24));
    assert_eq!(a.members.get(&leaver).unwrap().liveness(), Liveness::Left);
    assert_eq!(events(&mut a), ["leaver-1-leaver:7000 left"]);
}

/// What the Python node "owner" answers to a Syn of `a` at this address, knowing what the Syn's digest shows of it.
fn answer_of_owner(a: &mut Gossip, dialled: &Address, key_values: &[KeyValueUpdate], last_gc_version: u64) -> Delta {
    let owner = id("owner", 1);
    let Message::Syn { digest } = read(&a.syn(at(9), dialled)) else { panic!() };
    let shown = digest.entries.iter().find(|entry| entry.node_id == owner);
    let (shown, shown_gc) = shown.map_or((0, 0), |entry| (entry.max_version, entry.last_gc_version));
    let from = if shown_gc < last_gc_version && shown < last_gc_version { 0 } else { shown };
    let news: Vec<KeyValueUpdate> = key_values.iter().filter(|update| update.version > from).cloned().collect();
    let max_version = key_values.last().map_or(last_gc_version, |last| last.version);
    let delta = match max_version > shown && !news.is_empty() {
        true => {
            let mut delta = whole(&owner, news);
            delta.node_deltas[0].from_version_excluded = from;
            delta.node_deltas[0].last_gc_version = last_gc_version;
            delta
        }
        false => Delta::default(),
    };
    let own_entry = NodeDigest { max_version, last_gc_version, run: None, ..entry(&owner, 1) };
    answer_syn_ack(a, at(9), owner.gossip_advertise_addr(), &digest_of([own_entry]), &delta, python(&owner));
    delta
}

/// A node that heard of owner's keys "x" and "y" by a relay with holes, and of its highest version.
fn told_by_a_relay() -> Gossip {
    let (mut a, owner, relay) = (node("a"), id("owner", 1), id("relay", 1));
    let digest = digest_of([entry(&relay, 1), NodeDigest { max_version: 9, ..entry(&owner, 1) }]);
    hear(&mut a, at(1), &digest, python(&relay));
    a.apply(at(1), &whole(&owner, vec![set("x", "1", 4), set("y", "2", 9)]), python(&relay));
    assert_eq!(keys(&a, &owner), "x=1 y=2");
    a
}

#[test]
fn defect_5_an_owner_that_is_silent_of_itself_has_no_live_key() {
    let (mut a, owner) = (told_by_a_relay(), id("owner", 1));
    let answer = answer_of_owner(&mut a, owner.gossip_advertise_addr(), &[], 12);
    assert_eq!((answer, keys(&a, &owner).as_str()), (Delta::default(), ""));
}

#[test]
fn an_owner_reached_by_another_name_is_asked_for_all_that_is_missing() {
    let (mut a, owner) = (told_by_a_relay(), id("owner", 1));
    // It holds all these, and has collected a tombstone at 6. Were it shown version 9, it would say nothing.
    let held = [set("w", "0", 3), set("x", "1", 4), set("y", "2", 9)];
    answer_of_owner(&mut a, &Address::new("a-seed", 7000), &held, 6);
    assert_eq!(keys(&a, &owner), "w=0 x=1 y=2");
    assert!(!events(&mut a).iter().any(|event| event.contains("deleted")));
}

#[test]
fn a_python_peer_is_shown_the_forgotten_nodes_that_it_tells_of_and_one_of_ours_is_not() {
    let (mut a, gone, relay, ours_too) = (node("a"), id("gone", 1), id("relay", 1), id("b", 1));
    let of_gone = NodeDigest { max_version: 5, ..entry(&gone, 3) };
    for second in 1..=40 {
        hear(&mut a, at(second), &digest_of([entry(&relay, second), of_gone.clone()]), python(&relay));
        hear(&mut a, at(second), &digest_of([entry(&ours_too, second)]), ours(&ours_too));
        a.maintain(at(second));
    }
    assert!(a.members.get(&gone).is_none(), "it was never seen beating");
    let shown = |a: &mut Gossip, to: &NodeId| {
        let Message::Syn { digest } = read(&a.syn(at(40), to.gossip_advertise_addr())) else { panic!() };
        digest.entries.into_iter().find(|entry| entry.node_id == gone).map(|entry| entry.max_version)
    };
    assert_eq!((shown(&mut a, &relay), shown(&mut a, &ours_too)), (Some(5), None));
}

/// What is absent from a digest, a Python relay takes for unknown and sends whole.
#[test]
fn a_python_relay_is_shown_a_dead_node_at_every_moment_until_it_tells_of_it_no_more() {
    let grace = Duration::from_secs(120);
    let mut a = gossip(Config {
        failure_detector: crate::FailureDetectorConfig {
            dead_node_grace_period: grace,
            ..config("a").failure_detector
        },
        ..config("a")
    });
    let (gone, relay, ours_too) = (id("gone", 1), id("relay", 1), id("b", 1));
    let (mut shown, mut known) = (Vec::new(), Vec::new());
    for second in 1..=300 {
        let of_gone = NodeDigest { max_version: 5, ..entry(&gone, second.min(20)) };
        let told = (second <= 240).then_some(of_gone);
        hear(&mut a, at(second), &digest_of([entry(&relay, second)].into_iter().chain(told)), python(&relay));
        hear(&mut a, at(second), &digest_of([entry(&ours_too, second)]), ours(&ours_too));
        a.maintain(at(second));
        let mut is_shown_to = |to: &NodeId| {
            let Message::Syn { digest } = read(&a.syn(at(second), to.gossip_advertise_addr())) else { panic!() };
            digest.entries.iter().any(|entry| entry.node_id == gone && entry.max_version == 5)
        };
        shown.push((is_shown_to(&relay), is_shown_to(&ours_too)));
        known.push(a.members.get(&gone).is_some());
    }
    assert!(shown[..240].iter().all(|(to_relay, _)| *to_relay), "from the first second on");
    assert!(shown[299] == (false, false) && !known[239], "it was forgotten before the relay fell silent of it");
    let to_ours = shown.iter().filter(|(_, to_ours)| *to_ours).count();
    assert!(to_ours < 120 && known.iter().filter(|known| **known).count() > to_ours + 30, "{to_ours}");
}
