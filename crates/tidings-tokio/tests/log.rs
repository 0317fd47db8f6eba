//! What a node logs. On one thread, so that the log of this test is this test's alone.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use tidings_tokio::Cluster;
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

#[tokio::test(flavor = "current_thread")]
async fn each_rejection_is_one_line_with_peer_and_reason() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(false)
        .with_max_level(tracing::Level::DEBUG)
        .with_span_events(FmtSpan::NONE)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

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
        let peer = peer.to_string();
        let of_peer = |line: &&String| line.contains("WARN") && line.contains(&peer);
        let found: Vec<_> = lines.iter().filter(of_peer).collect();
        assert_eq!(found.len(), 1, "{lines:#?}");
        for word in ["packet rejected", reason, "exchange{direction=\"inbound\"", "node{id=noted-"] {
            assert!(found[0].contains(word), "{word:?} is not in: {}", found[0]);
        }
    }
}
