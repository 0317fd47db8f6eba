//! The HTTP API of one node, version 1; `crates/tidings/README.md` describes it for its users.
//!
//! [`router`] has all that concerns one node, so that several can be served side by side. Whom it is served to is
//! decided around it, in [`access`].

pub(crate) mod access;
pub(crate) mod api;
mod events;
mod exchanges;
mod json;
mod keys;
mod metrics;
mod problem;
pub(crate) mod server;
mod stats;
mod stream;
mod token;

use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::json;
use tidings_tokio::{ForgetError, NodeId};

pub(crate) use self::api::ClusterApi;
use self::json::ValueJson;
pub(crate) use self::problem::Problem;
pub(crate) use self::token::Token;
use crate::members::named;

/// The largest body that is read, in bytes. What the node takes is a little less: key and value have to fit a packet.
const MAX_BODY_BYTES: usize = 65_507;

/// Everything under `/v1`, `/healthz` and `/metrics`.
pub(crate) fn router(api: ClusterApi) -> Router {
    let requests = api.requests.clone();
    let own_key = put(keys::set).delete(keys::delete);
    Router::new()
        .route("/v1/members", get(members))
        .route("/v1/state", get(state))
        .route("/v1/nodes/{name}/keys", get(node_keys))
        .route("/v1/nodes/{name}/keys/", get(node_key))
        .route("/v1/nodes/{name}/keys/{*key}", get(node_key))
        .route("/v1/nodes/{name}/forget", post(forget))
        .route("/v1/keys/", own_key.clone())
        .route("/v1/keys/{*key}", own_key)
        .route("/v1/events", get(stream::events))
        .route("/v1/exchanges", get(exchanges::exchanges))
        .route("/v1/stats", get(stats::stats))
        .route("/v1/leave", post(leave))
        .route("/v1/openapi.json", get(openapi))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics::metrics))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(requests, metrics::count))
        .with_state(api)
}

async fn members(State(api): State<ClusterApi>) -> Response {
    Json(json::members(&api.cluster.snapshot())).into_response()
}

async fn state(State(api): State<ClusterApi>) -> Response {
    Json(json::state(&api.cluster.snapshot())).into_response()
}

async fn node_keys(
    State(api): State<ClusterApi>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(name) = name?;
    let snapshot = api.cluster.snapshot();
    let member = named(&snapshot, &name).ok_or_else(|| Problem::unknown_node(&name))?;
    Ok(Json(json::keys(&member.state)).into_response())
}

/// The name of a node and one of its keys; no key is the empty one.
#[derive(serde::Deserialize)]
struct NodeKey {
    name: String,
    #[serde(default)]
    key: String,
}

async fn node_key(
    State(api): State<ClusterApi>,
    path: Result<Path<NodeKey>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(NodeKey { name, key }) = path?;
    let snapshot = api.cluster.snapshot();
    let member = named(&snapshot, &name).ok_or_else(|| Problem::unknown_node(&name))?;
    match member.state.get_versioned(&key).filter(|held| held.is_readable()) {
        Some(held) => Ok(Json(ValueJson::of(held)).into_response()),
        None => {
            let detail = format!("node {name:?} has no key {key:?}; GET /v1/nodes/{{name}}/keys lists those it has");
            Err(Problem::new(StatusCode::NOT_FOUND, "unknown-key", detail))
        }
    }
}

/// A name may be bound to a certificate for longer than its node is known: then it is released all the same.
async fn forget(State(api): State<ClusterApi>, name: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let Path(name) = name?;
    let snapshot = api.cluster.snapshot();
    let id = named(&snapshot, &name).map_or_else(
        || NodeId::new(&*name, 0, api.cluster.id().gossip_advertise_addr().clone()),
        |member| member.id.clone(),
    );
    match api.cluster.forget(&id) {
        Ok(()) => Ok(Json(json!({})).into_response()),
        Err(error @ ForgetError::Live { .. }) => {
            Err(Problem::new(StatusCode::CONFLICT, "still-live", error.to_string()))
        }
        Err(_) => Err(Problem::unknown_node(&name)),
    }
}

/// What this API is, for programs.
async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("../openapi.json")).into_response()
}

async fn leave(State(api): State<ClusterApi>) -> Result<Response, Problem> {
    if api.ask_to_leave() {
        return Ok((StatusCode::ACCEPTED, Json(json!({}))).into_response());
    }
    let detail = "this node is part of a larger program, and only that can end it";
    Err(Problem::new(StatusCode::CONFLICT, "cannot-leave", detail))
}

async fn health(State(api): State<ClusterApi>) -> Response {
    if api.is_leaving() { Problem::leaving().into_response() } else { "ok".into_response() }
}

pub(crate) async fn unknown_path() -> Problem {
    let detail = "there is nothing at this path; /v1/openapi.json lists what there is";
    Problem::new(StatusCode::NOT_FOUND, "unknown-path", detail)
}

pub(crate) async fn wrong_method() -> Problem {
    let detail = "this path takes another method; see the header allow";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", detail)
}
