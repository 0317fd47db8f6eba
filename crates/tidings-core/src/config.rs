//! What a node is told at its start. Validated once, in [`Config::validate`]; nothing later checks again.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use crate::error::{ConfigError, within};
use crate::id::{Address, NodeId, refused_char};
use crate::limits::Limits;

/// The settings of one [`Node`](crate::Node). [`Config::new`] gives the defaults: aiocluster's, but for
/// the failure detector.
///
/// Deadlines that have no exchange, as that for a shutdown, are the driver's.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Config {
    /// Who this node is. Its `generation_id` must be higher than that of every earlier run of the same name.
    pub node_id: NodeId,
    /// Which cluster it belongs to; nodes with another id are never spoken to. Default: `default-cluster`.
    pub cluster_id: String,
    /// Time between two gossip rounds, 1 ms to 1 h. Default: 1 s. The first round comes at a random point of it.
    pub gossip_interval: Duration,
    /// How many live nodes a round gossips with, 1 to 64; a dead node and a seed may come on top. Default: 3.
    pub gossip_count: usize,
    /// Addresses tried until other nodes are known, and now and then later. This node's own address is ignored.
    pub seeds: Vec<Address>,
    /// How long a tombstone is kept, and how long a value with [`Lifetime::Grace`](crate::Lifetime) can be read:
    /// 1 ms to 365 days. Default: 2 h. A node cut off for longer is sent the whole state again.
    pub marked_for_deletion_grace_period: Duration,
    /// The size no packet we send exceeds, in bytes without the length prefix: 512 (more where this node's id and
    /// cluster id are long) to 16 MiB. Default: 65,507. What is accepted has a bound of its own,
    /// `limits.decode.max_packet_bytes`.
    pub max_payload_size: usize,
    /// How many exchanges this node has open at once by its own dialling, 1 to 4,096. Default: 32.
    pub max_concurrent_gossip: usize,
    /// How long an exchange may take.
    pub exchange_timeouts: ExchangeTimeouts,
    /// Over TLS: whether a node that shows a certificate must have its `tls_name` as its name, letter for letter. Default:
    /// no; then a name belongs to the certificate that is first seen to use it. This node's own name must be so, too.
    pub names_are_tls_names: bool,
    /// When a node is taken for dead, and when it is forgotten.
    pub failure_detector: FailureDetectorConfig,
    /// What the nodes of the cluster say to each other; the same at all of them. [`Dialect::Tidings`] needs a
    /// `max_payload_size` of 2,048 or more. Default: [`Dialect::Aiocluster`].
    pub dialect: Dialect,
    /// When a node is taken for dead in [`Dialect::Tidings`].
    pub detection: DetectionConfig,
    /// Bounds on memory and on what peers may send.
    pub limits: Limits,
}

/// What the nodes of a cluster say to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Dialect {
    /// What Python aiocluster speaks: every exchange tells of every node.
    #[default]
    Aiocluster,
    /// That between nodes of ours alone: an exchange tells of what is new. Experimental.
    Tidings,
}

/// When a node is taken for dead in [`Dialect::Tidings`]. All nodes of a cluster should have the same.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct DetectionConfig {
    /// How long a node is silent before it is declared dead, 1 s to 1 h. Default: 4 s. Shorter pauses of its process kill
    /// no node.
    pub suspicion_time: Duration,
    /// The evidence that makes an accusation, 1 to 100: -log10 of the chance that a node lives although so many probes
    /// fail, if they fail independently of each other. Default: 12.
    pub threshold: f64,
    /// Probes of suspects that a node sends in a gossip interval, 4 to 10,000. Default: 96.
    pub probe_budget: u32,
    /// An exchange that takes longer has failed, unless exchanges take as long usually: 10 ms to 60 s. Default: 500 ms.
    pub probe_timeout: Duration,
}

impl Default for DetectionConfig {
    fn default() -> DetectionConfig {
        DetectionConfig::lan()
    }
}

impl DetectionConfig {
    /// For nodes on one machine: crashes are seen sooner.
    #[must_use]
    pub fn local() -> DetectionConfig {
        DetectionConfig {
            suspicion_time: Duration::from_secs(2),
            probe_timeout: Duration::from_millis(200),
            ..DetectionConfig::lan()
        }
    }

    /// For nodes in one place. The default.
    #[must_use]
    pub fn lan() -> DetectionConfig {
        DetectionConfig {
            suspicion_time: Duration::from_secs(4),
            threshold: 12.0,
            probe_budget: 96,
            probe_timeout: Duration::from_millis(500),
        }
    }

    /// For nodes far apart.
    #[must_use]
    pub fn wan() -> DetectionConfig {
        DetectionConfig {
            suspicion_time: Duration::from_secs(8),
            probe_timeout: Duration::from_secs(1),
            ..DetectionConfig::lan()
        }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        within("detection.suspicion_time", self.suspicion_time, Duration::from_secs(1)..=HOUR)?;
        within("detection.threshold", self.threshold, 1.0..=100.0)?;
        within("detection.probe_budget", self.probe_budget, 4..=10_000)?;
        within("detection.probe_timeout", self.probe_timeout, MILLISECOND * 10..=Duration::from_secs(60))
    }
}

/// How long each part of an exchange may take, 1 ms to 24 h each. The node ends one that takes longer, and has its
/// connection cut with [`Node::poll_abort`](crate::Node::poll_abort).
///
/// These times pass while this process runs: one that was stopped for a while still reads what came meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ExchangeTimeouts {
    /// From a [`Transmit`](crate::Transmit) to [`Node::handle_connected`](crate::Node::handle_connected): to resolve the
    /// host, connect, and secure the connection. Default: 3 s.
    pub connect: Duration,
    /// Each step after that: our packet is written, and the peer's next one comes whole. On an exchange that a peer
    /// opens, the first step begins with [`Node::accept`](crate::Node::accept) and includes TLS. Default: 3 s.
    pub packet: Duration,
    /// All of it, in either direction. Default: 10 s.
    pub whole: Duration,
}

impl Default for ExchangeTimeouts {
    /// aiocluster's for each step, and a little more than three of them for the whole.
    fn default() -> ExchangeTimeouts {
        let step = Duration::from_secs(3);
        ExchangeTimeouts { connect: step, packet: step, whole: Duration::from_secs(10) }
    }
}

impl ExchangeTimeouts {
    fn validate(&self) -> Result<(), ConfigError> {
        within("exchange_timeouts.connect", self.connect, MILLISECOND..=DAY)?;
        within("exchange_timeouts.packet", self.packet, MILLISECOND..=DAY)?;
        within("exchange_timeouts.whole", self.whole, MILLISECOND..=DAY)
    }
}

/// The phi-accrual failure detector's settings, with aiocluster's names.
///
/// The defaults are not aiocluster's: they were chosen by measurements (docs/simulation.md, "Detection against false
/// positives"). A crash is noticed sooner than with [`FailureDetectorConfig::aiocluster`], above all when nodes have not
/// been up for long, and lost packets make fewer false alarms. Nodes with different settings get on with each other.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct FailureDetectorConfig {
    /// A node is dead when phi, the time since its last heartbeat over the mean interval, passes this: above 0, up to
    /// 1,000. Default: 6.0.
    pub phi_threshold: f64,
    /// How many intervals the mean remembers, 1 to 1,000,000. Default: 50.
    pub sampling_window_size: u32,
    /// A longer interval is no sample (the node was away): 1 ms to 24 h. Default, `None`: 10 s, or ten gossip intervals
    /// if that is more.
    pub max_interval: Option<Duration>,
    /// The interval expected before any was seen: 1 ms to 24 h. Default, `None`: 1 s, or the gossip interval if
    /// that is more. It is not less for quick rounds, since machines stutter and TCP repeats itself no faster than
    /// before. Where nodes have different gossip intervals, set it to the longest.
    pub initial_interval: Option<Duration>,
    /// How many samples `initial_interval` counts for: 0 to 1,000. Default: 50.0, as many as the window holds, so that
    /// it stays half of the mean.
    pub prior_weight: f64,
    /// How much longer others may be silent while this node's own exchanges with live nodes fail: 1 + this times the
    /// square of the share that fails, as long. 0 to 100. Default: 3.0. A node that has just started has reached nobody,
    /// and begins with a share of 1.
    pub local_health_weight: f64,
    /// How long a node that is dead or has left is remembered, 1 ms to 365 days, counted from its last sign of life; after
    /// half of it nobody is told of the node any more. Default: 1 h. aiocluster's 24 h let the nodes of a day with many
    /// restarts pile up in every packet; an hour bridges a partition that is repaired at once, and after a longer one the
    /// seeds bring both sides together.
    pub dead_node_grace_period: Duration,
}

impl Default for FailureDetectorConfig {
    fn default() -> FailureDetectorConfig {
        FailureDetectorConfig {
            phi_threshold: 6.0,
            sampling_window_size: 50,
            max_interval: None,
            initial_interval: None,
            prior_weight: 50.0,
            local_health_weight: 3.0,
            dead_node_grace_period: HOUR,
        }
    }
}

impl FailureDetectorConfig {
    /// aiocluster's defaults: for a cluster of both kinds in which every node is to judge alike.
    #[must_use]
    pub fn aiocluster() -> FailureDetectorConfig {
        FailureDetectorConfig {
            phi_threshold: 8.0,
            sampling_window_size: 1_000,
            max_interval: Some(Duration::from_secs(10)),
            initial_interval: Some(Duration::from_secs(5)),
            prior_weight: 5.0,
            local_health_weight: 0.0,
            dead_node_grace_period: DAY,
        }
    }
}

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const MILLISECOND: Duration = Duration::from_millis(1);

impl Config {
    /// The defaults for the node `node_id`.
    #[must_use]
    pub fn new(node_id: NodeId) -> Config {
        Config {
            node_id,
            cluster_id: "default-cluster".to_string(),
            gossip_interval: Duration::from_secs(1),
            gossip_count: 3,
            seeds: Vec::new(),
            marked_for_deletion_grace_period: Duration::from_secs(2 * 60 * 60),
            max_payload_size: 65_507,
            max_concurrent_gossip: 32,
            exchange_timeouts: ExchangeTimeouts::default(),
            names_are_tls_names: false,
            failure_detector: FailureDetectorConfig::default(),
            dialect: Dialect::default(),
            detection: DetectionConfig::default(),
            limits: Limits::default(),
        }
    }

    /// Checks every field. `smallest_payload` is the least `max_payload_size` that the dialects can do with.
    ///
    /// # Errors
    /// The first field that is outside its range.
    pub(crate) fn check(&self, smallest_payload: usize) -> Result<(), ConfigError> {
        let max_name = self.limits.decode.max_name_bytes;
        text("node_id.name", self.node_id.name(), max_name)?;
        let address = self.node_id.gossip_advertise_addr();
        text("node_id.gossip_advertise_addr.host", address.host(), max_name)?;
        within("node_id.gossip_advertise_addr.port", address.port(), 1..=u16::MAX)?;
        if let Some(tls_name) = self.node_id.tls_name() {
            text("node_id.tls_name", tls_name, max_name)?;
        }
        if self.names_are_tls_names && self.node_id.tls_name() != Some(self.node_id.name()) {
            let value = format!("{:?} with the tls_name {:?}", self.node_id.name(), self.node_id.tls_name());
            let allowed = String::from("the same as node_id.tls_name, since names_are_tls_names is set");
            return Err(ConfigError { field: "node_id.name", value, allowed });
        }
        text("cluster_id", &self.cluster_id, max_name)?;
        for seed in &self.seeds {
            text("seeds.host", seed.host(), max_name)?;
            within("seeds.port", seed.port(), 1..=u16::MAX)?;
        }
        within("gossip_interval", self.gossip_interval, MILLISECOND..=Duration::from_secs(3600))?;
        within("gossip_count", self.gossip_count, 1..=64)?;
        within("marked_for_deletion_grace_period", self.marked_for_deletion_grace_period, MILLISECOND..=YEAR)?;
        within("max_payload_size", self.max_payload_size, smallest_payload..=16 << 20)?;
        within("max_concurrent_gossip", self.max_concurrent_gossip, 1..=4_096)?;
        self.exchange_timeouts.validate()?;
        self.failure_detector.validate()?;
        self.detection.validate()?;
        self.limits.validate(self.max_payload_size)
    }

    /// `failure_detector.max_interval`, or what the gossip interval makes of it.
    #[must_use]
    pub fn max_interval(&self) -> Duration {
        const SHORTEST: Duration = Duration::from_secs(10);
        self.failure_detector.max_interval.unwrap_or_else(|| SHORTEST.max(self.gossip_interval.saturating_mul(10)))
    }

    /// `failure_detector.initial_interval`, or what the gossip interval makes of it.
    #[must_use]
    pub fn initial_interval(&self) -> Duration {
        const SHORTEST: Duration = Duration::from_secs(1);
        self.failure_detector.initial_interval.unwrap_or_else(|| SHORTEST.max(self.gossip_interval))
    }

    /// How long a node is silent, at the usual intervals, before it is taken for dead.
    pub(crate) fn shortest_suspicion(&self) -> Duration {
        let secs = self.initial_interval().as_secs_f64() * self.failure_detector.phi_threshold;
        Duration::try_from_secs_f64(secs).unwrap_or(Duration::MAX)
    }
}

impl FailureDetectorConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        within("failure_detector.phi_threshold", self.phi_threshold, f64::MIN_POSITIVE..=1_000.0)?;
        within("failure_detector.sampling_window_size", self.sampling_window_size, 1..=1_000_000)?;
        for (field, value) in [
            ("failure_detector.max_interval", self.max_interval),
            ("failure_detector.initial_interval", self.initial_interval),
        ] {
            value.map_or(Ok(()), |value| within(field, value, MILLISECOND..=DAY))?;
        }
        within("failure_detector.prior_weight", self.prior_weight, 0.0..=1_000.0)?;
        within("failure_detector.local_health_weight", self.local_health_weight, 0.0..=100.0)?;
        within("failure_detector.dead_node_grace_period", self.dead_node_grace_period, MILLISECOND..=YEAR)
    }
}

/// Fails unless `value` is 1 to `max` bytes long, of characters that a name may hold.
fn text(field: &'static str, value: &str, max: usize) -> Result<(), ConfigError> {
    let is_of_length = (1..=max).contains(&value.len());
    let allowed = match refused_char(value) {
        None if is_of_length => return Ok(()),
        Some(character) if is_of_length => {
            let what = "without control characters and marks that turn text around or are not seen";
            format!("a text {what} (it has {character:?})")
        }
        _ => format!("a text of 1 to {max} bytes"),
    };
    let value = match value.char_indices().nth(40) {
        Some((cut, _)) => format!("{:?}… ({} bytes)", &value[..cut], value.len()),
        None => format!("{value:?}"),
    };
    Err(ConfigError { field, value, allowed })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::new(NodeId::new("a", 1, Address::new("127.0.0.1", 7001)))
    }

    fn with_tls_name(tls_name: &str) -> NodeId {
        NodeId::with_tls_name("a", 1, Address::new("h", 1), Some(tls_name.into()))
    }

    #[test]
    fn the_defaults_are_valid() {
        config().validate().unwrap();
    }

    #[test]
    fn each_bad_field_is_named_with_its_value_and_range() {
        type Break = (fn(&mut Config), &'static str, &'static str);
        let breaks: [Break; 37] = [
            (|c| c.node_id = NodeId::new("", 1, Address::new("h", 1)), "node_id.name", "\"\""),
            (|c| c.node_id = NodeId::new("a", 1, Address::new("", 1)), "node_id.gossip_advertise_addr.host", "\"\""),
            (|c| c.node_id = NodeId::new("a", 1, Address::new("h", 0)), "node_id.gossip_advertise_addr.port", "0"),
            (|c| c.names_are_tls_names = true, "node_id.name", "\"a\" with the tls_name None"),
            (|c| c.cluster_id.clear(), "cluster_id", "\"\""),
            (|c| c.cluster_id = "ü".repeat(3_000), "cluster_id", "6000 bytes"),
            (|c| c.seeds.push(Address::new("h", 0)), "seeds.port", "0"),
            (|c| c.seeds.push(Address::new("", 1)), "seeds.host", "\"\""),
            (|c| c.node_id = NodeId::new("a\nb", 1, Address::new("h", 1)), "node_id.name", r#""a\nb""#),
            (|c| c.node_id = NodeId::new("a", 1, Address::new("h\u{202e}", 1)), "addr.host", r#""h\u{202e}""#),
            (|c| c.node_id = with_tls_name("\u{200b}"), "node_id.tls_name", r#""\u{200b}""#),
            (|c| c.cluster_id = "c\u{2028}".into(), "cluster_id", r#""c\u{2028}""#),
            (|c| c.seeds.push(Address::new("s\u{1b}[2J", 1)), "seeds.host", r#""s\u{1b}[2J""#),
            (|c| c.gossip_interval = Duration::ZERO, "gossip_interval", "0ns"),
            (|c| c.gossip_count = 0, "gossip_count", "0"),
            (|c| c.marked_for_deletion_grace_period = Duration::MAX, "marked_for_deletion_grace_period", "s"),
            (|c| c.max_payload_size = 511, "max_payload_size", "511"),
            (|c| (c.cluster_id, c.max_payload_size) = ("c".repeat(900), 1_000), "max_payload_size", "1000"),
            (|c| c.limits.decode.max_packet_bytes = 65_506, "limits.decode.max_packet_bytes", "65506"),
            (|c| c.max_concurrent_gossip = 0, "max_concurrent_gossip", "0"),
            (|c| c.exchange_timeouts.connect = Duration::ZERO, "exchange_timeouts.connect", "0ns"),
            (|c| c.exchange_timeouts.packet = Duration::from_nanos(999_999), "exchange_timeouts.packet", "999.999µs"),
            (|c| c.exchange_timeouts.whole = DAY + MILLISECOND, "exchange_timeouts.whole", "86400.001s"),
            (|c| c.failure_detector.phi_threshold = f64::NAN, "failure_detector.phi_threshold", "NaN"),
            (|c| c.failure_detector.sampling_window_size = 0, "failure_detector.sampling_window_size", "0"),
            (|c| c.failure_detector.prior_weight = -1.0, "failure_detector.prior_weight", "-1"),
            (|c| c.failure_detector.local_health_weight = 101.0, "failure_detector.local_health_weight", "101"),
            (|c| c.failure_detector.max_interval = Some(Duration::ZERO), "failure_detector.max_interval", "0ns"),
            (|c| c.failure_detector.initial_interval = Some(Duration::MAX), "failure_detector.initial_interval", "s"),
            (|c| c.failure_detector.dead_node_grace_period = Duration::ZERO, "dead_node_grace_period", "0ns"),
            (|c| c.detection.suspicion_time = Duration::ZERO, "detection.suspicion_time", "0ns"),
            (|c| c.detection.threshold = f64::NAN, "detection.threshold", "NaN"),
            (|c| c.detection.probe_budget = 3, "detection.probe_budget", "3"),
            (|c| c.detection.probe_timeout = Duration::MAX, "detection.probe_timeout", "s"),
            (|c| c.limits.max_nodes = 0, "limits.max_nodes", "0"),
            (|c| c.limits.max_nodes = 25_000, "limits.decode.max_digest_entries", "limits.max_nodes, which is 25000"),
            (|c| c.limits.decode.max_digest_entries = 9_999, "limits.decode.max_digest_entries", "9999"),
        ];
        for (break_it, field, value) in breaks {
            let mut config = config();
            break_it(&mut config);
            let error = config.validate().expect_err(field);
            let message = error.to_string();
            assert!(message.contains(field) && message.contains(value) && message.contains("allowed: "), "{message}");
        }
    }

    #[test]
    fn intervals_follow_slow_rounds_and_have_a_floor_for_quick_ones() {
        let mut config = config();
        let mut of = |gossip_ms| {
            config.gossip_interval = Duration::from_millis(gossip_ms);
            (config.initial_interval().as_millis(), config.max_interval().as_millis())
        };
        assert_eq!([of(200), of(1_000), of(5_000)], [(1_000, 10_000), (1_000, 10_000), (5_000, 50_000)]);
        config.failure_detector = FailureDetectorConfig::aiocluster();
        assert_eq!((config.initial_interval().as_secs(), config.max_interval().as_secs()), (5, 10));
        config.validate().unwrap();
    }
}
