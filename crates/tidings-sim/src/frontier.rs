//! Quick detection against false alarms, for many settings of the failure detector on one and the same run.
//!
//! As long as nobody is declared dead, the detector's settings change nothing of what a cluster does. So the cluster
//! runs with a threshold that is never reached, and beside each node a shadow of every candidate hears the heartbeats
//! that it hears. A phi beyond a threshold would have been a false alarm there; and who has crashed would have been
//! declared dead at the instant that the core's own
//! [`HeartbeatWindow`](tidings_core::suspicion::HeartbeatWindow) names. What is left out: after a false alarm the
//! windows go on as if there had been none, and the crashed are dialled for as long as the run lasts.

mod shadow;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::{Fault, FaultKind};
use crate::link::LinkConfig;
use crate::measure::Spread;
use crate::scenario::{Checks, Protocol, Scenario, ScenarioError};
use crate::simulation::run_with_tap;
use crate::text::{Who, duration, optional_duration};

use self::shadow::Shadow;

/// What is to be tried, and in which clusters. As TOML; `crates/tidings-sim/frontier.toml` is the one behind the defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Each candidate is tried with all of these, and with its own.
    pub thresholds: Vec<f64>,
    /// The settings to compare.
    #[serde(rename = "candidate")]
    pub candidates: Vec<Candidate>,
    /// The clusters to try them in.
    #[serde(rename = "cluster")]
    pub clusters: Vec<Cluster>,
}

/// Settings of the failure detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// What it is called in tables and plots.
    pub name: String,
    /// The settings; what is not the detector's is not looked at.
    #[serde(default)]
    pub protocol: Protocol,
}

/// A cluster, run once with each of its seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// How many nodes it has, four at least.
    pub nodes: usize,
    /// How many seeds, from 1 on.
    pub seeds: u64,
    /// How long it runs.
    #[serde(rename = "for", with = "duration")]
    pub duration: Duration,
    /// The probability that a packet is lost.
    #[serde(default)]
    pub loss: f64,
    /// When the last three nodes crash, and detection is measured. Without it, false alarms are counted.
    #[serde(default, with = "optional_duration", skip_serializing_if = "Option::is_none")]
    pub crash_at: Option<Duration>,
}

/// What one candidate did in one cluster, with one threshold.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Point {
    /// Which candidate, by its place in the experiment.
    pub candidate: usize,
    /// Which cluster, likewise.
    pub cluster: usize,
    /// The threshold.
    pub threshold: f64,
    /// How often a running node would have been declared dead.
    pub false_alarms: u64,
    /// How long after the crash each of the others would have declared the crashed nodes dead.
    pub detection_s: Spread,
}

/// Nodes that crash where any do.
const CRASHES: usize = 3;

/// Above every phi, so that nobody is declared dead.
const NEVER: f64 = 1_000.0;

impl Experiment {
    /// The thresholds a candidate is tried with, in order.
    #[must_use]
    pub fn thresholds_of(&self, candidate: &Candidate) -> Vec<f64> {
        let mut thresholds = self.thresholds.clone();
        thresholds.push(candidate.protocol.phi_threshold);
        thresholds.sort_by(f64::total_cmp);
        thresholds.dedup();
        thresholds
    }

    /// Runs one cluster with one seed.
    ///
    /// # Errors
    /// The cluster or a candidate has a setting that is outside its range.
    pub fn run(&self, cluster: usize, seed: u64) -> Result<Heard, ScenarioError> {
        let Some(cluster) = self.clusters.get(cluster) else {
            return Err(ScenarioError::new(format!(
                "the experiment has no cluster {cluster}, only {}",
                self.clusters.len()
            )));
        };
        let scenario = cluster.scenario(seed)?;
        let mut shadow = Shadow::new(self, cluster, &scenario)?;
        run_with_tap(&scenario, &mut |world, node| shadow.step(world, node))?;
        Ok(shadow.finish())
    }

    /// The points of all candidates in one cluster, given what was heard with each of its seeds.
    #[must_use]
    pub fn points(&self, cluster: usize, heard: Vec<Heard>) -> Vec<Point> {
        let mut sum = heard.into_iter().reduce(Heard::plus).unwrap_or_default().0.into_iter();
        let mut points = Vec::new();
        for (candidate, settings) in self.candidates.iter().enumerate() {
            for threshold in self.thresholds_of(settings) {
                let Tally { false_alarms, detections } = sum.next().unwrap_or_default();
                let detection_s = Spread::of(detections);
                points.push(Point { candidate, cluster, threshold, false_alarms, detection_s });
            }
        }
        points
    }
}

impl Cluster {
    fn scenario(&self, seed: u64) -> Result<Scenario, ScenarioError> {
        if self.nodes <= CRASHES {
            return Err(ScenarioError::new(format!("cluster.nodes is {}, allowed: more than {CRASHES}", self.nodes)));
        }
        let faults = self.crash_at.map(|at| Fault {
            at,
            who: Who::Nodes(self.crashed().collect()),
            stagger: Duration::ZERO,
            times: 0,
            every: Duration::ZERO,
            kind: FaultKind::Crash { power: false },
        });
        Ok(Scenario {
            seed,
            nodes: self.nodes,
            duration: self.duration,
            checks: Checks::Off,
            protocol: Protocol { phi_threshold: NEVER, ..Protocol::default() },
            link: LinkConfig { loss: self.loss, ..LinkConfig::default() },
            faults: faults.into_iter().collect(),
            ..Scenario::default()
        })
    }

    fn crashed(&self) -> std::ops::Range<usize> {
        match self.crash_at {
            Some(_) => self.nodes - CRASHES..self.nodes,
            None => 0..0,
        }
    }
}

/// What the shadows of all candidates heard in one run.
#[derive(Clone, Debug, Default)]
pub struct Heard(Vec<Tally>);

/// For one candidate and one threshold.
#[derive(Clone, Debug, Default)]
struct Tally {
    false_alarms: u64,
    detections: Vec<Duration>,
}

impl Heard {
    fn plus(mut self, other: Heard) -> Heard {
        for (here, there) in self.0.iter_mut().zip(other.0) {
            here.false_alarms += there.false_alarms;
            here.detections.extend(there.detections);
        }
        self
    }
}

#[cfg(test)]
mod tests;
