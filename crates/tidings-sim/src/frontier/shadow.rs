//! The shadows of all candidates beside all nodes of one run.

use tidings_core::suspicion::{Detector, HeartbeatWindow};
use tidings_core::{Config, Instant};

use super::{Cluster, Experiment, Heard, Tally};
use crate::scenario::{Protocol, Scenario, ScenarioError};
use crate::world::World;

pub(super) struct Shadow {
    /// Each candidate with each of its thresholds, those of one candidate in a row.
    candidates: Vec<Vec<Config>>,
    tallies: Vec<Vec<Tally>>,
    crash: Option<Instant>,
    crashed: std::ops::Range<usize>,
    crashed_names: Vec<String>,
    observers: Vec<Observer>,
    end: Instant,
}

/// What one node has heard, in the order of [`Node::heartbeats`](tidings_core::Node::heartbeats): nobody is forgotten.
#[derive(Default)]
struct Observer {
    subjects: Vec<Subject>,
    failed_share: f64,
}

struct Subject {
    is_crashed: bool,
    heartbeat: u64,
    failed_share: f64,
    /// One a candidate.
    windows: Vec<HeartbeatWindow>,
}

impl Shadow {
    pub(super) fn new(
        experiment: &Experiment,
        cluster: &Cluster,
        scenario: &Scenario,
    ) -> Result<Shadow, ScenarioError> {
        let mut candidates = Vec::new();
        for candidate in &experiment.candidates {
            let mut configs = Vec::new();
            for phi_threshold in experiment.thresholds_of(candidate) {
                let protocol = Protocol { phi_threshold, ..candidate.protocol.clone() };
                let config = Scenario { protocol, ..scenario.clone() }.config(0, 1);
                config.validate().map_err(|error| ScenarioError::new(format!("{}: {error}", candidate.name)))?;
                configs.push(config);
            }
            candidates.push(configs);
        }
        let tallies = candidates.iter().map(|configs| vec![Tally::default(); configs.len()]).collect();
        let name = |index| scenario.config(index, 1).node_id.name().to_string();
        Ok(Shadow {
            candidates,
            tallies,
            crash: cluster.crash_at.map(|at| Instant::ZERO + at),
            crashed: cluster.crashed(),
            crashed_names: cluster.crashed().map(name).collect(),
            observers: (0..cluster.nodes).map(|_| Observer::default()).collect(),
            end: Instant::ZERO + cluster.duration,
        })
    }

    /// Something has happened to this node: it may have heard a heartbeat.
    pub(super) fn step(&mut self, world: &World, index: usize) {
        let Some(node) = world.node(index) else { return };
        let now = world.local_now(index);
        let failed_share = node.failed_share();
        let Shadow { candidates, tallies, observers, crashed_names, .. } = self;
        let observer = &mut observers[index];
        observer.failed_share = failed_share;
        let mut detectors = None;
        for (position, (id, heartbeat)) in node.heartbeats().enumerate() {
            let Some(subject) = observer.subjects.get_mut(position) else {
                let is_crashed = crashed_names.iter().any(|name| name == id.name());
                let windows = vec![HeartbeatWindow::default(); candidates.len()];
                observer.subjects.push(Subject { is_crashed, heartbeat, failed_share, windows });
                continue;
            };
            if heartbeat > subject.heartbeat {
                let detectors = detectors.get_or_insert_with(|| detectors_of(candidates, failed_share));
                subject.count_alarms(now, candidates, detectors, tallies);
                for (window, detector) in subject.windows.iter_mut().zip(detectors) {
                    window.report_heartbeat(now, detector);
                }
                (subject.heartbeat, subject.failed_share) = (heartbeat, failed_share);
            }
        }
    }

    /// The run is over.
    pub(super) fn finish(self) -> Heard {
        let Shadow { candidates, mut tallies, observers, crashed, .. } = self;
        for (_, observer) in observers.iter().enumerate().filter(|(index, _)| !crashed.contains(index)) {
            let detectors = detectors_of(&candidates, observer.failed_share);
            for subject in &observer.subjects {
                match self.crash.filter(|_| subject.is_crashed) {
                    Some(crash) => subject.detect(crash, &candidates, &mut tallies),
                    None => subject.count_alarms(self.end, &candidates, &detectors, &mut tallies),
                }
            }
        }
        Heard(tallies.into_iter().flatten().collect())
    }
}

impl Subject {
    /// Holds the silence that ends now against all thresholds.
    fn count_alarms(
        &self,
        now: Instant,
        candidates: &[Vec<Config>],
        detectors: &[Detector],
        tallies: &mut [Vec<Tally>],
    ) {
        for (position, window) in self.windows.iter().enumerate() {
            let Some(phi) = window.phi(now, &detectors[position]) else { continue };
            for (config, tally) in candidates[position].iter().zip(&mut tallies[position]) {
                if phi <= config.failure_detector.phi_threshold {
                    break;
                }
                tally.false_alarms += 1;
            }
        }
    }

    /// When a crash would have been noticed, as things stood when the last heartbeat was heard.
    fn detect(&self, crash: Instant, candidates: &[Vec<Config>], tallies: &mut [Vec<Tally>]) {
        for (position, window) in self.windows.iter().enumerate() {
            for (config, tally) in candidates[position].iter().zip(&mut tallies[position]) {
                if let Some(at) = window.suspect_at(&Detector::new(config, self.failed_share)) {
                    tally.detections.push(at.saturating_duration_since(crash));
                }
            }
        }
    }
}

/// One a candidate: phi does not depend on the threshold.
fn detectors_of(candidates: &[Vec<Config>], failed_share: f64) -> Vec<Detector> {
    candidates.iter().filter_map(|configs| Some(Detector::new(configs.first()?, failed_share))).collect()
}
