//! An event stream, read as it comes.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;

use serde_json::Value;

use crate::agent::{Agent, head};
use crate::specification;

pub(crate) struct Stream(BufReader<TcpStream>);

/// What stands between two empty lines.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Frame {
    pub(crate) comment: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

impl Frame {
    /// The number of its event.
    pub(crate) fn sequence(&self) -> u64 {
        self.id.as_ref().unwrap().split_once('-').unwrap().1.parse().unwrap()
    }
}

impl Stream {
    /// Opens a stream with this query and these headers, each with its line end.
    pub(crate) fn open(agent: &Agent, query: &str, headers: &str) -> Stream {
        // Without chunks: the answer is as long as the connection.
        let mut stream = agent.send(&format!("GET /v1/events{query} HTTP/1.0\r\nhost: localhost\r\n{headers}\r\n"));
        let (status, head) = head(&mut stream);
        assert_eq!(status, 200, "{head}");
        assert!(head.contains("content-type: text/event-stream\r\n"), "{head}");
        assert!(head.contains("cache-control: no-store\r\n"), "{head}");
        Stream(stream)
    }

    /// The next frame; `None`: the stream is over.
    pub(crate) fn frame(&mut self) -> Option<Frame> {
        let mut frame = Frame::default();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            let line = line.strip_suffix('\n').unwrap();
            match line.split_once(": ") {
                None if line.is_empty() => return Some(frame),
                Some(("", comment)) => frame.comment = Some(comment.to_string()),
                Some(("event", event)) => frame.event = Some(event.to_string()),
                Some(("id", id)) => frame.id = Some(id.to_string()),
                Some(("data", data)) => frame.data = serde_json::from_str(data).unwrap(),
                _ => panic!("{line:?}"),
            }
        }
    }

    /// The next event, checked against the document.
    pub(crate) fn event(&mut self) -> Option<Frame> {
        loop {
            let frame = self.frame()?;
            let Some(event) = &frame.event else { continue };
            specification::is_a(
                match event.as_str() {
                    "member-live" | "member-dead" | "member-left" | "member-forgotten" => "MemberEvent",
                    "member-restarted" => "RestartEvent",
                    "member-moved" => "MovedEvent",
                    "name-refused" => "RefusedEvent",
                    "key-changed" | "key-deleted" => "KeyEvent",
                    "lagged" => "LaggedEvent",
                    other => panic!("{other}"),
                },
                &frame.data,
            );
            assert!(frame.id.is_some(), "{frame:?}");
            return Some(frame);
        }
    }

    /// The next event that is `wanted`.
    pub(crate) fn waits_for(&mut self, event: &str, wanted: impl Fn(&Value) -> bool) -> Frame {
        loop {
            let frame = self.event().unwrap_or_else(|| panic!("the stream ended without {event}"));
            if frame.event.as_deref() == Some(event) && wanted(&frame.data) {
                return frame;
            }
        }
    }
}
