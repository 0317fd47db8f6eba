//! A made-up agent: as many members as one likes, by whatever names, seen through the page of a real agent.
//!
//! What it answers follows from the time since its start alone: who is live, how high phi is, who gossiped with whom.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_lite::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// More than agents have of themselves: some rounds' worth.
const EXCHANGES_A_SECOND: u64 = 8;
/// Beyond what a JavaScript number holds.
pub(crate) const GENERATION: u64 = 1_763_769_600_123_456_789;

/// The running server.
pub(crate) struct Fake {
    address: SocketAddr,
    server: JoinHandle<()>,
}

/// What a made-up cluster is made of.
pub(crate) struct Names {
    /// Of the members; the first one is the observed node.
    pub(crate) members: Vec<String>,
    /// The key-values that each one has.
    pub(crate) key_values: Vec<(String, String)>,
}

struct World {
    names: Vec<String>,
    key_values: Vec<(String, String)>,
    started: Instant,
    page: Page,
}

/// The document as an agent serves it.
struct Page {
    policy: String,
    document: String,
}

impl Fake {
    /// Serves a cluster of these through the page that is at `url`.
    pub(crate) fn serve(runtime: &Runtime, names: Names, url: &str) -> Result<Fake> {
        let world = Arc::new(World {
            names: names.members,
            key_values: names.key_values,
            started: Instant::now(),
            page: Page::at(url)?,
        });
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).context("no port")?;
        let address = listener.local_addr().context("no address")?;
        let router = Router::new()
            .route("/", get(page))
            .route("/page.json", get(page_json))
            .route("/v1/members", get(members))
            .route("/v1/stats", get(stats))
            .route("/v1/exchanges", get(exchanges))
            .route("/v1/events", get(events))
            .route("/v1/nodes/{name}/keys", get(keys))
            .with_state(world);
        // Without a listener there is nothing to serve; a scenario that needs it says so by itself.
        let server = runtime.spawn(async { axum::serve(listener, router).await.unwrap_or_default() });
        Ok(Fake { address, server })
    }

    pub(crate) fn page(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Page {
    fn at(url: &str) -> Result<Page> {
        let mut response = ureq::get(url).call().with_context(|| format!("cannot read {url}"))?;
        let policy = response.headers().get("content-security-policy").and_then(|policy| policy.to_str().ok());
        let policy = policy.context("the page has no content-security-policy")?.to_owned();
        let document = response.body_mut().read_to_string().context("cannot read the page")?;
        ensure!(document.contains("<canvas"), "{url} is not the page");
        Ok(Page { policy, document })
    }
}

impl World {
    fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Every 41st is dead, every 53rd has left.
    fn state(i: usize) -> &'static str {
        match i {
            _ if i % 41 == 7 => "dead",
            _ if i % 53 == 11 => "left",
            _ => "live",
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn phi(&self, i: usize) -> Option<f64> {
        let wave = (self.seconds() + i as f64).sin();
        match World::state(i) {
            _ if i == 0 => None,
            "live" if i % 67 == 5 => Some(5.5 + wave),
            "live" => Some(0.7 + 0.6 * wave),
            _ => Some(9.0 + (i % 7) as f64),
        }
    }
}

async fn page(State(world): State<Arc<World>>) -> Response {
    let policy = world.page.policy.clone();
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(world.page.document.clone())).into_response()
}

async fn page_json(State(world): State<Arc<World>>) -> Json<Value> {
    Json(json!({"nodes": [{"name": world.names[0], "api": ""}]}))
}

async fn members(State(world): State<Arc<World>>) -> Json<Value> {
    let members: Vec<Value> = world.names.iter().enumerate().map(|(i, name)| json!({
        "name": name, "generation_id": GENERATION + i as u64, "address": format!("10.0.{}.{}:7000", i / 250, i % 250 + 1),
        "state": World::state(i), "since": 90, "silent_for": 0.5, "run": null, "phi": world.phi(i), "heartbeat": 100 + world.started.elapsed().as_secs(),
        "max_version": 12 + i % 9, "last_gc_version": 2, "keys": world.key_values.len(),
    })).collect();
    Json(json!({"cluster_id": "production-eu", "self": world.names[0], "sequence": 0, "members": members}))
}

async fn stats(State(world): State<Arc<World>>) -> Json<Value> {
    let ms = u64::try_from(world.started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (sent, received) = (ms * 4 + ms % 1_700, ms * 5 + ms % 2_300);
    Json(json!({
        "uptime_ms": ms + 93_784_000, "gossip_interval_ms": 1_000, "phi_threshold": 8.0,
        "driver": {"bytes_sent": sent, "bytes_received": received},
    }))
}

#[derive(serde::Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn exchanges(State(world): State<Arc<World>>, Query(After { after }): Query<After>) -> Json<Value> {
    let elapsed = u64::try_from(world.started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let newest = elapsed * EXCHANGES_A_SECOND / 1_000;
    let others = world.names.len().saturating_sub(1).max(1) as u64;
    let one = |seq: u64| {
        let i = usize::try_from(1 + seq * 7_919 % others).unwrap_or_default().min(world.names.len() - 1);
        json!({
            "seq": seq, "peer": world.names[i], "address": "10.0.0.1:7000", "sent": 300, "received": 500,
            "direction": if seq.is_multiple_of(2) { "dialled" } else { "accepted" }, "duration_ms": 3,
            "outcome": if World::state(i) == "live" { "completed" } else { "timed-out" },
            "ended_ms_ago": elapsed.saturating_sub(seq * 1_000 / EXCHANGES_A_SECOND),
        })
    };
    let first = (after + 1).max(newest.saturating_sub(255));
    Json(json!({"exchanges": (first..=newest).map(one).collect::<Vec<_>>()}))
}

/// One event of each kind, and then only signs of life.
async fn events(State(world): State<Arc<World>>) -> Response {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at_ms = u64::try_from(since.as_millis()).unwrap_or_default();
    let name = &world.names[world.names.len() - 1];
    let (key, value) = &world.key_values[0];
    let member = json!({"name": name, "generation_id": GENERATION, "address": "10.0.0.1:7000", "at_ms": at_ms});
    let key = json!({
        "name": name, "key": key, "value": value, "version": 5, "status": "set", "previous": null, "at_ms": at_ms,
    });
    let kinds = ["member-live", "member-dead", "member-left", "member-restarted", "member-forgotten"];
    let told = kinds.map(|kind| (kind, &member)).into_iter().chain([("key-changed", &key), ("key-deleted", &key)]);
    let first: String = (1..)
        .zip(told)
        .map(|(n, (kind, data))| format!("event: {kind}\nid: {GENERATION}-{n}\ndata: {data}\n\n"))
        .collect();
    let later = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_secs(15)).await;
        Some((Bytes::from_static(b": alive\n\n"), ()))
    });
    let body = stream::once(Bytes::from(first)).chain(later).map(Ok::<Bytes, std::convert::Infallible>);
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(body)).into_response()
}

async fn keys(State(world): State<Arc<World>>) -> Json<Value> {
    let held = (11..).zip(&world.key_values).map(|(version, (key, value))| {
        let status = if version % 3 == 0 { "delete_after_ttl" } else { "set" };
        (key.clone(), json!({"value": value, "version": version, "status": status}))
    });
    Json(Value::Object(held.collect()))
}

/// Texts that want to be markup, script, or another text than they are.
pub(crate) const HOSTILE: [&str; 5] = [
    "<img src=x onerror=\"watched.ran += 1\">",
    "<script>watched.ran += 1</script>",
    "\"><svg onload=watched.ran++>",
    "javascript:watched.ran++//\u{202e}gnirts\u{2066}",
    "${watched.ran++}{{nonce}}'-watched.ran++-'\u{0}\u{7}",
];
