//! Peers that speak bytes, not the protocol: for all that an honest node would never send.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use bytes::Bytes;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use tidings_driver::Runtime;
use tidings_driver::core::reconcile::Delta;
use tidings_driver::core::wire::aiocluster::{self, Digest, Message, NodeDigest, Packet};
use tidings_driver::core::wire::frame::{self, FrameDecoder};
use tidings_driver::core::{Address, DecodeLimits, NodeId};

use crate::CLUSTER_ID;
use crate::wait::soon;

/// A loopback address with a port that the system chooses.
pub(crate) const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The longest packet that a peer here takes, in bytes: more than any node of a scenario sends.
const MAX_PACKET_BYTES: usize = 32 << 20;

/// One end of a connection, to do with as one likes.
pub(crate) struct Peer<R: Runtime> {
    stream: R::Stream,
    decoder: FrameDecoder,
}

impl<R: Runtime> Peer<R> {
    pub(crate) async fn dial(address: SocketAddr) -> Peer<R> {
        let stream = soon::<R, _>("the node's port accepts", R::connect(address)).await.expect("the node listens");
        Peer::new(stream)
    }

    pub(crate) fn new(stream: R::Stream) -> Peer<R> {
        Peer { stream, decoder: FrameDecoder::new(MAX_PACKET_BYTES) }
    }

    /// Sends bytes as they are. The node may have closed the connection already, and rightly so.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        soon::<R, _>("the bytes are sent", async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        })
        .await
    }

    /// The node's next packet; `None` when it closes the connection instead.
    pub(crate) async fn packet(&mut self) -> Option<Packet> {
        let bytes = soon::<R, _>("the node's packet or the end", self.frame()).await?;
        let limits = DecodeLimits { max_packet_bytes: MAX_PACKET_BYTES, ..DecodeLimits::default() };
        Some(aiocluster::decode(&bytes, &limits).expect("the node sends packets").packet)
    }

    /// The node's next bytes, as many as these.
    pub(crate) async fn bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        soon::<R, _>("the node's bytes", self.stream.read_exact(&mut bytes)).await?;
        Ok(bytes)
    }

    /// Waits until the node has closed the connection, whatever it sends before.
    pub(crate) async fn closed(&mut self) {
        let mut sink = [0; 1024];
        let end = async { while let Ok(1..) = self.stream.read(&mut sink).await {} };
        soon::<R, _>("the node closes the connection", end).await;
    }

    async fn frame(&mut self) -> Option<Bytes> {
        loop {
            let count = self.stream.read(self.decoder.space()).await.ok().filter(|count| *count > 0)?;
            if let Some(packet) = self.decoder.advance(count).expect("the node sends frames") {
                return Some(packet);
            }
        }
    }
}

/// Opens an exchange as an honest node would, and says whether it was carried through.
pub(crate) async fn exchange<R: Runtime>(address: SocketAddr) -> bool {
    let mut peer = Peer::<R>::dial(address).await;
    if peer.send(&framed(&syn(CLUSTER_ID))).await.is_err() {
        return false;
    }
    let Some(Packet { message: Message::SynAck { .. }, .. }) = peer.packet().await else { return false };
    let sent = peer.send(&framed(&packet(CLUSTER_ID, ack()))).await.is_ok();
    peer.closed().await;
    sent
}

/// A Syn of a node that nobody has heard of.
pub(crate) fn syn(cluster_id: &str) -> Bytes {
    let entry = NodeDigest {
        node_id: NodeId::new("stranger", 1, Address::new("127.0.0.1", 9)),
        heartbeat: 1,
        last_gc_version: 0,
        max_version: 0,
        complete_version: None,
        run: None,
        released_version: None,
        silence_ms: None,
    };
    packet(cluster_id, Message::Syn { digest: Digest { entries: vec![entry], partial: false } })
}

pub(crate) fn ack() -> Message {
    Message::Ack { delta: Delta::default() }
}

pub(crate) fn packet(cluster_id: &str, message: Message) -> Bytes {
    aiocluster::encode(&Packet { cluster_id: Arc::from(cluster_id), protocol_revision: 0, message })
}

pub(crate) fn framed(packet: &[u8]) -> Bytes {
    frame::encode(packet).expect("a packet of a test is neither empty nor huge")
}

/// A peer that is connected to, by the system alone, and never answers: it lives as long as the listener.
pub(crate) fn silent_listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(ANY_PORT).expect("a free port");
    listener.set_nonblocking(true).expect("a socket can be non-blocking");
    let address = listener.local_addr().expect("a bound address");
    (listener, address)
}

/// An address where nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    silent_listener().1
}
