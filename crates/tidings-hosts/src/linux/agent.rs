//! One `tidings agent` on one host, and its HTTP API.

use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::linux::interrupt;
use crate::linux::network::Host;
use crate::linux::program::Program;
use crate::linux::view::View;

/// How long an agent may take to listen, and to answer a request.
const START_TIMEOUT: Duration = Duration::from_secs(10);
const HTTP_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A running agent. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Agent {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
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
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("the agent of {name} did not start"))?;
        let lines = child.stdout.take().map(lines_of);
        let log = child.stderr.take().map(collected).unwrap_or_default();
        let mut agent = Agent { child, log, generation_id: 0 };
        agent.generation_id = lines
            .context("the agent has no output")
            .and_then(|lines| generation_when_ready(&lines))
            .with_context(|| format!("the agent of {name} is not ready; its log:\n{}", agent.log().join("\n")))?;
        Ok(agent)
    }

    /// The generation it runs as.
    pub(crate) const fn generation_id(&self) -> u64 {
        self.generation_id
    }

    /// The lines of its log so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks it to leave, and waits for its end.
    pub(crate) fn leave(mut self, within: Duration) -> Result<ExitStatus> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).context("the agent has ended before")?;
        let end = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().context("cannot wait for the agent")? {
                return Ok(status);
            }
            ensure!(Instant::now() < end, "the agent goes on {within:?} after SIGTERM");
            interrupt::sleep(POLL_INTERVAL)?;
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
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

/// Waits for the line which says that the agent runs.
fn generation_when_ready(lines: &Receiver<String>) -> Result<u64> {
    let end = Instant::now() + START_TIMEOUT;
    loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) if line.starts_with("event=ready ") => return generation_in(&line),
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => bail!("it does not listen after {START_TIMEOUT:?}"),
            Err(RecvTimeoutError::Disconnected) => bail!("it ended"),
        }
    }
}

fn generation_in(ready: &str) -> Result<u64> {
    let field = ready.split(' ').find_map(|field| field.strip_prefix("generation_id="));
    field.and_then(|value| value.parse().ok()).with_context(|| format!("no generation_id in {ready:?}"))
}

fn lines_of(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    // Reads on when nobody listens any more: a full pipe would stop the agent.
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}

fn collected(output: impl Read + Send + 'static) -> Arc<Mutex<Vec<String>>> {
    let log = Arc::<Mutex<Vec<String>>>::default();
    let written = Arc::clone(&log);
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            written.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
    log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generation_is_read_from_the_line_that_says_ready() {
        assert_eq!(generation_in("event=ready name=a generation_id=17 address=h:1").unwrap(), 17);
        assert!(generation_in("event=ready name=a").is_err());
    }
}
