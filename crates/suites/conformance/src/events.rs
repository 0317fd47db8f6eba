//! Subscriptions and the watch of live nodes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tidings_driver::core::{Event, EventKind, Snapshot};
use tidings_driver::{Cluster, Lagged, Runtime, Subscription};

use crate::wait::{soon, until};
use crate::{node, pair, sees, start, started};

/// However often one subscribes while keys change, the first event is the one after the snapshot.
pub async fn between_snapshot_and_events_there_is_no_gap<R: Runtime>() {
    const SUBSCRIPTIONS: usize = 500;
    let cluster = started::<R>("a").await;
    let is_enough = Arc::new(AtomicBool::new(false));
    let writer = {
        let (cluster, is_enough) = (cluster.clone(), Arc::clone(&is_enough));
        thread::spawn(move || {
            let numbers = (1..=u64::MAX).take_while(|_| !is_enough.load(Ordering::Relaxed));
            let mut last = None;
            for number in numbers {
                cluster.set("n", &number.to_string()).expect("a short key");
                last = Some(number);
            }
            last
        })
    };
    for _ in 0..SUBSCRIPTIONS {
        let mut subscription = cluster.subscribe();
        let (sequence, number) = (subscription.snapshot().sequence, n_in(subscription.snapshot(), &cluster));
        let first = soon::<R, _>("the next write", subscription.next()).await.expect("running").expect("no lag");
        assert_eq!((first.sequence, n_of(&first)), (sequence + 1, number + 1));
    }
    is_enough.store(true, Ordering::Relaxed);
    let last = writer.join().expect("the writer writes").expect("it wrote something");
    assert_eq!(n_in(&cluster.snapshot(), &cluster), last);

    // From then on there is no gap either.
    let mut subscription = cluster.subscribe();
    for number in last + 1..=last + 100 {
        cluster.set("n", &number.to_string()).expect("a short key");
    }
    for (number, ahead) in (last + 1..=last + 100).zip(1..) {
        let event = subscription.try_next().expect("it is there already").expect("no lag");
        assert_eq!((event.sequence, n_of(&event)), (subscription.snapshot().sequence + ahead, number));
    }
}

/// The value of `n` in a snapshot, as a number; 0 where it is not set.
fn n_in<R: Runtime>(snapshot: &Snapshot, cluster: &Cluster<R>) -> u64 {
    let member = snapshot.members.iter().find(|member| member.id == *cluster.id()).expect("self is a member");
    member.state.get("n").map_or(0, |value| value.parse().expect("a number"))
}

fn n_of(event: &Event) -> u64 {
    match &event.kind {
        EventKind::KeyChanged { new, .. } => new.value.parse().expect("a number"),
        other => panic!("nothing but key changes happens here: {other}"),
    }
}

/// A peer's key changes come with the old and the new value; a prefix lets through those that begin with it.
pub async fn a_prefix_selects_key_changes<R: Runtime>() {
    let (first, second) = pair::<R>().await;
    let mut all = first.subscribe();
    let mut selected = first.subscribe_prefix("app/");
    for (key, value) in [("app/a", "1"), ("other", "2"), ("app/b", "3"), ("app", "4"), ("app/a", "5")] {
        second.set(key, value).expect("a short key");
        until::<R>("the change is seen", || crate::value_at(&first, &second, key).as_deref() == Some(value)).await;
    }
    let change = |key: &str, old: Option<&str>, new: &str| (key.to_owned(), old.map(str::to_owned), new.to_owned());
    let expected = [change("app/a", None, "1"), change("app/b", None, "3"), change("app/a", Some("1"), "5")];
    assert_eq!(changes(&mut selected, &second), expected);
    assert_eq!(changes(&mut all, &second).len(), 5);

    // Events of other kinds pass every prefix.
    let third = start(node::<R>("third").seed(first.local_addr().to_string())).await;
    let joined = EventKind::NodeJoined { node: third.id().clone() };
    loop {
        let event = soon::<R, _>("the third joins", selected.next()).await.expect("running").expect("no lag");
        if event.kind == joined {
            break;
        }
    }
}

/// The changes of a peer's keys that are there to be read: key, old and new value.
fn changes<R: Runtime>(events: &mut Subscription, of: &Cluster<R>) -> Vec<(String, Option<String>, String)> {
    let mut changes = Vec::new();
    while let Some(item) = events.try_next() {
        if let EventKind::KeyChanged { node, key, old, new } = item.expect("no lag").kind
            && node == *of.id()
        {
            changes.push((key.to_string(), old.map(|old| old.value.to_string()), new.value.to_string()));
        }
    }
    changes
}

/// A subscriber that does not read loses the oldest events, is told how many, and holds up nobody.
pub async fn a_slow_subscriber_is_told_what_it_lost<R: Runtime>() {
    let cluster = start(node::<R>("a").event_buffer(8)).await;
    let mut slow = cluster.subscribe();
    let mut quick = cluster.subscribe();
    for number in 1..=20_u64 {
        cluster.set("n", &number.to_string()).expect("a short key");
        assert_eq!(n_of(&soon::<R, _>("the event", quick.next()).await.expect("running").expect("no lag")), number);
    }
    assert_eq!(slow.next().await, Some(Err(Lagged(12))));
    for number in 13..=20 {
        assert_eq!(n_of(&slow.next().await.expect("running").expect("no more lag")), number);
    }
    assert_eq!(slow.try_next(), None);
    let stats = cluster.stats().events;
    assert_eq!((stats.published, stats.lost, stats.keys_changed, stats.subscribers), (20, 12, 20, 2));

    for number in 21..=40_u64 {
        cluster.set("n", &number.to_string()).expect("a short key");
    }
    slow.resubscribe();
    assert_eq!(n_in(slow.snapshot(), &cluster), 40);
    assert_eq!(slow.try_next(), None, "all is in the new snapshot");
    cluster.set("n", "41").expect("a short key");
    assert_eq!(n_of(&slow.next().await.expect("running").expect("a fresh start has no lag")), 41);
}

/// The watch gives the current set at once, each later one when it comes, and none that was over before it looked.
pub async fn the_watch_follows_the_live_nodes<R: Runtime>() {
    let first = started::<R>("first").await;
    let mut watch = first.live_nodes_watch();
    assert_eq!(watch.changed().await, Some(vec![first.id().clone()]));

    let second = start(node::<R>("second").seed(first.local_addr().to_string())).await;
    let both = soon::<R, _>("the second node appears", watch.changed()).await;
    assert_eq!(both, Some(vec![first.id().clone(), second.id().clone()]));

    until::<R>("the second sees whom to tell", || sees(&second, &first)).await;
    assert_eq!(second.leave().await.told, 1);
    let alone = soon::<R, _>("the second node is gone", watch.changed()).await;
    assert_eq!(alone, Some(vec![first.id().clone()]));

    // Whoever looks late sees only what is so now.
    let mut late = first.live_nodes_watch();
    let third = start(node::<R>("third").seed(first.local_addr().to_string())).await;
    until::<R>("the third node appears", || sees(&first, &third)).await;
    assert_eq!(late.changed().await, Some(vec![first.id().clone(), third.id().clone()]));

    first.shutdown().await;
    while let Some(set) = soon::<R, _>("the watch ends", watch.changed()).await {
        assert!(!set.is_empty());
    }
}

/// A predicate on what nodes say of themselves decides whom the watch reports, and nothing else.
pub async fn a_predicate_narrows_the_watch<R: Runtime>() {
    let first = start(node::<R>("first").liveness_predicate(|_, state| state.get("ready") == Some("yes"))).await;
    let mut watch = first.live_nodes_watch();
    assert_eq!(watch.changed().await, Some(vec![]));

    let second = start(node::<R>("second").seed(first.local_addr().to_string())).await;
    until::<R>("the second node is alive", || sees(&first, &second)).await;
    assert_eq!(watch.current(), []);

    second.set("ready", "yes").expect("a short key");
    assert_eq!(soon::<R, _>("the second is ready", watch.changed()).await, Some(vec![second.id().clone()]));
    first.set("ready", "yes").expect("a short key");
    let both = vec![first.id().clone(), second.id().clone()];
    assert_eq!(soon::<R, _>("the first is ready", watch.changed()).await, Some(both));
    second.delete("ready").expect("a plain key");
    assert_eq!(soon::<R, _>("the second is not", watch.changed()).await, Some(vec![first.id().clone()]));
    assert!(sees(&first, &second));
}

/// A shutdown waits for a subscriber that reads, until it has read everything, and no longer.
pub async fn a_shutdown_lets_subscribers_read_to_the_end<R: Runtime>() {
    const WRITES: u64 = 50;
    let cluster = start(node::<R>("a").shutdown_timeout(Duration::from_secs(3_600))).await;
    let mut events = cluster.subscribe();
    for number in 1..=WRITES {
        cluster.set("n", &number.to_string()).expect("a short key");
    }
    let reading = async {
        let mut last = 0;
        while let Some(item) = events.next().await {
            last = n_of(&item.expect("no lag"));
            R::sleep_until(Instant::now() + Duration::from_millis(2)).await;
        }
        last
    };
    let (report, last) = soon::<R, _>("both end", futures_lite::future::zip(cluster.shutdown(), reading)).await;
    assert_eq!((report.events_unread, last), (0, WRITES));
}

/// A shutdown does not wait for a subscription that is dropped.
pub async fn a_shutdown_does_not_wait_for_the_dropped<R: Runtime>() {
    let cluster = start(node::<R>("a").shutdown_timeout(Duration::from_secs(3_600))).await;
    let events = cluster.subscribe();
    cluster.set("n", "1").expect("a short key");
    let dropping = async {
        until::<R>("the shutdown has begun", || !cluster.is_running()).await;
        R::sleep_until(Instant::now() + Duration::from_millis(50)).await;
        drop(events);
    };
    let (report, ()) = soon::<R, _>("both end", futures_lite::future::zip(cluster.shutdown(), dropping)).await;
    assert_eq!(report.events_unread, 0);
}

/// A subscriber that does not read holds up a shutdown for the time that is set, and can still read after it.
pub async fn a_shutdown_waits_for_nobody_beyond_its_deadline<R: Runtime>() {
    let patience = Duration::from_millis(200);
    let cluster = start(node::<R>("a").shutdown_timeout(patience)).await;
    let mut events = cluster.subscribe();
    for number in 1..=3_u64 {
        cluster.set("n", &number.to_string()).expect("a short key");
    }
    let begin = Instant::now();
    let report = soon::<R, _>("the shutdown ends", cluster.shutdown()).await;
    assert_eq!(report.events_unread, 3);
    assert!(begin.elapsed() >= patience, "{:?}", begin.elapsed());
    for number in 1..=3 {
        assert_eq!(n_of(&events.next().await.expect("kept").expect("no lag")), number);
    }
    assert_eq!(events.next().await, None);
}
