//! What is wrong is told, with what to do.

use std::io::Read;

use serde_json::json;

use crate::agent::{Agent, head};
use crate::specification;

#[test]
fn what_is_wrong_is_told_with_the_way_out() {
    let agent = Agent::start("one", &["--set", "k=v"]);
    let before = agent.get("/v1/nodes/one/keys");

    agent.call("PUT", "/v1/keys/bad", b"\xff\xfe").is_problem(400, "bad-value", "not UTF-8");
    agent.call("PUT", "/v1/keys/bad%ff", b"x").is_problem(400, "bad-path", "percent-encoded");
    agent.call("PUT", "/v1/keys/bad%zz", b"x").is_problem(400, "bad-path", "%25");
    agent.call("GET", "/v1/nodes/bad%f/keys", b"").is_problem(400, "bad-path", "percent-encoded");
    agent.call("GET", "/v1/events?member=%c3", b"").is_problem(400, "bad-path", "percent-encoded");
    agent.call("PUT", "/v1/keys/big", &[b'x'; 65_507]).is_problem(413, "value-too-large", "shorten the value");
    agent.call("PUT", "/v1/keys/big", &[b'x'; 65_508]).is_problem(413, "value-too-large", "one gossip packet");
    agent.call("PUT", "/v1/keys/tidings.left", b"x").is_problem(400, "reserved-key", "choose another");
    agent.call("DELETE", "/v1/keys/none", b"").is_problem(404, "unknown-key", "no key \"none\"");
    agent.call("GET", "/v1/nodes/none/keys", b"").is_problem(404, "unknown-node", "/v1/members");
    agent.call("GET", "/v1/nodes/none/keys/k", b"").is_problem(404, "unknown-node", "/v1/members");
    agent.call("GET", "/v1/nodes/one/keys/none", b"").is_problem(404, "unknown-key", "lists those");
    agent.call("GET", "/v2/members", b"").is_problem(404, "unknown-path", "/v1/openapi.json");
    agent.call("POST", "/v1/members", b"").is_problem(405, "wrong-method", "another method");
    for ttl in ["", "0", "-1", "1e3", "inf", "NaN", "x", "0.0001", "31536001", "1%20"] {
        let answer = agent.call("PUT", &format!("/v1/keys/bad?ttl_s={ttl}"), b"x");
        answer.is_problem(400, "bad-ttl", "as in ?ttl_s=30");
        assert_eq!(answer.json["field"], "ttl_s");
    }
    agent.call("PUT", "/v1/keys/bad?ttl=3", b"x").is_problem(400, "bad-query", "expected `ttl_s`");
    agent.call("GET", "/v1/exchanges?after=x", b"").is_problem(400, "bad-query", "after");
    agent.call("GET", "/v1/events?since=1", b"").is_problem(400, "bad-query", "unknown field `since`");
    for id in ["x", "-", "1-", "-1", "1-2-3", "+1", "99999999999999999999"] {
        agent.call("GET", &format!("/v1/events?after={id}"), b"").is_problem(400, "bad-event-id", "/v1/state");
    }

    assert_eq!(agent.get("/v1/nodes/one/keys"), before, "a refused request changed something");
}

#[test]
fn a_key_over_the_limit_is_refused() {
    let limits = ["--limits-decode-max-key-bytes", "8", "--limits-max-keys-per-node", "2"];
    let agent = Agent::start("one", &[&limits[..], &["--limits-max-state-bytes-per-node", "480"]].concat());
    agent.call("PUT", "/v1/keys/123456789", b"x").is_problem(400, "key-too-long", "shorten it");
    assert_eq!(agent.call("PUT", "/v1/keys/12345678", b"x").status, 200);
    agent.call("PUT", "/v1/keys/k", &[b'x'; 300]).is_problem(409, "state-too-large", "480");
    assert_eq!(agent.call("PUT", "/v1/keys/k", b"x").status, 200);
    agent.call("PUT", "/v1/keys/l", b"x").is_problem(409, "too-many-keys", "2");
}

#[test]
fn no_other_site_gets_anything_through_a_browser() {
    let agent = Agent::start("one", &["--set", "k=v"]);
    let own = format!("http://{}", agent.http());
    // Its name may resolve to this machine, but it is not this machine's.
    agent.call_with("GET", "/v1/members", b"", &[("host", "evil.example")]).is_problem(
        421,
        "foreign-host",
        "evil.example",
    );
    for origin in ["http://evil.example", "null", "http://127.0.0.1", "file://", &format!("{own}.evil.example")] {
        let headers = [("origin", origin)];
        agent.call_with("PUT", "/v1/keys/k", b"w", &headers).is_problem(403, "foreign-origin", "change nothing");
        agent.call_with("DELETE", "/v1/keys/k", b"", &headers).is_problem(403, "foreign-origin", "change nothing");
        agent.call_with("POST", "/v1/leave", b"", &headers).is_problem(403, "foreign-origin", "change nothing");
        // What it reads it is not shown: no answer allows another origin.
        assert_eq!(agent.call_with("GET", "/v1/members", b"", &headers).status, 200);
    }
    assert_eq!(agent.get("/v1/nodes/one/keys/k")["value"], "v");
    let answer = agent.call_with("PUT", "/v1/keys/k", b"w", &[("origin", &own)]);
    assert_eq!(answer.json["k"]["value"], "w", "its own page may");
}

#[test]
fn what_is_no_request_is_refused_and_hurts_nobody() {
    let agent = Agent::start("one", &[]);
    let many: String = (0..100).map(|number| format!("x-{number}: 1\r\n")).collect();
    let long = "x".repeat(200_000);
    let cases = [
        (format!("GET /v1/members HTTP/1.1\r\nhost: localhost\r\n{many}\r\n"), 431),
        (format!("GET /v1/members HTTP/1.1\r\nhost: localhost\r\nx: {long}\r\n\r\n"), 431),
        (format!("GET /{long} HTTP/1.1\r\nhost: localhost\r\n\r\n"), 431),
        ("GET /v1/members\r\n\r\n".to_string(), 400),
        ("\u{16}\u{3}\u{1}\u{2}".to_string() + "\r\n\r\n", 400),
        ("PUT /v1/keys/k HTTP/1.1\r\nhost: localhost\r\ncontent-length: x\r\n\r\n".to_string(), 400),
    ];
    for (request, status) in cases {
        let mut stream = agent.send(&request);
        assert_eq!(head(&mut stream).0, status, "{:?}", request.get(..60).unwrap_or(&request));
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert_eq!(agent.get("/v1/nodes/one/keys"), json!({}));
}

#[test]
fn the_document_is_served_and_lists_every_path() {
    let agent = Agent::start("one", &[]);
    assert_eq!(&agent.get("/v1/openapi.json"), specification::document());
    let page = agent.get("/page.json");
    assert_eq!(page, json!({"nodes": [{"name": "one", "api": ""}]}));
    for (path, operations) in specification::document()["paths"].as_object().unwrap() {
        let path = path.replace("{name}", "one").replace("{key}", "k");
        // A method that no path has tells which the path has.
        let mut stream = agent.send(&format!("PATCH {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"));
        let (status, head) = head(&mut stream);
        assert_eq!(status, 405, "{path}");
        let allowed = head.lines().find_map(|line| line.strip_prefix("allow: ")).unwrap();
        let mut allowed: Vec<&str> = allowed.split(',').filter(|method| *method != "head").collect();
        let mut documented: Vec<&str> = operations.as_object().unwrap().keys().map(String::as_str).collect();
        allowed.sort_unstable();
        documented.sort_unstable();
        assert_eq!(allowed, documented, "{path}");
    }
}
