//! One exchange: a task that carries a connection's packets to the node and back.

use std::fmt::Display;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use tidings_core::{Address, ExchangeId, Next, Outcome, PeerIdentity, Rejected, Transmit, Via};
use tracing::{Instrument, debug, debug_span, warn};

use crate::connection::{Connection, Failure, Stream, Traffic};
use crate::deadline::by;
use crate::history::{Direction, ExchangeOutcome, RecentExchange};
use crate::runtime::Runtime;
use crate::shared::Shared;

/// How long a peer that was refused over TLS may take to read why.
const LINGER: Duration = Duration::from_secs(1);

/// Opens the exchange that the node asks for, in a task of its own.
pub(crate) fn dial<R: Runtime>(shared: &Arc<Shared>, transmit: Transmit) {
    shared.counters.dialled.increment();
    let open = Open::new(shared, transmit.exchange, Direction::Dialled, transmit.to.clone());
    let span = debug_span!(parent: &shared.span, "exchange", direction = "outbound", peer = %transmit.to);
    let task = async move {
        let end = unless_cancelled(&open.shared, dialled::<R>(&open, &transmit)).await;
        if matches!(end, Some(Err(_))) {
            open.shared.names.distrust(&transmit.to);
        }
        open.close(end);
    };
    R::spawn(task.instrument(span));
}

/// Answers `peer` on `stream`, in a task of its own, or closes it at once when the node is at a limit.
pub(crate) fn accept<R: Runtime>(shared: &Arc<Shared>, stream: R::Stream, peer: SocketAddr) {
    let span = debug_span!(parent: &shared.span, "exchange", direction = "inbound", %peer);
    // On a socket of both IP versions an IPv4 peer has a mapped address; the limit for each peer means the real one.
    let from = peer.ip().to_canonical();
    let Some(exchange) = shared.with_node(|node, now| node.accept(now, from)) else {
        shared.counters.accept_refused.increment();
        warn!(parent: &span, %peer, "connection refused: the limit on inbound exchanges is reached");
        return;
    };
    shared.counters.accepted.increment();
    let open = Open::new(shared, exchange, Direction::Accepted, Address::new(from.to_string(), peer.port()));
    let task = async move {
        let end = unless_cancelled(&open.shared, accepted::<R>(&open, stream, peer)).await;
        open.close(end);
    };
    R::spawn(task.instrument(span));
}

async fn dialled<R: Runtime>(open: &Open, transmit: &Transmit) -> Result<Option<Rejected>, Failure> {
    let shared = &*open.shared;
    let deadline = Instant::now() + shared.timeouts.connect;
    let (stream, address) = connect::<R>(shared, &transmit.to, deadline).await?;
    let (stream, identity) = match &shared.tls {
        Some(tls) => match by::<R, _>(deadline, tls.connect(stream, transmit)).await {
            Some(secured) => secured?,
            None => return Err(Failure::TimedOut { doing: "securing the connection" }),
        },
        None => (Box::new(stream) as Stream, PeerIdentity::Plaintext),
    };
    let mut connection = Connection::<R>::new(stream, shared, &open.traffic);
    connection.send(&transmit.packet).await?;
    let rejected = converse(shared, connection, Via::Dialled(transmit.exchange), &transmit.to, &identity).await?;
    match rejected {
        Some(Rejected::OwnPacket) => shared.names.learn_own(address),
        Some(_) => shared.names.distrust(&transmit.to),
        None => {}
    }
    Ok(rejected)
}

async fn accepted<R: Runtime>(open: &Open, stream: R::Stream, peer: SocketAddr) -> Result<Option<Rejected>, Failure> {
    let shared = &*open.shared;
    let conversation = async {
        let (stream, identity) = match &shared.tls {
            Some(tls) => {
                let deadline = Instant::now() + shared.timeouts.read;
                match by::<R, _>(deadline, tls.accept(stream)).await {
                    Some(Ok(secured)) => secured,
                    Some(Err((failure, refused))) => return Err(refuse::<R>(failure, refused).await),
                    None => return Err(Failure::TimedOut { doing: "securing the connection" }),
                }
            }
            None => (Box::new(stream) as Stream, PeerIdentity::Plaintext),
        };
        let connection = Connection::<R>::new(stream, shared, &open.traffic);
        converse(shared, connection, Via::Accepted(open.exchange), &peer, &identity).await
    };
    match by::<R, _>(Instant::now() + shared.timeouts.inbound, conversation).await {
        Some(result) => result,
        None => Err(Failure::TimedOut { doing: "answering" }),
    }
}

/// Lets a peer that was refused read why. It may have sent more already, and were the connection dropped while that is
/// unread, the system would throw away the alert that is under way.
async fn refuse<R: Runtime>(failure: Failure, refused: Option<Stream>) -> Failure {
    if let (Failure::Tls(_), Some(mut stream)) = (&failure, refused) {
        let read_on = async {
            let mut rest = [0; 512];
            if stream.close().await.is_ok() {
                while let Ok(1..) = stream.read(&mut rest).await {}
            }
        };
        by::<R, _>(Instant::now() + LINGER, read_on).await;
    }
    failure
}

/// Hands each packet to the node and sends its replies, until the node says that it is enough. Gives the reason if the
/// last packet was rejected.
async fn converse<R: Runtime>(
    shared: &Shared,
    mut connection: Connection<'_, R>,
    via: Via,
    peer: &impl Display,
    identity: &PeerIdentity,
) -> Result<Option<Rejected>, Failure> {
    loop {
        let packet = connection.receive().await?;
        let reply = shared.with_node(|node, now| node.handle_packet(now, via, &packet, identity));
        if let Some(reason) = &reply.rejected {
            shared.counters.packets_rejected.increment();
            match reason {
                // Where a name stands for all nodes, each finds itself among them.
                Rejected::OwnPacket => debug!(%peer, %reason, "packet rejected"),
                _ => warn!(%peer, %reason, "packet rejected"),
            }
        }
        if let Some(packet) = &reply.packet {
            connection.send(packet).await?;
        }
        if reply.next == Next::Close {
            connection.finish().await;
            return Ok(reply.rejected);
        }
    }
}

/// Connects to the first of the host's addresses that lets us, and says which it was. Each gets its share of the time,
/// so that one that swallows our packets does not hide the next.
async fn connect<R: Runtime>(
    shared: &Shared,
    to: &Address,
    deadline: Instant,
) -> Result<(R::Stream, SocketAddr), Failure> {
    let addresses = shared.names.addresses::<R>(to, deadline).await?;
    let mut failure = Failure::ConnectTimedOut;
    for (left, address) in (1..=addresses.len()).rev().zip(addresses) {
        let share = deadline.saturating_duration_since(Instant::now()) / u32::try_from(left).unwrap_or(u32::MAX);
        failure = match by::<R, _>(Instant::now() + share, R::connect(address)).await {
            Some(Ok(stream)) => return Ok((stream, address)),
            Some(Err(error)) => Failure::Unreached(error),
            None => Failure::ConnectTimedOut,
        };
    }
    Err(failure)
}

/// What `exchange` gives, or `None` when all exchanges are cancelled first.
async fn unless_cancelled<T>(shared: &Shared, exchange: impl Future<Output = T>) -> Option<T> {
    let cancelled = async {
        shared.cancelled.wait().await;
        None
    };
    future::or(cancelled, async { Some(exchange.await) }).await
}

/// An exchange that the node counts as open. Tells the node once that it is closed, also when its task is dropped.
struct Open {
    shared: Arc<Shared>,
    exchange: ExchangeId,
    direction: Direction,
    /// Where it was dialled, or from where it came.
    address: Address,
    opened: Instant,
    traffic: Traffic,
    outcome: ExchangeOutcome,
}

impl Open {
    fn new(shared: &Arc<Shared>, exchange: ExchangeId, direction: Direction, address: Address) -> Open {
        shared.exchange_opened();
        Open {
            shared: Arc::clone(shared),
            exchange,
            direction,
            address,
            opened: Instant::now(),
            traffic: Traffic::default(),
            outcome: ExchangeOutcome::Cancelled,
        }
    }

    /// Notes and logs how it went; `None`: it was cancelled.
    fn close(mut self, end: Option<Result<Option<Rejected>, Failure>>) {
        self.outcome = match &end {
            Some(Ok(None)) => ExchangeOutcome::Completed,
            Some(Ok(Some(_))) => ExchangeOutcome::Rejected,
            Some(Err(failure)) => failure.outcome(),
            None => ExchangeOutcome::Cancelled,
        };
        let peer = &self.address;
        match end {
            Some(Ok(_)) => debug!("exchange done"),
            Some(Err(reason @ (Failure::Frame(_) | Failure::Trailing))) => {
                self.shared.counters.frames_rejected.increment();
                warn!(%peer, %reason, "packet rejected");
            }
            Some(Err(reason @ Failure::Tls(_))) => warn!(%peer, %reason, "TLS refused"),
            Some(Err(reason)) => debug!(%peer, %reason, "exchange failed"),
            None => debug!(%peer, "exchange cancelled"),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let outcome = match self.outcome {
            ExchangeOutcome::Completed => Outcome::Done,
            ExchangeOutcome::Refused | ExchangeOutcome::Skipped => Outcome::Refused,
            ExchangeOutcome::TimedOut => Outcome::TimedOut,
            _ => Outcome::Failed,
        };
        let peer = self.shared.with_node(|node, now| {
            let peer = node.exchange_peer(self.exchange).cloned();
            node.handle_closed(now, self.exchange, outcome);
            peer
        });
        let ended = Instant::now();
        self.shared.history.push(RecentExchange {
            sequence: 0,
            direction: self.direction,
            address: self.address.clone(),
            peer,
            outcome: self.outcome,
            ended,
            duration: ended.saturating_duration_since(self.opened),
            bytes_sent: self.traffic.sent.get(),
            bytes_received: self.traffic.received.get(),
        });
        self.shared.exchange_closed();
    }
}
