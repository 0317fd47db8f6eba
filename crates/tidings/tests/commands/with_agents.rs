//! Against real agents.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Running, eventually, field};
use crate::tidings::{Ended, command, tidings, with_input};
use crate::watch::Watch;

struct Agent {
    process: Running,
    api: String,
    ready: String,
}

impl Agent {
    fn start(name: &str, more: &[&str]) -> Agent {
        Agent::serving(name, "127.0.0.1:0", more)
    }

    fn serving(name: &str, http: &str, more: &[&str]) -> Agent {
        let own = ["agent", "--name", name, "--listen", "127.0.0.1:0", "--http", http, "--gossip-interval", "100ms"];
        let mut process = Running::start(&[&own, more].concat());
        let ready = process.line("agent", |line| line.starts_with("event=ready"));
        Agent { process, api: format!("http://{}", field(&ready, "http")), ready }
    }

    fn joining(name: &str, other: &Agent) -> Agent {
        Agent::start(name, &["--seed", field(&other.ready, "address")])
    }

    fn run(&self, args: &[&str]) -> Ended {
        tidings(&[args, &["--api", &self.api]].concat())
    }

    fn json(&self, args: &[&str]) -> Value {
        let out = self.run(&[args, &["--json"]].concat()).done();
        assert!(out.ends_with('\n') && out.lines().count() == 1, "not one line: {out:?}");
        serde_json::from_str(&out).unwrap()
    }

    /// Waits until this agent shows a member so.
    fn waits_for(&self, name: &str, state: &str) {
        eventually(&format!("{name} {state}"), || {
            let members = self.json(&["members"])["members"].as_array().unwrap().clone();
            members.iter().any(|member| member["name"] == name && member["state"] == state).then_some(())
        });
    }
}

#[test]
fn a_key_goes_from_one_agent_to_the_other_and_back_by_commands_alone() {
    let one = Agent::start("one", &["--set", "role=web"]);
    let two = Agent::joining("two", &one);
    one.waits_for("two", "live");
    two.waits_for("one", "live");

    assert_eq!(two.run(&["set", "colour", "green"]).done(), "set colour, version 1\n");
    let value = eventually("the key at the other", || {
        let ended = one.run(&["get", "two", "colour"]);
        (ended.code == Some(0)).then(|| ended.done())
    });
    assert_eq!(value, "green\n");
    assert_eq!(one.run(&["get", "role"]).done(), "web\n");
    assert_eq!(one.json(&["get", "role"]), json!({"value": "web", "version": 1, "status": "set"}));
    assert_eq!(two.json(&["state", "one"]), json!({"role": {"value": "web", "version": 1, "status": "set"}}));
    assert_eq!(two.json(&["state"])["self"], "two");

    assert_eq!(two.run(&["delete", "colour"]).done(), "deleted colour, version 2\n");
    two.run(&["get", "colour"]).failed(1, &["404 unknown-key", "colour"]);
}

#[test]
fn members_and_state_are_tables_with_a_line_each() {
    let one = Agent::start("one", &["--cluster-id", "tables", "--set", "a=1", "--set", "b=two words"]);
    let members = one.run(&["members"]).done();
    let lines: Vec<&str> = members.lines().collect();
    assert_eq!(lines[0], "cluster tables, as one sees it: 1 live, 0 dead, 0 left");
    assert!(lines[1].starts_with("NODE  STATE  FOR  PHI  KEYS  VERSION  HEARTBEAT  ADDRESS"), "{members}");
    let mut cells: Vec<&str> = lines[2].split_whitespace().collect();
    assert!(cells.remove(2).ends_with('s'), "for some seconds: {members}");
    assert_eq!((lines.len(), &cells[..5]), (3, &["one", "live", "-", "2", "2"][..]), "{members}");
    assert_eq!(cells[6..], [field(&one.ready, "address"), field(&one.ready, "generation_id")], "{members}");

    let rows = "NODE  STATE  KEY  VALUE      VERSION  STATUS\n\
                one   live   a    1                1  set\n\
                one   live   b    two words        2  set\n";
    assert_eq!(one.run(&["state"]).done(), format!("{}\n{rows}", lines[0]));
    assert_eq!(one.run(&["state", "one"]).done(), rows.replace("live ", "-    "));
}

#[test]
fn what_would_steer_a_terminal_is_escaped_in_tables_and_whole_for_programs() {
    let one = Agent::start("one", &[]);
    let hostile = "\u{1b}[2J\r\nroot: \u{202e}ok";
    let input = with_input(command(&["set", hostile, "-", "--api", &one.api]), hostile.as_bytes()).done();
    let shown = r"\u{1b}[2J\r\nroot: \u{202e}ok";
    assert_eq!(input, format!("set {shown}, version 1\n"));
    let table = one.run(&["state"]).done();
    assert!(table.lines().count() == 3 && table.matches(shown).count() == 2 && !table.contains('\u{1b}'), "{table}");
    assert_eq!(one.run(&["get", hostile]).done(), format!("{hostile}\n"));
    assert_eq!(one.json(&["get", hostile])["value"], hostile);
}

#[test]
fn a_key_with_a_ttl_ends_by_itself() {
    let one = Agent::start("one", &[]);
    one.run(&["set", "lease", "mine", "--ttl", "500ms"]).done();
    eventually("its end", || (one.run(&["get", "lease"]).code == Some(1)).then_some(()));
    one.run(&["set", "lease", "mine", "--ttl", "2years"]).failed(1, &["400 bad-ttl", "ttl_s"]);
}

#[test]
fn what_the_agent_refuses_is_told_and_exits_with_1() {
    let one = Agent::start("one", &[]);
    one.run(&["get", "nobody", "k"]).failed(1, &["404 unknown-node", "nobody"]);
    one.run(&["state", "nobody"]).failed(1, &["404 unknown-node", "nobody"]);
    one.run(&["get", "k"]).failed(1, &["404 unknown-key"]);
    one.run(&["delete", "k"]).failed(1, &["404 unknown-key"]);
    one.run(&["set", "tidings.left", "x"]).failed(1, &["400 ", "tidings."]);
    let large = with_input(command(&["set", "k", "-", "--api", &one.api]), &[b'x'; 65_507]);
    large.failed(1, &["413 ", "shorten the value"]);
}

#[test]
fn an_agent_with_a_token_is_asked_with_it() {
    let file = std::env::temp_dir().join(format!("tidings-token-of-an-agent-{}", std::process::id()));
    let token = "0123456789abcdef";
    std::fs::write(&file, format!("{token}\n")).unwrap();
    let path = file.to_str().unwrap();
    let one = Agent::start("one", &["--http-token-file", path]);
    one.run(&["members"]).failed(1, &["401 missing-token", "--token-file", "TIDINGS_HTTP_TOKEN"]);
    assert!(one.run(&["members", "--token-file", path]).done().contains("1 live"));
    let with_variable = |token: &str| {
        let mut command = command(&["members", "--api", &one.api]);
        command.env("TIDINGS_HTTP_TOKEN", token);
        with_input(command, b"")
    };
    assert!(with_variable(token).done().contains("1 live"));
    with_variable("fedcba9876543210").failed(1, &["401 wrong-token", "--token-file"]);
    with_variable("").failed(1, &["401 missing-token"]);
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn watch_prints_what_happens_and_nothing_else() {
    let one = Agent::start("one", &["--set", "before=1"]);
    let mut watch = Watch::start(&one.api, &["--key-prefix", "a/", "--member", "one"]);
    // Events are told from when it has connected.
    let first = eventually("an event", || {
        one.run(&["set", "a/ready", &format!("{:?}", std::time::Instant::now())]).done();
        watch.line_if_any()
    });
    assert_eq!(
        (&first["event"], &first["name"], &first["key"]),
        (&json!("key-changed"), &json!("one"), &json!("a/ready"))
    );
    one.run(&["set", "b/other", "x"]).done();
    one.run(&["set", "a/last", "1"]).done();
    one.run(&["delete", "a/last"]).done();
    let mut told = Vec::new();
    while told.last() != Some(&(json!("key-deleted"), json!("a/last"))) {
        let line = watch.line();
        told.push((line["event"].clone(), line["key"].clone()));
    }
    let others = told.iter().filter(|(_, key)| key != "a/ready");
    let expected = [(json!("key-changed"), json!("a/last")), (json!("key-deleted"), json!("a/last"))];
    assert!(others.eq(&expected), "{told:?}");
    assert_eq!(watch.end(), "");
}

#[test]
fn watch_outlives_the_agent_and_tells_of_the_gap() {
    let one = Agent::start("one", &[]);
    let http = field(&one.ready, "http").to_string();
    let mut watch = Watch::start(&one.api, &[]);
    eventually("an event", || {
        one.run(&["set", "k", &format!("{:?}", std::time::Instant::now())]).done();
        watch.line_if_any()
    });
    drop(one);

    let again = Agent::serving("one", &http, &[]);
    let lagged = eventually("word of the gap", || watch.line_if_any().filter(|line| line["event"] == "lagged"));
    assert_eq!(lagged["missed"], Value::Null);
    again.run(&["set", "after", "1"]).done();
    assert_eq!(watch.line()["key"], "after");
    let err = watch.end();
    assert!(err.contains("Trying again") && err.contains("there again"), "{err}");
}

#[test]
fn watch_tells_people_in_a_line() {
    let one = Agent::start("one", &[]);
    let mut child = command(&["watch", "--api", &one.api]);
    let child = child.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut watch = Watch::of(child);
    let line = eventually("an event", || {
        one.run(&["set", "k", &format!("a {:?}", std::time::Instant::now())]).done();
        watch.text_if_any()
    });
    let (time, rest) = line.split_once("  ").unwrap();
    assert!(humantime::parse_rfc3339(time).is_ok(), "{line}");
    assert!(rest.starts_with("key-changed      one  k = a Instant"), "{line}");
}

#[test]
fn a_node_that_was_restarted_is_shown_once() {
    let stays = Agent::start("stays", &[]);
    let goes = Agent::joining("goes", &stays);
    stays.waits_for("goes", "live");
    drop(goes);
    let back = Agent::joining("goes", &stays);
    let generation = || {
        let members = stays.json(&["members"]);
        let goes = members["members"].as_array().unwrap().iter().find(|member| member["name"] == "goes").cloned();
        goes.map(|goes| (goes["generation_id"].to_string(), goes["state"] == "live"))
    };
    eventually("the new run", || {
        (generation()? == (field(&back.ready, "generation_id").to_string(), true)).then_some(())
    });
    let members = stays.run(&["members"]).done();
    let members: Vec<&str> = members.lines().collect();
    assert!(members[0].ends_with("2 live, 0 dead, 0 left") && members.len() == 4, "{members:#?}");
}

#[test]
fn a_node_that_has_stopped_can_be_forgotten_and_a_live_one_cannot() {
    let stays = Agent::start("stays", &[]);
    let goes = Agent::joining("goes", &stays);
    stays.waits_for("goes", "live");
    let refused = stays.run(&["forget", "goes"]);
    assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""));
    assert!(refused.err.contains("409 still-live") && refused.err.contains("stop it first"), "{}", refused.err);
    goes.run(&["leave"]).done();
    stays.waits_for("goes", "left");
    assert_eq!(stays.run(&["forget", "goes"]).done(), "forgot goes\n");
    assert_eq!(stays.json(&["members"])["members"].as_array().unwrap().len(), 1);
    let unknown = stays.run(&["forget", "goes"]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.err.contains("404 unknown-node"), "{}", unknown.err);
}

#[test]
fn leave_ends_the_agent_and_the_others_see_that_it_left() {
    let stays = Agent::start("stays", &[]);
    let mut goes = Agent::joining("goes", &stays);
    stays.waits_for("goes", "live");
    goes.waits_for("stays", "live");
    assert_eq!(goes.run(&["leave"]).done(), "the agent leaves the cluster, and ends\n");
    let (status, _) = goes.process.wait();
    assert!(status.success(), "{status}: {}", goes.process.log());
    stays.waits_for("goes", "left");
}
