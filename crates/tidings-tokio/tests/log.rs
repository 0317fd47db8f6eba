//! What a node logs. Each test on one thread, so that its log is its own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tidings_conformance::certificates::{Authority, Files};
use tidings_tokio::{Builder, Cluster};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().expect("no writer panics").clone();
        String::from_utf8(bytes).expect("a log is text").lines().map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no writer panics").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Log;

    fn make_writer(&self) -> Log {
        self.clone()
    }
}

/// Collects all that this thread logs while the guard lives.
fn collect() -> (Log, DefaultGuard) {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(false)
        .with_max_level(tracing::Level::DEBUG)
        .with_span_events(FmtSpan::NONE)
        .finish();
    (log, tracing::subscriber::set_default(subscriber))
}

/// The one warning about this peer.
#[track_caller]
fn warning_about(lines: &[String], peer: impl ToString) -> String {
    let peer = peer.to_string();
    let found: Vec<_> = lines.iter().filter(|line| line.contains("WARN") && line.contains(&peer)).collect();
    assert_eq!(found.len(), 1, "{lines:#?}");
    found[0].clone()
}

#[tokio::test(flavor = "current_thread")]
async fn each_rejection_is_one_line_with_peer_and_reason() {
    let (log, _guard) = collect();
    let node = Cluster::builder("noted").start().await.unwrap();
    let mut peers = Vec::new();
    for (bytes, reason) in
        [(&[0xff; 8][..], "over the limit"), (&[0, 0, 0, 0], "0 bytes"), (&[0, 0, 0, 1, 0xff], "not a packet")]
    {
        let address = node.local_addr();
        let bytes = bytes.to_vec();
        let peer = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(&bytes).unwrap();
            let _ = stream.read(&mut [0]);
            stream.local_addr().unwrap()
        });
        peers.push((peer.await.unwrap(), reason));
    }
    node.shutdown().await;

    let lines = log.lines();
    for (peer, reason) in peers {
        let line = warning_about(&lines, peer);
        for word in ["packet rejected", reason, "exchange{direction=\"inbound\"", "node{id=noted-"] {
            assert!(line.contains(word), "{word:?} is not in: {line}");
        }
    }
}

/// How a stranger dials a node that demands certificates, and what that node says of it.
async fn refused(authority: &Authority, stranger: Builder, reason: &str) {
    let (log, _guard) = collect();
    let files = Files::new(&authority.certify(&["noted.example", "127.0.0.1"]), &[authority]);
    let builder = Cluster::builder("noted").tls_name("noted.example").tls(files.tls());
    let node = builder.gossip_interval(Duration::from_secs(3_600)).start().await.expect("a node starts");
    let stranger = stranger.seed(node.local_addr().to_string()).gossip_interval(Duration::from_secs(2));
    let stranger = stranger.start().await.expect("a node starts");
    let count = |node: &Cluster| node.stats().driver.tls_refused + node.stats().driver.packets_rejected;
    let begin = Instant::now();
    while count(&node) == 0 {
        assert!(begin.elapsed() < Duration::from_secs(60), "{:#?}", log.lines());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stranger.shutdown().await;
    node.shutdown().await;
    assert_eq!(count(&node), 1);

    let lines: Vec<_> = log.lines().into_iter().filter(|line| line.contains("node{id=noted-")).collect();
    let peer =
        lines.iter().find_map(|line| line.split("peer=").nth(1)?.split('}').next()).expect("a line names the peer");
    let line = warning_about(&lines, peer);
    for word in ["exchange{direction=\"inbound\" peer=127.0.0.1:", reason] {
        assert!(line.contains(word), "{word:?} is not in: {line}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn each_refusal_over_tls_is_one_line_with_peer_and_reason() {
    let (authority, other) = (Authority::new("authority"), Authority::new("other"));
    let identity = authority.certify(&["stranger.example"]);
    let files = Files::new(&identity, &[&authority]);
    let stranger = || Cluster::builder("stranger").tls_name("stranger.example");

    refused(&authority, Cluster::builder("stranger"), "TLS refused peer=").await;
    refused(&authority, Cluster::builder("stranger"), "the peer does not speak TLS").await;
    refused(&authority, stranger().tls(files.tls().server_only()), "TLS refused peer=").await;
    refused(&authority, stranger().tls(files.tls().server_only()), "peer sent no certificates").await;
    let untrusted = Files::new(&other.certify(&["stranger.example"]), &[&authority]);
    refused(&authority, stranger().tls(untrusted.tls()), "invalid peer certificate: UnknownIssuer").await;
    let distrusting = Files::new(&identity, &[&other]);
    refused(&authority, stranger().tls(distrusting.tls()), "refuses this node's certificate or handshake").await;
}

async fn until(what: &str, log: &Log, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(60), "not within a minute: {what}: {:#?}", log.lines());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Somebody with a good certificate uses the name of another member, and somebody one that is not its certificate's.
#[tokio::test(flavor = "current_thread")]
async fn a_name_that_is_refused_is_told_with_the_way_out() {
    let (log, _guard) = collect();
    let authority = Authority::new("authority");
    let files: Vec<Files> = ["noted", "n1", "evil", "strict"]
        .map(|name| Files::new(&authority.certify(&[&format!("{name}.example"), "127.0.0.1"]), &[&authority]))
        .into();
    let member = |name: &str, files: &Files, tls_name: &str| {
        Cluster::builder(name).tls_name(tls_name).tls(files.tls()).gossip_interval(Duration::from_millis(50))
    };
    let noted = member("noted", &files[0], "noted.example").start().await.expect("a node starts");
    let seed = noted.local_addr().to_string();
    let n1 = member("n1", &files[1], "n1.example").seed(&seed).start().await.expect("a node starts");
    until("n1 is live", &log, || noted.live_nodes().contains(n1.id())).await;
    let evil = member("n1", &files[2], "evil.example").seed(&seed).start().await.expect("a node starts");
    until("it is told", &log, || noted.stats().events.names_refused > 0).await;
    evil.shutdown().await;
    let strict = member("strict.example", &files[3], "strict.example").names_are_tls_names(true);
    let strict = strict.start().await.expect("a node starts");
    let seed = strict.local_addr().to_string();
    let misnamed = member("misnamed", &files[1], "n1.example").seed(&seed).start().await.expect("a node starts");
    until("it is rejected", &log, || strict.stats().core.rejected.wrong_name > 0).await;
    for node in [&noted, &n1, &strict, &misnamed] {
        node.shutdown().await;
    }

    let lines = log.lines();
    let has = |words: &[&str]| {
        let found = lines.iter().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "{words:?} are not in one line of {lines:#?}");
    };
    let way_out = "give the node another name, or forget the node that had this one";
    has(&["WARN", "node{id=noted-", "packet rejected", "\"evil.example\"", "\"n1.example\"", way_out]);
    has(&["WARN", "node{id=noted-", "goes by a name that belongs to the certificate of n1-", "forget the node"]);
    has(&[
        "WARN",
        "node{id=strict.example-",
        "names_are_tls_names is set here",
        "name the node as its certificate does",
    ]);
}
