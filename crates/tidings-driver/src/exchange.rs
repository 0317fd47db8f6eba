//! One exchange: a task that carries a connection's packets to the node and back.

use std::fmt::Display;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use tidings_core::{Abort, Address, Deadline, ExchangeId, Next, Outcome, PeerIdentity, Rejected, Transmit, Via};
use tracing::{Instrument, debug, debug_span, warn};

use crate::connection::{Connection, Failure, Stream, Traffic};
use crate::cut::Cut;
use crate::deadline::by;
use crate::history::{Direction, ExchangeOutcome, RecentExchange};
use crate::runtime::Runtime;
use crate::shared::{Dial, Shared};

/// How long a peer that was refused over TLS may take to read why.
const LINGER: Duration = Duration::from_secs(1);

/// Opens the exchange that the node asks for, in a task of its own.
pub(crate) fn dial<R: Runtime>(shared: &Arc<Shared>, Dial { transmit, cut }: Dial) {
    shared.counters.dialled.increment();
    let open = Open::new(shared, transmit.exchange, cut, Direction::Dialled, transmit.to.clone());
    let span = debug_span!(parent: &shared.span, "exchange", direction = "outbound", peer = %transmit.to);
    let task = async move {
        let end = unless_cut(&open, dialled::<R>(&open, &transmit)).await;
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
    let Some((exchange, cut)) = shared.accept(from) else {
        shared.counters.accept_refused.increment();
        warn!(parent: &span, %peer, "connection refused: the limit on inbound exchanges is reached");
        return;
    };
    shared.counters.accepted.increment();
    let open = Open::new(shared, exchange, cut, Direction::Accepted, Address::new(from.to_string(), peer.port()));
    let task = async move {
        let mut refused = None;
        let end = unless_cut(&open, accepted::<R>(&open, stream, peer, &mut refused)).await;
        if let Some(stream) = refused {
            future::or(open.shared.cancelled.wait(), linger::<R>(stream)).await;
        }
        open.close(end);
    };
    R::spawn(task.instrument(span));
}

async fn dialled<R: Runtime>(open: &Open, transmit: &Transmit) -> Result<Option<Rejected>, Failure> {
    let shared = &*open.shared;
    let (stream, address) = connect::<R>(shared, &transmit.to).await?;
    open.is_connected.store(true, Ordering::Relaxed);
    let (stream, identity) = match &shared.tls {
        Some(tls) => tls.connect(stream, transmit).await?,
        None => (Box::new(stream) as Stream, PeerIdentity::Plaintext),
    };
    shared.with_node(|node, now| node.handle_connected(now, transmit.exchange));
    let mut connection = Connection::new(stream, shared, &open.traffic);
    connection.send(&transmit.packet).await?;
    let rejected = converse(shared, connection, Via::Dialled(transmit.exchange), &transmit.to, &identity).await?;
    match rejected {
        Some(Rejected::OwnPacket) => shared.names.reached_itself(address),
        Some(_) => shared.names.distrust(&transmit.to),
        None => shared.names.reached_another(address),
    }
    Ok(rejected)
}

/// A stream whose peer TLS has refused is left in `refused`.
async fn accepted<R: Runtime>(
    open: &Open,
    stream: R::Stream,
    peer: SocketAddr,
    refused: &mut Option<Stream>,
) -> Result<Option<Rejected>, Failure> {
    let shared = &*open.shared;
    let (stream, identity) = match &shared.tls {
        Some(tls) => match tls.accept(stream).await {
            Ok(secured) => secured,
            Err((failure, stream)) => {
                *refused = stream.filter(|_| matches!(failure, Failure::Tls(_)));
                return Err(failure);
            }
        },
        None => (Box::new(stream) as Stream, PeerIdentity::Plaintext),
    };
    let connection = Connection::new(stream, shared, &open.traffic);
    converse(shared, connection, Via::Accepted(open.exchange), &peer, &identity).await
}

/// Lets a peer that was refused read why. It may have sent more already, and were the connection dropped while that is
/// unread, the system would throw away the alert that is under way.
async fn linger<R: Runtime>(mut stream: Stream) {
    let read_on = async {
        let mut rest = [0; 512];
        if stream.close().await.is_ok() {
            while let Ok(1..) = stream.read(&mut rest).await {}
        }
    };
    by::<R, _>(Instant::now() + LINGER, read_on).await;
}

/// Hands each packet to the node and sends its replies, until the node says that it is enough. Gives the reason if the
/// last packet was rejected.
async fn converse(
    shared: &Shared,
    mut connection: Connection<'_>,
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
                // Its address is another's now. It is tried again, and says nothing new.
                Rejected::WrongPeer { dialled, .. } if !shared.is_first_warning(dialled) => {
                    debug!(%peer, %reason, "packet rejected");
                }
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
/// so that one that swallows our packets does not hide the next; the last has all that is left.
async fn connect<R: Runtime>(shared: &Shared, to: &Address) -> Result<(R::Stream, SocketAddr), Failure> {
    let deadline = Instant::now() + shared.exchange_timeouts.connect;
    let addresses = shared.names.addresses::<R>(to, deadline).await?;
    let mut failure = Failure::ConnectTimedOut;
    for (left, address) in (1..=addresses.len()).rev().zip(addresses) {
        let connected = match left {
            1 => Some(R::connect(address).await),
            _ => {
                let now = Instant::now();
                let share = deadline.saturating_duration_since(now) / u32::try_from(left).unwrap_or(u32::MAX);
                by::<R, _>(now + share, R::connect(address)).await
            }
        };
        failure = match connected {
            Some(Ok(stream)) => return Ok((stream, address)),
            Some(Err(error)) => Failure::Unreached(error),
            None => Failure::ConnectTimedOut,
        };
    }
    Err(failure)
}

/// What `exchange` gives, unless the core ends it first; `None`: all exchanges are cancelled.
async fn unless_cut<T>(open: &Open, exchange: impl Future<Output = Result<T, Failure>>) -> Option<Result<T, Failure>> {
    let cancelled = async {
        open.shared.cancelled.wait().await;
        None
    };
    let aborted = async {
        let abort = open.cut.wait().await;
        Some(Err(open.timed_out(abort)))
    };
    future::or(cancelled, future::or(aborted, async { Some(exchange.await) })).await
}

/// An exchange that the node counts as open. Tells the node once that it is closed, also when its task is dropped.
struct Open {
    shared: Arc<Shared>,
    exchange: ExchangeId,
    cut: Arc<Cut>,
    /// Who was dialled has let us connect.
    is_connected: AtomicBool,
    direction: Direction,
    /// Where it was dialled, or from where it came.
    address: Address,
    opened: Instant,
    traffic: Traffic,
    outcome: ExchangeOutcome,
}

impl Open {
    fn new(shared: &Arc<Shared>, exchange: ExchangeId, cut: Arc<Cut>, direction: Direction, address: Address) -> Open {
        shared.exchange_opened();
        Open {
            shared: Arc::clone(shared),
            exchange,
            cut,
            is_connected: AtomicBool::new(direction == Direction::Accepted),
            direction,
            address,
            opened: Instant::now(),
            traffic: Traffic::default(),
            outcome: ExchangeOutcome::Cancelled,
        }
    }

    fn timed_out(&self, abort: &Abort) -> Failure {
        if !self.is_connected.load(Ordering::Relaxed) {
            return Failure::ConnectTimedOut;
        }
        let timeouts = &self.shared.exchange_timeouts;
        let after = match abort.deadline {
            Deadline::Connect => timeouts.connect,
            Deadline::Packet => timeouts.packet,
            _ => timeouts.whole,
        };
        Failure::TimedOut { deadline: abort.deadline, after }
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
        let peer = self.shared.close(self.exchange, outcome);
        let peer = peer.or_else(|| self.cut.abort()?.peer.clone());
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
