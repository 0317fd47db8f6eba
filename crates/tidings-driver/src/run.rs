//! The node's own task: the gossip loop, the accept loop, and the end of both.

use std::future::{self, Future};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::future::{or, yield_now, zip};
use tracing::{debug, error, info};

use crate::deadline::by;
use crate::exchange;
use crate::record::Recording;
use crate::report::ShutdownReport;
use crate::runtime::Runtime;
use crate::shared::{Shared, Turn};

/// The gossip loop sleeps at least this long. Timers are no finer, and rounds are far apart.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);
/// After the system failed to accept a connection: the first pause, doubled while it fails, to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Runs the node until it is stopped, then brings it to a graceful end. A runtime that drops this unstarted has stopped
/// the node, too.
pub(crate) fn run<R: Runtime>(shared: Arc<Shared>, listener: R::Listener) -> impl Future<Output = ()> + Send {
    let stopped = StoppedOnDrop(Arc::clone(&shared));
    async move {
        let _stopped = stopped;
        run_to_the_end::<R>(shared, listener).await;
    }
}

async fn run_to_the_end<R: Runtime>(shared: Arc<Shared>, listener: R::Listener) {
    info!(listening = %shared.local_addr, "node started");
    zip(or(shared.stopping.wait(), turns::<R>(&shared)), accept::<R>(&shared, listener)).await;
    shared.stop_sending();

    let deadline = Instant::now() + shared.timeouts.shutdown;
    let over = or(shared.idle(), shared.cancelled.wait());
    let finished = by::<R, _>(deadline, or(over, turns::<R>(&shared))).await;
    let exchanges_cancelled = shared.open_exchanges();
    if finished.is_none() {
        debug!(exchanges_cancelled, "exchanges are not over in time");
    }
    shared.cancelled.raise();
    shared.idle().await;

    if let Some(recording) = &shared.recording {
        recording.end();
        by::<R, _>(deadline, recording.ended()).await;
    }
    // Subscribers read on after this; only nothing new comes.
    shared.bus.close();
    by::<R, _>(deadline, or(shared.bus.drained(), shared.orphaned.wait())).await;
    let report = ShutdownReport { exchanges_cancelled, events_unread: shared.bus.unread() };
    let report = shared.report.get_or_init(|| report);
    info!(report.exchanges_cancelled, report.events_unread, "node stopped");
}

/// Opens exchanges as the node asks for them, and calls it when something is due, for ever. It waits for no exchange.
async fn turns<R: Runtime>(shared: &Arc<Shared>) {
    loop {
        // Listening begins before the turn, so that no wake-up falls between.
        let woken = shared.wake.listen();
        let Turn { dials, deadline } = shared.turn();
        for dial in dials {
            exchange::dial::<R>(shared, dial);
        }
        let due = async {
            match deadline {
                Some(deadline) => R::sleep_until(deadline.max(Instant::now() + SHORTEST_SLEEP)).await,
                None => future::pending().await,
            }
        };
        or(woken, due).await;
    }
}

/// Accepts connections until the node is stopping; then the port is freed.
async fn accept<R: Runtime>(shared: &Arc<Shared>, listener: R::Listener) {
    let mut pause = FIRST_PAUSE;
    let stopping = || async {
        shared.stopping.wait().await;
        None
    };
    while let Some(accepted) = or(stopping(), async { Some(R::accept(&listener).await) }).await {
        match accepted {
            Ok((stream, peer)) => {
                pause = FIRST_PAUSE;
                exchange::accept::<R>(shared, stream, peer);
                // A flood of connections is always ready: the rounds get their turn all the same.
                yield_now().await;
            }
            Err(error) if concerns_one_connection(&error) => {
                shared.counters.accept_errors.increment();
                debug!(%error, "an inbound connection was gone before it was accepted");
                yield_now().await;
            }
            Err(error) => {
                // Most likely out of file descriptors. Trying again at once would fail at once.
                shared.counters.accept_errors.increment();
                error!(%error, ?pause, "cannot accept connections; trying again after a pause");
                or(shared.stopping.wait(), R::sleep_until(Instant::now() + pause)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Says that the node has stopped, also when its task is dropped with its runtime.
struct StoppedOnDrop(Arc<Shared>);

impl Drop for StoppedOnDrop {
    fn drop(&mut self) {
        let shared = &self.0;
        shared.stopping.raise();
        shared.cancelled.raise();
        shared.stop_sending();
        shared.recording.iter().for_each(Recording::end);
        shared.bus.close();
        shared.stopped.raise();
        // The watches end on `stopped`.
        shared.bus.liveness.notify(usize::MAX);
    }
}
