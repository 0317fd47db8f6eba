//! The end of a node: leaving, shutting down, dropping the handle.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use tidings_driver::Runtime;
use tidings_driver::core::{EventKind, FailureDetectorConfig};

use crate::certificates::Authority;
use crate::peer::Peer;
use crate::wait::{soon, until};
use crate::{node, pair, sees, start, started, tls};

/// A node that leaves is seen as left, not as dead, by all.
pub async fn a_node_that_leaves_is_seen_as_left<R: Runtime>() {
    let (first, second) = pair::<R>().await;
    let third = start(node::<R>("third").seed(first.local_addr().to_string())).await;
    let nodes = [&first, &second, &third];
    until::<R>("all see all", || nodes.iter().all(|a| nodes.iter().all(|b| sees(a, b)))).await;
    let mut events = [first.subscribe(), second.subscribe()];

    let report = soon::<R, _>("the third leaves", third.leave()).await;
    assert!(report.told >= 1 && !report.gave_up, "{report:?}");
    assert!(!third.is_running());

    let gone = third.id().clone();
    for events in &mut events {
        loop {
            let event = soon::<R, _>("the third has left", events.next()).await.expect("running").expect("no lag");
            assert_ne!(event.kind, EventKind::NodeDied { node: gone.clone() });
            if event.kind == (EventKind::NodeLeft { node: gone.clone() }) {
                break;
            }
        }
    }
    for node in [&first, &second] {
        assert!(node.left_nodes().contains(&gone) && !node.live_nodes().contains(&gone));
        assert_eq!((node.stats().events.left, node.stats().events.died), (1, 0));
    }
}

/// The farewell goes out at once, not with the next round.
pub async fn leaving_does_not_wait_for_a_round<R: Runtime>() {
    let quiet = start(node::<R>("quiet").gossip_interval(Duration::from_secs(3_600))).await;
    let other = start(node::<R>("other").seed(quiet.local_addr().to_string())).await;
    until::<R>("they see each other", || sees(&quiet, &other) && sees(&other, &quiet)).await;
    let report = soon::<R, _>("it leaves", quiet.leave()).await;
    assert_eq!((report.told, report.gave_up), (1, false));
    until::<R>("it is seen as left", || other.left_nodes().contains(quiet.id())).await;
    assert_eq!(other.stats().events.died, 0);
}

/// Over TLS a farewell is the node's own word: it counts when it comes. In plaintext anybody could say it, so that it counts
/// when the node falls silent, which here would take an hour.
pub async fn leaving_over_tls_counts_at_once<R: Runtime>() {
    let authority = Authority::new("authority");
    let (leaver, _leaver_files) = tls::started::<R>("leaver", &authority).await;
    let hour = Some(Duration::from_secs(3_600));
    let mut patient = FailureDetectorConfig::default();
    (patient.max_interval, patient.initial_interval, patient.prior_weight) = (hour, hour, 1_000.0);
    let (observer, _observer_files) = tls::member::<R>("observer", &authority);
    let observer = start(observer.failure_detector(patient).seed(leaver.local_addr().to_string())).await;
    tls::all_see_all(&[&leaver, &observer]).await;
    assert_eq!(soon::<R, _>("it leaves", leaver.leave()).await.told, 1);
    until::<R>("it is seen as left", || observer.left_nodes().contains(leaver.id())).await;
    assert_eq!((observer.stats().events.left, observer.stats().events.died), (1, 0));
}

/// A node with nobody to tell leaves all the same, and says that it told nobody.
pub async fn leaving_alone_tells_nobody<R: Runtime>() {
    let lonely = start(node::<R>("lonely").leave_timeout(Duration::from_millis(300))).await;
    let report = soon::<R, _>("it leaves", lonely.leave()).await;
    assert_eq!(report.told, 0);
    assert!(!lonely.is_running());
    assert_eq!(soon::<R, _>("it has left", lonely.leave()).await.told, 0, "a second call changes nothing");
}

/// A shutdown frees the port before it returns, can be called again, and leaves a handle that still answers.
pub async fn a_shutdown_frees_the_port<R: Runtime>() {
    let (first, second) = pair::<R>().await;
    second.set("key", "value").expect("a short key");
    let address = second.local_addr();
    let report = soon::<R, _>("the shutdown", second.shutdown()).await;
    assert_eq!(report, soon::<R, _>("the second shutdown", second.clone().shutdown()).await);
    drop(TcpListener::bind(address).expect("the port is free"));

    assert!(!second.is_running());
    let rounds = second.stats().core.rounds;
    assert_eq!(second.get("key").as_deref(), Some("value"));
    second.set("key", "later").expect("a short key");
    assert_eq!(second.get("key").as_deref(), Some("later"));
    assert!(sees(&second, &first), "it remembers");
    assert_eq!(second.stats().driver.exchanges_open, 0);

    // The first node goes on alone; the second does nothing more.
    let first_rounds = first.stats().core.rounds;
    until::<R>("the first goes on", || first.stats().core.rounds > first_rounds + 5).await;
    assert_eq!(second.stats().core.rounds, rounds);
}

/// An exchange that is under way when the shutdown begins may still end well.
pub async fn a_shutdown_finishes_open_exchanges<R: Runtime>() {
    let node = started::<R>("a").await;
    let mut peer = Peer::<R>::dial(node.local_addr()).await;
    peer.send(&crate::peer::framed(&crate::peer::syn(crate::CLUSTER_ID))).await.expect("the connection is open");
    assert!(peer.packet().await.is_some(), "the Syn is answered");

    let finishing = async {
        until::<R>("the shutdown has begun", || !node.is_running()).await;
        let ack = crate::peer::packet(crate::CLUSTER_ID, crate::peer::ack());
        peer.send(&crate::peer::framed(&ack)).await.expect("the connection is still open");
        peer.closed().await;
    };
    let (report, ()) = soon::<R, _>("both end", futures_lite::future::zip(node.shutdown(), finishing)).await;
    assert_eq!(report.exchanges_cancelled, 0);
    assert_eq!(node.stats().core.exchanges_completed, 1);
}

/// A shutdown that could wait for long waits for a silent peer no longer than that has time.
pub async fn a_shutdown_ends_with_the_deadlines_of_exchanges<R: Runtime>() {
    let timeout = Duration::from_millis(400);
    let node = start(node::<R>("a").packet_timeout(timeout).shutdown_timeout(Duration::from_secs(3_600))).await;
    let _silent = Peer::<R>::dial(node.local_addr()).await;
    until::<R>("the connection is accepted", || node.stats().driver.exchanges_open == 1).await;
    let report = soon::<R, _>("it shuts down", node.shutdown()).await;
    assert_eq!((report.exchanges_cancelled, node.stats().driver.timed_out), (0, 1));
}

/// The last handle stops the node when it is dropped: no deadline is waited for, and what hangs is cut off.
pub async fn dropping_the_last_handle_stops_the_node<R: Runtime>() {
    let hour = Duration::from_secs(3_600);
    let builder = node::<R>("a").packet_timeout(hour).exchange_timeout(hour).shutdown_timeout(hour);
    let node = start(builder).await;
    let (address, mut events, mut watch) = (node.local_addr(), node.subscribe(), node.live_nodes_watch());
    let mut hanging = Peer::<R>::dial(address).await;
    until::<R>("the connection is accepted", || node.stats().driver.exchanges_open == 1).await;

    let clone = node.clone();
    clone.set("key", "never read before the drop").expect("a short key");
    drop(node);
    assert!(clone.is_running(), "a handle is left");
    drop(clone);

    hanging.closed().await;
    until::<R>("the port is free", || TcpListener::bind(address).is_ok()).await;
    while soon::<R, _>("the watch ends", watch.changed()).await.is_some() {}
    assert!(events.next().await.is_some_and(|item| item.is_ok()), "events are kept for the subscriber");
    assert_eq!(soon::<R, _>("the events end", events.next()).await, None);
}

/// Leaving is over in its time, also when the only peer is gone without a word and the next round is far.
pub async fn leaving_has_a_deadline<R: Runtime>() {
    let patience = Duration::from_millis(300);
    let quiet = node::<R>("quiet").gossip_interval(Duration::from_secs(3_600)).leave_timeout(patience);
    let quiet = start(quiet).await;
    let other = start(node::<R>("other").seed(quiet.local_addr().to_string())).await;
    until::<R>("it sees the other", || sees(&quiet, &other)).await;
    let address = other.local_addr();
    drop(other);
    until::<R>("the other is gone", || TcpListener::bind(address).is_ok()).await;

    let begin = Instant::now();
    let report = soon::<R, _>("it leaves", quiet.leave()).await;
    assert_eq!((report.told, report.gave_up), (0, true));
    assert!(begin.elapsed() >= patience, "{:?}", begin.elapsed());
    assert!(!quiet.is_running());
}
