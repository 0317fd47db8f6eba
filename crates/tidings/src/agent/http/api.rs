//! What the handlers share: one node, its last events, and what it is asked to do beside.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tidings_tokio::Cluster;
use tokio::sync::{Notify, Semaphore};

use super::events::EventLog;
use super::metrics::Requests;

/// One node behind the API. Clones are the same; the last one that is dropped lets the node go.
#[derive(Clone)]
pub(crate) struct ClusterApi(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) cluster: Cluster,
    pub(crate) started: Instant,
    pub(crate) events: Arc<EventLog>,
    /// One permit for each further event stream.
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) max_streams: usize,
    pub(crate) requests: Requests,
    leave: Option<Arc<Notify>>,
    leaving: AtomicBool,
}

impl ClusterApi {
    /// Serves this node, with at most `max_streams` event streams at once; call it on the runtime. `POST /v1/leave` notifies `leave`, whose listener does it; without one
    /// the request is refused.
    pub(crate) fn new(cluster: Cluster, max_streams: usize, leave: Option<Arc<Notify>>) -> ClusterApi {
        ClusterApi(Arc::new(Inner {
            started: Instant::now(),
            events: EventLog::follow(&cluster),
            streams: Arc::new(Semaphore::new(max_streams)),
            max_streams,
            requests: Requests::default(),
            leave,
            leaving: AtomicBool::new(false),
            cluster,
        }))
    }

    /// From now on the node takes no writes and is not healthy.
    pub(crate) fn set_leaving(&self) {
        self.leaving.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::SeqCst) || !self.cluster.is_running()
    }

    /// Whether the node runs, or is on its way to an orderly end.
    pub(crate) fn is_alive(&self) -> bool {
        self.leaving.load(Ordering::SeqCst) || self.cluster.is_running()
    }

    /// The event streams that are open now.
    pub(crate) fn streams_open(&self) -> u64 {
        self.max_streams.saturating_sub(self.streams.available_permits()) as u64
    }

    /// Asks for the end. False: nobody here can do it.
    pub(crate) fn ask_to_leave(&self) -> bool {
        let Some(leave) = &self.leave else { return false };
        self.set_leaving();
        leave.notify_one();
        true
    }
}

impl Deref for ClusterApi {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
