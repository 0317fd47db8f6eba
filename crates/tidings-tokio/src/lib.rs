//! Cluster membership by gossip on tokio.
//!
//! A [`Cluster`] is one member. It gossips with the others over TCP, finds out who is alive, and carries the key-values
//! that each member says of itself. It speaks aiocluster's protocol and can join a cluster of Python nodes.
//!
//! ```
//! use std::time::Duration;
//!
//! use tidings_tokio::{Cluster, EventKind};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let first = Cluster::builder("simple1").cluster_id("simple-aiocluster").start().await?;
//! let second = Cluster::builder("simple2")
//!     .cluster_id("simple-aiocluster")
//!     .seed(first.local_addr().to_string())
//!     .gossip_interval(Duration::from_millis(200))
//!     .start()
//!     .await?;
//!
//! // Each node hears what the other says of itself.
//! let mut events = first.subscribe();
//! second.set("colour", "green")?;
//! while let Some(Ok(event)) = events.next().await {
//!     println!("{}", event.kind);
//!     if matches!(&event.kind, EventKind::KeyChanged { key, .. } if &**key == "colour") {
//!         break;
//!     }
//! }
//! drop(events);
//! let colour = first.node_state(second.id()).and_then(|state| state.get("colour").map(str::to_owned));
//! assert_eq!(colour.as_deref(), Some("green"));
//!
//! second.leave().await;
//! first.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! [`Builder::start`] must be called inside a tokio runtime, of either flavour, whose IO and time drivers are on
//! (`enable_all`).

mod stream;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use tidings_driver::Runtime;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

pub use stream::Stream;
pub use tidings_driver::core::{
    Address, Config, ConfigError, Event, EventKind, FailureDetectorConfig, ForgetError, Lifetime, Limits, Liveness,
    Member, NodeId, NodeState, Run, SetError, Snapshot, Stats, ValueStatus, VersionedValue,
};
pub use tidings_driver::{
    ClusterStats, Direction, DriverStats, EventStats, ExchangeOutcome, Lagged, LeaveReport, LiveNodes, OutcomeCounts,
    RecentExchange, ShutdownReport, StartError, Subscription, core,
};
#[cfg(feature = "tls")]
pub use tidings_driver::{Tls, TlsError, rustls};

/// One running member of a cluster, on tokio.
pub type Cluster = tidings_driver::Cluster<Tokio>;

/// The settings of a member that is not started yet.
pub type Builder = tidings_driver::Builder<Tokio>;

/// The tokio runtime, as the driver sees it.
#[derive(Clone, Copy, Debug)]
pub struct Tokio;

impl Runtime for Tokio {
    type Listener = TcpListener;
    type Stream = Stream;

    async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
        inside_a_runtime()?;
        TcpListener::bind(address).await
    }

    fn local_addr(listener: &TcpListener) -> io::Result<SocketAddr> {
        listener.local_addr()
    }

    async fn accept(listener: &TcpListener) -> io::Result<(Stream, SocketAddr)> {
        let (stream, peer) = listener.accept().await?;
        Ok((prepared(stream), peer))
    }

    async fn connect(address: SocketAddr) -> io::Result<Stream> {
        TcpStream::connect(address).await.map(prepared)
    }

    async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        inside_a_runtime()?;
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }

    async fn sleep_until(deadline: Instant) {
        tokio::time::sleep_until(deadline.into()).await;
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }
}

/// A packet is written whole: its last segment need not wait for more. Where that cannot be set it is only slower.
fn prepared(stream: TcpStream) -> Stream {
    let _ = stream.set_nodelay(true);
    Stream::from(stream)
}

/// Where there is no runtime, tokio's sockets and its resolver panic; this is an error instead.
fn inside_a_runtime() -> io::Result<()> {
    Handle::try_current().map(drop).map_err(io::Error::other)
}
