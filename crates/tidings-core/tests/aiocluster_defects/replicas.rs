//! Tombstones, their collection, and starting again: 3, 4, 5, 20.

use std::time::Duration;

use tidings_core::{Instant, Lifetime, Node, NodeId, ValueStatus};

use crate::python_peer::{Held, PythonPeer, address, held, key_changes, ours, pass, read, talk, value};

const START: Instant = Instant::from_secs(1);
const SECOND: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(20);
/// The grace period, and the rounds in which it is noticed that it is over.
const COLLECTION: Duration = Duration::from_secs(25);

fn grace(name: &str) -> Node {
    with_seeds(name, &[])
}

fn with_seeds(name: &str, seeds: &[&str]) -> Node {
    ours(name, |config| {
        config.marked_for_deletion_grace_period = GRACE;
        config.seeds = seeds.iter().map(|seed| address(seed)).collect();
    })
}

/// An owner of ours with three keys, of which the second is going to be deleted.
fn owner_of_three(now: Instant) -> Node {
    let mut owner = grace("owner");
    for key in ["a", "gone", "c"] {
        owner.set(now, key, "v", Lifetime::Forever).expect("a short key");
    }
    owner
}

/// A Python owner with a live key below a tombstone that it has collected, and one above.
fn python_owner() -> PythonPeer {
    let mut owner = PythonPeer::new("owner");
    for key in ["live", "gone"] {
        owner.set(key, "v");
    }
    owner.delete("gone");
    owner
}

fn last_gc(node: &Node, owner: &NodeId) -> u64 {
    node.node_state(owner).expect("known").last_gc_version()
}

#[test]
fn defect_03_a_collection_takes_no_live_key_along() {
    let mut node = grace("node");
    let mut owner = python_owner();
    owner.dials(START, &mut node);
    let id = owner.id.clone();
    owner.collect(&id);
    owner.set("next", "v");
    owner.dials(START, &mut node);
    let copy = node.node_state(&owner.id).expect("known");
    assert_eq!((copy.last_gc_version(), copy.get_versioned("live").map(|held| held.version)), (3, Some(1)));
    assert_eq!((copy.get("live"), copy.get("next"), copy.get_versioned("gone")), (Some("v"), Some("v"), None));
}

/// It drops what is at or below a number that is new to it: so it is not told one, and live keys go above it.
#[test]
fn survives_defect_03_a_collection_of_ours_takes_no_live_key_along_at_a_python_node() {
    let mut now = START;
    let mut owner = owner_of_three(now);
    let mut python = PythonPeer::new("py");
    for _ in 0..4 {
        python.dials(now, &mut owner);
        pass(&mut now, &mut owner, SECOND);
    }
    owner.delete(now, "gone").expect("a plain key");
    for _ in 0..30 {
        let known = python.replica(owner.id()).last_gc_version;
        let said = python.dials(now, &mut owner);
        if let Some(news) = said.news_of(owner.id()) {
            assert!(news.last_gc_version <= known, "told {} while it knows {known}", news.last_gc_version);
        }
        pass(&mut now, &mut owner, SECOND);
    }
    let own = owner.node_state(owner.id()).expect("its own");
    assert_eq!((own.last_gc_version(), own.get_versioned("gone")), (4, None), "it was collected");
    assert!(own.iter().all(|(_, held)| held.version > 4), "live keys stand above");
    owner.set(now, "next", "v", Lifetime::Forever).expect("a short key");
    python.dials(now, &mut owner);
    for key in ["a", "c", "next"] {
        assert_eq!(python.value(owner.id(), key), Some("v"), "{key}");
    }
}

#[test]
fn defect_04_who_missed_a_collection_starts_again_and_loses_no_live_key() {
    let mut now = START;
    let mut owner = owner_of_three(now);
    let mut replica = with_seeds("replica", &["owner"]);
    talk(&mut now, &mut replica, &mut owner);
    owner.delete(now, "gone").expect("a plain key");
    pass(&mut now, &mut owner, COLLECTION);
    owner.set(now, "d", "v", Lifetime::Forever).expect("a short key");
    assert_eq!(owner.get_versioned("a").map(|held| held.version), Some(1), "below what the replica holds");
    talk(&mut now, &mut replica, &mut owner);
    let copy = replica.node_state(owner.id()).expect("known");
    let keys: Vec<&str> = copy.iter().map(|(key, _)| key).collect();
    assert_eq!((keys, copy.last_gc_version(), replica.stats().resets), (vec!["a", "c", "d"], 4, 1));
}

/// It would lose what has not got a new version. The owner gives it one; a relay cannot, and says nothing.
#[test]
fn survives_defect_04_only_the_owner_starts_a_python_node_again() {
    let mut now = START;
    let mut owner = owner_of_three(now);
    let mut python = PythonPeer::new("py");
    python.dials(now, &mut owner);
    owner.delete(now, "gone").expect("a plain key");
    pass(&mut now, &mut owner, COLLECTION);
    let mut relay = with_seeds("relay", &["owner"]);
    talk(&mut now, &mut relay, &mut owner);
    assert_eq!((held(&relay, owner.id()), last_gc(&relay, owner.id())), (2, 4));

    let said = python.dials(now, &mut relay);
    assert!(said.news_of(owner.id()).is_none(), "{said:?}");
    assert_eq!(python.replica(owner.id()).keys.len(), 3, "as before");
    python.dials(now, &mut owner);
    assert_eq!(python.replica(owner.id()).last_gc_version, 4);
    let keys: Vec<&String> = python.replicas[owner.id()].keys.keys().collect();
    assert_eq!(keys, ["a", "c"]);
}

#[test]
fn defect_05_a_node_without_keys_still_says_that_they_are_gone() {
    let mut now = START;
    let mut owner = grace("owner");
    let mut replica = with_seeds("replica", &["owner"]);
    owner.set(now, "gone", "v", Lifetime::Forever).expect("a short key");
    talk(&mut now, &mut replica, &mut owner);
    owner.delete(now, "gone").expect("a plain key");
    pass(&mut now, &mut owner, COLLECTION);
    assert_eq!(owner.node_state(owner.id()).expect("its own").entries(), 0);
    let [_, syn_ack, _] = talk(&mut now, &mut replica, &mut owner);
    let tidings_core::wire::aiocluster::Message::SynAck { delta, .. } = read(&syn_ack).message else {
        panic!("a SynAck")
    };
    let news = delta.node_deltas.iter().find(|news| news.node_id == *owner.id()).expect("it says something");
    assert_eq!((news.key_values.len(), news.last_gc_version), (0, 2));
    assert_eq!((held(&replica, owner.id()), last_gc(&replica, owner.id())), (0, 2));
}

/// All its keys were collected while we were away, and it says nothing: but it answers in one go.
#[test]
fn survives_defect_05_the_silence_of_an_owner_is_understood() {
    let mut now = START;
    let mut node = with_seeds("node", &["owner"]);
    let mut owner = PythonPeer::new("owner");
    owner.set("gone", "v");
    owner.dials(now, &mut node);
    key_changes(&mut node);
    owner.delete("gone");
    let id = owner.id.clone();
    owner.collect(&id);
    owner.is_dialled_by(&mut now, &mut node);
    assert_eq!((value(&node, &id, "gone"), last_gc(&node, &id), node.stats().resets), (None, 2, 1));
    assert_eq!(key_changes(&mut node).len(), 1, "the end of the key is told");

    owner.is_dialled_by(&mut now, &mut node);
    assert_eq!((node.stats().resets, key_changes(&mut node).len()), (1, 0), "once");
    owner.set("next", "v");
    owner.is_dialled_by(&mut now, &mut node);
    assert_eq!(value(&node, &id, "next").as_deref(), Some("v"));
}

/// An owner that is silent because we have everything has its live keys as before.
#[test]
fn survives_defect_05_the_silence_of_an_owner_with_nothing_new_means_nothing() {
    let mut now = START;
    let mut node = with_seeds("node", &["owner"]);
    let mut owner = python_owner();
    owner.dials(now, &mut node);
    let id = owner.id.clone();
    owner.collect(&id);
    for _ in 0..2 {
        let said = owner.is_dialled_by(&mut now, &mut node);
        assert_eq!(owner.delta_for(&said.digest).node_deltas, [], "it is silent");
        assert_eq!((value(&node, &id, "live").as_deref(), node.stats().resets), (Some("v"), 0));
    }
}

/// Nor does that of a relay, whoever's tombstones it has collected.
#[test]
fn survives_defect_05_the_silence_of_a_relay_means_nothing() {
    let mut now = START;
    let mut node = with_seeds("node", &["relay"]);
    let (mut owner, mut relay) = (PythonPeer::new("owner"), PythonPeer::new("relay"));
    owner.set("gone", "v");
    owner.dials(now, &mut node);
    owner.delete("gone");
    relay.dials_python(&mut owner);
    relay.collect(&owner.id);
    let said = relay.is_dialled_by(&mut now, &mut node);
    assert_eq!(relay.delta_for(&said.digest).node_deltas, [], "it is silent");
    assert_eq!((value(&node, &owner.id, "gone").as_deref(), node.stats().resets), (Some("v"), 0));
}

#[test]
fn defect_20_a_replica_collects_nothing_on_its_own_clock() {
    let mut now = START;
    let mut node = grace("node");
    let mut owner = python_owner();
    for _ in 0..3 {
        owner.dials(now, &mut node);
        pass(&mut now, &mut node, COLLECTION);
    }
    let mut reader = PythonPeer::new("reader");
    let said = reader.dials(now, &mut node);
    assert_eq!(said.entry_of(&owner.id).map(|entry| entry.last_gc_version), Some(0));
    assert_eq!(said.news_of(&owner.id).map(|news| news.last_gc_version), Some(0));
    let copy = node.node_state(&owner.id).expect("known");
    assert_eq!(copy.get_versioned("gone").map(|held| held.status), Some(ValueStatus::Deleted));
}

/// A replica of an owner of ours has collected, and its word makes another replica drop live keys. The owner notices, and
/// publishes them with new versions.
#[test]
fn survives_defect_20_an_owner_of_ours_restores_what_python_nodes_lost() {
    let mut owner = owner_of_three(START);
    let mut python = [PythonPeer::new("py1"), PythonPeer::new("py2")];
    for peer in &mut python {
        peer.dials(START, &mut owner);
    }
    owner.delete(START, "gone").expect("a plain key");
    python[0].dials(START, &mut owner);
    key_changes(&mut owner);
    let id = owner.id().clone();
    let [first, second] = &mut python;
    first.collect(&id);
    let last = Held { value: "v".into(), version: 5, status: ValueStatus::Set };
    owner.set(START, "last", "v", Lifetime::Forever).expect("a short key");
    first.replica(&id).keys.insert("last".into(), last);
    first.replica(&id).max_version = 5;
    second.dials_python(first);
    assert_eq!(second.value(&id, "a"), None, "the defect: a live key is gone");

    for _ in 0..2 {
        first.dials(START, &mut owner);
        second.dials(START, &mut owner);
    }
    for peer in [first, second] {
        for key in ["a", "c", "last"] {
            assert_eq!(peer.value(&id, key), Some("v"), "{key} at {}", peer.id);
        }
    }
    assert_eq!(last_gc(&owner, &id), 4);
    assert_eq!(key_changes(&mut owner).len(), 1, "of the last key: that the others have new versions is no change");
}

#[test]
fn survives_defect_20_what_a_python_relay_has_collected_takes_no_live_key_along() {
    let mut now = START;
    let mut node = with_seeds("node", &["relay"]);
    let (mut owner, mut relay) = (python_owner(), PythonPeer::new("relay"));
    owner.dials(now, &mut node);
    relay.dials_python(&mut owner);
    relay.collect(&owner.id);
    owner.set("next", "v");
    relay.dials_python(&mut owner);
    assert_eq!(relay.replica(&owner.id).last_gc_version, 3);
    relay.is_dialled_by(&mut now, &mut node);
    let copy = node.node_state(&owner.id).expect("known");
    assert_eq!((copy.get("live"), copy.get("next")), (Some("v"), Some("v")), "what it has is taken");
    assert_eq!((copy.last_gc_version(), copy.max_version()), (0, 3), "what it says of versions is not");
}
