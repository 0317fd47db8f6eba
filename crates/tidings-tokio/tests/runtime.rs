//! What is tokio's alone: its runtimes begin and end within a process, and need not be there at all.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use futures_lite::future::block_on;
use tidings_tokio::{Cluster, LiveNodes, StartError, Subscription};
use tokio::runtime::{Builder, Runtime};

const HOUR: Duration = Duration::from_secs(3_600);

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

#[test]
fn outside_a_runtime_the_start_is_an_error() {
    for listen in ["127.0.0.1:0", "localhost:0"] {
        let error = block_on(Cluster::builder("a").listen(listen).start()).unwrap_err();
        assert!(matches!(error, StartError::Resolve { .. } | StartError::Listen { .. }), "{error}");
        assert!(error.to_string().contains("no reactor running"), "{error}");
    }
}

#[test]
fn a_node_ends_with_its_runtime() {
    let runtime = runtime();
    let node = runtime.block_on(Cluster::builder("a").start()).unwrap();
    let mut events = node.subscribe();
    let mut watch = node.live_nodes_watch();
    runtime.shutdown_timeout(Duration::from_secs(10));

    // Nothing of this needs the runtime, and nothing waits for it.
    assert!(!node.is_running());
    block_on(node.shutdown());
    assert_eq!(block_on(events.next()), None);
    assert_eq!(block_on(watch.changed()), None);
    assert_eq!(node.stats().driver.exchanges_open, 0);
    TcpListener::bind(node.local_addr()).unwrap();
}

#[test]
fn a_node_ends_with_a_runtime_that_never_ran_it() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let node = runtime.block_on(Cluster::builder("a").start()).unwrap();
    drop(runtime);
    assert!(!node.is_running());
    block_on(node.shutdown());
    TcpListener::bind(node.local_addr()).unwrap();
}

#[test]
fn exchanges_under_way_when_the_runtime_ends_are_closed_at_the_core() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let runtime = runtime();
    let builder = Cluster::builder("a").gossip_interval(Duration::from_millis(20));
    let builder = builder.packet_timeout(HOUR).exchange_timeout(HOUR).seed(silent.local_addr().unwrap().to_string());
    let node = runtime.block_on(builder.start()).unwrap();
    let begin = Instant::now();
    while node.stats().driver.exchanges_open == 0 {
        assert!(begin.elapsed() < Duration::from_secs(60), "the seed is not dialled");
        std::thread::sleep(Duration::from_millis(5));
    }
    runtime.shutdown_timeout(Duration::from_secs(10));
    let stats = node.stats();
    assert_eq!((stats.driver.exchanges_open, stats.core.exchanges_opened, stats.core.exchanges_failed), (0, 1, 1));
}

#[test]
fn commands_need_no_runtime() {
    let runtime = runtime();
    let node = runtime.block_on(Cluster::builder("a").start()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| node.set("key", "value")).join().unwrap().unwrap();
    });
    assert_eq!(node.get("key").as_deref(), Some("value"));
    // The shutdown runs on the node's own runtime; it can be waited for anywhere.
    block_on(node.shutdown());
    TcpListener::bind(node.local_addr()).unwrap();
}

/// Whatever a user does with a node can be done in a spawned task. Checked when it is compiled.
#[test]
fn handles_and_futures_go_between_threads() {
    fn send<T: Send>(_: &T) {}
    fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    fn stream<T: Send + Sync + Unpin + 'static>(_: Option<&T>) {}

    send(&Cluster::builder("a").config(|_| {}).liveness_predicate(|_, _| true).start());
    let node = runtime().block_on(Cluster::builder("a").start()).unwrap();
    shared(&node);
    send(&node.leave());
    send(&node.shutdown());
    stream::<Subscription>(None);
    stream::<LiveNodes>(None);
}
