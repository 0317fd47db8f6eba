//! The page: the cluster in a browser, through one node or several.
//!
//! A reader gets one document that refers to nothing outside itself. Here it is apart, in `index.html`, `style.css` and
//! `script/`, and is joined when it is first asked for; the scripts share one scope, in the order of [`SCRIPTS`].

use std::sync::LazyLock;

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::json;

use crate::agent::http::Problem;

const SCRIPTS: [&str; 9] = [
    include_str!("script/text.js"),
    include_str!("script/client.js"),
    include_str!("script/session.js"),
    include_str!("script/picture.js"),
    include_str!("script/members.js"),
    include_str!("script/keys.js"),
    include_str!("script/log.js"),
    include_str!("script/charts.js"),
    include_str!("script/main.js"),
];

/// Whole but for the nonces.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let document = include_str!("index.html").replace("{{style}}", include_str!("style.css"));
    document.replace("{{script}}", &SCRIPTS.concat())
});

/// A node that the page can look through.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PageNode {
    /// The node's name.
    pub(crate) name: String,
    /// What stands before `/v1` in the paths of its API: nothing, or as in `/nodes/one`.
    pub(crate) api: String,
}

/// `/` and `/page.json`, which says through which nodes the page can look.
pub(crate) fn router(nodes: Vec<PageNode>) -> Router {
    let nodes = json!({"nodes": nodes});
    Router::new().route("/", get(document)).route("/page.json", get(async move || Json(nodes)))
}

/// The document with a nonce of its own. Only the style and the script that carry it are obeyed, so that no key or value
/// could ever run, even if the script put one into the page as markup; which the browser does not let it either.
async fn document() -> Result<Response, Problem> {
    let nonce = nonce()?;
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types 'none'"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy.as_str()),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    Ok((headers, Html(DOCUMENT.replace("{{nonce}}", &nonce))).into_response())
}

fn nonce() -> Result<String, Problem> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        let detail = format!("the system gives no random bytes ({error}), and the page needs some; the API needs none");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no-random-bytes", detail)
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_whole_and_refers_to_nothing_outside() {
        assert_eq!(DOCUMENT.matches("{{").count(), 2, "a part is missing");
        assert_eq!(DOCUMENT.matches("nonce=\"{{nonce}}\"").count(), 2);
        for outside in ["src=\"", "@import", "url(", "import(", "https:", "<link rel=\"stylesheet"] {
            assert!(!DOCUMENT.contains(outside), "{outside}");
        }
    }

    #[test]
    fn text_never_becomes_markup() {
        for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "setAttribute(\"on"] {
            assert!(!SCRIPTS.concat().contains(way), "{way}");
        }
    }

    #[test]
    fn every_nonce_is_another() {
        let (one, two) = (nonce().unwrap(), nonce().unwrap());
        assert!(one.len() == 32 && one != two);
    }
}
