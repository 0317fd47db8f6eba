//! `limits.max_state_bytes`: the bound on what all other nodes' key-values may take together.

#[allow(dead_code, reason = "this test needs little of what the defects' tests share")]
#[path = "aiocluster_defects/python_peer.rs"]
mod python_peer;

use std::time::Duration;

use python_peer::{PythonPeer, ours, pass, value};
use tidings_core::{ENTRY_OVERHEAD, Instant, Lifetime};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn at_the_limit_all_is_taken_past_it_it_waits_until_a_node_is_forgotten() {
    let mut now = Instant::from_secs(1);
    let mut node = ours("node", |config| {
        config.limits.max_state_bytes = 1_000 + 2 * ENTRY_OVERHEAD;
        config.failure_detector.dead_node_grace_period = Duration::from_secs(60);
    });
    let (mut first, mut second) = (PythonPeer::new("first"), PythonPeer::new("second"));
    first.set("a", &"v".repeat(499));
    second.set("b", &"v".repeat(499));
    first.dials(now, &mut node);
    second.dials(now, &mut node);
    assert!(value(&node, &first.id, "a").is_some() && value(&node, &second.id, "b").is_some(), "1,000 bytes");
    assert_eq!(node.stats().entries_skipped, 0);

    second.set("c", "");
    second.set("d", "");
    second.dials(now, &mut node);
    let copy = node.node_state(&second.id).expect("known");
    assert_eq!((copy.get("c"), copy.max_version(), node.stats().entries_skipped), (None, 1, 2), "1,001 bytes");
    // What takes no more room than what it replaces is taken, and this node's own key-values are not counted.
    node.set(now, "own", &"v".repeat(2_000), Lifetime::Forever).expect("there is room for its own");
    first.set("a", &"w".repeat(499));
    first.dials(now, &mut node);
    assert_eq!(value(&node, &first.id, "a").as_deref(), Some(&*"w".repeat(499)));

    for _ in 0..70 {
        second.dials(now, &mut node);
        pass(&mut now, &mut node, SECOND);
    }
    assert!(node.node_state(&first.id).is_none(), "forgotten");
    second.dials(now, &mut node);
    let copy = node.node_state(&second.id).expect("known");
    assert_eq!((copy.get("c"), copy.get("d"), copy.max_version()), (Some(""), Some(""), 3));
}

/// Less held by one node is at once more room for it, and for the others with the next round.
#[test]
fn what_a_node_deletes_is_room_for_others() {
    let mut now = Instant::from_secs(1);
    let mut node = ours("node", |config| config.limits.max_state_bytes = 1_000 + ENTRY_OVERHEAD);
    let (mut first, mut second) = (PythonPeer::new("first"), PythonPeer::new("second"));
    first.set("a", &"v".repeat(999));
    second.set("b", "v");
    first.dials(now, &mut node);
    second.dials(now, &mut node);
    assert_eq!(value(&node, &second.id, "b"), None);
    first.delete("a");
    first.dials(now, &mut node);
    pass(&mut now, &mut node, SECOND * 2);
    second.dials(now, &mut node);
    assert_eq!(value(&node, &second.id, "b").as_deref(), Some("v"));
}
