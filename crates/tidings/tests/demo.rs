//! `tidings demo`, the real binary on real sockets.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use rustix::process::Signal;

use support::{Running, eventually, field, run};

#[test]
fn three_members_form_a_cluster_one_dies_and_comes_back() {
    let mut demo = Running::start(&["demo", "--plain"]);
    let formed = demo.line("cluster of three", |line| line.contains("event=formed"));
    assert_eq!(field(&formed, "nodes"), "3");
    assert!(seconds(&formed) <= 5.0, "{formed}");
    let summary = demo.line("summary", |line| line.contains("event=summary"));
    assert_eq!(field(&summary, "live"), "3");
    assert_eq!(field(&summary, "members"), "simple1:live,simple2:live,simple3:live");

    demo.line("write", |line| line.contains("event=set") && line.contains("key=written"));
    let kill = demo.line("kill", |line| line.contains("event=kill"));
    let victim = field(&kill, "node").to_string();
    demo.line("death", |line| line.contains("event=died") && field(line, "node") == victim);
    let summary = demo.line("summary with a death", |line| line.contains("event=summary"));
    assert_eq!((field(&summary, "live"), field(&summary, "dead")), ("2", "1"));
    let revive = demo.line("return", |line| line.contains("event=revive"));
    let joined = demo.line("rejoin", |line| line.contains("event=joined") && field(line, "node") == victim);
    assert_eq!(field(&joined, "generation_id"), field(&revive, "generation_id"));
    demo.line("summary with all", |line| line.contains("event=summary") && field(line, "live") == "3");

    demo.signal(Signal::INT);
    let (status, rest) = demo.wait();
    let end = rest.last().unwrap();
    assert!(status.success() && end.contains("event=end"), "{status}: {rest:?}");
    assert_eq!((field(end, "nodes"), field(end, "live")), ("3", "3"));
    assert_eq!((field(end, "deaths"), field(end, "rejoins")), ("1", "1"));
}

#[test]
fn a_demo_with_an_end_closes_with_equal_key_values_everywhere() {
    let (code, out, err) = run(&["demo", "--nodes", "4", "--for", "6s", "--plain"]);
    let end = out.lines().last().unwrap();
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(end.contains("event=end") && seconds(end) >= 6.0, "{end}");
    assert_eq!((field(end, "live"), field(end, "deaths"), field(end, "converged")), ("4", "0", "true"));
    assert!(out.lines().any(|line| line.contains("key=written")), "nothing was written: {out}");
    assert!(out.lines().all(|line| line.starts_with("t=") && line.contains(" event=")), "{out}");
}

#[test]
fn an_output_that_is_no_terminal_gets_lines() {
    let (code, out, _) = run(&["demo", "--nodes", "1", "--for", "1500ms"]);
    assert_eq!(code, Some(0));
    assert!(out.lines().any(|line| line.contains("event=summary live=1")), "{out}");
    assert!(!out.contains('\u{1b}'), "{out:?}");
}

#[test]
fn a_cluster_without_time_to_form_is_a_failure() {
    let (code, out, err) = run(&["demo", "--for", "0s", "--plain"]);
    assert_eq!(code, Some(1), "{out}{err}");
    assert_eq!(field(out.lines().last().unwrap(), "formed_after"), "never");
    assert!(err.contains("had not formed") && err.contains("--for"), "{err}");
}

#[test]
fn one_page_looks_through_all_nodes_and_a_killed_one_is_not_there_for_a_while() {
    let mut demo = Running::start(&["demo", "--plain", "--http", "127.0.0.1:0"]);
    let start = demo.line("start", |line| line.contains("event=start"));
    let page = field(&start, "page");
    assert!(get(page).1.contains("<canvas"), "no page");
    let (_, nodes) = get(&format!("{page}page.json"));
    for name in ["simple1", "simple2", "simple3"] {
        assert!(nodes.contains(&format!(r#"{{"api":"/nodes/{name}","name":"{name}"}}"#)), "{nodes}");
        let (status, members) = get(&format!("{page}nodes/{name}/v1/members"));
        assert!(status == 200 && members.contains(&format!(r#""self":"{name}""#)), "{members}");
    }
    assert_eq!(get(&format!("{page}nodes/simple4/v1/members")).0, 404);
    assert_eq!(get(&format!("{page}nodes/simple1/v1/nothing")).0, 404);

    let kill = demo.line("kill", |line| line.contains("event=kill"));
    let victim = format!("{page}nodes/{}/v1/members", field(&kill, "node"));
    let (status, problem) = get(&victim);
    assert!(status == 503 && problem.contains("node-down") && problem.contains("start it again"), "{problem}");
    demo.line("death", |line| line.contains("event=died"));
    demo.line("return", |line| line.contains("event=revive"));
    eventually("the node at its old path", || (get(&victim).0 == 200).then_some(()));

    demo.signal(Signal::INT);
    let (status, rest) = demo.wait();
    assert!(status.success(), "{status}: {rest:?}");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, _, err) = run(&["demo", "--http", &address]);
    assert_eq!(code, Some(1));
    assert!(err.contains("--http") && err.contains(&address) && err.contains("port 0"), "{err}");
}

#[test]
fn a_bad_gossip_interval_is_named() {
    let (code, _, err) = run(&["demo", "--gossip-interval", "0s"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("gossip_interval") && err.contains("1ms"), "{err}");
    let (code, _, err) = run(&["demo", "--nodes", "0"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("--nodes"), "{err}");
}

/// The status and the body.
fn get(url: &str) -> (u16, String) {
    let client = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(support::DEADLINE));
    let mut response = ureq::Agent::from(client.build()).get(url).call().unwrap();
    (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
}

fn seconds(line: &str) -> f64 {
    field(line, "t").parse().unwrap()
}
