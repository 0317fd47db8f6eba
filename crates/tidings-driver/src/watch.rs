//! The set of live nodes, as it changes.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use event_listener::EventListener;
use futures_core::Stream;
use futures_lite::stream;
use tidings_core::NodeId;

use crate::shared::Shared;

/// The live nodes, this one first: the current set, then each set that differs from the last one given.
///
/// A reader that is slow sees the newest set and none between. The sets hold what the builder's
/// [`liveness_predicate`](crate::Builder::liveness_predicate) lets through, this node included. The stream ends
/// when the node has stopped; it does not keep it running.
#[must_use = "a watch that is dropped sees nothing"]
pub struct LiveNodes {
    shared: Arc<Shared>,
    last: Option<Vec<NodeId>>,
    listener: Option<EventListener>,
}

impl LiveNodes {
    pub(crate) fn new(shared: &Arc<Shared>) -> LiveNodes {
        LiveNodes { shared: Arc::clone(shared), last: None, listener: None }
    }

    /// The set as it is now.
    #[must_use]
    pub fn current(&self) -> Vec<NodeId> {
        let Some(predicate) = &self.shared.predicate else {
            return self.shared.read(|node, _| node.live_nodes());
        };
        // The predicate is not ours: it runs with the node unlocked, so that it may call a handle.
        let candidates = self.shared.read(|node, _| {
            let with_state = |id: NodeId| node.node_state(&id).cloned().map(|state| (id, state));
            node.live_nodes().into_iter().filter_map(with_state).collect::<Vec<_>>()
        });
        candidates.into_iter().filter(|(id, state)| predicate(id, state)).map(|(id, _)| id).collect()
    }

    /// Waits until the set differs from the last one given, and gives it; the first call gives the current set at
    /// once. `None` when the node has stopped.
    pub async fn changed(&mut self) -> Option<Vec<NodeId>> {
        stream::StreamExt::next(self).await
    }
}

impl Stream for LiveNodes {
    type Item = Vec<NodeId>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            // Listening begins before looking, so that no change falls between.
            let mut listener = this.listener.take().unwrap_or_else(|| this.shared.bus.liveness.listen());
            if this.shared.stopped.is_raised() {
                return Poll::Ready(None);
            }
            let current = this.current();
            if this.last.as_ref() != Some(&current) {
                this.listener = Some(listener);
                this.last = Some(current.clone());
                return Poll::Ready(Some(current));
            }
            if Pin::new(&mut listener).poll(context).is_pending() {
                this.listener = Some(listener);
                return Poll::Pending;
            }
        }
    }
}

impl fmt::Debug for LiveNodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveNodes").field("node", &self.shared.id).field("last", &self.last).finish_non_exhaustive()
    }
}
