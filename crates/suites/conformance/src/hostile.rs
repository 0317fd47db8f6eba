//! Peers that are broken, slow, silent or malicious: each is counted and closed, and the node goes on.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tidings_driver::core::{EventKind, wire::aiocluster::Message};
use tidings_driver::{Builder, Cluster, ClusterStats, Runtime};

use crate::peer::{ANY_PORT, Peer, ack, exchange, framed, nobody, packet, silent_listener, syn};
use crate::wait::{soon, until};
use crate::{CLUSTER_ID, node, start, started};

/// Long enough for an honest peer on this machine, short enough to wait for.
const TIMEOUT: Duration = Duration::from_millis(400);

/// Its deadline for a packet is the only one that a test will see.
fn impatient<R: Runtime>() -> Builder<R> {
    let hour = Duration::from_secs(3_600);
    node("victim").packet_timeout(TIMEOUT).exchange_timeout(hour)
}

/// A connection on which nothing comes.
pub async fn a_silent_peer_is_timed_out<R: Runtime>() {
    let victim = start(impatient::<R>()).await;
    let begin = Instant::now();
    let mut peer = Peer::<R>::dial(victim.local_addr()).await;
    peer.closed().await;
    assert!(begin.elapsed() >= TIMEOUT, "{:?}", begin.elapsed());
    goes_on(&victim, |stats| stats.driver.timed_out == 1).await;
}

/// Half a packet, and then nothing.
pub async fn a_peer_that_stalls_is_timed_out<R: Runtime>() {
    let victim = start(impatient::<R>()).await;
    let mut peer = Peer::<R>::dial(victim.local_addr()).await;
    let syn = framed(&syn(CLUSTER_ID));
    peer.send(&syn[..syn.len() / 2]).await.expect("the connection is open");
    peer.closed().await;
    goes_on(&victim, |stats| stats.driver.timed_out == 1).await;
}

/// A frame of the largest allowed size of which a byte comes now and then: each byte is in time, the frame never is.
pub async fn a_frame_that_never_ends_is_timed_out<R: Runtime>() {
    let victim = start(impatient::<R>()).await;
    let begin = Instant::now();
    let mut peer = Peer::<R>::dial(victim.local_addr()).await;
    let mut sent = peer.send(&100_000_u32.to_be_bytes()).await;
    while sent.is_ok() && victim.stats().driver.timed_out == 0 {
        assert!(begin.elapsed() < crate::wait::PATIENCE, "the victim still reads after {:?}", begin.elapsed());
        R::sleep_until(Instant::now() + TIMEOUT / 10).await;
        sent = peer.send(&[0]).await;
    }
    peer.closed().await;
    goes_on(&victim, |stats| stats.driver.timed_out == 1).await;
}

/// A peer that asks for a lot and then does not read it.
pub async fn a_peer_that_does_not_read_is_timed_out<R: Runtime>() {
    // More than the system's buffers hold for a connection.
    const VALUES: usize = 240;
    let value = "v".repeat(65_000);
    let hour = Duration::from_secs(3_600);
    let builder = node::<R>("victim").packet_timeout(TIMEOUT).exchange_timeout(hour);
    let builder = builder.config(|config| {
        config.max_payload_size = 16 << 20;
        config.limits.decode.max_packet_bytes = 32 << 20;
    });
    let victim = start(builder.key_values((0..VALUES).map(|n| (n.to_string(), value.clone())))).await;
    let mut peer = Peer::<R>::dial(victim.local_addr()).await;
    peer.send(&framed(&syn(CLUSTER_ID))).await.expect("the connection is open");
    until::<R>("the misdeed is counted", || victim.stats().driver.timed_out == 1).await;
    drop(peer);
    goes_on(&victim, |stats| stats.driver.timed_out == 1).await;
}

/// A peer that keeps every single deadline meets the one for the whole exchange.
pub async fn an_inbound_exchange_has_a_deadline_as_a_whole<R: Runtime>() {
    let hour = Duration::from_secs(3_600);
    let victim = start(node::<R>("victim").packet_timeout(hour).exchange_timeout(TIMEOUT)).await;
    let mut peer = Peer::<R>::dial(victim.local_addr()).await;
    peer.send(&framed(&syn(CLUSTER_ID))).await.expect("the connection is open");
    assert!(peer.packet().await.is_some(), "the Syn is answered");
    peer.closed().await;
    goes_on(&victim, |stats| stats.driver.timed_out == 1).await;
}

/// A peer that connects and goes.
pub async fn a_connection_closed_at_once_is_counted<R: Runtime>() {
    let victim = started::<R>("victim").await;
    drop(Peer::<R>::dial(victim.local_addr()).await);
    goes_on(&victim, |stats| stats.driver.failed == 1).await;
}

/// A seed where nobody listens.
pub async fn a_refused_dial_is_counted<R: Runtime>() {
    let victim = start(impatient::<R>().seed(nobody().to_string())).await;
    goes_on(&victim, |stats| stats.driver.dial_failed >= 3).await;
}

/// A seed that takes the connection and never answers.
pub async fn a_dialled_peer_that_is_silent_is_timed_out<R: Runtime>() {
    let (_silent, address) = silent_listener();
    let victim = start(impatient::<R>().seed(address.to_string())).await;
    goes_on(&victim, |stats| stats.driver.timed_out >= 2).await;
}

/// A length of 4 GiB before a packet that will not come.
pub async fn a_length_of_4_gib_is_rejected<R: Runtime>() {
    rejects_frame::<R>(&u32::MAX.to_be_bytes()).await;
}

/// One byte more than is accepted.
pub async fn a_length_past_the_limit_is_rejected<R: Runtime>() {
    let limit = tidings_driver::core::DecodeLimits::default().max_packet_bytes;
    let length = u32::try_from(limit + 1).expect("a length fits");
    rejects_frame::<R>(&length.to_be_bytes()).await;
}

/// A packet of no bytes.
pub async fn an_empty_frame_is_rejected<R: Runtime>() {
    rejects_frame::<R>(&[0; 4]).await;
}

/// An honest packet with more behind it, where it is the node's turn: not even the packet is taken.
pub async fn bytes_after_a_packet_are_rejected<R: Runtime>() {
    let mut bytes = framed(&syn(CLUSTER_ID)).to_vec();
    bytes.extend_from_slice(b"and then some");
    let stats = rejects_frame::<R>(&bytes).await;
    assert_eq!(stats.core.packets_received.syn, 0, "{stats:?}");
}

/// The same behind the last packet of an exchange, where the node would read no further.
pub async fn bytes_after_the_last_packet_are_rejected<R: Runtime>() {
    let victim = started::<R>("victim").await;
    let mut peer = Peer::<R>::dial(victim.local_addr()).await;
    peer.send(&framed(&syn(CLUSTER_ID))).await.expect("the connection is open");
    assert!(peer.packet().await.is_some(), "the Syn is answered");
    let mut bytes = framed(&packet(CLUSTER_ID, ack())).to_vec();
    bytes.push(0);
    peer.send(&bytes).await.expect("the connection is open");
    peer.closed().await;
    let stats = goes_on(&victim, |stats| stats.driver.frames_rejected == 1).await;
    assert_eq!(stats.core.packets_received.ack, 0, "{stats:?}");
}

async fn rejects_frame<R: Runtime>(bytes: &[u8]) -> ClusterStats {
    let victim = started::<R>("victim").await;
    let mut peer = Peer::<R>::dial(victim.local_addr()).await;
    peer.send(bytes).await.expect("the connection is open");
    peer.closed().await;
    let stats = goes_on(&victim, |stats| stats.driver.frames_rejected == 1).await;
    assert_eq!(stats.driver.timed_out, 0, "it is rejected at once, not after a deadline");
    stats
}

/// Bytes that are no packet at all.
pub async fn random_bytes_are_rejected<R: Runtime>() {
    // Not so random that one run differs from the next; no field of a packet begins with a byte of 0xff.
    let noise: Vec<u8> = (0..1_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 | 0x87).collect();
    let stats = rejects_packet::<R>(&noise).await;
    assert_eq!(stats.core.rejected.malformed, 1, "{stats:?}");
}

/// An honest packet whose end is missing, in a frame that says so.
pub async fn a_truncated_packet_is_rejected<R: Runtime>() {
    let syn = syn(CLUSTER_ID);
    let stats = rejects_packet::<R>(&syn[..syn.len() - 3]).await;
    assert_eq!(stats.core.rejected.malformed, 1, "{stats:?}");
}

/// An answer on an exchange that nobody opened.
pub async fn an_ack_that_comes_first_is_rejected<R: Runtime>() {
    let stats = rejects_packet::<R>(&packet(CLUSTER_ID, ack())).await;
    assert_eq!(stats.core.rejected.unexpected_message, 1, "{stats:?}");
}

async fn rejects_packet<R: Runtime>(bytes: &[u8]) -> ClusterStats {
    let victim = started::<R>("victim").await;
    let mut peer = Peer::<R>::dial(victim.local_addr()).await;
    peer.send(&framed(bytes)).await.expect("the connection is open");
    assert_eq!(peer.packet().await, None, "no answer");
    let stats = goes_on(&victim, |stats| stats.driver.packets_rejected == 1).await;
    assert_eq!(stats.core.rejected.total(), 1, "{stats:?}");
    stats
}

/// A Syn of another cluster is answered with BadCluster, and its user is told.
pub async fn a_packet_of_another_cluster_is_rejected<R: Runtime>() {
    let victim = started::<R>("victim").await;
    let mut events = victim.subscribe();
    let mut peer = Peer::<R>::dial(victim.local_addr()).await;
    peer.send(&framed(&syn("another"))).await.expect("the connection is open");
    assert_eq!(peer.packet().await.map(|packet| packet.message), Some(Message::BadCluster));
    peer.closed().await;
    let event = soon::<R, _>("the other cluster is told of", events.next()).await.expect("running").expect("no lag");
    assert!(matches!(event.kind, EventKind::OtherCluster { ref cluster_id, .. } if &**cluster_id == "another"));
    let stats = goes_on(&victim, |stats| stats.driver.packets_rejected == 1).await;
    assert_eq!((stats.core.rejected.other_cluster, stats.events.other_cluster), (1, 1), "{stats:?}");
    assert!(victim.live_nodes() == [victim.id().clone()] && victim.snapshot().members.len() <= 2);
}

/// Two nodes of different clusters that know each other as seeds stay apart.
pub async fn clusters_with_different_ids_stay_apart<R: Runtime>() {
    let ours = started::<R>("ours").await;
    let theirs = start(node::<R>("theirs").cluster_id("another").seed(ours.local_addr().to_string())).await;
    until::<R>("both have met the other cluster", || {
        ours.stats().core.rejected.other_cluster >= 2 && theirs.stats().core.rejected.other_cluster >= 2
    })
    .await;
    for node in [&ours, &theirs] {
        assert_eq!(node.snapshot().members.len(), 1);
        assert_eq!(node.stats().events.other_cluster, 1, "the user is told once");
    }
}

/// A dialled peer that answers the Syn with an Ack, with noise, with a frame of 4 GiB.
pub async fn bad_answers_are_rejected<R: Runtime>() {
    let out_of_turn = answered::<R>(&framed(&packet(CLUSTER_ID, ack()))).await;
    assert!(out_of_turn.core.rejected.unexpected_message >= 1, "{out_of_turn:?}");
    let noise = answered::<R>(&framed(&[0xff; 64])).await;
    assert!(noise.core.rejected.malformed >= 1, "{noise:?}");
    let huge = answered::<R>(&u32::MAX.to_be_bytes()).await;
    assert!(huge.driver.frames_rejected >= 1, "{huge:?}");
}

/// What a node counts whose seed answers with these bytes.
async fn answered<R: Runtime>(answer: &[u8]) -> ClusterStats {
    let listener = soon::<R, _>("a port", R::bind(ANY_PORT)).await.expect("a free port");
    let address: SocketAddr = R::local_addr(&listener).expect("a bound address");
    let victim = start(node::<R>("victim").seed(address.to_string())).await;
    let (stream, _) = soon::<R, _>("the node dials its seed", R::accept(&listener)).await.expect("a connection");
    let mut peer = Peer::<R>::new(stream);
    assert!(matches!(peer.packet().await.map(|packet| packet.message), Some(Message::Syn { .. })));
    peer.send(answer).await.expect("the connection is open");
    peer.closed().await;
    drop(listener);
    goes_on(&victim, |stats| stats.driver.packets_rejected + stats.driver.frames_rejected >= 1).await
}

/// Waits until the misdeed is counted, and sees that the node closed it and still answers honest peers.
async fn goes_on<R: Runtime>(victim: &Cluster<R>, counted: impl Fn(&ClusterStats) -> bool) -> ClusterStats {
    until::<R>("the misdeed is counted", || counted(&victim.stats())).await;
    let stats = victim.stats();
    assert!(exchange::<R>(victim.local_addr()).await, "the node no longer answers: {stats:?}");
    assert!(victim.is_running());
    victim.shutdown().await;
    assert_eq!(victim.stats().driver.exchanges_open, 0);
    stats
}
