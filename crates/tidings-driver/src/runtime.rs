//! What the driver needs of an async runtime.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use futures_io::{AsyncRead, AsyncWrite};

/// An async runtime: TCP, a timer, name resolution and tasks.
///
/// A runtime crate implements this once, on a type without values; users of a
/// [`Cluster`](crate::Cluster) never call it. All functions are called inside the runtime's context, and all futures
/// may be dropped before they are ready.
pub trait Runtime: Send + Sync + 'static {
    /// A listening TCP socket. Dropping it frees its port.
    type Listener: Send + Sync + 'static;
    /// A TCP connection, without delay of small packets (`TCP_NODELAY`). Dropping it closes it. It should write several
    /// slices at once (`poll_write_vectored`), or a peer refused over TLS may not hear why.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Listens on `address`; port 0 lets the system choose.
    ///
    /// # Errors
    ///
    /// The system's, and an error of kind [`Other`](io::ErrorKind::Other) when called outside the runtime.
    fn bind(address: SocketAddr) -> impl Future<Output = io::Result<Self::Listener>> + Send;

    /// Where `listener` listens: never port 0.
    ///
    /// # Errors
    ///
    /// The system's.
    fn local_addr(listener: &Self::Listener) -> io::Result<SocketAddr>;

    /// Waits for the next connection and says who opened it.
    ///
    /// # Errors
    ///
    /// The system's: of the connection, or of the process, as when it is out of file descriptors.
    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;

    /// Connects to `address`, with no deadline of its own.
    ///
    /// # Errors
    ///
    /// The system's.
    fn connect(address: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// All addresses of `host` (a DNS name or an IP address without brackets), each with `port`.
    ///
    /// # Errors
    ///
    /// The system resolver's. An unknown name may be an error or an empty list.
    fn resolve(host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// Is ready at `deadline`, to a few milliseconds and never much earlier.
    fn sleep_until(deadline: Instant) -> impl Future<Output = ()> + Send;

    /// Runs `task` to its end, apart from the caller. A runtime that shuts down may drop it.
    fn spawn(task: impl Future<Output = ()> + Send + 'static);
}
