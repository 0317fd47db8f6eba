//! What a user sees of key-values: 7, 8, 9.

use std::time::Duration;

use tidings_core::{Instant, Lifetime, Node, ValueStatus};

use crate::python_peer::{PythonPeer, address, key_changes, ours, pass, talk, value};

const START: Instant = Instant::from_secs(1);
const GRACE: Duration = Duration::from_secs(20);

fn owner() -> Node {
    ours("owner", |config| config.marked_for_deletion_grace_period = GRACE)
}

fn replica() -> Node {
    ours("replica", |config| {
        config.marked_for_deletion_grace_period = GRACE;
        config.seeds = vec![address("owner")];
    })
}

#[test]
fn defect_07_a_value_set_for_the_grace_period_can_be_read_until_it_ends() {
    let mut now = START;
    let (mut owner, mut replica) = (owner(), replica());
    owner.set(now, "lease", "mine", Lifetime::Grace).expect("a short key");
    talk(&mut now, &mut replica, &mut owner);
    assert_eq!(owner.get("lease").as_deref(), Some("mine"));
    assert_eq!(value(&replica, owner.id(), "lease").as_deref(), Some("mine"));

    pass(&mut now, &mut owner, GRACE + Duration::from_secs(1));
    talk(&mut now, &mut replica, &mut owner);
    assert_eq!((owner.get("lease"), value(&replica, owner.id(), "lease")), (None, None));
}

#[test]
fn defect_07_setting_the_same_value_again_starts_its_time_anew() {
    for lifetime in [Lifetime::Grace, Lifetime::For(GRACE)] {
        let mut now = START;
        let (mut owner, mut replica) = (owner(), replica());
        for _ in 0..4 {
            owner.set(now, "lease", "mine", lifetime).expect("a short key");
            talk(&mut now, &mut replica, &mut owner);
            pass(&mut now, &mut owner, GRACE * 3 / 4);
            talk(&mut now, &mut replica, &mut owner);
            assert_eq!(owner.get("lease").as_deref(), Some("mine"), "{lifetime:?}");
            assert_eq!(value(&replica, owner.id(), "lease").as_deref(), Some("mine"), "{lifetime:?}");
        }
        pass(&mut now, &mut owner, GRACE);
        talk(&mut now, &mut replica, &mut owner);
        assert_eq!((owner.get("lease"), value(&replica, owner.id(), "lease")), (None, None), "{lifetime:?}");
    }
}

/// Python hides its own such values from its own `get`; ours show them.
#[test]
fn survives_defect_07_a_python_value_with_ttl_can_be_read_here() {
    let mut node = ours("node", |_| ());
    let mut python = PythonPeer::new("py");
    python.write("lease", "mine", ValueStatus::DeleteAfterTtl);
    python.dials(START, &mut node);
    assert_eq!(python.value(&python.id.clone(), "lease"), None);
    assert_eq!(value(&node, &python.id, "lease").as_deref(), Some("mine"));
}

#[test]
fn defect_08_every_end_of_a_key_is_told_at_its_owner_and_at_replicas() {
    let mut now = START;
    let (mut owner, mut replica) = (owner(), replica());
    let seconds = Duration::from_secs;
    for (key, lifetime) in [
        ("deleted", Lifetime::Forever),
        ("fading", Lifetime::Forever),
        ("lease", Lifetime::Grace),
        ("timed", Lifetime::For(seconds(10))),
    ] {
        owner.set(now, key, "v", lifetime).expect("a short key");
    }
    talk(&mut now, &mut replica, &mut owner);
    assert_eq!((key_changes(&mut owner).len(), key_changes(&mut replica).len()), (4, 4));

    owner.delete(now, "deleted").expect("a plain key");
    owner.delete_after_ttl(now, "fading").expect("a plain key");
    talk(&mut now, &mut replica, &mut owner);
    let id = owner.id().clone();
    let told = |key: &str, value: Option<&str>| (id.clone(), key.to_owned(), value.map(str::to_owned));
    for node in [&mut owner, &mut replica] {
        let changes = key_changes(node);
        assert_eq!(changes, [told("deleted", None), told("fading", Some("v"))], "at {}", node.id());
    }

    pass(&mut now, &mut owner, GRACE + seconds(2));
    talk(&mut now, &mut replica, &mut owner);
    for node in [&mut owner, &mut replica] {
        let mut changes = key_changes(node);
        changes.sort();
        assert_eq!(changes, [told("fading", None), told("lease", None), told("timed", None)], "at {}", node.id());
    }
}

#[test]
fn defect_09_a_snapshot_does_not_change() {
    let mut now = START;
    let (mut owner, mut replica) = (owner(), replica());
    owner.set(now, "a", "1", Lifetime::Forever).expect("a short key");
    owner.set(now, "b", "1", Lifetime::Forever).expect("a short key");
    talk(&mut now, &mut replica, &mut owner);
    let snapshots = [owner.snapshot(now), replica.snapshot(now)];
    let before = format!("{snapshots:?}");

    owner.set(now, "a", "2", Lifetime::Forever).expect("a short key");
    owner.delete(now, "b").expect("a plain key");
    talk(&mut now, &mut replica, &mut owner);
    pass(&mut now, &mut owner, GRACE * 2);
    talk(&mut now, &mut replica, &mut owner);
    assert_eq!(value(&replica, owner.id(), "a").as_deref(), Some("2"), "the nodes went on");
    assert_ne!(format!("{:?}", [owner.snapshot(now), replica.snapshot(now)]), before);
    assert_eq!(format!("{snapshots:?}"), before);
}
