//! A scenario: everything about a run, as data.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidings_core::{Config, Dialect, NodeId};

use crate::fault::Fault;
use crate::link::LinkConfig;
use crate::text::{duration, optional_duration};
use crate::world::address;

/// Everything about a run. The same scenario gives the same run, to the byte.
///
/// As TOML; what is left out has the value of [`Scenario::default`]:
///
/// ```
/// let scenario: tidings_sim::Scenario = toml::from_str(r#"
///     name = "three of a hundred crash"
///     nodes = 100
///     for = "120s"
///     link = { latency = "1ms..20ms", loss = 0.1 }
///     [[fault]]
///     kind = "crash"
///     at = "60s"
///     who = "3"
/// "#)?;
/// assert_eq!(scenario.faults.len(), 1);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// What it is about, for reports.
    pub name: String,
    /// Where all chance comes from.
    pub seed: u64,
    /// How many nodes there are, 1 to 100,000.
    pub nodes: usize,
    /// How many of each cluster's nodes, from the first one on, are everyone's seeds.
    pub seeds: usize,
    /// How many clusters the nodes belong to, in turn; more than one checks that they keep apart.
    pub clusters: usize,
    /// How long it lasts, in virtual time.
    #[serde(rename = "for", with = "duration")]
    pub duration: Duration,
    /// The nodes start evenly spread over this time.
    #[serde(with = "duration")]
    pub boot_over: Duration,
    /// Whether all faults end afterwards, and all nodes have to agree within a bound.
    pub heal: bool,
    /// Whether every node, and every stranger, has a certificate of its own, and all connections are TLS.
    pub tls: bool,
    /// How long a day is, if traffic and tables are to be looked at day by day: [`Report::days`](crate::Report::days).
    #[serde(with = "optional_duration", skip_serializing_if = "Option::is_none")]
    pub day: Option<Duration>,
    /// How closely everything is watched.
    pub checks: Checks,
    /// The nodes' own settings.
    pub protocol: Protocol,
    /// How the links behave.
    pub link: LinkConfig,
    /// What the nodes' users do.
    pub workload: Workload,
    /// What goes wrong, and when.
    #[serde(rename = "fault", skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// How closely a run is watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checks {
    /// Not at all: to measure speed.
    Off,
    /// Everything that comes past, at some nodes, now and then: a bounded cost at any size.
    #[default]
    Sampled,
    /// Every node at every step.
    Full,
}

/// The settings that all nodes share; see [`Config`] for their meaning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Protocol {
    /// `dialect`.
    pub dialect: Dialect,
    /// `gossip_interval`.
    #[serde(with = "duration")]
    pub interval: Duration,
    /// `gossip_count`.
    pub gossip_count: usize,
    /// `max_payload_size`; of several, the nodes take them in turn.
    pub max_payload_size: Vec<usize>,
    /// `marked_for_deletion_grace_period`.
    #[serde(with = "duration")]
    pub grace: Duration,
    /// `failure_detector.dead_node_grace_period`.
    #[serde(with = "duration")]
    pub dead_grace: Duration,
    /// `failure_detector.phi_threshold`.
    pub phi_threshold: f64,
    /// `failure_detector.sampling_window_size`.
    pub sampling_window_size: u32,
    /// `failure_detector.initial_interval`; without it, what the interval makes of it.
    #[serde(with = "optional_duration", skip_serializing_if = "Option::is_none")]
    pub initial_interval: Option<Duration>,
    /// `failure_detector.prior_weight`.
    pub prior_weight: f64,
    /// `failure_detector.local_health_weight`.
    pub local_health_weight: f64,
    /// `failure_detector.max_interval`; without it, what the interval makes of it.
    #[serde(with = "optional_duration", skip_serializing_if = "Option::is_none")]
    pub max_interval: Option<Duration>,
}

/// What the nodes' users do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Workload {
    /// Keys each node has; all are set when it starts.
    pub keys: usize,
    /// Bytes of a value, about.
    pub value_bytes: usize,
    /// Changes a second, in the whole cluster.
    pub writes_per_s: f64,
    /// Whether keys are also deleted, and set with lifetimes; else every change sets a new value.
    pub deletes: bool,
}

impl Default for Scenario {
    fn default() -> Scenario {
        Scenario {
            name: String::new(),
            seed: 1,
            nodes: 10,
            seeds: 1,
            clusters: 1,
            duration: Duration::from_secs(60),
            boot_over: Duration::ZERO,
            heal: false,
            tls: false,
            day: None,
            checks: Checks::default(),
            protocol: Protocol::default(),
            link: LinkConfig::default(),
            workload: Workload::default(),
            faults: Vec::new(),
        }
    }
}

impl Default for Protocol {
    fn default() -> Protocol {
        let config = Config::new(NodeId::new("any", 1, address(0)));
        let detector = config.failure_detector;
        Protocol {
            dialect: config.dialect,
            interval: config.gossip_interval,
            gossip_count: config.gossip_count,
            max_payload_size: vec![config.max_payload_size],
            grace: config.marked_for_deletion_grace_period,
            dead_grace: detector.dead_node_grace_period,
            phi_threshold: detector.phi_threshold,
            sampling_window_size: detector.sampling_window_size,
            initial_interval: detector.initial_interval,
            prior_weight: detector.prior_weight,
            local_health_weight: detector.local_health_weight,
            max_interval: detector.max_interval,
        }
    }
}

impl Default for Workload {
    fn default() -> Workload {
        Workload { keys: 10, value_bytes: 16, writes_per_s: 0.0, deletes: false }
    }
}

/// Why a scenario cannot be run. Nothing was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError(String);

impl ScenarioError {
    pub(crate) fn new(message: String) -> ScenarioError {
        ScenarioError(message)
    }
}

impl std::fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ScenarioError {}

impl Scenario {
    /// Checks what no type does.
    ///
    /// # Errors
    /// The first field that is outside its range, or of a node's config.
    pub fn validate(&self) -> Result<(), ScenarioError> {
        let within = |field: &str, value: String, is_within: bool, allowed: &str| {
            let error = || ScenarioError(format!("{field} is {value}, allowed: {allowed}"));
            if is_within { Ok(()) } else { Err(error()) }
        };
        within("nodes", self.nodes.to_string(), (1..=100_000).contains(&self.nodes), "1 to 100000")?;
        within("seeds", self.seeds.to_string(), (1..=self.nodes).contains(&self.seeds), "1 to the number of nodes")?;
        let clusters = self.clusters;
        within("clusters", clusters.to_string(), (1..=self.nodes).contains(&clusters), "1 to the number of nodes")?;
        let LinkConfig { loss, duplicate, reorder, .. } = self.link;
        for (field, value) in [("link.loss", loss), ("link.duplicate", duplicate), ("link.reorder", reorder)] {
            within(field, value.to_string(), (0.0..=1.0).contains(&value), "0 to 1")?;
        }
        let payload = &self.protocol.max_payload_size;
        within("protocol.max_payload_size", format!("{payload:?}"), !payload.is_empty(), "one size or more")?;
        let writes = self.workload.writes_per_s;
        within("workload.writes_per_s", writes.to_string(), (0.0..=1e6).contains(&writes), "0 to 1000000")?;
        let longest = Duration::from_secs(10 * 365 * 24 * 3600);
        within("for", format!("{:?}", self.duration), self.duration <= longest, "up to ten years")?;
        if let Some(day) = self.day {
            within("day", format!("{day:?}"), day >= Duration::from_secs(1), "1s or more")?;
        }
        for fault in &self.faults {
            fault.validate()?;
        }
        for index in 0..payload.len().min(self.nodes) {
            self.config(index, 1).validate().map_err(|error| ScenarioError(error.to_string()))?;
        }
        Ok(())
    }

    /// The config of one node.
    #[must_use]
    pub fn config(&self, index: usize, generation: u64) -> Config {
        let protocol = &self.protocol;
        let tls_name = self.tls.then(|| format!("node{index}.example"));
        let id = NodeId::with_tls_name(format!("node{index}"), generation, address(index), tls_name);
        let mut config = Config::new(id);
        if self.clusters > 1 {
            config.cluster_id = format!("cluster{}", self.cluster_of(index));
        }
        config.seeds = (0..self.first_nodes()).map(address).collect();
        config.dialect = protocol.dialect;
        config.gossip_interval = protocol.interval;
        config.gossip_count = protocol.gossip_count;
        config.max_payload_size = protocol.max_payload_size[index % protocol.max_payload_size.len()];
        // All nodes accept what any of them sends.
        let largest = protocol.max_payload_size.iter().copied().max().unwrap_or_default();
        let max_packet = &mut config.limits.decode.max_packet_bytes;
        *max_packet = largest.saturating_mul(2).max(*max_packet);
        config.marked_for_deletion_grace_period = protocol.grace;
        config.failure_detector.dead_node_grace_period = protocol.dead_grace;
        config.failure_detector.phi_threshold = protocol.phi_threshold;
        config.failure_detector.sampling_window_size = protocol.sampling_window_size;
        config.failure_detector.initial_interval = protocol.initial_interval;
        config.failure_detector.prior_weight = protocol.prior_weight;
        config.failure_detector.local_health_weight = protocol.local_health_weight;
        config.failure_detector.max_interval = protocol.max_interval;
        config
    }

    /// The same, whose nodes speak this dialect, with packets that are large enough for it.
    #[must_use]
    pub fn speaking(mut self, dialect: Dialect) -> Scenario {
        self.protocol.dialect = dialect;
        if dialect == Dialect::Tidings {
            self.protocol.max_payload_size.iter_mut().for_each(|size| *size = (*size).max(2_048));
        }
        self
    }

    /// How many nodes, from the first one on, are seeds: so many of every cluster. Nodes dial those of other clusters too.
    #[must_use]
    pub fn first_nodes(&self) -> usize {
        (self.seeds * self.clusters).min(self.nodes)
    }

    /// Whether the links lose and delay nothing to speak of.
    pub(crate) fn is_clean(&self) -> bool {
        let LinkConfig { latency, loss, duplicate, reorder, bandwidth } = self.link;
        let is_quick = latency.max * 20 < self.protocol.interval && latency.tail == 0.0;
        is_quick && loss == 0.0 && reorder == 0.0 && duplicate == 0.0 && bandwidth == 0
    }

    /// Which cluster a node belongs to.
    #[must_use]
    pub fn cluster_of(&self, index: usize) -> usize {
        index % self.clusters.max(1)
    }
}
