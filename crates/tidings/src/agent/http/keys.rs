//! Writing this node's own key-values.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tidings_tokio::{Lifetime, VersionedValue};

use super::api::ClusterApi;
use super::json::ValueJson;
use super::problem::Problem;

/// The longest lifetime of a key, in seconds: a year.
const MAX_TTL_S: f64 = 365.0 * 86_400.0;

/// The key in the path; none is the empty key.
pub(crate) type KeyPath = Result<Option<Path<String>>, PathRejection>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    ttl_s: Option<String>,
}

pub(crate) async fn set(
    State(api): State<ClusterApi>,
    key: KeyPath,
    parameters: Result<Query<Parameters>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let key = key_of(key)?;
    let Query(Parameters { ttl_s }) = parameters?;
    let lifetime = ttl_s.map_or(Ok(Lifetime::Forever), |seconds| lifetime(&seconds))?;
    let body = body?;
    let Ok(value) = str::from_utf8(&body) else {
        let detail = "the body is not UTF-8, and a value is a text; encode it, as base64 for example";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad-value", detail).field("value"));
    };
    not_leaving(&api)?;
    api.cluster.set_with(&key, value, lifetime)?;
    held(&api, &key)
}

pub(crate) async fn delete(State(api): State<ClusterApi>, key: KeyPath) -> Result<Response, Problem> {
    let key = key_of(key)?;
    not_leaving(&api)?;
    match api.cluster.delete(&key)? {
        Some(_) => held(&api, &key),
        None => Err(unknown_own_key(&key)),
    }
}

pub(crate) fn key_of(path: KeyPath) -> Result<String, Problem> {
    Ok(path?.map(|Path(key)| key).unwrap_or_default())
}

fn not_leaving(api: &ClusterApi) -> Result<(), Problem> {
    if api.is_leaving() { Err(Problem::leaving()) } else { Ok(()) }
}

fn lifetime(seconds: &str) -> Result<Lifetime, Problem> {
    let is_plain = seconds.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match seconds.parse::<f64>() {
        Ok(s) if is_plain && (0.001..=MAX_TTL_S).contains(&s) => Ok(Lifetime::For(Duration::from_secs_f64(s))),
        _ => {
            let detail = format!("ttl_s is {seconds:?}; write seconds from 0.001 to {MAX_TTL_S}, as in ?ttl_s=30");
            Err(Problem::new(StatusCode::BAD_REQUEST, "bad-ttl", detail).field("ttl_s"))
        }
    }
}

/// The key as it is now.
fn held(api: &ClusterApi, key: &str) -> Result<Response, Problem> {
    let held: VersionedValue = api.cluster.get_versioned(key).ok_or_else(|| unknown_own_key(key))?;
    Ok(Json(BTreeMap::from([(key, ValueJson::of(&held))])).into_response())
}

fn unknown_own_key(key: &str) -> Problem {
    let detail = format!("this node has no key {key:?}; only its own keys can be changed here");
    Problem::new(StatusCode::NOT_FOUND, "unknown-key", detail)
}
