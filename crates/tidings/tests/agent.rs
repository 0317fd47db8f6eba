//! `tidings agent`, by hand: the real binary, real sockets, its HTTP API.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use rustix::process::Signal;
use serde_json::{Value, json};

use support::{Running, eventually, field, run};

/// An agent and where its API is.
struct Agent {
    process: Running,
    ready: String,
}

impl Agent {
    fn start(name: &str, more: &[&str]) -> Agent {
        let mut args = vec!["agent", "--name", name, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"];
        args.extend(["--gossip-interval", "100ms"].iter().chain(more));
        let mut process = Running::start(&args);
        let ready = process.line("agent", |line| line.starts_with("event=ready"));
        Agent { process, ready }
    }

    fn joining(name: &str, other: &Agent, more: &[&str]) -> Agent {
        Agent::start(name, &[&["--seed", field(&other.ready, "address")], more].concat())
    }

    fn call(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let url = format!("http://{}{path}", field(&self.ready, "http"));
        call(method, &url, field(&self.ready, "http"), body)
    }

    fn get(&self, path: &str) -> Value {
        let answer = self.call("GET", path, b"");
        assert_eq!(answer.status, 200, "{path}: {}", answer.json);
        answer.json
    }

    /// The member of this name that is as `wanted`, as this agent sees it.
    fn waits_for_member(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("such a member {name}"), || {
            let members = self.get("/v1/members")["members"].as_array().unwrap().clone();
            members.into_iter().find(|member| member["name"] == name && wanted(member))
        })
    }

    fn waits_for(&self, name: &str, state: &str) -> Value {
        self.waits_for_member(name, |member| member["state"] == state)
    }
}

struct Answer {
    status: u16,
    content_type: String,
    json: Value,
}

impl Answer {
    /// A problem with this status whose detail tells `hint`.
    fn is_problem(&self, status: u16, hint: &str) {
        assert_eq!((self.status, self.content_type.as_str()), (status, "application/problem+json"), "{}", self.json);
        assert_eq!(self.json["status"], status, "{}", self.json);
        assert!(self.json["detail"].as_str().unwrap().contains(hint), "{hint:?} is not in {}", self.json);
    }
}

fn call(method: &str, url: &str, host: &str, body: &[u8]) -> Answer {
    let client: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(support::DEADLINE))
        .build()
        .into();
    let request = ureq::http::Request::builder().method(method).uri(url).header("host", host).body(body).unwrap();
    let mut response = client.run(request).unwrap();
    let content_type = response.headers().get("content-type").unwrap().to_str().unwrap().to_string();
    let text = response.body_mut().read_to_string().unwrap();
    let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
    Answer { status: response.status().as_u16(), content_type, json }
}

#[test]
fn a_key_set_at_one_agent_is_read_at_the_other() {
    let one = Agent::start("one", &["--cluster-id", "test", "--set", "role=web", "--set", "zone=a=b"]);
    let two = Agent::joining("two", &one, &["--cluster-id", "test"]);
    one.waits_for("two", "live");
    two.waits_for("one", "live");

    let set = one.call("PUT", "/v1/keys/a/b%20c", "grün".as_bytes());
    assert_eq!((set.status, set.content_type.as_str()), (200, "application/json"));
    assert_eq!(set.json["a/b c"]["value"], "grün");
    assert_eq!(set.json["a/b c"]["status"], "set");
    let keys = eventually("the key at the other", || {
        let keys = two.get("/v1/nodes/one/keys");
        keys.get("a/b c").is_some().then_some(keys)
    });
    assert_eq!(keys["a/b c"], set.json["a/b c"]);
    assert_eq!(keys["role"]["value"], "web");
    assert_eq!(keys["zone"]["value"], "a=b");

    let deleted = one.call("DELETE", "/v1/keys/a/b%20c", b"");
    assert_eq!(deleted.status, 200);
    assert_eq!(deleted.json["a/b c"]["status"], "deleted");
    assert!(deleted.json["a/b c"]["version"].as_u64() > set.json["a/b c"]["version"].as_u64());
    let keys = eventually("the key's end at the other", || {
        let keys = two.get("/v1/nodes/one/keys");
        keys.get("a/b c").is_none().then_some(keys)
    });
    assert_eq!(keys.as_object().unwrap().len(), 2, "{keys}");
}

#[test]
fn members_and_state_have_their_documented_shape() {
    let one = Agent::start("one", &["--cluster-id", "shape", "--set", "k=v"]);
    let two = Agent::joining("two", &one, &["--cluster-id", "shape"]);
    let seen = two.waits_for_member("one", |one| one["keys"] == 1 && one["state"] == "live");
    let fields: Vec<&String> = seen.as_object().unwrap().keys().collect();
    let expected =
        ["address", "generation_id", "heartbeat", "keys", "last_gc_version", "max_version", "name", "phi", "state"];
    assert_eq!(fields, expected);
    assert_eq!(seen["address"], field(&one.ready, "address"));
    assert_eq!(seen["generation_id"].to_string(), field(&one.ready, "generation_id"));

    let state = two.get("/v1/state");
    assert_eq!((&state["cluster_id"], &state["self"]), (&json!("shape"), &json!("two")));
    let members = state["members"].as_array().unwrap();
    assert_eq!(members.len(), 2);
    let [seen, own] = ["one", "two"].map(|name| members.iter().find(|member| member["name"] == name).unwrap());
    assert_eq!(seen["keys"], json!({"k": {"value": "v", "version": 1, "status": "set"}}));
    assert_eq!(own["keys"], json!({}));
    assert!(seen["phi"].is_number() && own["phi"].is_null(), "{state}");
}

#[test]
fn the_empty_key_is_a_key() {
    let agent = Agent::start("one", &[]);
    assert_eq!(agent.call("PUT", "/v1/keys/", b"x").status, 200);
    assert_eq!(agent.get("/v1/nodes/one/keys")[""]["value"], "x");
    assert_eq!(agent.call("DELETE", "/v1/keys/", b"").status, 200);
    assert_eq!(agent.get("/v1/nodes/one/keys"), json!({}));
}

#[test]
fn what_is_wrong_is_told_with_the_way_out() {
    let agent = Agent::start("one", &["--set", "k=v"]);
    let before = agent.get("/v1/nodes/one/keys");

    agent.call("PUT", "/v1/keys/bad", b"\xff\xfe").is_problem(400, "not UTF-8");
    agent.call("PUT", "/v1/keys/bad%ff", b"x").is_problem(400, "percent-encode");
    agent.call("PUT", "/v1/keys/big", &[b'x'; 65_507]).is_problem(413, "shorten the value");
    agent.call("PUT", "/v1/keys/big", &[b'x'; 65_508]).is_problem(413, "one gossip packet");
    agent.call("DELETE", "/v1/keys/none", b"").is_problem(404, "no key \"none\"");
    agent.call("GET", "/v1/nodes/none/keys", b"").is_problem(404, "/v1/members");
    agent.call("GET", "/v2/members", b"").is_problem(404, "/v1/openapi.json");
    agent.call("POST", "/v1/members", b"").is_problem(405, "another method");
    let url = format!("http://{}/v1/members", field(&agent.ready, "http"));
    call("GET", &url, "evil.example", b"").is_problem(421, "evil.example");

    assert_eq!(agent.get("/v1/nodes/one/keys"), before, "a refused request changed something");
}

#[test]
fn an_agent_that_is_told_to_stop_has_left_and_comes_back_as_a_new_generation() {
    let stays = Agent::start("stays", &[]);
    let mut goes = Agent::joining("goes", &stays, &[]);
    stays.waits_for("goes", "live");
    goes.process.signal(Signal::TERM);
    let (status, _) = goes.process.wait();
    assert!(status.success(), "{status}: {}", goes.process.log());
    stays.waits_for("goes", "left");

    let again = Agent::joining("goes", &stays, &[]);
    let member = stays.waits_for("goes", "live");
    let generation = |agent: &Agent| field(&agent.ready, "generation_id").parse::<u64>().unwrap();
    assert_eq!(member["generation_id"], generation(&again));
    assert!(generation(&again) > generation(&goes));
}

#[test]
fn a_killed_agent_is_dead_and_not_left() {
    let stays = Agent::start("stays", &[]);
    let goes = Agent::joining("goes", &stays, &[]);
    // By then the mean interval is short enough for a death within seconds.
    stays.waits_for_member("goes", |goes| goes["state"] == "live" && goes["heartbeat"].as_u64() >= Some(60));
    drop(goes);
    stays.waits_for("goes", "dead");
}

#[test]
fn bad_flags_end_it_with_the_way_out() {
    let cases: [(&[&str], i32, &[&str]); 6] = [
        (
            &["agent", "--name", "a", "--http", "0.0.0.0:8000"],
            2,
            &["--http", "not a loopback address", "127.0.0.1:8000"],
        ),
        (&["agent", "--name", "a", "--set", "k"], 2, &["--set", "KEY=VALUE"]),
        (&["agent"], 2, &["--name"]),
        (&["agent", "--name", "", "--listen", "127.0.0.1:0"], 1, &["name", "1 to"]),
        (&["agent", "--name", "a", "--listen", "0.0.0.0:0"], 1, &["advertise"]),
        (
            &["agent", "--name", "a", "--listen", "127.0.0.1:0", "--gossip-interval", "2h"],
            1,
            &["gossip_interval", "7200s"],
        ),
    ];
    for (args, code, words) in cases {
        let (got, out, err) = run(args);
        assert_eq!(got, Some(code), "{args:?}: {err}");
        assert!(words.iter().all(|word| err.contains(word)) && out.is_empty(), "{args:?}: {err}{out}");
    }
}

#[test]
fn a_taken_http_port_is_named() {
    let first = Agent::start("one", &[]);
    let taken = field(&first.ready, "http");
    let (code, _, err) = run(&["agent", "--name", "two", "--listen", "127.0.0.1:0", "--http", taken]);
    assert_eq!(code, Some(1));
    assert!(err.contains("--http") && err.contains(taken), "{err}");
}
