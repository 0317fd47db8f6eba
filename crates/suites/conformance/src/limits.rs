//! How many exchanges there are at once, and what goes on meanwhile.

use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tidings_driver::{Builder, Runtime};

use crate::peer::{Peer, exchange, silent_listener};
use crate::wait::until;
use crate::{node, sees, start, started, value_at};

/// Longer than any scenario: what hangs, hangs.
const FOR_EVER: Duration = Duration::from_secs(3_600);

fn patient<R: Runtime>(name: &str) -> Builder<R> {
    node(name).connect_timeout(FOR_EVER).packet_timeout(FOR_EVER).exchange_timeout(FOR_EVER)
}

/// Silent connections fill the limit on inbound exchanges. An honest peer is refused then, and served once there is
/// room again.
pub async fn inbound_exchanges_are_capped<R: Runtime>() {
    // No round of its own: every exchange counted here is inbound.
    let builder = patient::<R>("victim").gossip_interval(FOR_EVER);
    let victim = start(builder.config(|config| config.limits.max_accepted_exchanges = 3)).await;
    let mut silent = Vec::new();
    for count in 1..=3 {
        silent.push(Peer::<R>::dial(victim.local_addr()).await);
        until::<R>("the connection is accepted", || victim.stats().driver.accepted == count).await;
    }
    assert_eq!(victim.stats().driver.exchanges_open, 3);
    assert!(!exchange::<R>(victim.local_addr()).await, "there is no room");
    let stats = victim.stats();
    assert_eq!((stats.driver.accepted, stats.driver.accept_refused), (3, 1), "{stats:?}");
    assert_eq!(stats.core.exchanges_refused, 1, "{stats:?}");

    silent.pop();
    until::<R>("there is room again", || victim.stats().driver.exchanges_open == 2).await;
    assert!(exchange::<R>(victim.local_addr()).await, "there is room for one");
    drop(silent);
    until::<R>("all are closed", || victim.stats().driver.exchanges_open == 0).await;
    let stats = victim.stats();
    assert_eq!((stats.core.exchanges_accepted, stats.core.exchanges_completed), (4, 1), "{stats:?}");
    assert_eq!((stats.core.exchanges_failed, stats.driver.failed), (3, 3), "{stats:?}");
}

/// Silent peers fill the limit on outbound exchanges, and no further one is opened.
pub async fn outbound_exchanges_are_capped<R: Runtime>() {
    let silent: Vec<_> = (0..5).map(|_| silent_listener()).collect();
    let seeds = silent.iter().map(|(_, address)| address.to_string());
    let builder = patient::<R>("victim").seeds(seeds).config(|config| config.max_concurrent_gossip = 2);
    let victim = start(builder.shutdown_timeout(Duration::from_millis(50))).await;
    until::<R>("more are wanted than allowed", || {
        let stats = victim.stats();
        assert!(stats.driver.exchanges_open <= 2, "{stats:?}");
        stats.core.exchanges_not_opened >= 5
    })
    .await;
    assert_eq!(victim.stats().driver.dialled, 2);

    let report = victim.shutdown().await;
    assert_eq!(report.exchanges_cancelled, 2, "a shutdown cuts off what hangs");
    let stats = victim.stats();
    assert_eq!((stats.driver.exchanges_open, stats.driver.cancelled), (0, 2), "{stats:?}");
    assert_eq!((stats.core.exchanges_opened, stats.core.exchanges_failed), (2, 2), "the core knows: {stats:?}");
}

/// While exchanges with silent peers hang, the others hear all the news.
pub async fn rounds_go_on_while_peers_hang<R: Runtime>() {
    let silent: Vec<_> = (0..3).map(|_| silent_listener()).collect();
    let seeds = silent.iter().map(|(_, address)| address.to_string());
    let busy = start(patient::<R>("busy").seeds(seeds).shutdown_timeout(Duration::from_millis(50))).await;
    until::<R>("a silent peer is dialled", || busy.stats().driver.exchanges_open > 0).await;

    let other = start(node::<R>("other").seed(busy.local_addr().to_string())).await;
    until::<R>("both are alive", || sees(&busy, &other) && sees(&other, &busy)).await;
    let rounds = busy.stats().core.rounds;
    for value in ["1", "2", "3"] {
        busy.set("news", value).expect("a short key");
        until::<R>("the news arrives", || value_at(&other, &busy, "news").as_deref() == Some(value)).await;
    }
    until::<R>("more rounds", || busy.stats().core.rounds > rounds + 10).await;
    let stats = busy.stats();
    assert!(stats.driver.exchanges_open > 0, "the silent peers still hang: {stats:?}");
    assert_eq!((stats.driver.timed_out, stats.driver.failed), (0, 0), "{stats:?}");
}

/// Two hundred exchanges a second beside fifty connections on which nothing comes: each exchange succeeds, no more are
/// open than there are peers, and the rounds keep their interval.
pub async fn honest_exchanges_succeed_beside_silent_connections<R: Runtime>() {
    const SILENT: usize = 50;
    // One that is late does not make the next ones pile up: each client has one exchange at a time.
    const CLIENTS: usize = 20;
    const EACH: usize = 40;
    const PACE: Duration = Duration::from_millis(100);
    const ROUND: Duration = Duration::from_millis(200);

    let victim = start(patient::<R>("victim").gossip_interval(ROUND)).await;
    let other = start(node::<R>("other").gossip_interval(ROUND).seed(victim.local_addr().to_string())).await;
    until::<R>("both are alive", || sees(&victim, &other) && sees(&other, &victim)).await;
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        silent.push(Peer::<R>::dial(victim.local_addr()).await);
    }
    until::<R>("all are accepted", || victim.stats().driver.exchanges_open >= SILENT as u64).await;

    let before = victim.stats();
    let (begin, address) = (Instant::now(), victim.local_addr());
    let tally = Arc::new(Tally::default());
    for client in 0..CLIENTS {
        let tally = Arc::clone(&tally);
        let first = begin + PACE * u32::try_from(client).expect("few") / u32::try_from(CLIENTS).expect("few");
        R::spawn(async move {
            for number in 0..EACH {
                R::sleep_until(first + PACE * u32::try_from(number).expect("few")).await;
                let counter = if exchange::<R>(address).await { &tally.succeeded } else { &tally.failed };
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    // Those of the clients, one of each that the victim is about to forget, those of the other node and the victim's own.
    let most = (SILENT + 2 * CLIENTS + 10) as u64;
    until::<R>("all exchanges are over", || {
        let open = victim.stats().driver.exchanges_open;
        assert!((SILENT as u64..=most).contains(&open), "{open} are open");
        tally.succeeded.load(Ordering::SeqCst) + tally.failed.load(Ordering::SeqCst) == CLIENTS * EACH
    })
    .await;
    let (elapsed, after) = (begin.elapsed(), victim.stats());

    assert_eq!(tally.failed.load(Ordering::SeqCst), 0, "{after:?}");
    let planned = PACE * u32::try_from(EACH).expect("few");
    assert!(elapsed < planned * 3, "{elapsed:?} for what {planned:?} are enough for");
    let rounds = after.core.rounds - before.core.rounds;
    let due = elapsed.as_millis() / ROUND.as_millis();
    // A round that is late does not move those after it; one is lost only where the machine stands still.
    assert!((due * 4 / 5..=due + 1).contains(&u128::from(rounds)), "{rounds} rounds in {elapsed:?}, not {due}");
    assert_eq!((after.driver.accept_refused, after.driver.timed_out, after.driver.failed), (0, 0, 0), "{after:?}");
    assert_eq!((after.core.rejected.total(), after.events.died), (0, 0), "{after:?}");
    assert!(sees(&victim, &other) && sees(&other, &victim));
    assert_eq!(victim.snapshot().members.len(), 3, "itself, the other, and whom all clients speak for");

    drop(silent);
    until::<R>("what was silent is closed", || victim.stats().driver.exchanges_open < 10).await;
}

#[derive(Default)]
struct Tally {
    succeeded: AtomicUsize,
    failed: AtomicUsize,
}

/// When the system cannot accept connections for a while, the node pauses instead of spinning, and accepts again.
pub async fn accepting_survives_a_lack_of_file_descriptors<R: Runtime>() {
    let begin = Instant::now();
    let victim = started::<Flaky<R>>("victim").await;
    assert!(exchange::<R>(victim.local_addr()).await);
    assert_eq!(victim.stats().driver.accept_errors, FAILURES as u64);
    // Pauses of 10, 20, 40, 80 and 160 ms.
    assert!(begin.elapsed() >= Duration::from_millis(310), "{:?}", begin.elapsed());
}

/// `R`, whose listeners fail to accept a few times, as when the process has no file descriptor left.
struct Flaky<R>(PhantomData<fn() -> R>);

struct FlakyListener<L> {
    listener: L,
    failures: AtomicUsize,
}

const FAILURES: usize = 5;
/// Too many open files, on every Unix.
const EMFILE: i32 = 24;

impl<R: Runtime> Runtime for Flaky<R> {
    type Listener = FlakyListener<R::Listener>;
    type Stream = R::Stream;

    async fn bind(address: SocketAddr) -> io::Result<Self::Listener> {
        Ok(FlakyListener { listener: R::bind(address).await?, failures: AtomicUsize::new(0) })
    }

    fn local_addr(listener: &Self::Listener) -> io::Result<SocketAddr> {
        R::local_addr(&listener.listener)
    }

    async fn accept(listener: &Self::Listener) -> io::Result<(Self::Stream, SocketAddr)> {
        if listener.failures.load(Ordering::SeqCst) < FAILURES {
            listener.failures.fetch_add(1, Ordering::SeqCst);
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        R::accept(&listener.listener).await
    }

    fn connect(address: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send {
        R::connect(address)
    }

    fn resolve(host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send {
        R::resolve(host, port)
    }

    fn sleep_until(deadline: Instant) -> impl Future<Output = ()> + Send {
        R::sleep_until(deadline)
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        R::spawn(task);
    }
}
