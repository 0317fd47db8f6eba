//! `tidings get`, `set` and `delete`.

use std::io::{self, Read};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::Method;

use super::answers::{Keys, Members, Value};
use super::args::ApiArgs;
use super::client::{Client, segment};
use super::error::CommandError;
use super::output::Output;
use super::text::visible;

/// The standard input instead of a value.
const STDIN: &str = "-";

pub(crate) async fn get(node: Option<&str>, key: &str, api: &ApiArgs) -> Result<(), CommandError> {
    let client = Client::new(api)?;
    let own;
    let node = match node {
        Some(node) => node,
        None => {
            own = client.get::<Members<u64>>("/v1/members").await?.1.self_name;
            &own
        }
    };
    let path = format!("/v1/nodes/{}/keys/{}", segment(node), segment(key));
    let (document, held) = client.get::<Value>(&path).await?;
    let mut output = Output::new();
    match output.columns() {
        _ if api.json => output.document(&document),
        Some(_) => output.line(&visible(&held.value)),
        None => output.line(&held.value),
    }
}

pub(crate) async fn set(key: &str, value: String, ttl: Option<Duration>, api: &ApiArgs) -> Result<(), CommandError> {
    let client = Client::new(api)?;
    let value = if value == STDIN { from_stdin()? } else { value };
    let query = ttl.map(|ttl| format!("?ttl_s={}", ttl.as_secs_f64())).unwrap_or_default();
    let path = format!("/v1/keys/{}{query}", segment(key));
    wrote(&client, Method::PUT, &path, Bytes::from(value), "set", api).await
}

pub(crate) async fn delete(key: &str, api: &ApiArgs) -> Result<(), CommandError> {
    let path = format!("/v1/keys/{}", segment(key));
    wrote(&Client::new(api)?, Method::DELETE, &path, Bytes::new(), "deleted", api).await
}

/// Writes, and tells of the key as it is then.
async fn wrote(
    client: &Client,
    method: Method,
    path: &str,
    body: Bytes,
    done: &str,
    api: &ApiArgs,
) -> Result<(), CommandError> {
    let (document, keys) = client.call::<Keys>(method, path, body).await?;
    let mut output = Output::new();
    if api.json {
        return output.document(&document);
    }
    keys.iter().try_for_each(|(key, held)| output.line(&format!("{done} {}, version {}", visible(key), held.version)))
}

fn from_stdin() -> Result<String, CommandError> {
    let mut value = String::new();
    io::stdin().lock().read_to_string(&mut value).map_err(CommandError::Input)?;
    Ok(value)
}
