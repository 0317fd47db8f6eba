//! chitchat's `Transport` over the simulator's links.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use chitchat::ChitchatEnvelope;
use chitchat::transport::{ChannelTransport, RecvOutcome, SendOutcome, Socket, Transport};
use tidings_core::Instant;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time;

use super::{Clock, index_of, lock};
use crate::links::Links;

/// The most that a UDP datagram holds.
const MAX_DATAGRAM_BYTES: usize = 65_507;

/// What all sockets share: the links, and who listens.
pub(super) struct Air {
    pub(super) links: Links,
    inboxes: BTreeMap<usize, UnboundedSender<OnTheWay>>,
}

impl Air {
    pub(super) fn new(links: Links) -> Air {
        Air { links, inboxes: BTreeMap::new() }
    }
}

/// A datagram that will arrive. The soonest is the greatest, for a heap.
struct OnTheWay {
    due: Reverse<Instant>,
    sent: Instant,
    outcome: RecvOutcome,
}

impl PartialEq for OnTheWay {
    fn eq(&self, other: &OnTheWay) -> bool {
        self.due == other.due
    }
}

impl Eq for OnTheWay {}

impl PartialOrd for OnTheWay {
    fn partial_cmp(&self, other: &OnTheWay) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for OnTheWay {
    fn cmp(&self, other: &OnTheWay) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

pub(super) struct AirTransport {
    air: Arc<Mutex<Air>>,
    clock: Clock,
}

impl AirTransport {
    pub(super) fn new(air: Arc<Mutex<Air>>, clock: Clock) -> AirTransport {
        AirTransport { air, clock }
    }
}

#[async_trait]
impl Transport for AirTransport {
    async fn open(&self, address: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        let index = index_of(address).with_context(|| format!("{address} is no node's address"))?;
        let (sender, inbox) = unbounded_channel();
        if lock(&self.air).inboxes.insert(index, sender).is_some() {
            bail!("{address} is in use");
        }
        let codec = Codec::new().await?;
        Ok(Box::new(AirSocket {
            index,
            address,
            air: self.air.clone(),
            clock: self.clock,
            codec,
            inbox,
            on_the_way: BinaryHeap::new(),
        }))
    }
}

struct AirSocket {
    index: usize,
    address: SocketAddr,
    air: Arc<Mutex<Air>>,
    clock: Clock,
    codec: Codec,
    inbox: UnboundedReceiver<OnTheWay>,
    on_the_way: BinaryHeap<OnTheWay>,
}

#[async_trait]
impl Socket for AirSocket {
    fn local_addr(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.address)
    }

    async fn send(&mut self, to: SocketAddr, envelope: ChitchatEnvelope) -> anyhow::Result<SendOutcome> {
        let mut outcome = self.codec.pass(envelope).await?;
        outcome.from_addr = self.address;
        let num_bytes_sent = outcome.num_bytes_received;
        let Some(to) = index_of(to) else { return Ok(SendOutcome { num_bytes_sent }) };
        let sent = self.clock.now();
        let mut air = lock(&self.air);
        // Links that repeat packets were refused.
        let [due, _] = air.links.send(sent, self.index, to, num_bytes_sent);
        if let (Some(due), Some(inbox)) = (due, air.inboxes.get(&to)) {
            // The socket of a node that has crashed is closed.
            let _ = inbox.send(OnTheWay { due: Reverse(due), sent, outcome });
        }
        Ok(SendOutcome { num_bytes_sent })
    }

    /// May be dropped at any await: what has come stays in the heap.
    async fn recv(&mut self) -> anyhow::Result<RecvOutcome> {
        loop {
            let next = self.on_the_way.peek().map(|next| self.clock.at(next.due.0));
            tokio::select! {
                biased;
                Some(packet) = self.inbox.recv() => self.on_the_way.push(packet),
                () = sleep_until(next) => {
                    let Some(packet) = self.on_the_way.pop() else { continue };
                    lock(&self.air).links.arrived(packet.sent, self.clock.now());
                    return Ok(packet.outcome);
                }
            }
        }
    }
}

async fn sleep_until(instant: Option<time::Instant>) {
    match instant {
        Some(instant) => time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Encodes an envelope and decodes it again. chitchat does not hand out its encoder; its in-memory transport is the way
/// to it. (That one also compares what comes out with what went in, which real transports do not.)
struct Codec {
    sender: Box<dyn Socket>,
    receiver: Box<dyn Socket>,
    receiver_address: SocketAddr,
}

impl Codec {
    async fn new() -> anyhow::Result<Codec> {
        let transport = ChannelTransport::with_mtu(MAX_DATAGRAM_BYTES);
        let sender = transport.open(([127, 0, 0, 1], 1).into()).await?;
        let receiver = transport.open(([127, 0, 0, 1], 2).into()).await?;
        let receiver_address = receiver.local_addr()?;
        Ok(Codec { sender, receiver, receiver_address })
    }

    async fn pass(&mut self, envelope: ChitchatEnvelope) -> anyhow::Result<RecvOutcome> {
        self.sender.send(self.receiver_address, envelope).await?;
        self.receiver.recv().await
    }
}
