//! Packets on one TCP connection.

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use tidings_core::Deadline;
use tidings_core::wire::frame::{self, FrameDecoder, FrameError};

use crate::history::ExchangeOutcome;
use crate::shared::Shared;
use crate::stats::Counter;
use crate::tls::Refusal;

/// Why an exchange came to nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The host has no address, or none of them let us connect.
    Unreached(io::Error),
    /// All addresses of the host are this node's own.
    OnlyItself,
    /// A deadline passed while connecting.
    ConnectTimedOut,
    /// A deadline passed later.
    TimedOut { deadline: Deadline, after: Duration },
    /// One side refused the other.
    Tls(Refusal),
    /// The connection broke.
    Broken(io::Error),
    /// The peer closed it where its packet was due.
    Closed,
    /// What came is no frame.
    Frame(FrameError),
    /// More came than the peer may have sent yet.
    Trailing,
}

impl Failure {
    /// The class of it that is counted and remembered.
    pub(crate) fn outcome(&self) -> ExchangeOutcome {
        match self {
            Failure::Unreached(_) | Failure::ConnectTimedOut => ExchangeOutcome::Refused,
            Failure::OnlyItself => ExchangeOutcome::Skipped,
            Failure::TimedOut { .. } => ExchangeOutcome::TimedOut,
            Failure::Tls(_) => ExchangeOutcome::TlsRefused,
            Failure::Broken(_) | Failure::Closed => ExchangeOutcome::Failed,
            Failure::Frame(_) | Failure::Trailing => ExchangeOutcome::Rejected,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unreached(error) => write!(f, "not reached: {error}"),
            Failure::OnlyItself => f.write_str("the host has no address but this node's own"),
            Failure::ConnectTimedOut => f.write_str("not reached in time"),
            Failure::TimedOut { deadline, after } => {
                let setting = match deadline {
                    Deadline::Connect => "connect_timeout",
                    Deadline::Packet => "packet_timeout",
                    _ => "exchange_timeout",
                };
                write!(f, "timed out: {setting} of {after:?} passed")
            }
            Failure::Tls(refusal) => refusal.fmt(f),
            Failure::Broken(error) => write!(f, "connection broke: {error}"),
            Failure::Closed => f.write_str("closed by the peer before its packet was whole"),
            Failure::Frame(error) => error.fmt(f),
            Failure::Trailing => f.write_str("more bytes followed a packet; the packet is not taken"),
        }
    }
}

impl From<FrameError> for Failure {
    fn from(error: FrameError) -> Failure {
        Failure::Frame(error)
    }
}

/// What went wrong on a stream. TLS says there, too, that the peer refuses this node: with TLS 1.3 only after the
/// handshake is over on this side.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match Refusal::within(&error) {
            Some(refusal) => Failure::Tls(refusal),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Failure::Closed,
            None => Failure::Broken(error),
        }
    }
}

/// A connection's bytes, in the clear or within TLS.
pub(crate) type Stream = Box<dyn ReadWrite>;

pub(crate) trait ReadWrite: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ReadWrite for S {}

/// The bytes of one exchange, length prefixes included.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) sent: Counter,
    pub(crate) received: Counter,
}

/// A connection that carries packets. Whoever waits for it keeps the time.
pub(crate) struct Connection<'a> {
    stream: Stream,
    decoder: FrameDecoder,
    shared: &'a Shared,
    traffic: &'a Traffic,
}

impl<'a> Connection<'a> {
    pub(crate) fn new(stream: Stream, shared: &'a Shared, traffic: &'a Traffic) -> Connection<'a> {
        Connection { stream, decoder: FrameDecoder::new(shared.max_frame), shared, traffic }
    }

    /// Sends one packet.
    pub(crate) async fn send(&mut self, packet: &[u8]) -> Result<(), Failure> {
        let framed = frame::encode(packet)?;
        self.stream.write_all(&framed).await?;
        self.stream.flush().await?;
        self.shared.counters.bytes_sent.add(framed.len() as u64);
        self.traffic.sent.add(framed.len() as u64);
        Ok(())
    }

    /// Says that nothing more follows, so that the peer need not wait for its deadline. What goes wrong here changes
    /// nothing: all is said.
    pub(crate) async fn finish(mut self) {
        let _ = self.stream.close().await;
    }

    /// The peer's next packet. It is an error if anything follows it already: the peers take turns.
    pub(crate) async fn receive(&mut self) -> Result<Bytes, Failure> {
        let packet = loop {
            let count = self.stream.read(self.decoder.space()).await?;
            if count == 0 {
                return Err(Failure::Closed);
            }
            self.shared.counters.bytes_received.add(count as u64);
            self.traffic.received.add(count as u64);
            if let Some(packet) = self.decoder.advance(count)? {
                break packet;
            }
        };
        let mut more = [0];
        match future::poll_once(self.stream.read(&mut more)).await {
            Some(Ok(1..)) => Err(Failure::Trailing),
            _ => Ok(packet),
        }
    }
}
