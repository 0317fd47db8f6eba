//! The alert rules, the scrape configuration and the dashboard, in a real Prometheus.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tidings_operations::{path, read};

const PACKAGE: &str = "prometheus";
const TOKEN: &str = "a-token-for-these-checks";
const DEADLINE: Duration = Duration::from_secs(60);

/// What promtool says of the files as they are.
pub(crate) fn check_files() -> Result<()> {
    let promtool = |words: &[&str], file: &str| {
        let folder = path("");
        crate::tool::run(Command::new("promtool").args(words).arg(file).current_dir(folder), PACKAGE)
    };
    promtool(&["check", "rules"], "alerts.yaml")?;
    promtool(&["test", "rules"], "alerts-test.yaml")?;
    // The token's file is on no other machine.
    promtool(&["check", "config", "--syntax-only"], "prometheus.yaml")?;
    Ok(())
}

/// Has Prometheus scrape two agents, asks it all that the dashboard asks, and kills one.
pub(crate) fn scrape(program: &Path, folder: &Path) -> Result<()> {
    let token = folder.join("token");
    fs::write(&token, TOKEN)?;
    let (_one, gossip, http) = agent(program, "one", &token, &[])?;
    let (two, _, other_http) = agent(program, "two", &token, &["--seed", &gossip])?;
    let (_prometheus, url) = start(folder, &token, &[&http, &other_http])?;

    let both = || Ok(query(&url, "sum(up{job=\"tidings\"})")?.first().is_some_and(|sample| sample["value"][1] == "2"));
    eventually("two agents that Prometheus reaches", both)?;
    let dashboard: Value = serde_json::from_str(&read("grafana-dashboard.json")?)?;
    let panels = dashboard["panels"].as_array().context("the dashboard has no panels")?;
    let mut asked = 0;
    for target in panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten() {
        let expr = target["expr"].as_str().context("a target without an expression")?;
        let expr = expr.replace("$__rate_interval", "10s").replace("$job", "tidings").replace("$instance", ".+");
        eventually(&format!("an answer to {expr}"), || Ok(!query(&url, &expr)?.is_empty()))?;
        asked += 1;
    }
    ensure!(asked > 20, "the dashboard asks {asked} questions only");

    eventually("each rule evaluated", || {
        let rules = get(&url, "/api/v1/rules", &[])?;
        let rules = rules["groups"][0]["rules"].as_array().context("no rules")?.clone();
        if let Some(bad) = rules.iter().find(|rule| rule["health"] == "err") {
            bail!("a rule cannot be evaluated: {bad}");
        }
        Ok(rules.len() > 10 && rules.iter().all(|rule| rule["health"] == "ok"))
    })?;
    drop(two);
    eventually("an alert for an agent that was killed", || {
        let alerts = get(&url, "/api/v1/alerts", &[])?;
        let alerts = alerts["alerts"].as_array().context("no alerts")?;
        Ok(alerts.iter().any(|alert| alert["labels"]["alertname"] == "TidingsAgentDown"))
    })
}

/// A process that ends with its handle.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An agent, where others dial it, and where it serves HTTP.
fn agent(program: &Path, name: &str, token: &Path, more: &[&str]) -> Result<(Running, String, String)> {
    let own =
        ["agent", "--name", name, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--gossip-interval", "200ms"];
    let mut command = Command::new(program);
    command.args(own).args(more).arg("--http-token-file").arg(token);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut running = Running(child.with_context(|| format!("cannot run {}", program.display()))?);
    let mut ready = String::new();
    BufReader::new(running.0.stdout.take().context("no output")?).read_line(&mut ready)?;
    let field = |name: &str| {
        let found = ready.split_whitespace().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        found.map(str::to_string).with_context(|| format!("the agent did not say its {name}: {ready:?}"))
    };
    let (gossip, http) = (field("address")?, field("http")?);
    Ok((running, gossip, http))
}

/// Prometheus with the configuration as it is, but for these agents and every second; and its address.
fn start(folder: &Path, token: &Path, agents: &[&str]) -> Result<(Running, String)> {
    let (config, rules) = (folder.join("prometheus.yaml"), folder.join("alerts.yaml"));
    fs::copy(path("alerts.yaml"), rules)?;
    let mut text = read("prometheus.yaml")?;
    let targets = agents.iter().map(|agent| format!("{agent:?}")).collect::<Vec<_>>().join(", ");
    for (from, to) in [
        ("15s", "1s"),
        ("/etc/prometheus/tidings-token", &token.display().to_string()),
        (r#""node1.example:8000", "node2.example:8000", "node3.example:8000""#, &targets),
    ] {
        ensure!(text.contains(from), "prometheus.yaml has no {from} any more; then this check is to replace another");
        text = text.replace(from, to);
    }
    fs::write(&config, text)?;
    // Somebody else may take it meanwhile; then Prometheus does not start, and says so in its log.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let log = folder.join("prometheus.log");
    let child = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log)?)
        .spawn()
        .with_context(|| format!("cannot run prometheus; 'apt-get install {PACKAGE}' has it, on Debian"))?;
    let mut running = Running(child);
    let url = format!("http://127.0.0.1:{port}");
    let ready = || {
        if let Some(status) = running.0.try_wait()? {
            bail!("prometheus ended ({status}):\n{}", fs::read_to_string(&log)?);
        }
        Ok(ureq::get(format!("{url}/-/ready")).call().is_ok())
    };
    eventually("a Prometheus that is ready", ready)?;
    Ok((running, url))
}

/// The samples that a question has for an answer.
fn query(url: &str, expr: &str) -> Result<Vec<Value>> {
    let data = get(url, "/api/v1/query", &[("query", expr)])?;
    data["result"].as_array().cloned().with_context(|| format!("no samples in {data}"))
}

fn get(url: &str, path: &str, query: &[(&str, &str)]) -> Result<Value> {
    let client = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(DEADLINE)).build();
    let request = ureq::Agent::from(client).get(format!("{url}{path}")).query_pairs(query.iter().copied());
    let answer: Value = serde_json::from_str(&request.call()?.body_mut().read_to_string()?)?;
    ensure!(answer["status"] == "success", "Prometheus says of {path} {query:?}: {answer}");
    Ok(answer["data"].clone())
}

/// Asks again and again, for a time.
fn eventually(what: &str, mut ask: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    while !ask()? {
        ensure!(Instant::now() < deadline, "waited {DEADLINE:?} in vain for {what}");
        thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}
