//! No packet is over its limit, however many nodes there are, and yet everything comes in time.

use super::*;

/// Nodes that know of `count` others, each with a key, but not each other's keys.
fn crowded(name: &str, count: usize, max_payload_size: usize) -> Gossip {
    let mut config = config(name);
    config.max_payload_size = max_payload_size;
    config.validate().unwrap();
    let mut gossip = gossip(config);
    own_set(&mut gossip, "mine", &"v".repeat(100));
    let others: Vec<NodeId> = (0..count).map(|number| id(&format!("other{number}"), 1)).collect();
    let sender = id("teller", 1);
    let digest = digest_of(others.iter().map(|other| NodeDigest { max_version: 1, ..entry(other, 1 << 40) }));
    hear(&mut gossip, at(0), &digest, ours(&sender));
    for (number, other) in others.iter().enumerate() {
        if number % 2 == usize::from(name == "a") {
            gossip.apply(at(0), &whole(other, vec![set("k", &"x".repeat(number % 90), 1)]), ours(other));
        }
    }
    gossip
}

#[test]
fn no_packet_is_over_its_limit_however_small_that_is() {
    for (count, max_payload_size, rounds) in [(0, 512, 1), (3, 512, 2), (60, 512, 60), (60, 700, 40), (60, 20_000, 1)] {
        for revision in [0, PROTOCOL_REVISION] {
            let (mut a, mut b) = (crowded("a", count, max_payload_size), crowded("b", count, max_payload_size));
            for round in 0..rounds {
                exchange_as(revision, 1 + round, &mut a, &mut b);
                exchange_as(revision, 1 + round, &mut b, &mut a);
            }
            assert_eq!(keys(&b, &id("a", 1)), format!("mine={}", "v".repeat(100)), "{max_payload_size} bytes");
        }
    }
}

#[test]
fn with_tiny_packets_everything_comes_in_time() {
    let (mut a, mut b) = (crowded("a", 60, 600), crowded("b", 60, 600));
    let lacking = |gossip: &Gossip| gossip.members.iter().filter(|(_, peer)| peer.state.entries() == 0).count();
    assert_eq!((lacking(&a), lacking(&b)), (30, 30));
    let rounds = (1..400).find(|round| {
        exchange(*round, &mut a, &mut b);
        (lacking(&a), lacking(&b)) == (0, 0)
    });
    assert!(rounds.is_some(), "{} and {} lacking", lacking(&a), lacking(&b));
    assert!(a.stats.digests_truncated > 0, "{:?}", a.stats);
    let told: Vec<String> = events(&mut a).into_iter().filter(|event| event.contains("max_payload_size")).collect();
    assert_eq!(told.len(), 1, "told once: {told:?}");
}

#[test]
fn a_long_name_fits_the_smallest_packet_that_is_allowed() {
    let long = |name: &str| {
        let node_id = NodeId::with_tls_name(name.repeat(200), 1, Address::new(name, 1), Some(name.repeat(100)));
        let mut config = Config::new(node_id);
        // The least that validation lets through.
        config.max_payload_size = (1..5_000)
            .find(|size| {
                config.max_payload_size = *size;
                config.validate().is_ok()
            })
            .unwrap();
        let mut gossip = gossip(config);
        gossip.own.heartbeat = 1 << 62;
        gossip.own.move_past(1 << 61);
        own_set(&mut gossip, "k", "");
        gossip
    };
    let (mut a, mut b) = (long("a"), long("b"));
    // News of others that would fill the packet.
    (0..20).for_each(|number| b.apply_known(&id(&format!("other{number}"), 1)));
    exchange(1, &mut a, &mut b);
    exchange(2, &mut b, &mut a);
    exchange_as(0, 3, &mut a, &mut b);
    // Even a farewell fits. It waits for a digest that has room to ask about a node of such a name.
    a.own.mark_left(Instant::from_secs(4));
    let a_id = a.config.node_id.clone();
    let is_left = |b: &Gossip| b.members.get(&a_id).unwrap().is_leaving();
    assert!((4..400).any(|now| {
        exchange(now, &mut a, &mut b);
        is_left(&b)
    }));
}

/// The names in the Syn for whoever is at `to`, in order.
fn told_to(gossip: &mut Gossip, now: Moment, to: &str) -> Vec<String> {
    let syn = gossip.syn(now, &Address::new(to, 7000));
    let Message::Syn { digest } = sent(gossip, &syn) else { panic!() };
    digest.entries.iter().map(|entry| entry.node_id.name().into()).collect()
}

#[test]
fn a_digest_that_does_not_fit_tells_of_the_reader_and_the_living_first() {
    let mut a = gossip(Config { max_payload_size: 700, ..config("a") });
    let teller = id("teller", 1);
    let hear_of = |a: &mut Gossip, now, names: &str, count: usize, heartbeat| {
        let entries = (0..count).map(|number| entry(&id(&format!("{names}{number}"), 1), heartbeat));
        hear(a, at(now), &digest_of(entries), ours(&teller));
    };
    for now in 100..103 {
        hear_of(&mut a, now, "live", 6, now);
        hear_of(&mut a, now, "invented", 40, 1);
    }
    for _ in 0..50 {
        let names = told_to(&mut a, at(103), "invented7");
        assert_eq!(names[..2], ["a", "invented7"]);
        assert!(names.len() > 8 && names.len() < 20, "{names:?}");
        assert!(names[2..8].iter().all(|name| name.starts_with("live")), "{names:?}");
    }
}

#[test]
fn a_digest_that_does_not_fit_tells_first_of_whose_heartbeat_is_new_and_gives_each_its_turn() {
    let mut a = gossip(Config { max_payload_size: 512, ..config("a") });
    let teller = id("teller", 1);
    let digest = |names: &str, heartbeat| {
        digest_of((0..20).map(|number| entry(&id(&format!("{names}{number}"), 1), heartbeat)).collect::<Vec<_>>())
    };
    for now in 100..103 {
        hear(&mut a, at(now), &digest("quiet", now), ours(&teller));
    }
    for now in 101..106 {
        hear(&mut a, at(now), &digest("new", now), ours(&teller));
    }
    a.maintain(at(105));
    let mut told = BTreeSet::new();
    for _ in 0..60 {
        let names = told_to(&mut a, at(105), "elsewhere");
        assert!(names.len() > 8 && names[1..].iter().all(|name| name.starts_with("new")), "{names:?}");
        told.extend(names);
    }
    assert_eq!(told.len(), 21, "each has its turn: {told:?}");
}

#[test]
fn who_is_told_of_a_fifth_of_the_living_waits_longer_and_what_comes_unasked_does_not_count() {
    let mut a = node("a");
    let teller = id("teller", 1);
    let digest = |count, heartbeat, partial| Digest {
        partial,
        ..digest_of((0..count).map(|number| entry(&id(&format!("n{number}"), 1), heartbeat)).collect::<Vec<_>>())
    };
    for now in 100..103 {
        hear(&mut a, at(now), &digest(50, now, false), ours(&teller));
    }
    a.maintain(at(103));
    let usual = a.detector();
    for _ in 0..60 {
        hear(&mut a, at(103), &digest(10, 102, true), ours(&teller));
    }
    assert_eq!(a.detector(), usual, "anybody may dial and say little");
    let answered = Sender { proof: Proof::Address, ..ours(&teller) };
    for _ in 0..60 {
        hear(&mut a, at(103), &digest(10, 102, true), answered);
    }
    assert!((a.told.share() - 0.2).abs() < 0.01, "{:?}", a.told);
    assert_ne!(a.detector(), usual);
    for _ in 0..60 {
        hear(&mut a, at(103), &digest(50, 102, false), answered);
    }
    assert!(a.told.share() > 0.99, "{:?}", a.told);
}
