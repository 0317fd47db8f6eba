//! What many callers, and slow ones, can do: nothing to the others, and nothing without an end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::agent::{Agent, head};
use crate::stream::Stream;
use crate::support::eventually;

/// Resident memory of the agent, in kB.
#[cfg(target_os = "linux")]
fn memory_kb(agent: &Agent) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.process.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn open_streams(agent: &Agent) -> u64 {
    let metrics = agent.get("/metrics");
    let text = metrics.as_str().unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("tidings_event_streams ")).unwrap();
    line.parse().unwrap()
}

#[test]
fn a_thousand_idle_streams_cost_little_and_all_hear() {
    let agent = Agent::start("one", &[]);
    #[cfg(target_os = "linux")]
    let before = memory_kb(&agent);
    let mut streams: Vec<Stream> = (0..1_000).map(|_| Stream::open(&agent, "", "")).collect();
    for stream in &mut streams {
        stream.frame().unwrap();
    }
    assert_eq!(open_streams(&agent), 1_000);
    agent.set("k", "heard by all");
    for stream in &mut streams {
        assert_eq!(stream.event().unwrap().data["value"], "heard by all");
    }
    #[cfg(target_os = "linux")]
    {
        let grown = memory_kb(&agent).saturating_sub(before);
        assert!(grown < 100_000, "{grown} kB for 1,000 idle streams");
    }
    drop(streams);
    eventually("the end of the streams", || (open_streams(&agent) == 0).then_some(()));
}

#[test]
fn a_stream_too_many_is_refused_until_another_ends() {
    let agent = Agent::start("one", &["--http-max-streams", "2"]);
    let first = Stream::open(&agent, "", "");
    let _second = Stream::open(&agent, "", "");
    let answer = agent.call("GET", "/v1/events", b"");
    answer.is_problem(503, "too-many-streams", "2 event streams");
    assert_eq!(answer.retry_after.as_deref(), Some("5"));
    drop(first);
    eventually("a free place", || {
        let mut stream = agent.send("GET /v1/events HTTP/1.0\r\nhost: localhost\r\n\r\n");
        (head(&mut stream).0 == 200).then_some(())
    });
}

#[test]
fn a_reader_that_takes_nothing_is_bounded_and_cut_off_and_hinders_nobody() {
    let agent = Agent::start("one", &["--http-write-timeout", "2s"]);
    let mut reads = Stream::open(&agent, "", "");
    reads.frame().unwrap();
    let request = "GET /v1/events HTTP/1.0\r\nhost: localhost\r\n\r\n";
    let mut stuck: Vec<TcpStream> = (0..20).map(|_| agent.send(request).into_inner()).collect();
    eventually("the streams", || (open_streams(&agent) == 21).then_some(()));
    #[cfg(target_os = "linux")]
    let before = memory_kb(&agent);

    // 60 MB of events, which the others read none of.
    let begin = Instant::now();
    let value = "x".repeat(60_000);
    for number in 0..500 {
        agent.set("k", &format!("{number} {value}"));
        assert!(reads.event().unwrap().data["value"].as_str().unwrap().starts_with(&format!("{number} ")));
    }
    #[cfg(target_os = "linux")]
    {
        let grown = memory_kb(&agent).saturating_sub(before);
        // 16 MiB are kept for all streams, and each has a buffer.
        assert!(grown < 45_000, "{grown} kB for 20 readers that read nothing");
    }
    eventually("the end of those that take nothing", || (open_streams(&agent) == 1).then_some(()));
    assert!(begin.elapsed() >= Duration::from_secs(2));
    for stream in &mut stuck {
        // What was under way comes, and then the end.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    agent.set("k", "after");
    assert_eq!(reads.event().unwrap().data["value"], "after");
}

#[test]
fn a_slow_reader_that_reads_on_is_told_what_it_missed() {
    let agent = Agent::start("one", &[]);
    let mut slow = Stream::open(&agent, "", "");
    let before = slow.frame().unwrap().sequence();
    let value = "x".repeat(60_000);
    for number in 0..500 {
        agent.set("k", &format!("{number} {value}"));
    }
    let last = agent.get("/v1/state")["sequence"].as_u64().unwrap();
    let (mut expected, mut missed) = (before + 1, 0);
    while expected <= last {
        let event = slow.event().unwrap();
        if event.event.as_deref() == Some("lagged") {
            missed += event.data["missed"].as_u64().unwrap();
            assert_eq!(event.sequence() + 1, expected + event.data["missed"].as_u64().unwrap());
        } else {
            assert_eq!(event.sequence(), expected, "no event is left out without a word");
        }
        expected = event.sequence() + 1;
    }
    assert!(missed > 0, "60 MB fit nowhere");
}

#[test]
fn a_request_that_is_never_whole_ends_in_time() {
    let agent = Agent::start("one", &["--http-read-timeout", "1s"]);
    let begin = Instant::now();
    let mut no_head = agent.send("GET /v1/members HTTP/1.1\r\nhost: local");
    let mut no_request = agent.send("");
    let mut no_body = agent.send("PUT /v1/keys/k HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nab");
    let (status, _) = head(&mut no_body);
    assert_eq!(status, 408);
    for stream in [&mut no_head, &mut no_request] {
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    // One that is kept after an answer ends, too; a stream does not.
    let mut events = Stream::open(&agent, "", "");
    let mut kept = agent.send("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert_eq!(head(&mut kept).0, 200);
    let mut rest = Vec::new();
    kept.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"ok");
    events.frame().unwrap();
    agent.set("k", "v");
    assert_eq!(events.event().unwrap().data["value"], "v");
}

#[test]
fn connections_past_the_limit_wait_for_a_place() {
    let agent = Agent::start("one", &["--http-max-connections", "2"]);
    let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let (first, _second) = (agent.send(""), agent.send(""));
    let mut third = agent.send("");
    third.get_mut().write_all(request).unwrap();
    third.get_mut().set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    assert!(third.read(&mut [0; 1]).is_err(), "there is no place for it");
    drop(first);
    third.get_mut().set_read_timeout(Some(crate::support::DEADLINE)).unwrap();
    assert_eq!(head(&mut third).0, 200);
}
