//! Real agents, and their HTTP API.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tidings_program::{Program, Running};

/// How long an answer may take.
pub(crate) const HTTP_TIMEOUT: Duration = Duration::from_secs(5);
/// A screenshot of a large page is the longest.
const MOST_BYTES: u64 = 64 << 20;
/// What the agents run with.
const GOSSIP_INTERVAL: &str = "100ms";

/// A running agent. Dropping it kills it, without a farewell.
#[derive(Debug)]
pub(crate) struct Agent {
    process: Running,
}

/// How an agent is started. `0` as a port lets the system choose.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) name: String,
    pub(crate) listen: String,
    pub(crate) http: String,
    /// The gossip address of another one.
    pub(crate) seed: Option<String>,
    /// What each request has to bear.
    pub(crate) token: Option<String>,
}

impl Launch {
    /// On ports that the system chooses, knowing nobody.
    pub(crate) fn named(name: &str) -> Launch {
        let any = "127.0.0.1:0".to_owned();
        Launch { name: name.to_owned(), listen: any.clone(), http: any, seed: None, token: None }
    }

    /// With this one as its seed.
    pub(crate) fn joining(name: &str, other: &Agent) -> Result<Launch> {
        Ok(Launch { seed: Some(other.address()?.to_owned()), ..Launch::named(name) })
    }

    pub(crate) fn start(&self, program: &Program) -> Result<Agent> {
        let mut command = Command::new(program.path());
        command.args(["agent", "--name", &self.name, "--listen", &self.listen, "--http", &self.http]);
        command.args(["--cluster-id", "browser-suite", "--gossip-interval", GOSSIP_INTERVAL]);
        command.args(self.seed.iter().flat_map(|seed| ["--seed", seed]));
        command.env_remove("RUST_LOG").env_remove("TIDINGS_HTTP_TOKEN");
        if let Some(token) = &self.token {
            command.env("TIDINGS_HTTP_TOKEN", token);
        }
        let process =
            Running::start(&mut command, "event=ready").with_context(|| format!("the agent {}", self.name))?;
        Ok(Agent { process })
    }
}

impl Agent {
    /// Where others gossip with it.
    pub(crate) fn address(&self) -> Result<&str> {
        self.process.field("address")
    }

    /// Where its API is, as `host:port`.
    pub(crate) fn http(&self) -> Result<&str> {
        self.process.field("http")
    }

    /// The page's address.
    pub(crate) fn page(&self) -> Result<String> {
        Ok(format!("http://{}/", self.http()?))
    }

    /// Sets one of its keys, whatever characters that has.
    pub(crate) fn set(&self, key: &str, value: &str) -> Result<()> {
        let encoded: String = key.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let (status, answer) = call("PUT", &format!("{}v1/keys/{encoded}", self.page()?), value, HTTP_TIMEOUT)?;
        ensure!(status == 200, "setting {key:?} was answered with {status}: {answer}");
        Ok(())
    }

    /// The member of this name as it sees it, the key-values included.
    pub(crate) fn member(&self, name: &str) -> Result<Value> {
        let (status, answer) = call("GET", &format!("{}v1/state", self.page()?), "", HTTP_TIMEOUT)?;
        ensure!(status == 200, "the state was answered with {status}: {answer}");
        let state: Value = serde_json::from_str(&answer)?;
        let member = state["members"].as_array().into_iter().flatten().find(|member| member["name"] == name);
        Ok(member.cloned().unwrap_or_default())
    }
}

/// The status and the body of the answer to a request.
pub(crate) fn call(method: &str, url: &str, body: &str, timeout: Duration) -> Result<(u16, String)> {
    let client = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(timeout)).build();
    let request = ureq::http::Request::builder().method(method).uri(url).body(body.to_owned())?;
    let mut response = ureq::Agent::from(client).run(request).with_context(|| format!("{method} {url}"))?;
    let text = response
        .body_mut()
        .with_config()
        .limit(MOST_BYTES)
        .read_to_string()
        .with_context(|| format!("{method} {url}"))?;
    Ok((response.status().as_u16(), text))
}
