//! A real aiocluster node in a process of its own, and the conversation with it.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidings_core::{Address, NodeId};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::environment::{Environment, script};
use crate::view::{Detail, PythonSnapshot, View};

/// How long a process may take to start: the import of protobuf takes most of it.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// How long an answer may take. A node is single-threaded, and packing a large delta keeps it busy for seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// How many of the last lines of standard error are kept to be shown upon a failure.
const STDERR_LINES: usize = 40;

/// The configuration of one node; what each field means and its unit is aiocluster's (times in seconds).
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PythonConfig {
    pub(crate) name: String,
    pub(crate) generation_id: u64,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls_name: Option<String>,
    pub(crate) tls: Option<PythonTls>,
    pub(crate) seeds: Vec<(String, u16)>,
    pub(crate) cluster_id: String,
    pub(crate) gossip_interval: f64,
    pub(crate) marked_for_deletion_grace_period: f64,
    pub(crate) max_payload_size: u32,
    pub(crate) failure_detector: PythonDetectorConfig,
    pub(crate) initial_key_values: BTreeMap<String, String>,
}

/// The failure detector's part of [`PythonConfig`].
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PythonDetectorConfig {
    pub(crate) initial_interval: f64,
    pub(crate) max_interval: f64,
}

/// The part of [`PythonConfig`] from which both SSL contexts are made; all but the names are paths of PEM files.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PythonTls {
    pub(crate) certificates: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) authorities: PathBuf,
    pub(crate) server_only: bool,
    /// What is expected of a node whose `tls_name` is not known.
    pub(crate) server_hostname: String,
}

impl PythonConfig {
    /// aiocluster's defaults, all intervals a fifth of them.
    pub(crate) fn new(name: &str, generation_id: u64, address: &Address) -> PythonConfig {
        PythonConfig {
            name: name.to_owned(),
            generation_id,
            host: address.host().to_owned(),
            port: address.port(),
            tls_name: None,
            tls: None,
            seeds: Vec::new(),
            cluster_id: "default-cluster".to_owned(),
            gossip_interval: 0.2,
            marked_for_deletion_grace_period: 7200.0,
            max_payload_size: 65_507,
            failure_detector: PythonDetectorConfig { initial_interval: 1.0, max_interval: 2.0 },
            initial_key_values: BTreeMap::new(),
        }
    }

    /// The identity of the node with this configuration.
    pub(crate) fn node_id(&self) -> NodeId {
        let address = Address::new(&self.host, self.port);
        NodeId::with_tls_name(&self.name, self.generation_id, address, self.tls_name.clone())
    }
}

/// What a node counted, by kind of packet (`syn`, `synack`, `ack`, `bad_cluster`) where that matters.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct PythonStats {
    pub(crate) sent: BTreeMap<String, u64>,
    pub(crate) received: BTreeMap<String, u64>,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    pub(crate) largest_sent: u64,
    /// Packets it did not read because of their length.
    pub(crate) refused: u64,
    /// Errors logged: each is an exception that aiocluster did not expect.
    pub(crate) errors: u64,
}

impl PythonStats {
    /// How many packets of this kind it sent.
    pub(crate) fn sent_of(&self, kind: &str) -> u64 {
        self.sent.get(kind).copied().unwrap_or_default()
    }

    /// How many packets of this kind it received.
    pub(crate) fn received_of(&self, kind: &str) -> u64 {
        self.received.get(kind).copied().unwrap_or_default()
    }
}

/// A running node. Dropping it kills the process, as a crash would.
#[derive(Debug)]
pub(crate) struct PythonPeer {
    node_id: NodeId,
    process: Child,
    conversation: tokio::sync::Mutex<Conversation>,
    stderr: Arc<Mutex<VecDeque<String>>>,
}

#[derive(Debug)]
struct Conversation {
    requests: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    next_id: u64,
}

#[derive(Deserialize)]
struct Answer {
    id: u64,
    #[serde(default)]
    result: Value,
    error: Option<String>,
}

impl PythonPeer {
    /// Starts a node and waits until it listens.
    pub(crate) async fn start(environment: &Environment, config: &PythonConfig) -> Result<PythonPeer> {
        let mut process = Command::new(&environment.python)
            .arg(script("peer.py"))
            .arg(serde_json::to_string(config)?)
            // Sets and dictionaries keep their order from run to run, so that what is recorded can be recorded again.
            .env("PYTHONHASHSEED", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {}", environment.python.display()))?;

        let (Some(requests), Some(answers), Some(errors)) =
            (process.stdin.take(), process.stdout.take(), process.stderr.take())
        else {
            bail!("the process of {} has no pipes", config.name);
        };
        let stderr = Arc::new(Mutex::new(VecDeque::new()));
        tokio::spawn(keep_last_lines(errors, Arc::clone(&stderr)));

        let answers = BufReader::new(answers).lines();
        let conversation = tokio::sync::Mutex::new(Conversation { requests, answers, next_id: 1 });
        let peer = PythonPeer { node_id: config.node_id(), process, conversation, stderr };
        match timeout(START_TIMEOUT, peer.ready()).await {
            Ok(Ok(())) => Ok(peer),
            Ok(Err(error)) => Err(peer.explain(error.context("it did not start"))),
            Err(_) => Err(peer.explain(anyhow::anyhow!("it did not listen within {START_TIMEOUT:?}"))),
        }
    }

    /// The node's identity.
    pub(crate) const fn node_id(&self) -> &NodeId {
        &self.node_id
    }

    /// Sets a key of the node's own.
    pub(crate) async fn set(&self, key: &str, value: &str) -> Result<()> {
        self.request("set", json!({"key": key, "value": value})).await
    }

    /// Sets many keys at once.
    pub(crate) async fn set_many(&self, pairs: &BTreeMap<String, String>) -> Result<()> {
        self.request("set_many", json!({"pairs": pairs})).await
    }

    /// What aiocluster's own `get` gives.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<String>> {
        self.request("get", json!({"key": key})).await
    }

    /// From now on waits this long before it sends a packet of this kind, with the connection open.
    pub(crate) async fn hold_back(&self, kind: &str, time: Duration) -> Result<()> {
        self.request("hold_back", json!({"kind": kind, "seconds": time.as_secs_f64()})).await
    }

    /// Sets a key for the grace period: aiocluster's `set_with_ttl`.
    pub(crate) async fn set_with_ttl(&self, key: &str, value: &str) -> Result<()> {
        self.request("set_with_ttl", json!({"key": key, "value": value})).await
    }

    /// Turns a key into a tombstone.
    pub(crate) async fn delete(&self, key: &str) -> Result<()> {
        self.request("delete", json!({"key": key})).await
    }

    /// Lets a key end with the grace period: aiocluster's `delete_after_ttl`.
    pub(crate) async fn delete_after_ttl(&self, key: &str) -> Result<()> {
        self.request("delete_after_ttl", json!({"key": key})).await
    }

    /// All that the node holds.
    pub(crate) async fn view(&self, detail: Detail) -> Result<View> {
        let arguments = json!({"keys": detail == Detail::KeyValues});
        let snapshot: PythonSnapshot = self.request("snapshot", arguments).await?;
        Ok(snapshot.into())
    }

    /// What the node counted since it started.
    pub(crate) async fn stats(&self) -> Result<PythonStats> {
        self.request("stats", json!({})).await
    }

    /// Makes one gossip round now, garbage collection included, beside those the node makes on its own.
    pub(crate) async fn round(&self) -> Result<()> {
        self.request("round", json!({})).await
    }

    /// Makes one exchange now with whoever listens at this address.
    pub(crate) async fn gossip_with(&self, address: &Address) -> Result<()> {
        self.request("gossip_with", json!({"host": address.host(), "port": address.port()})).await
    }

    /// Ends the node as its owner would.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.request::<()>("stop", json!({})).await?;
        match timeout(ANSWER_TIMEOUT, self.process.wait()).await {
            Ok(status) if status.as_ref().is_ok_and(std::process::ExitStatus::success) => Ok(()),
            Ok(status) => Err(self.explain(anyhow::anyhow!("it ended with {status:?} after it was stopped"))),
            Err(_) => Err(self.explain(anyhow::anyhow!("it did not end within {ANSWER_TIMEOUT:?}"))),
        }
    }

    /// Ends the process with SIGKILL and waits until it is gone, and its port free.
    pub(crate) async fn kill(mut self) -> Result<()> {
        self.process.kill().await.with_context(|| format!("cannot kill the process of {}", self.node_id))
    }

    async fn ready(&self) -> Result<()> {
        let line = self.conversation.lock().await.answers.next_line().await?;
        match line.as_deref().map(serde_json::from_str::<Value>) {
            Some(Ok(value)) if value["ready"] == json!(true) => Ok(()),
            Some(_) => bail!("it said {line:?} where it should say that it is ready"),
            None => bail!("it ended before it was ready"),
        }
    }

    async fn request<T: DeserializeOwned>(&self, command: &str, arguments: Value) -> Result<T> {
        let result = match timeout(ANSWER_TIMEOUT, self.converse(command, arguments)).await {
            Ok(result) => result,
            Err(_) => Err(anyhow::anyhow!("it did not answer within {ANSWER_TIMEOUT:?}")),
        };
        let answer = result.and_then(|value| Ok(serde_json::from_value(value)?));
        answer.map_err(|error| self.explain(error.context(format!("the command {command} failed"))))
    }

    async fn converse(&self, command: &str, mut request: Value) -> Result<Value> {
        let mut conversation = self.conversation.lock().await;
        let id = conversation.next_id;
        conversation.next_id += 1;
        request["id"] = json!(id);
        request["command"] = json!(command);
        conversation.requests.write_all(format!("{request}\n").as_bytes()).await?;
        // An answer to an earlier request that nobody waits for any more may come first.
        while let Some(line) = conversation.answers.next_line().await? {
            let answer: Answer = serde_json::from_str(&line).with_context(|| format!("it answered {line:?}"))?;
            match answer.error {
                _ if answer.id != id => continue,
                Some(error) => bail!("it answered {error}"),
                None => return Ok(answer.result),
            }
        }
        bail!("it ended")
    }

    /// Adds which node it was and what it last wrote to standard error.
    pub(crate) fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let stderr = self.last_words().unwrap_or_else(|| "nothing".to_owned());
        error.context(format!("the Python node {}; its standard error: {stderr}\nwhat went wrong", self.node_id))
    }

    /// What the node last wrote to standard error, if anything.
    pub(crate) fn last_words(&self) -> Option<String> {
        let lines = self.stderr.lock().ok()?;
        let text: String = lines.iter().map(|line| format!("\n      {line}")).collect();
        (!text.is_empty()).then_some(text)
    }
}

async fn keep_last_lines(stderr: ChildStderr, kept: Arc<Mutex<VecDeque<String>>>) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(mut kept) = kept.lock() else { return };
        if kept.len() == STDERR_LINES {
            kept.pop_front();
        }
        kept.push_back(line);
    }
}
