//! The HTTP API, version 1:
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/members` | every member, with the number of its keys |
//! | `GET /v1/state` | every member, with its key-values |
//! | `GET /v1/nodes/{name}/keys` | one member's key-values |
//! | `PUT /v1/keys/{key}` | sets a key of this node to the request's body, UTF-8 |
//! | `DELETE /v1/keys/{key}` | deletes a key of this node |
//!
//! Names and keys in paths are percent-decoded; a key may hold slashes, and may be empty. Both writes answer with the
//! key as it is then. Whatever goes wrong is told as `application/problem+json`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::uri::Authority;
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use tidings_tokio::{Cluster, ValueStatus};

use super::json::{self, ValueJson};
use super::problem::Problem;
use crate::members::foremost;

/// The largest body that is read, in bytes. What the node takes is a little less: key and value have to fit a packet.
const MAX_BODY_BYTES: usize = 65_507;

pub(crate) fn router(cluster: Cluster) -> Router {
    let key = put(set_key).delete(delete_key);
    Router::new()
        .route("/v1/members", get(members))
        .route("/v1/state", get(state))
        .route("/v1/nodes/{name}/keys", get(node_keys))
        .route("/v1/keys/", key.clone())
        .route("/v1/keys/{*key}", key)
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn(only_for_this_machine))
        .with_state(cluster)
}

async fn members(State(cluster): State<Cluster>) -> Response {
    Json(json::members(&cluster.snapshot())).into_response()
}

async fn state(State(cluster): State<Cluster>) -> Response {
    Json(json::state(&cluster.snapshot())).into_response()
}

async fn node_keys(
    State(cluster): State<Cluster>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(name) = name?;
    let snapshot = cluster.snapshot();
    match foremost(&snapshot, &name) {
        Some(member) => Ok(Json(json::keys(&member.state)).into_response()),
        None => Err(Problem::new(
            StatusCode::NOT_FOUND,
            format!("no node named {name:?} is known here; GET /v1/members lists those that are"),
        )),
    }
}

/// The key in the path; none is the empty key.
type KeyPath = Result<Option<Path<String>>, PathRejection>;

async fn set_key(
    State(cluster): State<Cluster>,
    key: KeyPath,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let key = key_of(key)?;
    let body = body?;
    let Ok(value) = str::from_utf8(&body) else {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "the body is not UTF-8, and a value is a text; encode it, as base64 for example",
        ));
    };
    let version = cluster.set(&key, value)?;
    Ok(one_key(&key, ValueJson::new(value, version, ValueStatus::Set)))
}

async fn delete_key(State(cluster): State<Cluster>, key: KeyPath) -> Result<Response, Problem> {
    let key = key_of(key)?;
    match cluster.delete(&key)? {
        Some(version) => Ok(one_key(&key, ValueJson::new("", version, ValueStatus::Deleted))),
        None => Err(Problem::new(
            StatusCode::NOT_FOUND,
            format!("this node has no key {key:?}; only its own keys can be deleted here"),
        )),
    }
}

fn key_of(path: KeyPath) -> Result<String, Problem> {
    Ok(path?.map(|Path(key)| key).unwrap_or_default())
}

fn one_key(key: &str, value: ValueJson<'_>) -> Response {
    Json(BTreeMap::from([(key, value)])).into_response()
}

async fn unknown_path() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "there are /v1/members, /v1/state, /v1/nodes/{name}/keys and /v1/keys/{key} here, and nothing else",
    )
}

async fn wrong_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path takes another method; see the header allow")
}

/// Refuses requests that name another host. A web page elsewhere can have its own name resolve to 127.0.0.1 (DNS
/// rebinding); without this its scripts could read the cluster and write keys through the user's browser.
async fn only_for_this_machine(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    match host {
        Some(host) if !is_this_machine(host) => Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            format!("this API is not for host {host:?}; ask for it as localhost or by a loopback address"),
        )
        .into_response(),
        _ => next.run(request).await,
    }
}

/// Whether a Host header (`host` or `host:port`) names a loopback address.
fn is_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let host = authority.host();
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_this_machine() {
        for host in ["localhost", "LocalHost:8000", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000", "[::ffff:127.0.0.1]"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["", "evil.example", "localhost.evil.example:80", "10.0.0.7:8000", "[fe80::1]:1", "a b", "0.0.0.0"]
        {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
