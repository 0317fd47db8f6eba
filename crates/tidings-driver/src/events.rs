//! Events on their way from the node to its subscribers.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_broadcast::{InactiveReceiver, Receiver, RecvError, Sender, TryRecvError};
use futures_core::Stream;
use futures_lite::stream;
use tidings_core::{Event, EventKind, Snapshot};

use crate::shared::Shared;
use crate::stats::{Counter, EventStats};

/// Hands each event to every subscriber and counts it; never waits for any of them.
pub(crate) struct EventBus {
    sender: Sender<Arc<Event>>,
    /// Keeps the channel open while nobody subscribes.
    _inactive: InactiveReceiver<Arc<Event>>,
    /// Notified when the set of live nodes may have changed.
    pub(crate) liveness: event_listener::Event,
    /// Notified when a subscriber has read something or is gone.
    progress: event_listener::Event,
    counters: EventCounters,
}

#[derive(Default)]
struct EventCounters {
    published: Counter,
    lost: Counter,
    joined: Counter,
    left: Counter,
    died: Counter,
    forgotten: Counter,
    restarted: Counter,
    names_refused: Counter,
    conflicts: Counter,
    other_cluster: Counter,
    keys_changed: Counter,
}

impl EventBus {
    /// A bus that keeps the last `capacity` events (at least one) for its slowest subscriber.
    pub(crate) fn new(capacity: usize) -> EventBus {
        let (mut sender, receiver) = async_broadcast::broadcast(capacity.max(1));
        sender.set_overflow(true);
        EventBus {
            sender,
            _inactive: receiver.deactivate(),
            liveness: event_listener::Event::new(),
            progress: event_listener::Event::new(),
            counters: EventCounters::default(),
        }
    }

    /// Called with the node locked, so that events keep their order and a snapshot falls between two of them.
    pub(crate) fn publish(&self, event: &Arc<Event>, keys_decide_liveness: bool) {
        self.counters.published.increment();
        let counter = match event.kind {
            EventKind::NodeJoined { .. } => Some(&self.counters.joined),
            EventKind::NodeLeft { .. } => Some(&self.counters.left),
            EventKind::NodeDied { .. } => Some(&self.counters.died),
            EventKind::NodeForgotten { .. } => Some(&self.counters.forgotten),
            EventKind::NodeRestarted { .. } => Some(&self.counters.restarted),
            EventKind::NameRefused { .. } => Some(&self.counters.names_refused),
            EventKind::NodeConflict { .. } => Some(&self.counters.conflicts),
            EventKind::OtherCluster { .. } => Some(&self.counters.other_cluster),
            EventKind::KeyChanged { .. } => Some(&self.counters.keys_changed),
            _ => None,
        };
        if let Some(counter) = counter {
            counter.increment();
        }
        // With overflow allowed this fails only when nobody subscribes or the bus is closed: then nobody misses it.
        let _ = self.sender.try_broadcast(Arc::clone(event));
        if keys_decide_liveness || !matches!(event.kind, EventKind::KeyChanged { .. }) {
            self.liveness.notify(usize::MAX);
        }
    }

    /// No event follows: streams end once they are read to here.
    pub(crate) fn close(&self) {
        self.sender.close();
        self.liveness.notify(usize::MAX);
    }

    /// Events that some subscriber has yet to read.
    pub(crate) fn unread(&self) -> usize {
        self.sender.len()
    }

    /// Waits until every subscriber has read every event.
    pub(crate) async fn drained(&self) {
        while self.unread() > 0 {
            let listener = self.progress.listen();
            if self.unread() == 0 {
                return;
            }
            listener.await;
        }
    }

    pub(crate) fn stats(&self) -> EventStats {
        let counters = &self.counters;
        EventStats {
            published: counters.published.get(),
            lost: counters.lost.get(),
            subscribers: u64::try_from(self.sender.receiver_count()).unwrap_or(u64::MAX),
            joined: counters.joined.get(),
            left: counters.left.get(),
            died: counters.died.get(),
            forgotten: counters.forgotten.get(),
            restarted: counters.restarted.get(),
            names_refused: counters.names_refused.get(),
            conflicts: counters.conflicts.get(),
            other_cluster: counters.other_cluster.get(),
            keys_changed: counters.keys_changed.get(),
        }
    }
}

/// So many events were lost: the subscriber's buffer was full, and the oldest in it made room.
///
/// They are counted before any prefix filter. The stream goes on with the oldest event that was kept;
/// [`Subscription::resubscribe`] starts afresh instead, with no gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lagged(pub u64);

impl fmt::Display for Lagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lagged(count) = self;
        write!(
            f,
            "{count} events were lost to a full buffer; the events go on after them; subscribe again for a whole \
             picture, and read faster or raise event_buffer"
        )
    }
}

impl std::error::Error for Lagged {}

/// A node's state at one moment, and a stream of every event after it, with no gap between.
///
/// The stream gives `Err(`[`Lagged`]`)` where events were lost to a full buffer; gossip never waits for a subscriber.
/// It ends when the node has stopped and everything is read. It does not keep the node running.
#[must_use = "a subscription that is dropped reads nothing"]
pub struct Subscription {
    snapshot: Snapshot,
    prefix: Option<String>,
    // Before `source`: the receiver must be gone when its drop tells of progress.
    receiver: Receiver<Arc<Event>>,
    source: Source,
}

/// Where a subscription came from; tells it when the subscription is gone.
struct Source(Arc<Shared>);

impl Drop for Source {
    fn drop(&mut self) {
        self.0.bus.progress.notify(usize::MAX);
    }
}

impl Subscription {
    pub(crate) fn new(shared: &Arc<Shared>, prefix: Option<String>) -> Subscription {
        let (snapshot, receiver) = start(shared);
        Subscription { snapshot, prefix, receiver, source: Source(Arc::clone(shared)) }
    }

    /// The state just before the first event of the stream.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Waits for the next event; `None` when the node has stopped and all is read. Nothing is lost when the future is
    /// dropped.
    pub async fn next(&mut self) -> Option<Result<Event, Lagged>> {
        stream::StreamExt::next(self).await
    }

    /// The next event if there is one already. `None` says that there is none now, or none any more.
    pub fn try_next(&mut self) -> Option<Result<Event, Lagged>> {
        loop {
            let result = match self.receiver.try_recv() {
                Ok(event) => Ok(event),
                Err(TryRecvError::Overflowed(count)) => Err(count),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            };
            if let Some(item) = self.item(result) {
                return Some(item);
            }
        }
    }

    /// Drops what is unread and starts afresh: a new [`snapshot`](Subscription::snapshot), and the events after it.
    pub fn resubscribe(&mut self) {
        (self.snapshot, self.receiver) = start(&self.source.0);
        self.source.0.bus.progress.notify(usize::MAX);
    }

    /// What the subscriber gets of what it received, if anything.
    fn item(&self, received: Result<Arc<Event>, u64>) -> Option<Result<Event, Lagged>> {
        let bus = &self.source.0.bus;
        bus.progress.notify(usize::MAX);
        match received {
            Ok(event) => self.wants(&event).then(|| Ok(Arc::unwrap_or_clone(event))),
            Err(count) => {
                bus.counters.lost.add(count);
                Some(Err(Lagged(count)))
            }
        }
    }

    fn wants(&self, event: &Event) -> bool {
        match (&self.prefix, &event.kind) {
            (Some(prefix), EventKind::KeyChanged { key, .. }) => key.starts_with(prefix.as_str()),
            _ => true,
        }
    }
}

fn start(shared: &Shared) -> (Snapshot, Receiver<Arc<Event>>) {
    shared.between_events(|node, now| (node.snapshot(now), shared.bus.sender.new_receiver()))
}

impl Stream for Subscription {
    type Item = Result<Event, Lagged>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let result = match ready!(Pin::new(&mut self.receiver).poll_recv(context)) {
                Some(Ok(event)) => Ok(event),
                Some(Err(RecvError::Overflowed(count))) => Err(count),
                Some(Err(RecvError::Closed)) | None => return Poll::Ready(None),
            };
            if let Some(item) = self.item(result) {
                return Poll::Ready(Some(item));
            }
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("node", &self.source.0.id)
            .field("prefix", &self.prefix)
            .field("unread", &self.receiver.len())
            .finish_non_exhaustive()
    }
}
