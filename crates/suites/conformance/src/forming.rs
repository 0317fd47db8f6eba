//! Nodes find each other and see what each says of itself.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use tidings_driver::core::{EventKind, FailureDetectorConfig, Lifetime, ValueStatus};
use tidings_driver::{Cluster, Runtime};

use crate::peer::exchange;
use crate::wait::{soon, until};
use crate::{node, pair, sees, start, value_at};

/// Three nodes that know one seed become a cluster, with the key-values they were started with.
pub async fn three_nodes_form_from_one_seed<R: Runtime>() {
    let first = start(node::<R>("first").key_value("cluster", "1")).await;
    let seed = first.local_addr().to_string();
    let second = start(node::<R>("second").seed(&seed).key_values([("cluster", "2"), ("zone", "b")])).await;
    let third = start(node::<R>("third").seeds([&seed]).key_value("cluster", "3")).await;

    let nodes = [&first, &second, &third];
    let all_see_all = || nodes.iter().all(|a| nodes.iter().all(|b| sees(a, b)));
    until::<R>("all are alive at all", all_see_all).await;
    let hold = |observer: &Cluster<R>| {
        (1..).zip(nodes).all(|(number, owner)| value_at(observer, owner, "cluster") == Some(number.to_string()))
    };
    until::<R>("all hold all keys", || nodes.iter().all(|observer| hold(observer))).await;

    assert_eq!(third.live_nodes().first(), Some(third.id()), "a node is first in its own list");
    assert_eq!(third.live_nodes().len(), 3);
    assert_eq!(value_at(&third, &second, "zone").as_deref(), Some("b"));
    assert_eq!(first.stats().events.joined, 2);
    let snapshot = second.snapshot();
    assert_eq!((&*snapshot.cluster_id, snapshot.members.len()), ("conformance", 3));
    let stats = third.stats();
    assert!(stats.driver.dialled > 0 && stats.driver.bytes_sent > 0 && stats.driver.bytes_received > 0, "{stats:?}");
    assert_eq!(stats.core.rejected.total(), 0, "{stats:?}");
}

/// A key that is set, changed and deleted is seen so at the other node, in both directions.
pub async fn keys_set_changed_and_deleted_are_seen<R: Runtime>() {
    let (first, second) = pair::<R>().await;
    for (owner, observer) in [(&first, &second), (&second, &first)] {
        let set = owner.set("colour", "red").expect("a short key");
        until::<R>("the key is set there", || value_at(observer, owner, "colour").as_deref() == Some("red")).await;
        assert_eq!(owner.set("colour", "red"), Ok(set), "the same value is no change");

        let changed = owner.set("colour", "blue").expect("a short key");
        assert!(changed > set);
        until::<R>("the key is changed there", || value_at(observer, owner, "colour").as_deref() == Some("blue")).await;
        assert_eq!(owner.get("colour").as_deref(), Some("blue"));

        let deleted = owner.delete("colour").expect("a plain key").expect("it was set");
        assert!(deleted > changed);
        until::<R>("the key is deleted there", || value_at(observer, owner, "colour").is_none()).await;
        assert_eq!(owner.get("colour"), None);
        assert_eq!(owner.get_versioned("colour").map(|value| value.status), Some(ValueStatus::Deleted));
        assert_eq!(owner.delete("colour"), Ok(None), "there is nothing left to delete");
    }
}

/// Keys published again come to the other node with new versions and the values they had; nobody sees a change, what was
/// deleted stays deleted, and a lifetime still ends.
pub async fn keys_are_published_again<R: Runtime>() {
    let (first, second) = pair::<R>().await;
    for key in ["a", "b", "gone"] {
        second.set(key, "1").expect("a short key");
    }
    let deleted = second.delete("gone").expect("a plain key").expect("it was set");
    second.set_with("short", "lived", Lifetime::For(Duration::from_secs(4))).expect("a short key");
    until::<R>("the keys are there", || value_at(&first, &second, "short").is_some()).await;
    let mut events = [first.subscribe(), second.subscribe()];

    assert_eq!(second.republish(), 3, "all but the deleted one");
    let version_at = |observer: &Cluster<R>, key| {
        observer.node_state(second.id()).and_then(|state| state.get_versioned(key).map(|value| value.version))
    };
    let all_are_new = |observer: &Cluster<R>| {
        ["a", "b"].iter().all(|key| version_at(observer, key).is_some_and(|version| version > deleted + 1))
    };
    assert!(all_are_new(&second), "at once at their owner");
    until::<R>("they are there again", || all_are_new(&first)).await;
    assert_eq!((value_at(&first, &second, "a").as_deref(), value_at(&first, &second, "gone")), (Some("1"), None));

    // The first change that anybody sees is the end of the lifetime.
    for events in &mut events {
        let event = soon::<R, _>("the lifetime ends", events.next()).await.expect("the node runs").expect("no lag");
        let EventKind::KeyChanged { key, new, .. } = event.kind else { panic!("no change of a key: {}", event.kind) };
        assert_eq!((&*key, new.status), ("short", ValueStatus::Deleted));
    }
}

/// A key with a lifetime of its own is deleted by its owner when that is over, long before the next round.
pub async fn a_lifetime_ends_on_time<R: Runtime>() {
    let lonely = start(node::<R>("lonely").gossip_interval(Duration::from_secs(3_600))).await;
    assert!(exchange::<R>(lonely.local_addr()).await, "its task runs, and waits for the next round by now");
    let mut events = lonely.subscribe_prefix("short");
    let lifetime = Duration::from_millis(300);
    lonely.set_with("short", "lived", Lifetime::For(lifetime)).expect("a short key");
    let set_at = Instant::now();
    assert_eq!(lonely.get("short").as_deref(), Some("lived"));
    loop {
        let event = soon::<R, _>("the key expires", events.next()).await.expect("the node runs").expect("no lag");
        let EventKind::KeyChanged { new, .. } = event.kind else { continue };
        if new.status == ValueStatus::Deleted {
            break;
        }
    }
    assert!(set_at.elapsed() >= lifetime, "{:?}", set_at.elapsed());
    assert_eq!(lonely.get("short"), None);
}

/// A node that starts again at its address is a new run of its name as soon as it answers there: nobody waits until the
/// former one is silent for too long. Its generation may even be a lower one, as after a reboot with a clock that was set
/// back, or the same.
pub async fn a_restarted_node_supersedes_its_former_run<R: Runtime>() {
    // Within the time of a test nobody is silent for too long.
    let mut patient = FailureDetectorConfig::default();
    patient.phi_threshold = 1_000.0;
    let first = start(node::<R>("first").failure_detector(patient)).await;
    let seed = first.local_addr().to_string();
    let mut second = start(node::<R>("second").seed(&seed)).await;
    until::<R>("both nodes are alive at both", || sees(&first, &second) && sees(&second, &first)).await;
    let mut events = first.subscribe();
    for (run, generation) in [("higher", None), ("lower", Some(7)), ("the same", Some(7))] {
        let (former, former_run, address) = (second.id().clone(), second.run(), second.local_addr());
        drop(second);
        until::<R>("the former run's port is free", || TcpListener::bind(address).is_ok()).await;

        let mut builder = node::<R>("second").listen(address.to_string()).seed(&seed).key_value("run", run);
        if let Some(generation) = generation {
            builder = builder.generation(generation);
        }
        second = start(builder).await;
        assert_ne!(second.run(), former_run);

        let expected = EventKind::NodeRestarted { old: former.clone(), new: second.id().clone() };
        loop {
            let event =
                soon::<R, _>("the restart is seen", events.next()).await.expect("the node runs").expect("no lag");
            assert!(
                !matches!(event.kind, EventKind::NodeDied { .. } | EventKind::NodeConflict { .. }),
                "{}",
                event.kind
            );
            if event.kind == expected {
                break;
            }
        }
        until::<R>("the new run is alive", || sees(&first, &second)).await;
        assert!(former == *second.id() || !first.live_nodes().contains(&former));
        until::<R>("its key is seen", || value_at(&first, &second, "run").as_deref() == Some(run)).await;
        let snapshot = first.snapshot();
        assert_eq!(snapshot.member(second.id()).and_then(|member| member.run), Some(second.run()));
    }
}
