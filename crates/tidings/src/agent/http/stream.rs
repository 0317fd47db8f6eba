//! `GET /v1/events`: server-sent events.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_lite::stream;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;

use super::api::ClusterApi;
use super::events::{EventLog, Filter, Read, Start};
use super::problem::Problem;

/// After so long without an event a comment shows that the stream is alive.
const ALIVE_EVERY: Duration = Duration::from_secs(15);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    after: Option<String>,
    member: Option<String>,
    key_prefix: Option<String>,
}

pub(crate) async fn events(
    State(api): State<ClusterApi>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(Parameters { after, member, key_prefix }) = parameters?;
    // A browser that connects again sends the header, and the same address as before.
    let header = headers.get(LAST_EVENT_ID).map(|id| id.to_str().unwrap_or("?"));
    let seen = header.filter(|id| !id.is_empty()).or(after.as_deref());
    let newest = api.cluster.stats().core.events;
    let start = api.events.start(seen, newest).ok_or_else(|| bad_id(seen.unwrap_or_default()))?;
    let Ok(permit) = Arc::clone(&api.streams).try_acquire_owned() else {
        let detail =
            format!("this node has {} event streams open, and serves no more; close one, or wait", api.max_streams);
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-streams", detail);
        return Err(problem.header("retry-after", "5"));
    };

    let (sequence, greeting) = match start {
        Start::After(sequence) => (sequence, api.events.comment("events follow", sequence)),
        Start::Lost(sequence) => (sequence, api.events.lagged(None, sequence)),
    };
    let reader = Reader {
        news: api.events.news(),
        log: Arc::clone(&api.events),
        filter: Filter { member, key_prefix },
        sequence,
        greeting: Some(greeting),
        _permit: permit,
    };
    let body = stream::unfold(reader, |mut reader| async {
        let bytes = reader.next().await?;
        Some((Ok::<Bytes, std::convert::Infallible>(bytes), reader))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // A proxy that knows this one (nginx) passes events on at once.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

fn bad_id(id: &str) -> Problem {
    let detail = format!(
        "{id:?} is no event; give the id of the last event that you have seen, or the sequence of /v1/state, or nothing"
    );
    Problem::new(StatusCode::BAD_REQUEST, "bad-event-id", detail).field("after")
}

/// One stream's place in the log. It keeps the log, not the node.
struct Reader {
    log: Arc<EventLog>,
    news: watch::Receiver<()>,
    filter: Filter,
    /// The last event that was sent or passed over.
    sequence: u64,
    greeting: Option<Bytes>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    /// What to send next; it is asked for only when the reader has taken what was before. `None`: the node has stopped.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(greeting) = self.greeting.take() {
            return Some(greeting);
        }
        loop {
            self.news.mark_unchanged();
            match self.log.read(self.sequence, &self.filter) {
                Read::Frames { frames, sequence } => {
                    self.sequence = sequence;
                    if !frames.is_empty() {
                        return Some(frames);
                    }
                }
                Read::Lagged { missed, sequence } => {
                    self.sequence = sequence;
                    self.log.missed.fetch_add(missed, Ordering::Relaxed);
                    return Some(self.log.lagged(Some(missed), sequence));
                }
                Read::Nothing => match timeout(ALIVE_EVERY, self.news.changed()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return None,
                    Err(_) => return Some(self.log.comment("alive", self.sequence)),
                },
                Read::End => return None,
            }
        }
    }
}
