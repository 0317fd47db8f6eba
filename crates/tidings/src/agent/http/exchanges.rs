//! `GET /v1/exchanges`: who gossips with whom.

use std::collections::BTreeMap;
use std::time::Instant;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tidings_tokio::{Direction, ExchangeOutcome, RecentExchange};

use super::api::ClusterApi;
use super::problem::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    /// The last exchange that the caller knows of.
    #[serde(default)]
    after: u64,
}

#[derive(Serialize)]
struct ExchangeJson<'a> {
    seq: u64,
    peer: Option<&'a str>,
    address: String,
    direction: &'static str,
    outcome: &'static str,
    ended_ms_ago: u128,
    duration_ms: f64,
    sent: u64,
    received: u64,
}

pub(crate) async fn exchanges(
    State(api): State<ClusterApi>,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(Parameters { after }) = parameters?;
    let recent = api.cluster.recent_exchanges();
    let snapshot = api.cluster.snapshot();
    // Where nobody answered, the address still tells who was meant.
    let names: BTreeMap<_, _> =
        snapshot.members.iter().map(|member| (member.id.gossip_advertise_addr(), member.id.name())).collect();
    let now = Instant::now();
    let exchanges: Vec<_> = recent
        .iter()
        .filter(|exchange| exchange.sequence > after)
        .map(|exchange| {
            let dialled = || names.get(&exchange.address).copied().filter(|_| exchange.direction == Direction::Dialled);
            ExchangeJson {
                seq: exchange.sequence,
                peer: exchange.peer.as_ref().map(|peer| peer.name()).or_else(dialled),
                address: exchange.address.to_string(),
                direction: direction(exchange.direction),
                outcome: outcome(exchange),
                ended_ms_ago: now.saturating_duration_since(exchange.ended).as_millis(),
                duration_ms: (exchange.duration.as_secs_f64() * 1e6).round() / 1e3,
                sent: exchange.bytes_sent,
                received: exchange.bytes_received,
            }
        })
        .collect();
    Ok(Json(BTreeMap::from([("exchanges", exchanges)])).into_response())
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Dialled => "dialled",
        Direction::Accepted => "accepted",
    }
}

fn outcome(exchange: &RecentExchange) -> &'static str {
    match exchange.outcome {
        ExchangeOutcome::Completed => "completed",
        ExchangeOutcome::Rejected => "rejected",
        ExchangeOutcome::Refused => "refused",
        ExchangeOutcome::Skipped => "skipped",
        ExchangeOutcome::TimedOut => "timed-out",
        ExchangeOutcome::TlsRefused => "tls-refused",
        ExchangeOutcome::Cancelled => "cancelled",
        _ => "failed",
    }
}
