//! `GET /v1/events`: what happens, with nothing left out unnoticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::stream::{Frame, Stream};
use crate::support::{eventually, field};

#[test]
fn a_members_life_is_told_in_order() {
    let one = Agent::start("one", &[]);
    let mut events = Stream::open(&one, "?member=two", "");
    let greeting = events.frame().unwrap();
    assert!(greeting.comment.is_some() && greeting.event.is_none() && greeting.id.is_some(), "{greeting:?}");

    let mut two = Agent::joining("two", &one, &["--set", "k=1"]);
    let live = events.waits_for("member-live", |_| true);
    assert_eq!(live.data["address"], field(&two.ready, "address"));
    assert_eq!(live.data["generation_id"].to_string(), field(&two.ready, "generation_id"));
    two.set("k", "2");
    let changed = events.waits_for("key-changed", |data| data["value"] == "2");
    assert_eq!((&changed.data["key"], &changed.data["name"]), (&json!("k"), &json!("two")));
    assert_eq!(changed.data["generation_id"], live.data["generation_id"]);
    assert_eq!(changed.data["previous"], json!({"value": "1", "version": 1, "status": "set"}));
    two.call("DELETE", "/v1/keys/k", b"");
    let deleted = events.waits_for("key-deleted", |_| true);
    assert_eq!((&deleted.data["status"], &deleted.data["previous"]["value"]), (&json!("deleted"), &json!("2")));

    two.process.signal(Signal::KILL);
    two.process.wait();
    let address = field(&two.ready, "address").to_string();
    let seed = field(&one.ready, "address").to_string();
    let again = ["agent", "--name", "two", "--listen", &address, "--seed", &seed, "--gossip-interval", "100ms"];
    let mut again = crate::support::Running::start(&again);
    let ready = again.line("agent", |line| line.starts_with("event=ready"));
    let restarted = events.waits_for("member-restarted", |_| true);
    assert_eq!(restarted.data["generation_id"].to_string(), field(&ready, "generation_id"));
    assert_eq!(restarted.data["previous_generation_id"].to_string(), field(&two.ready, "generation_id"));
    events.waits_for("member-live", |_| true);
    again.signal(Signal::TERM);
    events.waits_for("member-left", |_| true);
}

/// Its former run has more to tell than a packet holds, its role at the very end; the new one has a role alone.
#[test]
fn of_a_restarted_node_nothing_old_is_told_after_the_new() {
    let one = Agent::start("one", &[]);
    let large = "x".repeat(2_000);
    let mut sets: Vec<String> = (0..120).map(|number| format!("k{number}={large}")).collect();
    sets.push("role=old".to_string());
    let sets: Vec<&str> = sets.iter().flat_map(|pair| ["--set", pair]).collect();
    let mut former = Agent::joining("b", &one, &sets);
    one.waits_for_member("b", |b| b["state"] == "live" && b["keys"] == 121);

    former.process.signal(Signal::KILL);
    former.process.wait();
    let [address, seed] = [&former, &one].map(|agent| field(&agent.ready, "address").to_string());
    let again = ["agent", "--name", "b", "--listen", &address, "--seed", &seed, "--set", "role=new"];
    let mut again = crate::support::Running::start(&[&again[..], &["--gossip-interval", "100ms"]].concat());
    let joiners: Vec<Agent> = (0..8).map(|number| Agent::joining(&format!("late{number}"), &one, &[])).collect();
    let ready = again.line("agent", |line| line.starts_with("event=ready"));
    let generation: u64 = field(&ready, "generation_id").parse().unwrap();

    for joiner in &joiners {
        let mut events = Stream::open(joiner, "?key_prefix=role&after=0", "");
        // One that joined just now may not know b at all yet.
        eventually("the new role", || {
            let keys = joiner.call("GET", "/v1/nodes/b/keys", b"");
            (keys.status == 200 && keys.json.get("role")?["value"] == "new").then_some(())
        });
        // Whatever is still under way arrives.
        let rounds = || joiner.get("/v1/stats")["core"]["rounds"].as_u64().unwrap();
        let then = rounds();
        eventually("ten more rounds", || (rounds() > then + 10).then_some(()));
        joiner.set("role.end", "x");

        let (mut roles, mut is_restarted) = (Vec::new(), false);
        loop {
            let event = events.event().unwrap();
            is_restarted |= event.event.as_deref() == Some("member-restarted");
            if event.data["name"] == "b" && event.event.as_deref() == Some("key-changed") {
                let is_new = event.data["value"] == "new";
                assert_eq!(is_new, event.data["generation_id"] == generation, "{event:?}");
                assert!(is_new || !is_restarted, "told after the restart: {event:?}");
                roles.push(is_new);
            }
            if event.data["key"] == "role.end" {
                break;
            }
        }
        assert!(roles.is_sorted() && roles.last() == Some(&true), "{roles:?}");
    }
}

#[test]
fn a_death_is_told_and_in_time_forgotten() {
    let forgets_soon = ["--failure-detector-dead-node-grace-period", "2s"];
    let one = Agent::start("one", &forgets_soon);
    let mut events = Stream::open(&one, "", "");
    let two = Agent::joining("two", &one, &[]);
    events.waits_for("member-live", |data| data["name"] == "two");
    // By then the mean interval is short enough for a death within seconds.
    one.waits_for_member("two", |two| two["heartbeat"].as_u64() >= Some(60));
    drop(two);
    events.waits_for("member-dead", |data| data["name"] == "two");
    events.waits_for("member-forgotten", |data| data["name"] == "two");
}

#[test]
fn a_stream_goes_on_where_another_ended() {
    let one = Agent::start("one", &[]);
    let state = one.get("/v1/state");
    let mut first = Stream::open(&one, &format!("?after={}", state["sequence"]), "");
    for number in 0..10 {
        one.set("k", &number.to_string());
    }
    let third = (0..3).map(|_| first.event().unwrap()).last().unwrap();
    assert_eq!(third.data["value"], "2");
    drop(first);

    // By the header, as a browser does with the old address; and by the parameter, as an id and as a number.
    let id = third.id.clone().unwrap();
    for (query, headers) in [
        ("?after=0".to_string(), format!("last-event-id: {id}\r\n")),
        (format!("?after={id}"), String::new()),
        (format!("?after={}", third.sequence()), String::new()),
    ] {
        let mut rest = Stream::open(&one, &query, &headers);
        let values: Vec<Value> = (3..10).map(|_| rest.event().unwrap().data["value"].clone()).collect();
        assert_eq!(values, (3..10).map(|number| json!(number.to_string())).collect::<Vec<_>>(), "{query} {headers}");
    }
    // Without either: what comes.
    let mut new = Stream::open(&one, "", "");
    new.frame().unwrap();
    one.set("k", "new");
    assert_eq!(new.event().unwrap().data["value"], "new");
}

#[test]
fn state_and_stream_fit_together_without_a_gap() {
    let one = Agent::start("one", &[]);
    let enough = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (http, enough) = (one.http(), Arc::clone(&enough));
        move || {
            let client = ureq::agent();
            for number in (0..).take_while(|_| !enough.load(Ordering::Relaxed)) {
                client.put(format!("http://{http}/v1/keys/k")).send(number.to_string()).unwrap();
            }
        }
    });
    for _ in 0..100 {
        let state = one.get("/v1/state");
        let held = state["members"][0]["keys"]["k"]["version"].as_u64().unwrap_or(0);
        let mut events = Stream::open(&one, &format!("?after={}", state["sequence"]), "");
        let event = events.event().unwrap();
        assert_eq!(event.event.as_deref(), Some("key-changed"), "{state} {event:?}");
        assert_eq!(event.data["version"].as_u64(), Some(held + 1), "{state} {event:?}");
    }
    enough.store(true, Ordering::Relaxed);
    writer.join().unwrap();
}

#[test]
fn filters_leave_out_what_is_not_wanted_and_ids_go_on() {
    let one = Agent::start("one", &[]);
    let mut events = Stream::open(&one, "?key_prefix=a%2F&member=one", "");
    events.frame().unwrap();
    for key in ["b", "a/1", "b/a/", "a/2", "a"] {
        one.set(key, "x");
    }
    let keys = [events.event().unwrap(), events.event().unwrap()];
    assert_eq!(keys.each_ref().map(|event| &event.data["key"]), [&json!("a/1"), &json!("a/2")]);
    assert_eq!(keys[1].sequence(), keys[0].sequence() + 2);
    let mut other = Stream::open(&one, "?member=two&after=0", "");
    assert_eq!(other.frame().unwrap().event, None);
    one.set("a/3", "x");
    assert_eq!(events.event().unwrap().data["key"], "a/3");
}

#[test]
fn what_is_gone_is_told_as_lagged() {
    let one = Agent::start("one", &[]);
    let generation = field(&one.ready, "generation_id").to_string();
    let mut begin = Stream::open(&one, "", "");
    let before = begin.frame().unwrap();
    drop(begin);
    // More than are kept.
    let http = one.http();
    let client = ureq::agent();
    for number in 0..4_100 {
        client.put(format!("http://{http}/v1/keys/k")).send(number.to_string()).unwrap();
    }
    let state = one.get("/v1/state");
    let last = state["sequence"].as_u64().unwrap();

    let mut late = Stream::open(&one, &format!("?after={}", before.sequence()), "");
    late.frame().unwrap();
    let lagged = late.event().unwrap();
    assert_eq!(lagged.event.as_deref(), Some("lagged"));
    let sequence = lagged.data["sequence"].as_u64().unwrap();
    assert_eq!(lagged.data["missed"].as_u64(), Some(sequence - before.sequence()));
    assert_eq!((lagged.sequence(), sequence), (last - 4_096, last - 4_096));
    let next = late.event().unwrap();
    assert_eq!((next.sequence(), next.event.as_deref()), (sequence + 1, Some("key-changed")));

    // An id of another run, or one that is yet to come, is none of this run's.
    let foreign = ["1-5".to_string(), format!("{generation}-{}", last + 1_000), (last + 1_000).to_string()];
    for (id, last) in foreign.into_iter().zip(last..) {
        let mut stream = Stream::open(&one, &format!("?after={id}"), "");
        let Frame { event, data, .. } = stream.frame().unwrap();
        assert_eq!(
            (event.as_deref(), &data["missed"], &data["sequence"]),
            (Some("lagged"), &Value::Null, &json!(last))
        );
        one.set("k", &id);
        assert_eq!(stream.event().unwrap().data["value"], id);
    }
    let metrics = one.get("/metrics");
    let line = format!("tidings_events_lost_total {}\n", sequence - before.sequence());
    assert!(metrics.as_str().unwrap().contains(&line), "{metrics}");
}

#[test]
fn streams_end_with_the_agent_and_tell_all_before() {
    let mut one = Agent::start("one", &[]);
    let mut events = Stream::open(&one, "", "");
    events.frame().unwrap();
    one.set("last", "word");
    one.process.signal(Signal::TERM);
    assert_eq!(events.event().unwrap().data["value"], "word");
    while events.frame().is_some() {}
    let (status, _) = one.process.wait();
    assert!(status.success(), "{}", one.process.log());
}
