//! What a node remembers of its exchanges.

use tidings_driver::core::NodeId;
use tidings_driver::{Cluster, Direction, ExchangeOutcome, RecentExchange, Runtime};

use crate::peer::Peer;
use crate::wait::until;
use crate::{node, pair, start, started};

/// Both sides of an exchange know with whom it was, and what passed.
pub async fn both_sides_remember_an_exchange<R: Runtime>() {
    let (first, second) = pair::<R>().await;
    let completed_with = |node: &Cluster<R>, peer: &NodeId, direction| -> Option<RecentExchange> {
        let of_it = |it: &&RecentExchange| {
            it.outcome == ExchangeOutcome::Completed && it.direction == direction && it.peer.as_ref() == Some(peer)
        };
        node.recent_exchanges().iter().find(of_it).cloned()
    };
    for direction in [Direction::Dialled, Direction::Accepted] {
        until::<R>("both remember one", || {
            completed_with(&first, second.id(), direction).is_some()
                && completed_with(&second, first.id(), direction).is_some()
        })
        .await;
    }
    let dialled = completed_with(&second, first.id(), Direction::Dialled).expect("it was there");
    assert_eq!(dialled.address, *first.id().gossip_advertise_addr());
    assert!(dialled.bytes_sent > 0 && dialled.bytes_received > 0, "{dialled:?}");

    first.shutdown().await;
    second.shutdown().await;
    let recent = second.recent_exchanges();
    let numbers: Vec<u64> = recent.iter().map(|exchange| exchange.sequence).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
    let stats = second.stats();
    let over = stats.driver.dialled_outcomes.total() + stats.driver.accepted_outcomes.total();
    assert_eq!(over, stats.driver.dialled + stats.driver.accepted, "each exchange ends once");
    if let Some(last) = recent.last() {
        assert_eq!(last.sequence, over);
    }
}

/// An exchange that comes to nothing is remembered with what it was.
pub async fn exchanges_that_fail_are_remembered_as_such<R: Runtime>() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = nobody.local_addr().expect("it is bound");
    drop(nobody);
    let dialler = start(node::<R>("dialler").seed(address.to_string())).await;
    let remembers = |node: &Cluster<R>, direction, outcome| {
        let of_it = |it: &RecentExchange| it.direction == direction && it.outcome == outcome && it.peer.is_none();
        node.recent_exchanges().iter().any(of_it)
    };
    until::<R>("nobody is reached", || remembers(&dialler, Direction::Dialled, ExchangeOutcome::Refused)).await;
    assert!(dialler.stats().driver.dialled_outcomes.refused >= 1);

    let victim = started::<R>("victim").await;
    let mut liar = Peer::<R>::dial(victim.local_addr()).await;
    // A frame that is longer than any.
    liar.send(&[0xff; 8]).await.expect("the connection is open");
    until::<R>("it is rejected", || remembers(&victim, Direction::Accepted, ExchangeOutcome::Rejected)).await;
    let mut gone = Peer::<R>::dial(victim.local_addr()).await;
    gone.send(&[0]).await.expect("the connection is open");
    drop(gone);
    until::<R>("it failed", || remembers(&victim, Direction::Accepted, ExchangeOutcome::Failed)).await;
    let received: u64 = victim.recent_exchanges().iter().map(|exchange| exchange.bytes_received).sum();
    assert_eq!(received, victim.stats().driver.bytes_received);
}
