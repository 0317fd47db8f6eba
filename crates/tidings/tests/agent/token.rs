//! Whom a token lets in.

use std::fs;

use crate::agent::Agent;
use crate::support::run;

const TOKEN: &str = "correct-horse-battery";

/// A file with a token; removed at the end.
struct TokenFile(std::path::PathBuf);

impl TokenFile {
    fn new(name: &str, text: &str) -> TokenFile {
        let path = std::env::temp_dir().join(format!("tidings-token-{}-{name}", std::process::id()));
        fs::write(&path, text).unwrap();
        TokenFile(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn with_a_token_nothing_of_the_cluster_is_told_without_it() {
    let file = TokenFile::new("closed", &format!("{TOKEN}\n"));
    let mut agent = Agent::start("one", &["--http", "0.0.0.0:0", "--http-token-file", file.path(), "--set", "k=v"]);
    let closed = [
        ("GET", "/v1/members"),
        ("GET", "/v1/state"),
        ("GET", "/v1/nodes/one/keys"),
        ("GET", "/v1/nodes/one/keys/k"),
        ("PUT", "/v1/keys/k"),
        ("DELETE", "/v1/keys/k"),
        ("GET", "/v1/events"),
        ("GET", "/v1/exchanges"),
        ("GET", "/v1/stats"),
        ("POST", "/v1/leave"),
        ("GET", "/metrics"),
    ];
    for (method, path) in closed {
        let answer = agent.call(method, path, b"");
        answer.is_problem(401, "missing-token", "Bearer TOKEN");
        assert_eq!(answer.authenticate.as_deref(), Some("Bearer realm=\"tidings\""), "{path}");
        for wrong in ["Bearer wrong", "Bearer correct-horse-batterY", "Bearer correct-horse-battery2", "Bearer "] {
            let answer = agent.call_with(method, path, b"", &[("authorization", wrong)]);
            answer.is_problem(401, if wrong == "Bearer " { "missing-token" } else { "wrong-token" }, "token");
        }
    }
    for open in ["/healthz", "/v1/openapi.json", "/page.json"] {
        assert_eq!(agent.call("GET", open, b"").status, 200, "{open}");
    }

    agent.token = Some(TOKEN.to_string());
    assert_eq!(agent.get("/v1/nodes/one/keys/k")["value"], "v", "nothing was changed");
    // With a token any name of the host will do.
    assert_eq!(agent.call_with("GET", "/v1/members", b"", &[("host", "one.example:80")]).status, 200);
    let foreign = [("origin", "http://evil.example")];
    agent.call_with("PUT", "/v1/keys/k", b"w", &foreign).is_problem(403, "foreign-origin", "change nothing");
    agent.set("k", "w");
}

#[test]
fn the_token_can_come_from_the_environment_and_a_flag_wins() {
    let file = TokenFile::new("wins", "another-token-altogether");
    let env = [("TIDINGS_HTTP_TOKEN", TOKEN)];
    let mut agent = Agent::start_with("one", &[], &env);
    agent.call("GET", "/v1/members", b"").is_problem(401, "missing-token", "token");
    agent.token = Some(TOKEN.to_string());
    agent.get("/v1/members");

    let mut agent = Agent::start_with("two", &["--http-token-file", file.path()], &env);
    agent.token = Some(TOKEN.to_string());
    agent.call("GET", "/v1/members", b"").is_problem(401, "wrong-token", "token");
    agent.token = Some("another-token-altogether".to_string());
    agent.get("/v1/members");

    let mut agent = Agent::start_with("three", &[], &[env[0], ("TIDINGS_HTTP_TOKEN_FILE", "/none")]);
    agent.token = Some(TOKEN.to_string());
    agent.get("/v1/members");
}

#[test]
fn a_bad_token_file_is_named_and_the_token_is_not_shown() {
    let short = TokenFile::new("short", "hunter2");
    let with = |path: &str| run(&["agent", "--name", "a", "--listen", "127.0.0.1:0", "--http-token-file", path]);
    let (code, _, err) = with(short.path());
    assert_eq!(code, Some(2));
    assert!(err.contains(short.path()) && err.contains("7 bytes") && err.contains("openssl"), "{err}");
    assert!(!err.contains("hunter2"), "{err}");
    let (code, _, err) = with("/none/token");
    assert_eq!(code, Some(2));
    assert!(err.contains("/none/token") && err.contains("may read"), "{err}");
}
