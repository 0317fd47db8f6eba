//! Seeds and the names they are given by: of one node or of many, whose addresses change while the nodes run.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use tidings_driver::{Cluster, Runtime};

use crate::peer::{nobody, silent_listener};
use crate::resolver::{Answer, Named, Zone};
use crate::wait::until;
use crate::{node, sees, start, started};

const HOUR: Duration = Duration::from_secs(3_600);

/// All nodes have one seed, a name that stands for all of them. None gossips with itself more than it takes to find
/// out.
pub async fn a_name_of_all_nodes_makes_a_cluster<R: Runtime>() {
    let all = Zone("all-nodes.example");
    all.answers(Answer::Fails);
    let first = start(node::<Named<R>>("first").seed(all.seed())).await;
    let second = start(node::<Named<R>>("second").seed(all.seed())).await;
    // It listens everywhere, so that it cannot know its addresses beforehand.
    let third = node::<Named<R>>("third").listen("0.0.0.0:0").advertise("localhost:0").seed(all.seed());
    let third = start(third).await;
    let address_of_third = SocketAddr::from(([127, 0, 0, 1], third.local_addr().port()));
    all.leads_to([first.local_addr(), second.local_addr(), address_of_third]);

    let nodes = [&first, &second, &third];
    until::<R>("all see all", || nodes.iter().all(|a| nodes.iter().all(|b| sees(a, b)))).await;
    // Both sides of an exchange with oneself are rejected.
    let own_packets = |node: &Cluster<Named<R>>| node.stats().core.rejected.own_packet;
    until::<R>("the third has found itself", || own_packets(&third) >= 2).await;
    rounds(&third, 5).await;
    let found = own_packets(&third);
    rounds(&third, 40).await;
    assert_eq!(own_packets(&third), found, "it has learned");
    assert_eq!((own_packets(&first), own_packets(&second)), (0, 0), "they know where they listen");
}

/// A name that stands for nobody but the node itself is not given up: others may come.
pub async fn a_name_that_is_only_this_node_is_kept<R: Runtime>() {
    let all = Zone("first-of-all.example");
    all.answers(Answer::Fails);
    let first = start(node::<Named<R>>("first").seed(all.seed()).resolve_interval(HOUR)).await;
    all.leads_to([first.local_addr()]);
    until::<R>("it has nobody to dial", || first.stats().driver.dial_skipped >= 3).await;
    let stats = first.stats();
    assert_eq!((stats.core.rejected.total(), stats.driver.accepted), (0, 0), "{stats:?}");

    let second = started::<Named<R>>("second").await;
    all.leads_to([first.local_addr(), second.local_addr()]);
    until::<R>("they see each other", || sees(&first, &second) && sees(&second, &first)).await;
}

/// Exchanges with a name go to all its addresses, not to the first alone.
pub async fn each_address_of_a_name_has_its_turn<R: Runtime>() {
    let many = Zone("many.example");
    let listeners = [silent_listener(), silent_listener(), silent_listener()];
    many.leads_to([0, 1, 2].map(|number: usize| listeners[number].1));
    let _node = start(node::<Named<R>>("a").seed(many.seed())).await;
    let mut dialled = [0; 3];
    until::<R>("each is dialled several times", || {
        for ((listener, _), dialled) in listeners.iter().zip(&mut dialled) {
            *dialled += accept_all(listener);
        }
        dialled.iter().all(|dialled| *dialled >= 3)
    })
    .await;
}

/// What a name stands for is looked up again after a while, though all is well.
pub async fn a_name_is_resolved_again_after_its_interval<R: Runtime>() {
    let name = Zone("moves.example");
    let first = started::<Named<R>>("first").await;
    name.leads_to([first.local_addr()]);
    let builder = node::<Named<R>>("second").seed(name.seed());
    let second = start(builder.resolve_interval(Duration::from_millis(100))).await;
    until::<R>("they see each other", || sees(&first, &second) && sees(&second, &first)).await;

    let (listener, address) = silent_listener();
    name.leads_to([address]);
    until::<R>("the new address is dialled", || accept_all(&listener) > 0).await;
}

/// Within the interval it is not.
pub async fn a_name_is_not_resolved_at_each_dial<R: Runtime>() {
    let name = Zone("stays.example");
    let first = started::<Named<R>>("first").await;
    name.leads_to([first.local_addr()]);
    let second = start(node::<Named<R>>("second").seed(name.seed()).resolve_interval(HOUR)).await;
    until::<R>("they see each other", || sees(&first, &second) && sees(&second, &first)).await;
    // While there is one live node and one seed, each round dials both.
    let dialled = second.stats().driver.dialled;
    until::<R>("more exchanges", || second.stats().driver.dialled > dialled + 40).await;
    // More than once only where this machine was so slow that an exchange failed.
    assert!(name.asked() <= 3, "{} times", name.asked());
}

/// A name that leads nowhere is looked up again before the next dial, however long the interval.
pub async fn a_name_that_fails_is_resolved_again_at_once<R: Runtime>() {
    let name = Zone("replaced.example");
    name.leads_to([nobody()]);
    let second = start(node::<Named<R>>("second").seed(name.seed()).resolve_interval(HOUR)).await;
    until::<R>("nobody is found", || second.stats().driver.dial_failed >= 2).await;

    let first = started::<Named<R>>("first").await;
    // One of its addresses is of the other IP version, and nobody is there.
    let other_version = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, nobody().port()));
    name.leads_to([other_version, first.local_addr()]);
    until::<R>("they see each other", || sees(&first, &second) && sees(&second, &first)).await;
}

/// A cluster whose nodes know each other by name lives on when names no longer resolve.
pub async fn a_name_outlives_its_resolver<R: Runtime>() {
    let name = Zone("member.example");
    name.answers(Answer::Fails);
    let first = start(node::<Named<R>>("first").advertise("member.example:0")).await;
    name.leads_to([first.local_addr()]);
    let builder = node::<Named<R>>("second").seed(first.local_addr().to_string());
    let builder = builder.resolve_interval(Duration::from_millis(20)).connect_timeout(Duration::from_secs(2));
    let second = start(builder).await;
    until::<R>("they see each other", || sees(&first, &second) && sees(&second, &first)).await;
    until::<R>("the name is in use", || name.asked() >= 2).await;

    for answer in [Answer::Fails, Answer::NeverComes] {
        name.answers(answer);
        let (asked, before) = (name.asked(), second.stats());
        until::<R>("it is asked for in vain", || name.asked() >= asked + 3).await;
        let completed = before.core.exchanges_completed;
        until::<R>("exchanges go on", || second.stats().core.exchanges_completed > completed + 3).await;
        assert_eq!(second.stats().driver.dial_failed, before.driver.dial_failed);
        assert_eq!(second.stats().events.died, 0);
    }
}

/// Seeds given while the node runs take the place of the former ones.
pub async fn seeds_can_be_replaced_at_run_time<R: Runtime>() {
    let first = started::<R>("first").await;
    let second = start(node::<R>("second").seed(nobody().to_string())).await;
    until::<R>("the seed is dialled in vain", || second.stats().driver.dial_failed >= 2).await;
    second.set_seeds(vec![first.local_addr().into()]);
    until::<R>("they see each other", || sees(&first, &second) && sees(&second, &first)).await;

    rounds(&second, 5).await;
    let failed = second.stats().driver.dial_failed;
    rounds(&second, 20).await;
    assert_eq!(second.stats().driver.dial_failed, failed, "the former seed is dialled no more");
}

/// Three nodes on IPv6 become a cluster, as on IPv4.
pub async fn three_nodes_form_over_ipv6<R: Runtime>() {
    assert!(TcpListener::bind("[::1]:0").is_ok(), "this test needs a machine with IPv6 on its loopback interface");
    let first = start(node::<R>("first").listen("[::1]:0")).await;
    let seed = first.local_addr().to_string();
    assert!(seed.starts_with("[::1]:"), "{seed}");
    let second = start(node::<R>("second").listen("[::1]:0").seed(&seed)).await;
    let third = start(node::<R>("third").listen("[::1]:0").seed(&seed)).await;
    let nodes = [&first, &second, &third];
    until::<R>("all see all", || nodes.iter().all(|a| nodes.iter().all(|b| sees(a, b)))).await;
    assert_eq!(first.id().gossip_advertise_addr().to_string(), seed);
}

/// How many connections wait at `listener`; each is closed.
fn accept_all(listener: &TcpListener) -> usize {
    std::iter::from_fn(|| listener.accept().ok()).count()
}

/// Waits for so many rounds more.
async fn rounds<R: Runtime>(node: &Cluster<R>, count: u64) {
    let rounds = node.stats().core.rounds;
    until::<R>("more rounds", || node.stats().core.rounds >= rounds + count).await;
}
