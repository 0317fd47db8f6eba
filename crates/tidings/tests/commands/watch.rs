//! `tidings watch` when connections do not last.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::{Value, json};

use crate::fake::{Fake, Then, answer, events, members};
use crate::support::DEADLINE;
use crate::tidings::{command, tidings};

/// A running `tidings watch`, killed in the end.
pub(crate) struct Watch {
    child: Child,
    lines: Receiver<String>,
}

impl Watch {
    /// With `--json`.
    pub(crate) fn start(api: &str, more: &[&str]) -> Watch {
        let mut command = command(&[&["watch", "--json", "--api", api], more].concat());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Watch::of(command.spawn().unwrap())
    }

    pub(crate) fn of(mut child: Child) -> Watch {
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Watch { child, lines }
    }

    pub(crate) fn line(&mut self) -> Value {
        serde_json::from_str(&self.lines.recv_timeout(DEADLINE).unwrap()).unwrap()
    }

    pub(crate) fn line_if_any(&mut self) -> Option<Value> {
        self.text_if_any().map(|line| serde_json::from_str(&line).unwrap())
    }

    pub(crate) fn text_if_any(&mut self) -> Option<String> {
        self.lines.try_recv().ok()
    }

    /// Ends it, and gives what it said on stderr.
    pub(crate) fn end(mut self) -> String {
        self.child.kill().unwrap();
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        err
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn event(id: &str, name: &str) -> String {
    format!("id: {id}\nevent: member-live\ndata: {{\"name\":\"{name}\",\"at_ms\":1}}\n\n")
}

fn asks_for(request: &str, path: &str, last_id: &str) {
    assert!(request.starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{request}");
    assert!(request.contains(&format!("\r\nlast-event-id: {last_id}\r\n")), "{last_id}: {request}");
}

#[test]
fn a_lost_connection_is_made_again_and_goes_on_where_it_was() {
    let problem = r#"{"status":503,"code":"too-many-streams","detail":"later"}"#;
    let fake = Fake::start(vec![
        (members(41), Then::Close),
        // Nothing came before the end: from the same place again.
        (events(": hello\n\n"), Then::Close),
        // The second event was cut off: it comes again.
        (events(&format!("{}id: 7-43\nevent: member-live\ndata: {{\"na", event("7-42", "two"))), Then::Close),
        (answer("503 Service Unavailable", "application/problem+json", problem), Then::Close),
        (events(&format!("id: 7-50\n\n{}", event("7-51", "three"))), Then::Close),
        (events("id: 8-9\nevent: lagged\ndata: {\"missed\":null,\"sequence\":9}\n\n"), Then::Hold),
    ]);
    let mut watch = Watch::start(&fake.url(), &["--member", "a b", "--key-prefix", "x/"]);
    let path = "/v1/events?member=a%20b&key_prefix=x%2F";
    assert_eq!(watch.line(), json!({"event": "member-live", "id": "7-42", "name": "two", "at_ms": 1}));
    assert_eq!(watch.line(), json!({"event": "member-live", "id": "7-51", "name": "three", "at_ms": 1}));
    assert_eq!(watch.line(), json!({"event": "lagged", "id": "8-9", "missed": null, "sequence": 9}));
    let err = watch.end();

    assert!(fake.request().starts_with("GET /v1/members HTTP/1.1\r\n"));
    for last_id in ["7-41", "7-41", "7-42", "7-42", "7-51"] {
        asks_for(&fake.request(), path, last_id);
    }
    assert_eq!(err.matches("Trying again").count(), 3, "{err}");
    assert_eq!(err.matches("there again").count(), 3, "{err}");
}

#[test]
fn what_another_try_would_not_mend_ends_it() {
    let problem = |status: u16| format!(r#"{{"status":{status},"code":"a-code","detail":"why"}}"#);
    let refused =
        |status: u16| (answer(&format!("{status} X"), "application/problem+json", &problem(status)), Then::Close);

    // At its start even what may pass.
    let fake = Fake::start(vec![(members(1), Then::Close), refused(503)]);
    tidings(&["watch", "--api", &fake.url()]).failed(1, &["503 a-code", "why"]);

    let fake = Fake::start(vec![(members(1), Then::Close), (events(""), Then::Close), refused(401)]);
    tidings(&["watch", "--api", &fake.url()]).failed(1, &["401 a-code", "--token-file"]);

    for bad in ["data: [1]\n\n", "event: member-live\ndata: {\"at_ms\":1}\n\n"] {
        let fake = Fake::start(vec![(members(1), Then::Close), (events(bad), Then::Hold)]);
        tidings(&["watch", "--api", &fake.url()]).failed(4, &["not the API of a tidings agent"]);
    }
    let fake = Fake::start(vec![(members(1), Then::Close), (answer("200 OK", "text/html", ""), Then::Close)]);
    tidings(&["watch", "--api", &fake.url()]).failed(4, &["no stream of events"]);
}
