//! Flags, environment and file, as the program takes them.

use std::fs;

use crate::agent::Agent;
use crate::support::{eventually, field, run};

#[test]
fn an_agent_runs_from_a_file_alone_and_flags_win() {
    let path = std::env::temp_dir().join(format!("tidings-agent-{}.toml", std::process::id()));
    let text = "name = 'ignored'\ncluster_id = 'from-file'\ngossip_interval = '1h'\n[key_values]\nrole = 'web'\n\
                [failure_detector]\nphi_threshold = 3.5\n[log]\nformat = 'json'\n";
    fs::write(&path, text).unwrap();
    let agent = Agent::start_with("one", &[], &[("TIDINGS_CONFIG", path.to_str().unwrap())]);
    fs::remove_file(&path).unwrap();
    let state = agent.get("/v1/state");
    assert_eq!((&state["cluster_id"], &state["self"]), (&"from-file".into(), &"one".into()));
    assert_eq!(state["members"][0]["keys"]["role"]["value"], "web");
    let stats = agent.get("/v1/stats");
    assert_eq!((&stats["gossip_interval_ms"], &stats["phi_threshold"]), (&100.into(), &3.5.into()));

    let mut agent = agent;
    agent.process.signal(rustix::process::Signal::TERM);
    agent.process.wait();
    let log = agent.process.log();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["level"] == "INFO" && line["fields"]["message"] == "left"), "{log}");
}

#[test]
fn settings_that_are_of_no_use_end_it_with_the_way_out() {
    let cases: [(&[&str], i32, &[&str]); 9] = [
        (
            &["agent", "--name", "a", "--http", "0.0.0.0:8000"],
            2,
            &["--http: http.listen is 0.0.0.0:8000", "not a loopback address", "--http-token-file", "127.0.0.1:8000"],
        ),
        (&["agent", "--name", "a", "--set", "k"], 2, &["--set", "KEY=VALUE"]),
        (&["agent"], 2, &["name: not set", "--name"]),
        (&["agent", "--name", "a", "--log-filter", "a=b=c"], 2, &["log.filter", "debug"]),
        (&["agent", "--name", "a", "--config", "/none.toml"], 2, &["/none.toml", "may read"]),
        (&["agent", "--name", "", "--listen", "127.0.0.1:0"], 1, &["--name: node_id.name", "1 to"]),
        (&["agent", "--name", "a", "--listen", "0.0.0.0:0"], 1, &["advertise"]),
        (
            &["agent", "--name", "a", "--listen", "127.0.0.1:0", "--gossip-interval", "2h"],
            1,
            &["--gossip-interval: gossip_interval is 7200s"],
        ),
        (
            &["agent", "--name", "a", "--listen", "127.0.0.1:0", "--event-buffer", "0"],
            1,
            &["--event-buffer: event_buffer: 0 is not from 1"],
        ),
    ];
    for (args, code, words) in cases {
        let (got, out, err) = run(args);
        assert_eq!(got, Some(code), "{args:?}: {err}");
        assert!(words.iter().all(|word| err.contains(word)) && out.is_empty(), "{args:?}: {err}{out}");
    }
}

#[test]
fn the_settings_are_printed_with_where_they_come_from() {
    let (code, out, err) = run(&["agent", "--name", "one", "--gossip-count", "5", "--print-config"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("name = \"one\"  # from --name\n"), "{out}");
    assert!(out.contains("gossip_count = 5  # from --gossip-count\n"), "{out}");
    assert!(out.contains("\ngossip_interval = \"1s\"\n"), "{out}");
}

#[test]
fn a_port_can_be_seen_by_everybody_who_asks_for_it() {
    let agent = Agent::start("one", &["--advertise", "localhost:0"]);
    let address = field(&agent.ready, "address");
    let port = field(&agent.ready, "listen").rsplit_once(':').unwrap().1;
    assert_eq!(address, format!("localhost:{port}"));
    let other = Agent::start("two", &["--seed", address]);
    eventually("the other", || (other.get("/v1/members")["members"].as_array()?.len() == 2).then_some(()));
}
