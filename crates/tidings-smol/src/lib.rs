//! Cluster membership by gossip on smol.
//!
//! A [`Cluster`] is one member. It gossips with the others over TCP, finds out who is alive, and carries the key-values
//! that each member says of itself. It speaks aiocluster's protocol and can join a cluster of Python nodes.
//!
//! ```
//! use tidings_smol::Cluster;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # smol::block_on(async {
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
//! #     seen = matches!(event.kind, tidings_smol::core::EventKind::KeyChanged { .. });
//! # }
//! # drop(events);
//! second.set("cluster", "two")?;
//! assert_eq!(second.get("cluster").as_deref(), Some("two"));
//!
//! second.leave().await;
//! first.shutdown().await;
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! Its tasks run on smol's global executor, whose threads start by themselves (`SMOL_THREADS` sets their number), so
//! that a [`Cluster`] can be started from any executor.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use smol::net::{TcpListener, TcpStream};
use smol::{Timer, net};
use tidings_driver::Runtime;

pub use tidings_driver::core::{
    Address, Config, ConfigError, Event, EventKind, Lifetime, Liveness, Member, NodeId, NodeState, SetError, Snapshot,
    ValueStatus, VersionedValue,
};
pub use tidings_driver::{
    ClusterStats, DriverStats, EventStats, Lagged, LeaveReport, LiveNodes, ShutdownReport, StartError, Subscription,
    core,
};

/// One running member of a cluster, on smol.
pub type Cluster = tidings_driver::Cluster<Smol>;

/// The settings of a member that is not started yet.
pub type Builder = tidings_driver::Builder<Smol>;

/// smol's global executor, as the driver sees it.
#[derive(Clone, Copy, Debug)]
pub struct Smol;

impl Runtime for Smol {
    type Listener = TcpListener;
    type Stream = TcpStream;

    async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
        TcpListener::bind(address).await
    }

    fn local_addr(listener: &TcpListener) -> io::Result<SocketAddr> {
        listener.local_addr()
    }

    async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        listener.accept().await
    }

    async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(address).await
    }

    async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        net::resolve((host, port)).await
    }

    async fn sleep_until(deadline: Instant) {
        Timer::at(deadline).await;
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }
}
