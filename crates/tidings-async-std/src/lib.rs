//! Cluster membership by gossip on async-std.
//!
//! async-std is discontinued: nobody maintains it any more, and [RUSTSEC-2025-0052] advises to use smol instead. This
//! crate is for programs that are on async-std already. It has the same types and calls as `tidings-smol`, which new
//! programs should choose; between the two only the crate's name changes.
//!
//! A [`Cluster`] is one member. It gossips with the others over TCP, finds out who is alive, and carries the key-values
//! that each member says of itself. It speaks aiocluster's protocol and can join a cluster of Python nodes.
//!
//! ```
//! use std::time::Duration;
//!
//! use tidings_async_std::{Cluster, EventKind};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # async_std::task::block_on(async {
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
//! Its tasks run on async-std's global executor, whose threads start by themselves (`ASYNC_STD_THREAD_COUNT` sets their
//! number), so that a [`Cluster`] can be started from any executor.
//!
//! [RUSTSEC-2025-0052]: https://rustsec.org/advisories/RUSTSEC-2025-0052.html

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use async_std::net::{TcpListener, TcpStream, ToSocketAddrs};
use async_std::task;
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

/// One running member of a cluster, on async-std.
pub type Cluster = tidings_driver::Cluster<AsyncStd>;

/// The settings of a member that is not started yet.
pub type Builder = tidings_driver::Builder<AsyncStd>;

/// async-std's global executor, as the driver sees it.
#[derive(Clone, Copy, Debug)]
pub struct AsyncStd;

impl Runtime for AsyncStd {
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
        Ok((host, port).to_socket_addrs().await?.collect())
    }

    async fn sleep_until(deadline: Instant) {
        task::sleep(deadline.saturating_duration_since(Instant::now())).await;
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        task::spawn(task);
    }
}

/// A packet is written whole: its last segment need not wait for more. Where that cannot be set it is only slower.
fn prepared(stream: TcpStream) -> TcpStream {
    let _ = stream.set_nodelay(true);
    stream
}
