//! Cluster membership by gossip on smol.
//!
//! A [`Cluster`] is one member. It gossips with the others over TCP, finds out who is alive, and carries the key-values
//! that each member says of itself. It speaks aiocluster's protocol and can join a cluster of Python nodes.
//!
//! ```
//! use std::time::Duration;
//!
//! use tidings_smol::{Cluster, EventKind};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # smol::block_on(async {
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
//! # })
//! # }
//! ```
//!
//! Its tasks run on smol's global executor, whose threads start by themselves (`SMOL_THREADS` sets their number), so
//! that a [`Cluster`] can be started from any executor, and from a program without one: `smol::block_on` waits for its
//! start, its leave and its events on a plain thread, and all other calls are plain anyway.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use smol::net::{TcpListener, TcpStream};
use smol::{Timer, net};
use tidings_driver::Runtime;

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
        let (stream, peer) = listener.accept().await?;
        Ok((prepared(stream), peer))
    }

    async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(address).await.map(prepared)
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

/// A packet is written whole: its last segment need not wait for more. Where that cannot be set it is only slower.
fn prepared(stream: TcpStream) -> TcpStream {
    let _ = stream.set_nodelay(true);
    stream
}
