//! Runs a cluster of any system through a scenario, and measures it: the same way for each.

use std::collections::BTreeSet;
use std::time::Duration;

use cpu_time::ThreadTime;
use tidings_core::{Instant, NodeId};
use tidings_sim::{FaultKind, Measure, Random, Scenario, address};

use crate::outcome::Outcome;
use crate::system::{Change, Kind, System};

/// Runs the scenario with this system, as [`tidings_sim::run`] does with tidings: the same nodes crash at the same time.
/// Of the faults a scenario may have only crashes are known here, and nothing is checked.
///
/// # Errors
/// The scenario is not valid or has other faults than crashes, or a node of the system failed of itself.
pub fn run(kind: Kind, scenario: &Scenario) -> anyhow::Result<Outcome> {
    scenario.validate()?;
    let mut random = Random::from_seed(scenario.seed);
    // The draws come in the simulator's order, so that the same seed means the same links and the same victims.
    let system = kind.build(scenario, random.clone())?;
    random.below(u64::MAX);
    let _of_checkers = random.fork();
    let crashes = crashes(scenario, &mut random.fork())?;
    Run {
        scenario,
        system,
        measure: Measure::default(),
        running: BTreeSet::new(),
        is_booted: false,
        now: Instant::ZERO,
        converged_at: None,
        node_time: Duration::ZERO,
        cpu_time: Duration::ZERO,
    }
    .run(kind, crashes)
}

/// Who crashes when, soonest first.
fn crashes(scenario: &Scenario, random: &mut Random) -> anyhow::Result<Vec<(Instant, usize)>> {
    let mut crashes = Vec::new();
    for fault in &scenario.faults {
        let (FaultKind::Crash { power: false }, 0 | 1) = (&fault.kind, fault.times) else {
            anyhow::bail!("the fault {:?} is known to tidings-sim alone; allowed here: crash, once", fault.kind);
        };
        let mut at = Instant::ZERO + fault.at;
        for node in fault.who.among(scenario.nodes, random) {
            crashes.push((at, node));
            at += fault.stagger;
        }
    }
    crashes.sort_unstable();
    Ok(crashes)
}

struct Run<'a> {
    scenario: &'a Scenario,
    system: Box<dyn System>,
    measure: Measure,
    running: BTreeSet<usize>,
    /// All nodes were started.
    is_booted: bool,
    now: Instant,
    converged_at: Option<Instant>,
    node_time: Duration,
    cpu_time: Duration,
}

/// A node by the name the measuring knows it by; no node here has a second run.
fn id(index: usize) -> NodeId {
    NodeId::new(format!("node{index}"), 1, address(index))
}

impl Run<'_> {
    fn run(mut self, kind: Kind, crashes: Vec<(Instant, usize)>) -> anyhow::Result<Outcome> {
        let end = Instant::ZERO + self.scenario.duration;
        let nodes = u32::try_from(self.scenario.nodes)?;
        for (index, number) in (0..self.scenario.nodes).zip(0..) {
            let at = Instant::ZERO + self.scenario.boot_over / nodes * number;
            self.advance(at.min(end))?;
            self.measure.begin(index, &id(index));
            let began = ThreadTime::now();
            self.system.spawn()?;
            self.cpu_time += began.elapsed();
            self.running.insert(index);
        }
        self.is_booted = true;
        for (at, index) in crashes.into_iter().take_while(|(at, _)| *at <= end) {
            self.advance(at)?;
            self.system.crash(index);
            if self.running.remove(&index) {
                self.measure.end(at, &id(index));
            }
        }
        self.advance(end)?;
        Ok(self.outcome(kind))
    }

    fn advance(&mut self, until: Instant) -> anyhow::Result<()> {
        loop {
            let sample = self.next_sample();
            let next = until.min(sample);
            let began = ThreadTime::now();
            self.system.run_until(next)?;
            self.cpu_time += began.elapsed();
            let running = u32::try_from(self.running.len())?;
            self.node_time += next.saturating_duration_since(self.now) * running;
            self.now = next;
            self.take_news();
            if next == sample {
                self.sample();
            }
            if next == until {
                return Ok(());
            }
        }
    }

    fn next_sample(&self) -> Instant {
        let interval = self.scenario.protocol.interval;
        let taken = u32::try_from(self.measure.samples().len()).unwrap_or(u32::MAX);
        Instant::ZERO + interval.saturating_mul(taken.saturating_add(1))
    }

    fn take_news(&mut self) {
        for news in self.system.take_news() {
            match news.change {
                Change::Joined => self.measure.joined(news.observer, &id(news.subject)),
                Change::Died => {
                    self.measure.died(news.at, news.observer, &id(news.subject));
                }
            }
        }
    }

    fn sample(&mut self) {
        let running: Vec<usize> = self.running.iter().copied().collect();
        self.measure.sample(self.now, &running, self.system.traffic().bytes);
        if self.is_booted
            && self.converged_at.is_none()
            && self.measure.is_membership_right(&running, |_| 0)
            && self.system.has_all_key_values(&running)
        {
            self.converged_at = Some(self.now);
        }
    }

    fn outcome(self, kind: Kind) -> Outcome {
        let Scenario { name, seed, nodes, protocol, link, .. } = self.scenario;
        let seconds = |at: Instant| at.saturating_duration_since(Instant::ZERO).as_secs_f64();
        let node_s = self.node_time.as_secs_f64().max(f64::MIN_POSITIVE);
        let cpu_s = self.cpu_time.as_secs_f64().max(f64::MIN_POSITIVE);
        let traffic = self.system.traffic();
        let false_positives = self.measure.false_positives();
        let first_fault = self.scenario.faults.iter().map(|fault| fault.at).min();
        let (quiet, peak) = self.measure.quiet_and_peak(first_fault);
        let (revived, flaps) = self.measure.revived_and_flaps();
        Outcome {
            system: kind,
            name: name.clone(),
            seed: *seed,
            dialect: (kind == Kind::Tidings).then_some(protocol.dialect),
            nodes: *nodes,
            virtual_s: seconds(self.now),
            rounds_to_converge: self.converged_at.map(|at| seconds(at) / protocol.interval.as_secs_f64()),
            rounds_to_heal: None,
            detection_s: self.measure.detection(),
            false_positives: false_positives.all,
            false_positives_about_healthy: false_positives.about_healthy,
            false_positives_among_healthy: false_positives.among_healthy,
            bytes_per_node_per_s: traffic.bytes as f64 / node_s,
            messages_per_node_per_s: traffic.packets as f64 / node_s,
            quiet_bytes_per_node_per_s: quiet,
            peak_bytes_per_node_per_s: peak,
            key_spread_s: self.measure.key_spread(),
            revived,
            flaps,
            max_packet_bytes: traffic.max_packet_bytes,
            violations: None,
            violated: None,
            trace_hash: self.system.trace_hash().map(|hash| format!("{hash:016x}")),
            node_hours_per_cpu_s: node_s / 3600.0 / cpu_s,
            loss: link.loss,
            deliveries: self.system.deliveries(),
            samples: self.measure.samples().to_vec(),
        }
    }
}
