//! Agents that speak TLS with each other.
#![cfg(feature = "tls")]

use std::fs;

use rustix::process::Signal;
use tidings_conformance::certificates::{Authority, Files};

use crate::agent::Agent;
use crate::stream::Stream;
use crate::support::{eventually, field, run};

fn flags<'a>(paths: &'a [String; 3], name: &'a str) -> Vec<&'a str> {
    let [certificates, key, authorities] = paths;
    vec!["--tls-certificates", certificates, "--tls-key", key, "--tls-authorities", authorities, "--tls-name", name]
}

fn paths(files: &Files) -> [String; 3] {
    ["certificates.pem", "key.pem", "authorities.pem"].map(|name| files.path(name).to_str().unwrap().to_string())
}

#[test]
fn agents_with_certificates_are_one_cluster_and_a_stranger_is_not_in_it() {
    let authority = Authority::new("agents");
    let files: Vec<Files> = (1..=3)
        .map(|number| Files::new(&authority.certify(&[&format!("node{number}.example"), "127.0.0.1"]), &[&authority]))
        .collect();
    let paths: Vec<[String; 3]> = files.iter().map(paths).collect();
    let one = Agent::start("one", &flags(&paths[0], "node1.example"));
    let two = Agent::joining("two", &one, &flags(&paths[1], "node2.example"));
    let three = Agent::joining("three", &one, &flags(&paths[2], "node3.example"));
    let in_the_clear = Agent::joining("stranger", &one, &[]);
    for agent in [&one, &two, &three] {
        for name in ["one", "two", "three"] {
            agent.waits_for(name, "live");
        }
    }
    two.set("k", "secret");
    eventually("the key at the third", || (three.get("/v1/nodes/two/keys")["k"]["value"] == "secret").then_some(()));
    eventually("the stranger's refusal", || {
        let refused = &one.get("/v1/stats")["driver"];
        (refused["frames_rejected"].as_u64()? + refused["tls_refused"].as_u64()? >= 2).then_some(())
    });
    assert_eq!(in_the_clear.get("/v1/members")["members"].as_array().unwrap().len(), 1);
    assert_eq!(one.get("/v1/members")["members"].as_array().unwrap().len(), 3);
}

#[test]
fn who_takes_the_name_of_another_is_refused_and_told_of_until_that_is_forgotten() {
    let authority = Authority::new("agents");
    let certified = |name: &str| Files::new(&authority.certify(&[name, "127.0.0.1"]), &[&authority]);
    let (files_one, files_two, files_evil) =
        (certified("node1.example"), certified("node2.example"), certified("evil.example"));
    let [one, two, evil] = [&files_one, &files_two, &files_evil].map(paths);
    let one = Agent::start("one", &flags(&one, "node1.example"));
    let mut two = Agent::joining("two", &one, &flags(&two, "node2.example"));
    one.waits_for("two", "live");
    let mut events = Stream::open(&one, "?member=two", "");

    let evil = Agent::joining("two", &one, &flags(&evil, "evil.example"));
    let refused = events.waits_for("name-refused", |_| true).data;
    assert_eq!((&refused["name"], &refused["address"]), (&"two".into(), &field(&two.ready, "address").into()));
    assert_eq!(refused["refused"]["address"], field(&evil.ready, "address"));
    assert_eq!(refused["refused"]["tls_name"], "evil.example");
    let held = one.waits_for("two", "live");
    assert_eq!(held["generation_id"].to_string(), field(&two.ready, "generation_id"));
    let metrics = one.get("/metrics");
    let counts = |line: &str| metrics.as_str().unwrap().contains(line);
    assert!(counts("tidings_events_total{kind=\"name-refused\"} 1\n") && !counts("tidings_names_refused_total 0\n"));

    two.process.signal(Signal::TERM);
    two.process.wait();
    one.waits_for("two", "left");
    assert_eq!(one.call("POST", "/v1/nodes/two/forget", b"").status, 200);
    let taken = one.waits_for("two", "live");
    assert_eq!(taken["generation_id"].to_string(), field(&evil.ready, "generation_id"));
}

#[test]
fn an_agent_may_demand_that_names_are_those_of_certificates() {
    let authority = Authority::new("agents");
    let files = ["node1.example", "node2.example", "node3.example"]
        .map(|name| Files::new(&authority.certify(&[name, "127.0.0.1"]), &[&authority]));
    let [one, two, three] = files.each_ref().map(paths);
    let strict = ["--names-are-tls-names"];
    let one = Agent::start("node1.example", &[&flags(&one, "node1.example")[..], &strict].concat());
    let _two = Agent::joining("node2.example", &one, &[&flags(&two, "node2.example")[..], &strict].concat());
    let _three = Agent::joining("three", &one, &flags(&three, "node3.example"));
    one.waits_for("node2.example", "live");
    eventually("the refusal", || (one.get("/v1/stats")["core"]["rejected"]["wrong_name"].as_u64()? >= 2).then_some(()));
    assert_eq!(one.get("/v1/members")["members"].as_array().unwrap().len(), 2);
}

#[test]
fn a_hangup_reads_the_files_again_and_bad_ones_change_nothing() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let files = Files::new(&old.certify(&["node1.example", "127.0.0.1"]), &[&old]);
    let others = Files::new(&new.certify(&["node2.example", "127.0.0.1"]), &[&new]);
    let (own, other) = (paths(&files), paths(&others));
    let mut one = Agent::start("one", &flags(&own, "node1.example"));

    fs::write(&own[0], "no certificate").unwrap();
    one.process.signal(Signal::HUP);
    let two = Agent::joining("two", &one, &flags(&other, "node2.example"));
    eventually("that the two do not know each other", || {
        (two.get("/v1/stats")["driver"]["tls_refused"].as_u64()? >= 2).then_some(())
    });
    let renewed = new.certify(&["node1.example", "127.0.0.1"]);
    for (path, text) in own.iter().zip([&*renewed.certificate, &renewed.key, new.pem()]) {
        fs::write(path, text).unwrap();
    }
    one.process.signal(Signal::HUP);
    one.waits_for("two", "live");
    two.waits_for("one", "live");
    one.process.signal(Signal::TERM);
    assert!(one.process.wait().0.success());
    let log = one.process.log();
    assert!(log.contains("holds no certificate") && log.contains("were read again"), "{log}");
}

#[test]
fn what_tls_lacks_is_named() {
    let authority = Authority::new("agents");
    let files = Files::new(&authority.certify(&["node1.example"]), &[&authority]);
    let [certificates, key, authorities] = paths(&files);
    let agent = ["agent", "--name", "one", "--listen", "127.0.0.1:0"];
    let no_authorities = [certificates.clone(), key.clone(), "/none.pem".to_string()];
    let cases: [(&[&str], i32, &str); 3] = [
        (&["--tls-certificates", &certificates, "--tls-key", &key], 2, "tls.authorities: not set"),
        (
            &["--tls-certificates", &certificates, "--tls-key", &key, "--tls-authorities", &authorities],
            1,
            "tls_name: not set",
        ),
        (&flags(&no_authorities, "node1.example"), 1, "/none.pem"),
    ];
    for (words, code, message) in cases {
        let (got, _, err) = run(&[&agent[..], words].concat());
        assert_eq!(got, Some(code), "{words:?}: {err}");
        assert!(err.contains(message), "{words:?}: {err}");
    }
}
