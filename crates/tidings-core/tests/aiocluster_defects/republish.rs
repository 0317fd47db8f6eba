//! `Node::republish`: the cure where a Python node got an owner's keys from another, with holes (1).

use std::time::Duration;

use tidings_core::{Instant, Lifetime, Node, ValueStatus};

use crate::python_peer::{PythonPeer, key_changes, ours, pass};

const START: Instant = Instant::from_secs(1);
const KEYS: usize = 2_000;

#[test]
fn keys_that_a_python_node_was_never_given_reach_it_once_they_are_published_again() {
    let mut now = START;
    let mut owner = ours("owner", |_| ());
    for number in 0..KEYS {
        let value = format!("{number:060}");
        owner.set(now, &format!("item/{number:05}"), &value, Lifetime::Forever).expect("a short key");
    }
    let mut early = PythonPeer::new("early");
    rounds(&mut now, &mut owner, &mut [&mut early], 20);
    assert_eq!(missing(&early, &owner), 0);

    let mut late = PythonPeer::new("late");
    late.dials_python(&mut early);
    rounds(&mut now, &mut owner, &mut [&mut early, &mut late], 20);
    assert!(missing(&late, &owner) > 500, "the defect: {} are missing", missing(&late, &owner));

    key_changes(&mut owner);
    assert_eq!(owner.republish(now), KEYS);
    rounds(&mut now, &mut owner, &mut [&mut early, &mut late], 20);
    assert_eq!((missing(&early, &owner), missing(&late, &owner)), (0, 0));
    assert!(owner.node_state(owner.id()).expect("its own").len() == KEYS && key_changes(&mut owner).is_empty());
    // They are paced like any news: not all of them came with the first exchange.
    assert!(owner.stats().packets_sent.syn_ack > 20);
}

fn rounds(now: &mut Instant, owner: &mut Node, python: &mut [&mut PythonPeer], count: u32) {
    for _ in 0..count {
        for peer in &mut *python {
            peer.dials(*now, owner);
        }
        pass(now, owner, Duration::from_secs(1));
    }
}

fn missing(peer: &PythonPeer, owner: &Node) -> usize {
    let truth = owner.node_state(owner.id()).expect("its own");
    truth.iter().filter(|(key, held)| peer.value(owner.id(), key) != Some(&*held.value)).count()
}

#[test]
fn what_is_deleted_or_fades_is_not_brought_back() {
    let mut now = START;
    let grace = Duration::from_secs(60);
    let mut owner = ours("owner", |config| config.marked_for_deletion_grace_period = grace);
    for (key, lifetime) in [
        ("kept", Lifetime::Forever),
        ("gone", Lifetime::Forever),
        ("lease", Lifetime::Grace),
        ("timed", Lifetime::For(Duration::from_secs(30))),
    ] {
        owner.set(now, key, "v", lifetime).expect("a short key");
    }
    owner.delete(now, "gone").expect("a plain key");
    pass(&mut now, &mut owner, Duration::from_secs(20));
    assert_eq!(owner.republish(now), 3);
    let status = |owner: &Node, key: &str| owner.get_versioned(key).map(|held| (held.status, held.version));
    assert_eq!(status(&owner, "gone"), Some((ValueStatus::Deleted, 5)));
    assert_eq!(status(&owner, "kept"), Some((ValueStatus::Set, 6)));
    assert_eq!(status(&owner, "lease"), Some((ValueStatus::DeleteAfterTtl, 7)));
    assert_eq!(status(&owner, "timed"), Some((ValueStatus::Set, 8)));

    // Each ends when it would have.
    pass(&mut now, &mut owner, Duration::from_secs(11));
    assert_eq!((owner.get("timed"), owner.get("lease").as_deref()), (None, Some("v")));
    pass(&mut now, &mut owner, Duration::from_secs(31));
    assert_eq!((owner.get("lease"), owner.get("kept").as_deref()), (None, Some("v")));
}

#[test]
fn a_node_without_keys_has_nothing_to_publish_again() {
    let mut node = ours("node", |_| ());
    assert_eq!(node.republish(START), 0);
    assert_eq!(node.node_state(node.id()).expect("its own").max_version(), 0);
}
