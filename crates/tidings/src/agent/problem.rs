//! What an HTTP client is told when something is wrong: `application/problem+json` (RFC 9457).

use axum::Json;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tidings_tokio::SetError;

/// An error status, and a sentence that says what is wrong and what to do.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status, detail: detail.into() }
    }
}

/// The node's refusal of a write; nothing was changed.
impl From<SetError> for Problem {
    fn from(error: SetError) -> Problem {
        let status = match error {
            SetError::ValueTooLong { .. } | SetError::TooLargeForPacket { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            SetError::TooManyKeys { .. } | SetError::StateTooLarge { .. } => StatusCode::CONFLICT,
            _ => StatusCode::BAD_REQUEST,
        };
        Problem::new(status, error.to_string())
    }
}

/// A path that cannot be decoded.
impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Problem {
        Problem::new(rejection.status(), format!("{}; percent-encode it as UTF-8", rejection.body_text()))
    }
}

/// A body that is too large, or was cut off.
impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Problem {
        let advice = "a value and its key have to fit one gossip packet: store a reference to a larger thing";
        Problem::new(rejection.status(), format!("{}; {advice}", rejection.body_text()))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
        };
        let mut response = (self.status, Json(body)).into_response();
        let content_type = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        response
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
}
