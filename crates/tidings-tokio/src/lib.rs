//! Cluster membership by gossip on tokio.
//!
//! A [`Cluster`] is one member. It gossips with the others over TCP, finds out who is alive, and carries the key-values
//! that each member says of itself. It speaks aiocluster's protocol and can join a cluster of Python nodes.
//!
//! ```
//! use tidings_tokio::Cluster;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let first = Cluster::builder("simple1").cluster_id("simple-aiocluster").start().await?;
//! let second = Cluster::builder("simple2")
//!     .cluster_id("simple-aiocluster")
//!     .seed(first.local_addr().to_string())
//!     .gossip_interval(std::time::Duration::from_millis(50))
//!     .key_value("cluster", "2")
//!     .start()
//!     .await?;
//!
//! // What the second node says of itself reaches the first.
//! let mut events = first.subscribe_prefix("cluster");
//! # let mut seen = events.snapshot().members.iter().any(|member| member.state.get("cluster") == Some("2"));
//! # while !seen {
//! #     let Some(Ok(event)) = events.next().await else { return Err("the events ended".into()) };
//! #     seen = matches!(event.kind, tidings_tokio::core::EventKind::KeyChanged { .. });
//! # }
//! # drop(events);
//! second.set("cluster", "two")?;
//! assert_eq!(second.get("cluster").as_deref(), Some("two"));
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
    Address, Config, ConfigError, Event, EventKind, Lifetime, Liveness, Member, NodeId, NodeState, SetError, Snapshot,
    ValueStatus, VersionedValue,
};
pub use tidings_driver::{
    ClusterStats, DriverStats, EventStats, Lagged, LeaveReport, LiveNodes, ShutdownReport, StartError, Subscription,
    core,
};

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
        // Without this, tokio panics where there is no runtime.
        Handle::try_current().map_err(io::Error::other)?;
        TcpListener::bind(address).await
    }

    fn local_addr(listener: &TcpListener) -> io::Result<SocketAddr> {
        listener.local_addr()
    }

    async fn accept(listener: &TcpListener) -> io::Result<(Stream, SocketAddr)> {
        let (stream, peer) = listener.accept().await?;
        Ok((Stream::from(stream), peer))
    }

    async fn connect(address: SocketAddr) -> io::Result<Stream> {
        TcpStream::connect(address).await.map(Stream::from)
    }

    async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }

    async fn sleep_until(deadline: Instant) {
        tokio::time::sleep_until(deadline.into()).await;
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }
}
