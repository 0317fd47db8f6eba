//! `GET /v1/stats`: every counter of the node.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tidings_tokio::core::{PacketCounts, RejectedCounts};
use tidings_tokio::{DriverStats, EventStats, OutcomeCounts, Stats};

use super::api::ClusterApi;

pub(crate) async fn stats(State(api): State<ClusterApi>) -> Response {
    let config = api.cluster.config();
    let stats = api.cluster.stats();
    let uptime_ms = u64::try_from(api.started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let interval_ms = u64::try_from(config.gossip_interval.as_millis()).unwrap_or(u64::MAX);
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_ms": uptime_ms,
        "gossip_interval_ms": interval_ms,
        "phi_threshold": config.failure_detector.phi_threshold,
        "max_payload_size": config.max_payload_size,
        "core": core(&stats.core),
        "driver": driver(&stats.driver),
        "events": events(&stats.events),
    }))
    .into_response()
}

fn core(stats: &Stats) -> Value {
    json!({
        "rounds": stats.rounds,
        "exchanges_not_opened": stats.exchanges_not_opened,
        "exchanges_opened": stats.exchanges_opened,
        "dials_unproven": stats.dials_unproven,
        "dials_held_back": stats.dials_held_back,
        "exchanges_accepted": stats.exchanges_accepted,
        "exchanges_refused": stats.exchanges_refused,
        "exchanges_completed": stats.exchanges_completed,
        "exchanges_failed": stats.exchanges_failed,
        "packets_sent": packets(&stats.packets_sent),
        "packets_received": packets(&stats.packets_received),
        "bytes_sent": stats.bytes_sent,
        "bytes_received": stats.bytes_received,
        "max_packet_bytes_sent": stats.max_packet_bytes_sent,
        "rejected": rejected(&stats.rejected),
        "entries_skipped": stats.entries_skipped,
        "jumps_refused": stats.jumps_refused,
        "nodes_refused": stats.nodes_refused,
        "departed_ignored": stats.departed_ignored,
        "names_refused": stats.names_refused,
        "forgotten_ignored": stats.forgotten_ignored,
        "own_deltas_rejected": stats.own_deltas_rejected,
        "deltas_ignored": stats.deltas_ignored,
        "key_values_applied": stats.key_values_applied,
        "resets": stats.resets,
        "digests_truncated": stats.digests_truncated,
        "deltas_truncated": stats.deltas_truncated,
        "republished": stats.republished,
        "pauses": stats.pauses,
        "events": stats.events,
        "events_dropped": stats.events_dropped,
        "work": { "visited": stats.work.visited, "bytes": stats.work.bytes },
    })
}

fn packets(counts: &PacketCounts) -> Value {
    json!({"syn": counts.syn, "syn_ack": counts.syn_ack, "ack": counts.ack, "bad_cluster": counts.bad_cluster})
}

fn rejected(counts: &RejectedCounts) -> Value {
    json!({
        "malformed": counts.malformed,
        "other_cluster": counts.other_cluster,
        "unexpected_message": counts.unexpected_message,
        "unknown_exchange": counts.unknown_exchange,
        "wrong_peer": counts.wrong_peer,
        "own_packet": counts.own_packet,
        "wrong_name": counts.wrong_name,
    })
}

fn driver(stats: &DriverStats) -> Value {
    json!({
        "accepted": stats.accepted,
        "accept_refused": stats.accept_refused,
        "accept_errors": stats.accept_errors,
        "dialled": stats.dialled,
        "dial_failed": stats.dial_failed,
        "dial_skipped": stats.dial_skipped,
        "timed_out": stats.timed_out,
        "failed": stats.failed,
        "frames_rejected": stats.frames_rejected,
        "packets_rejected": stats.packets_rejected,
        "tls_refused": stats.tls_refused,
        "cancelled": stats.cancelled,
        "bytes_received": stats.bytes_received,
        "bytes_sent": stats.bytes_sent,
        "exchanges_open": stats.exchanges_open,
        "recorded_bytes": stats.recorded_bytes,
        "record_gaps": stats.record_gaps,
        "record_errors": stats.record_errors,
        "dialled_outcomes": outcomes(&stats.dialled_outcomes),
        "accepted_outcomes": outcomes(&stats.accepted_outcomes),
    })
}

fn outcomes(counts: &OutcomeCounts) -> Value {
    json!({
        "completed": counts.completed,
        "rejected": counts.rejected,
        "refused": counts.refused,
        "skipped": counts.skipped,
        "timed_out": counts.timed_out,
        "failed": counts.failed,
        "tls_refused": counts.tls_refused,
        "cancelled": counts.cancelled,
    })
}

fn events(stats: &EventStats) -> Value {
    json!({
        "published": stats.published,
        "lost": stats.lost,
        "subscribers": stats.subscribers,
        "joined": stats.joined,
        "left": stats.left,
        "died": stats.died,
        "forgotten": stats.forgotten,
        "restarted": stats.restarted,
        "names_refused": stats.names_refused,
        "conflicts": stats.conflicts,
        "other_cluster": stats.other_cluster,
        "keys_changed": stats.keys_changed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of the fields of `debug`, as derived `Debug` prints them.
    fn fields(debug: &str) -> Vec<&str> {
        let mut names: Vec<&str> = debug.split(": ").filter_map(|part| part.rsplit([' ', '{']).next()).collect();
        names.pop();
        names
    }

    fn keys(value: &Value) -> Vec<&str> {
        let object = value.as_object().unwrap().iter();
        object
            .flat_map(|(key, value)| {
                let inner = if value.is_object() { keys(value) } else { Vec::new() };
                std::iter::once(key.as_str()).chain(inner)
            })
            .collect()
    }

    #[test]
    fn no_counter_is_left_out() {
        let core_stats = format!("{:?}", Stats::default());
        let driver_stats = format!("{:?}", DriverStats::default());
        let event_stats = format!("{:?}", EventStats::default());
        let cases = [
            (core_stats, core(&Stats::default())),
            (driver_stats, driver(&DriverStats::default())),
            (event_stats, events(&EventStats::default())),
        ];
        for (debug, json) in &cases {
            let (mut expected, mut told) = (fields(debug), keys(json));
            expected.sort_unstable();
            told.sort_unstable();
            assert!(expected.len() > 5);
            assert_eq!(expected, told);
        }
    }
}
