//! Agents that speak TLS with each other.
#![cfg(feature = "tls")]

use std::fs;

use rustix::process::Signal;
use tidings_conformance::certificates::{Authority, Files};

use crate::agent::Agent;
use crate::support::{eventually, run};

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
