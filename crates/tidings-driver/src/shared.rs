//! What the tasks and handles of one node share.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use event_listener::Event;
use tidings_core::{Address, EventKind, ExchangeId, ExchangeTimeouts, Node, NodeId, NodeState, Outcome, Transmit};
use tracing::{Span, debug, info, warn};

use crate::clock::Clock;
use crate::cut::Cut;
use crate::events::EventBus;
use crate::history::{Direction, History};
use crate::names::Names;
use crate::record::{Machine, Recording};
use crate::report::ShutdownReport;
use crate::signal::Signal;
use crate::stats::{Counters, DriverStats};
use crate::tls::Endpoint;

/// Which live nodes a [`LiveNodes`](crate::LiveNodes) reports.
pub(crate) type LivenessPredicate = Box<dyn Fn(&NodeId, &NodeState) -> bool + Send + Sync>;

/// How long the end may take. The deadlines of exchanges are the core's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) leave: Duration,
    pub(crate) shutdown: Duration,
}

/// One running node: its protocol state, and all that its tasks and handles tell each other.
pub(crate) struct Shared {
    pub(crate) id: NodeId,
    pub(crate) local_addr: SocketAddr,
    pub(crate) max_frame: usize,
    pub(crate) timeouts: Timeouts,
    /// The core's own, to share its time among the addresses of a host, and to say which deadline passed.
    pub(crate) exchange_timeouts: ExchangeTimeouts,
    /// `None`: traffic is in the clear.
    pub(crate) tls: Option<Endpoint>,
    pub(crate) predicate: Option<LivenessPredicate>,
    pub(crate) span: Span,
    pub(crate) clock: Clock,
    pub(crate) counters: Counters,
    pub(crate) history: History,
    pub(crate) names: Names,
    pub(crate) bus: EventBus,
    /// Wakes the gossip loop: there is something to send, or an earlier deadline than it waits for.
    pub(crate) wake: Event,
    /// No new exchange, of either direction.
    pub(crate) stopping: Signal,
    /// Every open exchange ends now.
    pub(crate) cancelled: Signal,
    /// The last handle is dropped: nobody waits for anything any more.
    pub(crate) orphaned: Signal,
    /// All tasks are over.
    pub(crate) stopped: Signal,
    /// The core's `LeaveFinished` came; `told` has its count.
    pub(crate) left: Signal,
    pub(crate) told: OnceLock<usize>,
    pub(crate) report: OnceLock<ShutdownReport>,
    /// `None`: the node is not recorded.
    pub(crate) recording: Option<Recording>,
    /// The addresses whose wrong peers the log has warned of.
    warned: Mutex<BTreeSet<Address>>,
    open: AtomicUsize,
    idle: Event,
    core: Mutex<Core>,
}

struct Core {
    node: Machine,
    outbox: Vec<Dial>,
    /// How to cut each exchange that is open at the node.
    cuts: BTreeMap<ExchangeId, Arc<Cut>>,
    /// What the gossip loop waits for; `None` when it waits for no deadline.
    armed: Option<tidings_core::Instant>,
    /// Whether the gossip loop still takes what is in the outbox.
    sending: bool,
}

impl Core {
    fn register(&mut self, exchange: ExchangeId) -> Arc<Cut> {
        Arc::clone(self.cuts.entry(exchange).or_default())
    }

    /// Tells the node that an exchange is over, unless the node has ended it itself.
    fn close(&mut self, now: tidings_core::Instant, exchange: ExchangeId, outcome: Outcome) {
        if self.cuts.remove(&exchange).is_some() {
            self.node.handle_closed(now, exchange, outcome);
        }
    }
}

/// An exchange to open.
pub(crate) struct Dial {
    pub(crate) transmit: Transmit,
    pub(crate) cut: Arc<Cut>,
}

/// What the gossip loop has to do next.
pub(crate) struct Turn {
    pub(crate) dials: Vec<Dial>,
    pub(crate) deadline: Option<Instant>,
}

impl Shared {
    pub(crate) fn new(node: Machine, clock: Clock, settings: SharedSettings) -> Shared {
        let id = node.id().clone();
        let span = tracing::info_span!("node", %id);
        Shared {
            max_frame: node.config().limits.decode.max_packet_bytes,
            exchange_timeouts: node.config().exchange_timeouts.clone(),
            id,
            local_addr: settings.local_addr,
            timeouts: settings.timeouts,
            tls: settings.tls,
            predicate: settings.predicate,
            span,
            clock,
            counters: Counters::default(),
            history: History::default(),
            names: settings.names,
            bus: EventBus::new(settings.event_buffer),
            wake: Event::new(),
            stopping: Signal::default(),
            cancelled: Signal::default(),
            orphaned: Signal::default(),
            stopped: Signal::default(),
            left: Signal::default(),
            told: OnceLock::new(),
            report: OnceLock::new(),
            recording: settings.recording,
            warned: Mutex::default(),
            open: AtomicUsize::new(0),
            idle: Event::new(),
            core: Mutex::new(Core { node, outbox: Vec::new(), cuts: BTreeMap::new(), armed: None, sending: true }),
        }
    }

    /// Looks at the node. `look` must not wait, and must not call back into `self`.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Node, tidings_core::Instant) -> T) -> T {
        let core = self.lock();
        look(&core.node, self.clock.now())
    }

    /// Gives the node an input or a command, and passes on all that follows from it.
    pub(crate) fn with_node<T>(&self, act: impl FnOnce(&mut Machine, tidings_core::Instant) -> T) -> T {
        self.with_core(|core, now| act(&mut core.node, now))
    }

    /// Takes in an exchange that a peer opens; `None`: the node is at a limit.
    pub(crate) fn accept(&self, from: IpAddr) -> Option<(ExchangeId, Arc<Cut>)> {
        self.with_core(|core, now| {
            let exchange = core.node.accept(now, from)?;
            Some((exchange, core.register(exchange)))
        })
    }

    /// Tells the node that an exchange is over, and gives who spoke on it.
    pub(crate) fn close(&self, exchange: ExchangeId, outcome: Outcome) -> Option<NodeId> {
        self.with_core(|core, now| {
            let peer = core.node.exchange_peer(exchange).cloned();
            core.close(now, exchange, outcome);
            peer
        })
    }

    fn with_core<T>(&self, act: impl FnOnce(&mut Core, tidings_core::Instant) -> T) -> T {
        let mut core = self.lock();
        let now = self.clock.now();
        let result = act(&mut core, now);
        let news = self.drain(&mut core, now);
        let due = core.node.poll_timeout();
        let wake = !core.outbox.is_empty() || due.is_some_and(|due| core.armed.is_none_or(|armed| due < armed));
        drop(core);

        if wake {
            self.wake.notify(1);
        }
        self.log(&news);
        result
    }

    /// As [`with_node`](Shared::with_node), but `look` sees the node after all its events are with the subscribers, and
    /// before any further one is.
    pub(crate) fn between_events<T>(&self, look: impl FnOnce(&Node, tidings_core::Instant) -> T) -> T {
        let mut core = self.lock();
        let now = self.clock.now();
        let news = self.drain(&mut core, now);
        let result = look(&core.node, now);
        drop(core);
        self.log(&news);
        result
    }

    /// Does what is due and says what to send and how long to wait.
    pub(crate) fn turn(&self) -> Turn {
        let mut core = self.lock();
        let now = self.clock.now();
        if core.node.poll_timeout().is_some_and(|due| due <= now) {
            core.node.handle_timeout(now);
        }
        let news = self.drain(&mut core, now);
        core.armed = core.node.poll_timeout();
        let turn = Turn {
            dials: std::mem::take(&mut core.outbox),
            deadline: core.armed.map(|armed| self.clock.system(armed)),
        };
        drop(core);
        self.log(&news);
        turn
    }

    /// From now on nothing is sent: what waits in the outbox, and what comes later, is closed unsent.
    pub(crate) fn stop_sending(&self) {
        let mut core = self.lock();
        let now = self.clock.now();
        core.sending = false;
        for Dial { transmit, .. } in std::mem::take(&mut core.outbox) {
            core.close(now, transmit.exchange, Outcome::Refused);
        }
        let news = self.drain(&mut core, now);
        drop(core);
        self.log(&news);
    }

    /// Moves the node's events to the subscribers and its packets to the outbox, and cuts what the node has ended. Returns the events, to be logged once
    /// the lock is released.
    fn drain(&self, core: &mut Core, now: tidings_core::Instant) -> Vec<Arc<tidings_core::Event>> {
        while let Some(transmit) = core.node.poll_transmit() {
            let cut = core.register(transmit.exchange);
            if core.sending {
                core.outbox.push(Dial { transmit, cut });
            } else {
                core.close(now, transmit.exchange, Outcome::Refused);
            }
        }
        while let Some(abort) = core.node.poll_abort() {
            core.outbox.retain(|dial| dial.transmit.exchange != abort.exchange);
            if let Some(cut) = core.cuts.remove(&abort.exchange) {
                cut.raise(abort);
            }
        }
        let mut news = Vec::new();
        while let Some(event) = core.node.poll_event() {
            let event = Arc::new(event);
            self.bus.publish(&event, self.predicate.is_some());
            news.push(event);
        }
        if let Some(recording) = &self.recording {
            recording.notice(&core.node);
        }
        news
    }

    /// Gives the thread that records what it needs of the node. `act` must not wait.
    #[cfg(feature = "record")]
    pub(crate) fn recorder<T>(&self, act: impl FnOnce(&mut Machine) -> T) -> T {
        act(&mut self.lock().node)
    }

    fn log(&self, news: &[Arc<tidings_core::Event>]) {
        for event in news {
            let kind = &event.kind;
            match kind {
                EventKind::KeyChanged { .. } => debug!(parent: &self.span, "{kind}"),
                EventKind::NodeConflict { .. }
                | EventKind::NameRefused { .. }
                | EventKind::OtherCluster { .. }
                | EventKind::VersionRefused { .. }
                | EventKind::DigestTruncated { .. } => warn!(parent: &self.span, "{kind}"),
                EventKind::LeaveFinished { told } => {
                    info!(parent: &self.span, "{kind}");
                    self.told.get_or_init(|| *told);
                    self.left.raise();
                }
                _ => info!(parent: &self.span, "{kind}"),
            }
        }
    }

    /// Whether the log has not warned of this address yet. Past so many it begins anew.
    pub(crate) fn is_first_warning(&self, address: &Address) -> bool {
        const MOST_WARNED: usize = 256;
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.len() >= MOST_WARNED {
            warned.clear();
        }
        warned.insert(address.clone())
    }

    pub(crate) fn driver_stats(&self) -> DriverStats {
        let [dialled, accepted] = [Direction::Dialled, Direction::Accepted].map(|it| self.history.counts(it));
        self.counters.read(self.open_exchanges() as u64, dialled, accepted)
    }

    /// The exchanges, of both directions, that are open now.
    pub(crate) fn open_exchanges(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub(crate) fn exchange_opened(&self) {
        self.open.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn exchange_closed(&self) {
        if self.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.idle.notify(usize::MAX);
        }
    }

    /// Waits until no exchange is open.
    pub(crate) async fn idle(&self) {
        while self.open_exchanges() > 0 {
            let listener = self.idle.listen();
            if self.open_exchanges() == 0 {
                return;
            }
            listener.await;
        }
    }

    /// A panic elsewhere while the lock was held leaves the node usable: each of its calls is whole or a panic of its
    /// own, which the core does not have.
    fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What [`Shared::new`] needs beside the node.
pub(crate) struct SharedSettings {
    pub(crate) local_addr: SocketAddr,
    pub(crate) names: Names,
    pub(crate) timeouts: Timeouts,
    pub(crate) tls: Option<Endpoint>,
    pub(crate) predicate: Option<LivenessPredicate>,
    pub(crate) event_buffer: usize,
    pub(crate) recording: Option<Recording>,
}
