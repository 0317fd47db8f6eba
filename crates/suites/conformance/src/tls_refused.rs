//! Who does not belong to a cluster over TLS stays out, is counted, and disturbs nobody.

use std::io;
use std::time::{Duration, Instant};

use tidings_driver::{Builder, Cluster, ClusterStats, Runtime};

use crate::certificates::{Authority, Files};
use crate::peer::{Peer, exchange, framed, silent_listener, syn};
use crate::tls::{all_see_all, configs, member, started};
use crate::wait::until;
use crate::{CLUSTER_ID, node, sees, start};

/// Long enough for an honest peer on this machine, short enough to wait for.
const TIMEOUT: Duration = Duration::from_millis(400);
/// Longer than any scenario.
const NEVER: Duration = Duration::from_secs(3_600);

/// A node that dials nobody: what it counts comes from those who dial it.
async fn listener<R: Runtime>(authority: &Authority) -> Cluster<R> {
    let (builder, _files) = member::<R>("victim", authority);
    start(builder.gossip_interval(NEVER)).await
}

/// Lets a node dial one that listens, and another one listen while it is dialled: either way `counted` comes about at
/// the victim, and it goes on.
async fn stays_out<R: Runtime>(
    authority: &Authority,
    stranger: impl Fn() -> Builder<R>,
    counted: impl Fn(&ClusterStats) -> u64,
) {
    let dialled = listener::<R>(authority).await;
    let dialler = start(stranger().seed(dialled.local_addr().to_string())).await;
    until::<R>("the dialler is refused", || counted(&dialled.stats()) >= 2).await;
    goes_on(authority, &dialled, &dialler).await;

    let silent = start(stranger().gossip_interval(NEVER)).await;
    let (victim, _files) = member::<R>("victim", authority);
    let victim = start(victim.seed(silent.local_addr().to_string())).await;
    until::<R>("the dialled is refused", || counted(&victim.stats()) >= 2).await;
    goes_on(authority, &victim, &silent).await;
}

/// Whoever belongs to the cluster still gets in; the stranger did not.
async fn goes_on<R: Runtime>(authority: &Authority, victim: &Cluster<R>, stranger: &Cluster<R>) {
    admits(authority, victim).await;
    assert!(victim.node_state(stranger.id()).is_none(), "the victim took the stranger in");
    // Who is refused for its name alone is a member, and may have been sent a Syn.
    let is_member = victim.stats().core.rejected.wrong_name > 0;
    assert!(is_member || stranger.node_state(victim.id()).is_none(), "the stranger learnt of the victim");
    stranger.shutdown().await;
    victim.shutdown().await;
    assert_eq!(victim.stats().driver.exchanges_open, 0);
}

async fn admits<R: Runtime>(authority: &Authority, victim: &Cluster<R>) {
    assert!(victim.is_running());
    let (friend, _files) = member::<R>("friend", authority);
    let friend = start(friend.seed(victim.local_addr().to_string())).await;
    all_see_all(&[victim, &friend]).await;
    friend.shutdown().await;
}

/// The stranger's own certificate, and whom it trusts itself: everybody, so that the refusal is the victim's.
fn stranger<R: Runtime>(files: &Files) -> Builder<R> {
    node("stranger").tls_name("stranger.example").tls(files.tls())
}

/// It trusts the authority, but dials without a certificate.
pub async fn a_peer_without_a_certificate_is_refused<R: Runtime>() {
    let authority = Authority::new("authority");
    let victim = listener::<R>(&authority).await;
    let files = Files::new(&authority.certify(&["stranger.example", "127.0.0.1"]), &[&authority]);
    let stranger = node::<R>("stranger").tls_name("stranger.example").tls(files.tls().server_only());
    let stranger = start(stranger.seed(victim.local_addr().to_string())).await;
    until::<R>("both count it", || [&victim, &stranger].iter().all(|node| node.stats().driver.tls_refused >= 2)).await;
    let stats = victim.stats();
    assert_eq!((stats.core.packets_received.total(), stats.driver.packets_rejected), (0, 0), "{stats:?}");
    goes_on(&authority, &victim, &stranger).await;

    // A configuration of the user's own that would take it does not help.
    let identity = authority.certify(&["victim.example", "127.0.0.1"]);
    let victim = node::<R>("victim").tls_name("victim.example").tls(configs(&identity, &authority));
    let victim = start(victim.gossip_interval(NEVER)).await;
    let stranger = node::<R>("stranger").tls(files.tls().server_only()).seed(victim.local_addr().to_string());
    let stranger = start(stranger).await;
    until::<R>("it is counted", || victim.stats().driver.tls_refused >= 2).await;
    assert_eq!(victim.stats().core.packets_received.total(), 0);
    goes_on(&authority, &victim, &stranger).await;
}

/// Its certificate is from an authority that the cluster does not know.
pub async fn a_peer_of_another_authority_is_refused<R: Runtime>() {
    let (authority, other) = (Authority::new("authority"), Authority::new("other"));
    let files = Files::new(&other.certify(&["stranger.example", "127.0.0.1"]), &[&authority, &other]);
    stays_out::<R>(&authority, || stranger(&files), |stats| stats.driver.tls_refused).await;
}

/// Its certificate was good once.
pub async fn a_peer_whose_certificate_has_expired_is_refused<R: Runtime>() {
    let authority = Authority::new("authority");
    let files = Files::new(&authority.certify_until_2020(&["stranger.example", "127.0.0.1"]), &[&authority]);
    stays_out::<R>(&authority, || stranger(&files), |stats| stats.driver.tls_refused).await;
}

/// A member, by its certificate, that speaks as another one. From files it would not start: it is told that itself.
pub async fn a_member_that_speaks_as_another_is_refused<R: Runtime>() {
    let authority = Authority::new("authority");
    let identity = authority.certify(&["stranger.example", "127.0.0.1"]);
    let impostor = || node::<R>("friend").tls_name("friend.example").tls(configs(&identity, &authority));
    // The driver counts a moment after the core.
    let counted = |stats: &ClusterStats| stats.core.rejected.wrong_name.min(stats.driver.packets_rejected);
    stays_out::<R>(&authority, impostor, counted).await;
}

/// A member that took the place of another, and is dialled as that: TLS refuses it before it can speak.
pub async fn a_member_in_the_place_of_another_is_refused<R: Runtime>() {
    let authority = Authority::new("authority");
    let (friend, _files) = started::<R>("friend", &authority).await;
    let (victim, _files) = member::<R>("victim", &authority);
    let victim = start(victim.seed(friend.local_addr().to_string())).await;
    until::<R>("they see each other", || sees(&victim, &friend) && sees(&friend, &victim)).await;
    let place = friend.local_addr().to_string();
    friend.shutdown().await;

    let identity = authority.certify(&["impostor.example", "127.0.0.1"]);
    let impostor = node::<R>("friend").tls_name("friend.example").tls(configs(&identity, &authority)).listen(place);
    let impostor = start(impostor.gossip_interval(NEVER)).await;
    let received = victim.stats().core.packets_received.syn_ack;
    until::<R>("it is refused", || victim.stats().driver.tls_refused >= 2).await;
    assert_eq!(victim.stats().core.packets_received.syn_ack, received);
    assert!(victim.node_state(impostor.id()).is_none());
    admits(&authority, &victim).await;
}

/// Where only the dialled side has certificates, one that has another's name is refused all the same.
pub async fn a_server_that_speaks_as_another_is_refused<R: Runtime>() {
    let authority = Authority::new("authority");
    let identity = authority.certify(&["stranger.example", "127.0.0.1"]);
    let impostor = node::<R>("friend").tls_name("friend.example").tls(configs(&identity, &authority).server_only());
    let impostor = start(impostor.gossip_interval(NEVER)).await;
    let files = Files::new(&authority.certify(&["127.0.0.1"]), &[&authority]);
    let victim = node::<R>("victim").tls(files.tls().server_only()).seed(impostor.local_addr().to_string());
    let victim = start(victim).await;
    until::<R>("it is refused", || victim.stats().core.rejected.wrong_name >= 2).await;
    assert!(victim.node_state(impostor.id()).is_none());
}

/// An honest Syn, in the clear; and a node that is dialled over TLS and speaks in the clear.
pub async fn a_plain_text_peer_is_refused<R: Runtime>() {
    let authority = Authority::new("authority");
    let victim = listener::<R>(&authority).await;
    let mut peer = Peer::<R>::dial(victim.local_addr()).await;
    peer.send(&framed(&syn(CLUSTER_ID))).await.expect("the connection is open");
    peer.closed().await;
    until::<R>("it is counted", || victim.stats().driver.tls_refused == 1).await;
    admits(&authority, &victim).await;
    victim.shutdown().await;

    stays_out::<R>(&authority, || node("stranger"), |stats| stats.driver.tls_refused).await;
}

/// To a node without TLS, what comes over TLS is no packet, and it goes on.
pub async fn a_tls_peer_at_a_plain_node_is_refused<R: Runtime>() {
    let authority = Authority::new("authority");
    let victim = start(node::<R>("victim")).await;
    let (stranger, _files) = member::<R>("stranger", &authority);
    let stranger = start(stranger.seed(victim.local_addr().to_string())).await;
    until::<R>("both count it", || {
        victim.stats().driver.frames_rejected >= 2 && stranger.stats().driver.tls_refused >= 2
    })
    .await;
    assert_eq!(victim.stats().driver.timed_out, 0, "it is rejected at once, not after a deadline");
    assert!(victim.node_state(stranger.id()).is_none() && stranger.node_state(victim.id()).is_none());
    assert!(exchange::<R>(victim.local_addr()).await, "the node no longer answers: {:?}", victim.stats());
}

/// Silence where TLS should begin: from who dials, and from who is dialled. The deadlines are those without TLS.
pub async fn silence_instead_of_tls_is_timed_out<R: Runtime>() {
    let authority = Authority::new("authority");
    let (victim, _files) = member::<R>("victim", &authority);
    let victim = start(victim.gossip_interval(NEVER).packet_timeout(TIMEOUT).exchange_timeout(NEVER)).await;
    let begin = Instant::now();
    let mut peer = Peer::<R>::dial(victim.local_addr()).await;
    peer.closed().await;
    assert!(begin.elapsed() >= TIMEOUT, "{:?}", begin.elapsed());
    until::<R>("it is counted", || victim.stats().driver.timed_out == 1).await;
    // Who goes without a word is no refusal, as without TLS.
    drop(Peer::<R>::dial(victim.local_addr()).await);
    until::<R>("it is counted", || victim.stats().driver.failed == 1).await;
    assert_eq!(victim.stats().driver.tls_refused, 0);
    admits(&authority, &victim).await;

    let (_silent, address) = silent_listener();
    let (dialler, _files) = member::<R>("dialler", &authority);
    let dialler = start(dialler.connect_timeout(TIMEOUT).seed(address.to_string())).await;
    until::<R>("it is counted", || dialler.stats().driver.timed_out >= 2).await;
    assert_eq!(dialler.stats().driver.tls_refused, 0);
}

/// A peer that is refused reads why, even when it has sent more than was asked of it; and so does one that is dialled.
pub async fn who_is_refused_is_told<R: Runtime>() {
    let authority = Authority::new("authority");
    let victim = listener::<R>(&authority).await;
    let mut peer = Peer::<R>::dial(victim.local_addr()).await;
    // No TLS, and more of it than the victim reads at once.
    peer.send(&[0xff; 60_000]).await.expect("the connection is open");
    let alert = peer.bytes(7).await.expect("an alert, not a reset");
    // A fatal alert of TLS 1.x, 2 bytes long.
    assert_eq!((alert[0], alert[1], &alert[3..6]), (0x15, 0x03, &[0, 2, 2][..]), "{alert:x?}");
    let end = peer.bytes(1).await.expect_err("nothing follows");
    assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof, "a reset can take the alert with it: {end}");
    drop(peer);
    until::<R>("it is counted", || victim.stats().driver.tls_refused == 1).await;

    // Nobody can hold the place by saying nothing more.
    let mut peer = Peer::<R>::dial(victim.local_addr()).await;
    peer.send(&[0xff; 64]).await.expect("the connection is open");
    until::<R>("it is counted", || victim.stats().driver.tls_refused == 2).await;
    until::<R>("its place is free", || victim.stats().driver.exchanges_open == 0).await;

    let identity = authority.certify(&["stranger.example", "127.0.0.1"]);
    let files = Files::new(&identity, &[&Authority::new("another")]);
    let distrusting = start(stranger::<R>(&files).seed(victim.local_addr().to_string())).await;
    until::<R>("the dialled is told", || victim.stats().driver.tls_refused >= 4).await;
    // Not one of them only saw the connection end.
    assert_eq!((victim.stats().driver.failed, distrusting.stats().driver.failed), (0, 0));
}
