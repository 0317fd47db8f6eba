//! Puts the pure core of tidings on sockets: the gossip loop and the [`Cluster`] handle, generic over an async runtime.
//!
//! Use it through a runtime crate, `tidings-tokio`, `tidings-smol` or `tidings-async-std`; they re-export all of this
//! with the runtime filled in. What stands here is for those who bring another [`Runtime`].
//!
//! A node is one task, which runs the rounds and accepts connections, and one more task for each open exchange, which is
//! cut off when the core says that a deadline passed. The protocol state sits behind a mutex that is held briefly and never while waiting, so that
//! reading and setting keys are plain calls from any thread.
//!
//! With the feature `tls`, connections can be encrypted, and both sides prove who they are: see `Builder::tls`. With the
//! feature `record`, all that a node is given can be written to a file, and played again: see `Builder::record`.

mod builder;
mod clock;
mod cluster;
mod connection;
mod cut;
mod deadline;
mod error;
mod events;
mod exchange;
mod history;
mod lookups;
mod names;
#[cfg(feature = "record")]
mod record;
#[cfg(not(feature = "record"))]
#[path = "no_record.rs"]
mod record;
mod report;
mod run;
mod runtime;
mod shared;
mod signal;
mod stats;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;
mod watch;

pub use builder::Builder;
pub use cluster::Cluster;
pub use error::StartError;
pub use events::{Lagged, Subscription};
pub use history::{Direction, ExchangeOutcome, RecentExchange};
pub use report::{LeaveReport, ShutdownReport};
pub use runtime::Runtime;
pub use stats::{ClusterStats, DriverStats, EventStats, OutcomeCounts};
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};
pub use watch::LiveNodes;

/// The protocol, without network or clock.
pub use tidings_core as core;

/// For [`Tls::from_configs`], in the version that it takes.
#[cfg(feature = "tls")]
pub use rustls;
