//! `GET /metrics`, for Prometheus.

use std::fmt;
use std::sync::atomic::Ordering;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tidings_tokio::core::PacketCounts;
use tidings_tokio::{ClusterStats, Liveness, OutcomeCounts};

use tracing::debug;

use super::Problem;
use super::api::ClusterApi;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Of so many members phi is told, those that are suspected most: a cluster may be large.
const MEMBERS_WITH_PHI: usize = 20;

/// Requests by route, method and status.
pub(crate) type Requests = Family<RequestLabels, Counter>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    route: String,
    method: String,
    status: u16,
}

/// Counts a request under its route, of which there are few, not under its path.
pub(crate) async fn count(State(requests): State<Requests>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_string();
    let known = [Method::GET, Method::PUT, Method::DELETE, Method::POST, Method::HEAD, Method::OPTIONS];
    let method = known.iter().find(|known| *known == request.method()).map_or("other", Method::as_str).to_string();
    let path = request.uri().path().to_string();
    let response = next.run(request).await;
    debug!(method, path, status = response.status().as_u16(), "answered");
    let labels = RequestLabels { route, method, status: response.status().as_u16() };
    requests.get_or_create(&labels).inc();
    response
}

pub(crate) async fn metrics(State(api): State<ClusterApi>) -> Result<Response, Problem> {
    let mut registry = Registry::with_prefix("tidings");
    let id = api.cluster.id().name().to_string();
    let cluster_id = api.cluster.snapshot().cluster_id.to_string();
    registry.register("build", "The program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    registry.register("node", "This node", Info::new([("node", id), ("cluster_id", cluster_id)]));
    registry.register("http_requests", "Requests that were answered", api.requests.clone());
    registry.register_collector(Box::new(Scrape::of(&api)));
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()),
        Err(fmt::Error) => {
            let detail = "the metrics cannot be written as text; this is a defect, please report it";
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "defect", detail))
        }
    }
}

/// All numbers at one moment.
#[derive(Debug)]
struct Scrape {
    stats: ClusterStats,
    uptime_s: f64,
    members: [u64; 3],
    /// The most suspected members' phi, the highest first.
    phi: Vec<(String, f64)>,
    phi_threshold: f64,
    key_values: u64,
    streams: u64,
    events_lost: u64,
}

impl Scrape {
    fn of(api: &ClusterApi) -> Scrape {
        let snapshot = api.cluster.snapshot();
        let stats = api.cluster.stats();
        let count = |liveness| snapshot.members.iter().filter(|member| member.liveness == liveness).count() as u64;
        let with_phi = snapshot.members.iter().filter_map(|member| Some((member.id.name().to_string(), member.phi?)));
        let mut phi: Vec<_> = with_phi.collect();
        phi.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        phi.truncate(MEMBERS_WITH_PHI);
        Scrape {
            uptime_s: api.started.elapsed().as_secs_f64(),
            members: [Liveness::Live, Liveness::Dead, Liveness::Left].map(count),
            phi,
            phi_threshold: api.cluster.config().failure_detector.phi_threshold,
            key_values: snapshot.members.iter().map(|member| member.state.len() as u64).sum(),
            streams: api.streams_open(),
            events_lost: stats.events.lost + stats.core.events_dropped + api.events.missed.load(Ordering::Relaxed),
            stats,
        }
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Output(encoder);
        self.gossip(&mut out)?;
        self.members(&mut out)?;
        self.events(&mut out)?;
        let unit = Some(&Unit::Seconds);
        let uptime = ConstGauge::new(self.uptime_s);
        uptime.encode(out.0.encode_descriptor("uptime", "Time since the start", unit, MetricType::Gauge)?)
    }
}

impl Scrape {
    fn gossip(&self, out: &mut Output<'_>) -> fmt::Result {
        let ClusterStats { core, driver, .. } = &self.stats;
        out.counter("rounds", "Gossip rounds run", core.rounds)?;
        let dialled = outcomes("dialled", &driver.dialled_outcomes);
        let accepted = outcomes("accepted", &driver.accepted_outcomes);
        out.counters("exchanges", "Exchanges that are over", dialled.into_iter().chain(accepted))?;
        out.gauge("exchanges_open", "Exchanges that are open", driver.exchanges_open)?;
        out.counter("exchanges_not_opened", "Exchanges not opened for want of room", core.exchanges_not_opened)?;
        out.counter("dials_unproven", "Exchanges opened to addresses of hearsay", core.dials_unproven)?;
        out.counter("dials_held_back", "Addresses left out of rounds since they do not answer", core.dials_held_back)?;
        out.counter("connections_refused", "Connections refused at a limit", driver.accept_refused)?;
        out.counter("accept_errors", "Connections that the system failed to hand over", driver.accept_errors)?;
        let bytes = [("sent", driver.bytes_sent), ("received", driver.bytes_received)];
        let bytes = bytes.map(|(direction, count)| ([("direction", direction)], count));
        out.counters("bytes", "Bytes of gossip, length prefixes included", bytes)?;
        let sent = packets("sent", &core.packets_sent);
        let received = packets("received", &core.packets_received);
        out.counters("packets", "Packets sent, and packets received and understood", sent.into_iter().chain(received))?;
        let rejected = &core.rejected;
        let rejected = [
            ("malformed", rejected.malformed),
            ("other-cluster", rejected.other_cluster),
            ("unexpected-message", rejected.unexpected_message),
            ("unknown-exchange", rejected.unknown_exchange),
            ("wrong-peer", rejected.wrong_peer),
            ("own-packet", rejected.own_packet),
            ("wrong-name", rejected.wrong_name),
            ("frame", driver.frames_rejected),
        ];
        let rejected = rejected.map(|(reason, count)| ([("reason", reason)], count));
        out.counters("rejected_packets", "Packets that changed nothing", rejected)?;
        out.counter("entries_skipped", "Entries of packets left out at a limit", core.entries_skipped)?;
        out.counter("nodes_refused", "Nodes not taken in at a limit", core.nodes_refused)?;
        out.counter("departed_ignored", "News of nodes that had ended before", core.departed_ignored)?;
        out.counter("names_refused", "Uses of a name that belongs to another certificate", core.names_refused)?;
        out.counter("jumps_refused", "Claims of versions that no node can have reached", core.jumps_refused)?;
        out.counter("key_values_applied", "Key-values taken from peers", core.key_values_applied)?;
        out.counter("deltas_truncated", "Deltas cut short for want of room", core.deltas_truncated)?;
        out.counter("digests_truncated", "Digests cut short for want of room", core.digests_truncated)?;
        out.counter("resets", "States of members started again", core.resets)?;
        out.counter("republished", "Times that this node published its keys again", core.republished)?;
        out.counter("pauses", "Times that this process was stopped for a while", core.pauses)
    }

    fn members(&self, out: &mut Output<'_>) -> fmt::Result {
        let [live, dead, left] = self.members;
        let members =
            [("live", live), ("dead", dead), ("left", left)].map(|(state, count)| ([("state", state)], count));
        out.gauges("members", "Members, this one included", members)?;
        let phi = self.phi.iter().map(|(name, phi)| ([("member", name.as_str())], *phi));
        out.gauges_f64("member_phi", "Suspicion of the members that are suspected most", phi)?;
        let highest = self.phi.first().map_or(0.0, |(_, phi)| *phi);
        let metric = out.0.encode_descriptor("member_phi_max", "The highest of them", None, MetricType::Gauge)?;
        ConstGauge::new(highest).encode(metric)?;
        let metric = out.0.encode_descriptor("phi_threshold", "A higher phi is a death", None, MetricType::Gauge)?;
        ConstGauge::new(self.phi_threshold).encode(metric)?;
        out.gauge("key_values", "Key-values held, of all members", self.key_values)
    }

    fn events(&self, out: &mut Output<'_>) -> fmt::Result {
        let events = &self.stats.events;
        let kinds = [
            ("member-live", events.joined),
            ("member-dead", events.died),
            ("member-left", events.left),
            ("member-forgotten", events.forgotten),
            ("member-restarted", events.restarted),
            ("key-changed", events.keys_changed),
            ("name-refused", events.names_refused),
            ("conflict", events.conflicts),
            ("other-cluster", events.other_cluster),
        ];
        out.counters(
            "events",
            "Events, deletions as key-changed",
            kinds.map(|(kind, count)| ([("kind", kind)], count)),
        )?;
        out.gauge("event_streams", "Event streams that are open", self.streams)?;
        out.counter("events_lost", "Events that readers missed, summed over readers", self.events_lost)
    }
}

fn outcomes(direction: &'static str, counts: &OutcomeCounts) -> [([(&'static str, &'static str); 2], u64); 8] {
    [
        ("completed", counts.completed),
        ("rejected", counts.rejected),
        ("refused", counts.refused),
        ("skipped", counts.skipped),
        ("timed-out", counts.timed_out),
        ("failed", counts.failed),
        ("tls-refused", counts.tls_refused),
        ("cancelled", counts.cancelled),
    ]
    .map(|(outcome, count)| ([("direction", direction), ("outcome", outcome)], count))
}

fn packets(direction: &'static str, counts: &PacketCounts) -> [([(&'static str, &'static str); 2], u64); 4] {
    [("syn", counts.syn), ("syn-ack", counts.syn_ack), ("ack", counts.ack), ("bad-cluster", counts.bad_cluster)]
        .map(|(kind, count)| ([("direction", direction), ("kind", kind)], count))
}

/// Writes numbers as metrics.
struct Output<'a>(DescriptorEncoder<'a>);

impl Output<'_> {
    fn counter(&mut self, name: &str, help: &str, count: u64) -> fmt::Result {
        let counter = ConstCounter::new(count);
        counter.encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?)
    }

    fn counters<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, count) in rows {
            ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, count: u64) -> fmt::Result {
        let gauge = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
        gauge.encode(self.0.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }

    fn gauges<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let rows = rows.into_iter().map(|(labels, count)| (labels, i64::try_from(count).unwrap_or(i64::MAX)));
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, count) in rows {
            ConstGauge::new(count).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn gauges_f64<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (L, f64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in rows {
            ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
