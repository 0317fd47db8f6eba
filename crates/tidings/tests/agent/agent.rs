//! A real agent, and calls to its API; each answer is checked against the OpenAPI document.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::specification;
use crate::support::{DEADLINE, Running, eventually, field};

/// An agent and where its API is.
pub(crate) struct Agent {
    pub(crate) process: Running,
    pub(crate) ready: String,
    pub(crate) token: Option<String>,
}

impl Agent {
    pub(crate) fn start(name: &str, more: &[&str]) -> Agent {
        Agent::start_with(name, more, &[])
    }

    /// With these variables in its environment.
    pub(crate) fn start_with(name: &str, more: &[&str], env: &[(&str, &str)]) -> Agent {
        let mut args = vec!["agent", "--name", name, "--listen", "127.0.0.1:0"];
        if !more.contains(&"--http") {
            args.extend(["--http", "127.0.0.1:0"]);
        }
        args.extend(["--gossip-interval", "100ms"].iter().chain(more));
        let mut process = Running::start_with(&args, env);
        let ready = process.line("agent", |line| line.starts_with("event=ready"));
        Agent { process, ready, token: None }
    }

    pub(crate) fn joining(name: &str, other: &Agent, more: &[&str]) -> Agent {
        Agent::start(name, &[&["--seed", field(&other.ready, "address")], more].concat())
    }

    /// Where the API is, from this machine.
    pub(crate) fn http(&self) -> String {
        field(&self.ready, "http").replace("0.0.0.0", "127.0.0.1")
    }

    pub(crate) fn call(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        self.call_with(method, path, body, &[])
    }

    pub(crate) fn call_with(&self, method: &str, path: &str, body: &[u8], headers: &[(&str, &str)]) -> Answer {
        let client: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(DEADLINE)).build().into();
        let mut request = ureq::http::Request::builder().method(method).uri(format!("http://{}{path}", self.http()));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = client.run(request.body(body).unwrap()).unwrap();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_string());
        let content_type = header("content-type").unwrap();
        let (retry_after, authenticate) = (header("retry-after"), header("www-authenticate"));
        let text = response.body_mut().read_to_string().unwrap();
        let json = match content_type.ends_with("json") {
            true => serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?}")),
            false => Value::String(text),
        };
        let status = response.status().as_u16();
        specification::check(method, path, status, &content_type, &json);
        Answer { status, content_type, retry_after, authenticate, json }
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.call("GET", path, b"");
        assert_eq!(answer.status, 200, "{path}: {}", answer.json);
        answer.json
    }

    /// Sets one of its keys.
    pub(crate) fn set(&self, key: &str, value: &str) {
        let answer = self.call("PUT", &format!("/v1/keys/{key}"), value.as_bytes());
        assert_eq!(answer.status, 200, "{key}: {}", answer.json);
    }

    /// The member of this name that is as `wanted`, as this agent sees it.
    pub(crate) fn waits_for_member(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("such a member {name}"), || {
            let members = self.get("/v1/members")["members"].as_array().unwrap().clone();
            members.into_iter().find(|member| member["name"] == name && wanted(member))
        })
    }

    pub(crate) fn waits_for(&self, name: &str, state: &str) -> Value {
        self.waits_for_member(name, |member| member["state"] == state)
    }

    /// A connection on which this was sent.
    pub(crate) fn send(&self, text: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(self.http()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        BufReader::new(stream)
    }
}

/// The status of an answer that is read from a connection as it comes, and its headers in lower case.
pub(crate) fn head(stream: &mut BufReader<TcpStream>) -> (u16, String) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(stream.read_line(&mut head).unwrap(), 0, "the connection ended: {head:?}");
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap(), head.to_lowercase())
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) retry_after: Option<String>,
    pub(crate) authenticate: Option<String>,
    pub(crate) json: Value,
}

impl Answer {
    /// A problem with this status and code whose detail tells `hint`.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str, hint: &str) {
        assert_eq!((self.status, self.content_type.as_str()), (status, "application/problem+json"), "{}", self.json);
        assert_eq!((&self.json["status"], &self.json["code"]), (&status.into(), &code.into()), "{}", self.json);
        assert!(self.json["detail"].as_str().unwrap().contains(hint), "{hint:?} is not in {}", self.json);
    }
}
