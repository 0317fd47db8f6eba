//! `tidings agent`, by hand: the real binary, real sockets, its HTTP API.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod agent;
mod errors;
mod events;
mod limits;
mod metrics;
mod page;
mod service;
mod settings;
mod specification;
mod stream;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod token;

use rustix::process::Signal;
use serde_json::json;

use agent::Agent;
use support::{eventually, field, run};

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
    assert_eq!(two.get("/v1/nodes/one/keys/a/b%20c"), set.json["a/b c"]);

    let deleted = one.call("DELETE", "/v1/keys/a/b%20c", b"");
    assert_eq!(deleted.status, 200);
    assert_eq!(deleted.json["a/b c"]["status"], "deleted");
    assert!(deleted.json["a/b c"]["version"].as_u64() > set.json["a/b c"]["version"].as_u64());
    let keys = eventually("the key's end at the other", || {
        let keys = two.get("/v1/nodes/one/keys");
        keys.get("a/b c").is_none().then_some(keys)
    });
    assert_eq!(keys.as_object().unwrap().len(), 2, "{keys}");
    two.call("GET", "/v1/nodes/one/keys/a/b%20c", b"").is_problem(404, "unknown-key", "a/b c");
}

#[test]
fn members_and_state_have_their_documented_shape() {
    let one = Agent::start("one", &["--cluster-id", "shape", "--set", "k=v"]);
    let two = Agent::joining("two", &one, &["--cluster-id", "shape"]);
    let seen = two.waits_for_member("one", |one| one["keys"] == 1 && one["state"] == "live");
    let fields: Vec<&String> = seen.as_object().unwrap().keys().collect();
    let expected = [
        "address",
        "generation_id",
        "heartbeat",
        "keys",
        "last_gc_version",
        "max_version",
        "name",
        "phi",
        "run",
        "silent_for",
        "since",
        "state",
    ];
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
    assert!(seen["silent_for"].is_number() && own["silent_for"].is_null(), "{state}");
    assert!(seen["run"].is_string() && own["run"].is_string() && seen["run"] != own["run"], "{state}");
}

#[test]
fn what_has_stopped_is_so_for_longer_and_longer_until_it_is_forgotten() {
    let one = Agent::start("one", &[]);
    let mut two = Agent::joining("two", &one, &[]);
    one.waits_for("two", "live");
    let forget = |name: &str| one.call("POST", &format!("/v1/nodes/{name}/forget"), b"");
    forget("two").is_problem(409, "still-live", "stop it first");
    forget("one").is_problem(409, "still-live", "stop it first");
    forget("nobody").is_problem(404, "unknown-node", "\"nobody\"");

    two.process.signal(Signal::TERM);
    two.process.wait();
    let seconds = |member: &serde_json::Value, field: &str| member[field].as_f64().unwrap();
    let left = one.waits_for("two", "left");
    let later = one.waits_for_member("two", |two| seconds(two, "since") > seconds(&left, "since"));
    let passed = |field: &str| seconds(&later, field) - seconds(&left, field);
    assert!((passed("silent_for") - passed("since")).abs() < 0.01, "{left} {later}");
    assert!(seconds(&later, "silent_for") > seconds(&later, "since"), "it was silent before that was told: {later}");

    let answer = forget("two");
    assert_eq!((answer.status, &answer.json), (200, &json!({})));
    assert_eq!(one.get("/v1/members")["members"].as_array().unwrap().len(), 1);
    forget("two").is_problem(404, "unknown-node", "\"two\"");
}

#[test]
fn the_empty_key_is_a_key() {
    let agent = Agent::start("one", &[]);
    assert_eq!(agent.call("PUT", "/v1/keys/", b"x").status, 200);
    assert_eq!(agent.get("/v1/nodes/one/keys")[""]["value"], "x");
    assert_eq!(agent.get("/v1/nodes/one/keys/")["value"], "x");
    assert_eq!(agent.call("DELETE", "/v1/keys/", b"").status, 200);
    assert_eq!(agent.get("/v1/nodes/one/keys"), json!({}));
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
fn a_taken_http_port_is_named() {
    let first = Agent::start("one", &[]);
    let taken = field(&first.ready, "http");
    let (code, _, err) = run(&["agent", "--name", "two", "--listen", "127.0.0.1:0", "--http", taken]);
    assert_eq!(code, Some(1));
    assert!(err.contains("--http") && err.contains(taken), "{err}");
}

#[test]
fn a_key_with_a_lifetime_ends_by_itself() {
    let one = Agent::start("one", &[]);
    let two = Agent::joining("two", &one, &[]);
    two.waits_for("one", "live");
    let set = one.call("PUT", "/v1/keys/short?ttl_s=1.5", b"x");
    assert_eq!((set.status, &set.json["short"]["status"]), (200, &json!("set")));
    assert_eq!(one.call("PUT", "/v1/keys/long?ttl_s=31536000", b"x").status, 200);
    eventually("both keys at the other", || {
        let keys = two.get("/v1/nodes/one/keys");
        (keys.get("short").is_some() && keys.get("long").is_some()).then_some(())
    });
    eventually("the end of the short one", || two.get("/v1/nodes/one/keys").get("short").is_none().then_some(()));
    assert_eq!(two.get("/v1/nodes/one/keys/long")["value"], "x");
}

#[test]
fn exchanges_and_counters_tell_who_gossips_with_whom() {
    let one = Agent::start("one", &[]);
    let two = Agent::joining("two", &one, &[]);
    one.waits_for("two", "live");
    two.waits_for("one", "live");
    let exchanges = eventually("exchanges of both directions", || {
        let exchanges = two.get("/v1/exchanges")["exchanges"].as_array().unwrap().clone();
        let has = |direction: &str| {
            exchanges
                .iter()
                .any(|it| it["direction"] == direction && it["outcome"] == "completed" && it["peer"] == "one")
        };
        (has("dialled") && has("accepted")).then_some(exchanges)
    });
    let numbers: Vec<u64> = exchanges.iter().map(|exchange| exchange["seq"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
    let dialled = exchanges.iter().find(|exchange| exchange["direction"] == "dialled").unwrap();
    assert_eq!(dialled["address"], field(&one.ready, "address"));
    assert!(dialled["sent"].as_u64() > Some(50) && dialled["received"].as_u64() > Some(50), "{dialled}");
    let after = numbers[numbers.len() - 1] - 1;
    let later = two.get(&format!("/v1/exchanges?after={after}"));
    assert_eq!(later["exchanges"][0]["seq"], after + 1);

    let stats = two.get("/v1/stats");
    assert!(stats["core"]["rounds"].as_u64() > Some(1) && stats["uptime_ms"].as_u64() > Some(100), "{stats}");
    assert_eq!((&stats["gossip_interval_ms"], &stats["phi_threshold"]), (&json!(100), &json!(6.0)));
    assert!(stats["driver"]["dialled_outcomes"]["completed"].as_u64() >= Some(1), "{stats}");

    // Whom it does not reach any more is told by the address that is known.
    drop(one);
    eventually("a refused exchange", || {
        let exchanges = two.get("/v1/exchanges");
        let mut exchanges = exchanges["exchanges"].as_array().unwrap().iter();
        exchanges.any(|it| it["outcome"] == "refused" && it["peer"] == "one" && it["received"] == 0).then_some(())
    });
}

#[test]
fn a_leave_over_http_ends_the_agent_as_a_signal_does() {
    let stays = Agent::start("stays", &[]);
    let mut goes = Agent::joining("goes", &stays, &[]);
    stays.waits_for("goes", "live");
    assert_eq!(goes.get("/healthz"), "ok");
    let answer = goes.call("POST", "/v1/leave", b"");
    assert_eq!((answer.status, &answer.json), (202, &json!({})));
    let (status, _) = goes.process.wait();
    assert!(status.success(), "{status}: {}", goes.process.log());
    stays.waits_for("goes", "left");
}

#[test]
fn who_is_leaving_is_not_healthy_and_takes_no_writes() {
    let stays = Agent::start("stays", &[]);
    // Its only peer hangs before it can be told, so that leaving takes its time.
    let goes = Agent::joining("goes", &stays, &["--leave-timeout", "30s"]);
    goes.waits_for("stays", "live");
    stays.process.signal(Signal::STOP);
    assert_eq!(goes.call("POST", "/v1/leave", b"").status, 202);
    goes.call("GET", "/healthz", b"").is_problem(503, "leaving", "leaving");
    goes.call("PUT", "/v1/keys/k", b"v").is_problem(503, "leaving", "ask another");
    goes.call("DELETE", "/v1/keys/k", b"").is_problem(503, "leaving", "ask another");
    assert_eq!(goes.call("POST", "/v1/leave", b"").status, 202, "a second time changes nothing");
    assert_eq!(goes.get("/v1/members")["self"], "goes", "it can still be read");
    stays.process.signal(Signal::CONT);
}
