//! What an HTTP client is told when something is wrong: `application/problem+json` (RFC 9457).

use axum::Json;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tidings_tokio::SetError;

/// An error status, a stable word for programs, and a sentence that says what is wrong and what to do.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    field: Option<&'static str>,
    header: Option<(&'static str, &'static str)>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Problem {
        Problem { status, code, detail: detail.into(), field: None, header: None }
    }

    /// Names the part of the request that is wrong.
    pub(crate) fn field(mut self, field: &'static str) -> Problem {
        self.field = Some(field);
        self
    }

    /// Adds a header; its name is in lower case.
    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Problem {
        self.header = Some((name, value));
        self
    }

    pub(crate) fn unknown_node(name: &str) -> Problem {
        let detail = format!("no node named {name:?} is known here; GET /v1/members lists those that are");
        Problem::new(StatusCode::NOT_FOUND, "unknown-node", detail)
    }

    pub(crate) fn leaving() -> Problem {
        let detail = "this node is leaving the cluster, and nothing it says now would spread; ask another";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "leaving", detail)
    }
}

/// The node's refusal of a write; nothing was changed.
impl From<SetError> for Problem {
    fn from(error: SetError) -> Problem {
        let (status, code, field) = match error {
            SetError::ReservedKey { .. } => (StatusCode::BAD_REQUEST, "reserved-key", "key"),
            SetError::KeyTooLong { .. } => (StatusCode::BAD_REQUEST, "key-too-long", "key"),
            SetError::ValueTooLong { .. } | SetError::TooLargeForPacket { .. } => {
                (StatusCode::PAYLOAD_TOO_LARGE, "value-too-large", "value")
            }
            SetError::TooManyKeys { .. } => (StatusCode::CONFLICT, "too-many-keys", "key"),
            SetError::StateTooLarge { .. } => (StatusCode::CONFLICT, "state-too-large", "value"),
            SetError::ZeroLifetime { .. } => (StatusCode::BAD_REQUEST, "bad-ttl", "ttl_s"),
            _ => (StatusCode::BAD_REQUEST, "bad-key", "key"),
        };
        Problem::new(status, code, error.to_string()).field(field)
    }
}

/// A path that cannot be decoded.
impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Problem {
        let detail = format!("{}; percent-encode it as UTF-8", rejection.body_text());
        Problem::new(rejection.status(), "bad-path", detail)
    }
}

/// A query that cannot be decoded, or asks for something that there is not.
impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Problem {
        Problem::new(rejection.status(), "bad-query", rejection.body_text())
    }
}

/// A body that is too large, or was cut off.
impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Problem {
        let (code, advice) = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => (
                "value-too-large",
                "a value and its key have to fit one gossip packet: store a reference to a larger thing",
            ),
            _ => ("bad-body", "send it whole, with a content-length that is true"),
        };
        Problem::new(rejection.status(), code, format!("{}; {advice}", rejection.body_text())).field("value")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            field: self.field,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some((name, value)) = self.header {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        response
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
}
