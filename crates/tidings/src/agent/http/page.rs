//! What the page is to show.

use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::json;

/// A node that the page can look through.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PageNode {
    /// The node's name.
    pub(crate) name: String,
    /// What stands before `/v1` in the paths of its API: nothing, or as in `/nodes/one`.
    pub(crate) api: String,
}

/// `/page.json`.
pub(crate) fn router(nodes: Vec<PageNode>) -> Router {
    let page = json!({"nodes": nodes});
    Router::new().route("/page.json", get(async move || Json(page)))
}
