//! One `tidings agent` on one host, and its HTTP API.

use std::os::unix::process::CommandExt as _;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tidings_program::{Program, Running};

use crate::linux::interrupt;
use crate::linux::network::Host;
use crate::linux::view::View;

/// How long an agent may take to answer a request.
const HTTP_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A running agent. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Agent {
    process: Running,
    generation_id: u64,
}

impl Agent {
    /// Starts the host's agent and waits until it listens. Its only key is `host`, with the host's name.
    pub(crate) fn start(program: &Program, host: &Host, seeds: &[String], gossip_interval: Duration) -> Result<Agent> {
        let name = host.name();
        let mut command = host.namespace().command(program.path());
        command.args(["agent", "--name", name, "--set", &format!("host={name}")]);
        command.args(["--listen", &host.listen_address(), "--advertise", &host.gossip_address()]);
        command.args(["--http", &host.http_address()]);
        command.args(["--gossip-interval", &format!("{}ms", gossip_interval.as_millis())]);
        command.args(seeds.iter().flat_map(|seed| ["--seed", seed]));
        // The log tells of every death, however short. Ctrl-C in a terminal is for this program, not for the agents.
        command.env("RUST_LOG", "info").process_group(0);
        let process = Running::start(&mut command, "event=ready").with_context(|| format!("the agent of {name}"))?;
        let generation_id = process.field("generation_id")?.parse().context("a generation_id that is no number")?;
        Ok(Agent { process, generation_id })
    }

    /// The generation it runs as.
    pub(crate) const fn generation_id(&self) -> u64 {
        self.generation_id
    }

    /// The lines of its log so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.process.log()
    }

    /// Asks it to leave, and waits for its end.
    pub(crate) fn leave(mut self, within: Duration) -> Result<ExitStatus> {
        kill_process(Pid::from_child(self.process.child()), Signal::TERM).context("the agent has ended before")?;
        let end = Instant::now() + within;
        loop {
            if let Some(status) = self.process.ended()? {
                return Ok(status);
            }
            ensure!(Instant::now() < end, "the agent goes on {within:?} after SIGTERM");
            interrupt::sleep(POLL_INTERVAL)?;
        }
    }
}

/// What the host's agent holds.
pub(crate) fn view(host: &Host) -> Result<View> {
    let answer = request(host, "GET", "/v1/state", "")?;
    serde_json::from_str(&answer).with_context(|| format!("{} gave a state of another shape: {answer}", host.name()))
}

/// Sets a key of the host's agent. Takes keys that need no percent-encoding.
pub(crate) fn set(host: &Host, key: &str, value: &str) -> Result<()> {
    request(host, "PUT", &format!("/v1/keys/{key}"), value).map(drop)
}

/// Deletes a key of the host's agent.
pub(crate) fn delete(host: &Host, key: &str) -> Result<()> {
    request(host, "DELETE", &format!("/v1/keys/{key}"), "").map(drop)
}

/// Asks the host's agent from inside the host: it serves its API on loopback alone.
fn request(host: &Host, method: &str, path: &str, body: &str) -> Result<String> {
    let call = || format!("{method} {path} on {}", host.name());
    let (status, answer) = host
        .namespace()
        .enter(|| {
            let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(HTTP_TIMEOUT));
            let client: ureq::Agent = config.build().into();
            let url = format!("http://{}{path}", host.http_address());
            let request = ureq::http::Request::builder().method(method).uri(url).body(body.to_owned())?;
            let mut response = client.run(request)?;
            let text = response.body_mut().read_to_string()?;
            Ok((response.status().as_u16(), text))
        })
        .with_context(call)?;
    ensure!(status == 200, "{} was answered with {status}: {answer}", call());
    Ok(answer)
}
