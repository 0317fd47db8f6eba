//! No agent, or none that answers as one.

use std::net::TcpListener;

use crate::fake::{Fake, Then, answer};
use crate::tidings::{command, tidings, with_input};

/// A port at which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn where_nobody_listens_each_command_says_so_and_exits_with_3() {
    let api = nobody();
    let commands: [&[&str]; 7] =
        [&["members"], &["state"], &["get", "one", "k"], &["set", "k", "v"], &["delete", "k"], &["watch"], &["leave"]];
    for words in commands {
        let host = api.strip_prefix("http://").unwrap();
        tidings(&[words, &["--api", &api]].concat()).failed(3, &["no agent is reached", host, "--http", "TIDINGS_API"]);
    }
}

#[test]
fn the_environment_says_where_the_agent_is_unless_a_flag_does() {
    let (variable, flag) = (nobody(), nobody());
    let run = |args: &[&str]| {
        let mut command = command(args);
        command.env("TIDINGS_API", &variable);
        with_input(command, b"")
    };
    run(&["members"]).failed(3, &[&variable]);
    run(&["members", "--api", &flag]).failed(3, &[&flag]);
}

#[test]
fn bad_usage_exits_with_2_and_names_the_way_out() {
    let cases: [(&[&str], &[&str]); 7] = [
        (&["members", "--api", "127.0.0.1:8000"], &["--api", "http://HOST:PORT"]),
        (&["members", "--api", "https://127.0.0.1:8000"], &["--api", "http://HOST:PORT"]),
        (&["members", "--timeout", "0s"], &["--timeout", "10s"]),
        (&["members", "--token-file", "/nowhere/token"], &["--token-file", "/nowhere/token", "on one line"]),
        (&["set", "k"], &["VALUE"]),
        (&["set", "k", "v", "--ttl", "30"], &["--ttl", "time unit needed"]),
        (&["get"], &["KEY"]),
    ];
    for (args, words) in cases {
        tidings(args).failed(2, words);
    }
    let mut bad_token = command(&["members"]);
    bad_token.env("TIDINGS_HTTP_TOKEN", "two words");
    with_input(bad_token, b"").failed(2, &["TIDINGS_HTTP_TOKEN"]);
    with_input(command(&["set", "k", "-"]), b"\xff").failed(2, &["standard input", "UTF-8"]);
}

#[test]
fn what_answers_as_no_agent_does_is_told_apart_and_exits_with_4() {
    let answers = [
        answer("200 OK", "text/html", "<html>"),
        answer("200 OK", "application/json", "{}"),
        answer("200 OK", "application/json", "\u{fffd}"),
        answer("404 Not Found", "text/html", "nothing here"),
        answer("404 Not Found", "application/problem+json", r#"{"status":500,"code":"c","detail":"d"}"#),
        answer("302 Found", "text/html", ""),
        answer("204 No Content", "text/html", ""),
    ];
    for text in answers {
        let fake = Fake::start(vec![(text, Then::Close)]);
        tidings(&["members", "--api", &fake.url()])
            .failed(4, &["not the API of a tidings agent", &fake.url(), "--api"]);
    }
}

#[test]
fn an_answer_that_does_not_come_to_its_end_exits_with_3() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_string();
    for (text, then) in [
        (String::new(), Then::Hold),
        (String::new(), Then::Close),
        (cut.clone(), Then::Hold),
        (cut, Then::Close),
        ("SSH-2.0-server\r\n".to_string(), Then::Close),
    ] {
        let fake = Fake::start(vec![(text, then)]);
        let ended = tidings(&["set", "k", "v", "--api", &fake.url(), "--timeout", "300ms"]);
        ended.failed(3, &["did not answer to the end", &fake.url(), "may have been made", "try again"]);
    }
}

#[test]
fn a_refusal_is_told_as_the_agent_tells_it() {
    let detail = r#"{"status":401,"code":"missing-token","title":"Unauthorized","detail":"no token came"}"#;
    let fake = Fake::start(vec![(answer("401 Unauthorized", "application/problem+json", detail), Then::Close)]);
    let ended = tidings(&["leave", "--api", &fake.url()]);
    ended.failed(1, &["401 missing-token", "no token came", "--token-file", "TIDINGS_HTTP_TOKEN"]);
    assert!(fake.request().starts_with("POST /v1/leave HTTP/1.1\r\n"));
}

#[test]
fn requests_carry_token_path_and_value_as_they_are() {
    let value = r#"{"k":{"value":"","version":3,"status":"set"}}"#;
    let taken = || (answer("200 OK", "application/json", value), Then::Close);
    let fake = Fake::start(vec![taken(), taken(), taken()]);
    let file = std::env::temp_dir().join(format!("tidings-token-{}", std::process::id()));
    std::fs::write(&file, "from-the-file\n").unwrap();
    let run = |args: &[&str], input: &[u8]| {
        let mut command = command(args);
        command.env("TIDINGS_HTTP_TOKEN", "from-the-environment");
        with_input(command, input).done()
    };

    let api = format!("{}/nodes/one", fake.url());
    run(&["set", "a/b c", "-", "--ttl", "1m 500ms", "--api", &api], "grün\n".as_bytes());
    let request = fake.request();
    assert!(request.starts_with("PUT /nodes/one/v1/keys/a%2Fb%20c?ttl_s=60.5 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nauthorization: Bearer from-the-environment\r\n"), "{request}");
    assert!(request.contains(&format!("\r\nhost: {}\r\n", fake.url().strip_prefix("http://").unwrap())), "{request}");
    assert!(request.ends_with("\r\n\r\ngrün\n"), "{request}");

    run(&["set", "k", "-5", "--api", &fake.url(), "--token-file", file.to_str().unwrap()], b"");
    let request = fake.request();
    assert!(request.starts_with("PUT /v1/keys/k HTTP/1.1\r\n") && request.ends_with("\r\n\r\n-5"), "{request}");
    assert!(request.contains("\r\nauthorization: Bearer from-the-file\r\n"), "{request}");
    std::fs::remove_file(&file).unwrap();

    run(&["delete", "", "--api", &fake.url()], b"");
    assert!(fake.request().starts_with("DELETE /v1/keys/ HTTP/1.1\r\n"));
}

#[test]
fn whoever_has_read_enough_ends_it_without_a_word() {
    let fake = Fake::start(vec![(crate::fake::members(1), Then::Close)]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = command(&["members", "--api", &fake.url()]);
    let child = child.stdout(writer).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_exits_with_5() {
    let fake = Fake::start(vec![(crate::fake::members(1), Then::Close)]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child = command(&["members", "--api", &fake.url()]);
    let child = child.stdout(full).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{err}");
    assert!(err.contains("cannot be written") && err.contains("has been done"), "{err}");
}
