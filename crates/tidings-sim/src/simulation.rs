//! Runs a scenario: boots the nodes, lets users and faults do their work, heals, and watches all the time.

mod days;
mod guests;
mod machines;
mod users;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Duration;

use tidings_core::{EventKind, Instant};

use crate::check::{Checker, Rule, Violation, Words};
use crate::fault::Generation;
use crate::link::{Latency, LinkConfig};
use crate::measure::Measure;
use crate::outcome::Report;
use crate::plan::{Action, Guest};
use crate::random::Random;
use crate::scenario::{Scenario, ScenarioError};
use crate::world::World;
use days::Days;
use guests::Visit;

/// Runs the scenario.
///
/// # Errors
/// The scenario is not valid. That something did not hold is no error: it is in the report.
pub fn run(scenario: &Scenario) -> Result<Report, ScenarioError> {
    Simulation::new(scenario)?.run()
}

/// What is to be kept of a run beside its report. It changes nothing in the run.
#[derive(Default)]
pub struct Keep {
    /// A line for everything that happens goes here.
    pub trace: Option<Box<dyn Write + Send>>,
    /// The node of which everything it is given is to be recorded: [`Report::recording`].
    pub record: Option<usize>,
}

/// As [`run`], and keeps more of it.
///
/// # Errors
/// The scenario is not valid.
pub fn run_and_keep(scenario: &Scenario, keep: Keep) -> Result<Report, ScenarioError> {
    let mut simulation = Simulation::new(scenario)?;
    simulation.recorded = keep.record;
    if let Some(sink) = keep.trace {
        simulation.world.write_trace_to(sink);
    }
    simulation.run()
}

/// As [`run`], and lets `tap` look at each node that something has happened to.
pub(crate) fn run_with_tap<'a>(scenario: &'a Scenario, tap: Tap<'a>) -> Result<Report, ScenarioError> {
    let mut simulation = Simulation::new(scenario)?;
    simulation.tap = Some(tap);
    simulation.run()
}

/// Looks at a node after each step.
type Tap<'a> = &'a mut dyn FnMut(&World, usize);

struct Simulation<'a> {
    scenario: &'a Scenario,
    world: World,
    checker: Checker,
    measure: Measure,
    /// The users' chance.
    random: Random,
    plan: Vec<(Instant, Action)>,
    /// Nodes that are told to leave and have not finished.
    leaving: BTreeSet<usize>,
    /// The processes beside the scenario's own nodes.
    guests: BTreeMap<Guest, Visit>,
    /// Hosts of guests that will not come again, and when nobody may know them any more.
    retiring: Vec<(Instant, usize)>,
    /// What one stranger may do; `None`: more is wrong than that.
    words: Option<Words>,
    days: Days,
    next_write: Instant,
    converged_at: Option<Instant>,
    /// Nothing can be wrong with anybody: a running node that is declared dead is a violation.
    is_undisturbed: bool,
    node_hours: f64,
    /// The node that is to be recorded.
    recorded: Option<usize>,
    tap: Option<Tap<'a>>,
}

impl<'a> Simulation<'a> {
    fn new(scenario: &'a Scenario) -> Result<Simulation<'a>, ScenarioError> {
        scenario.validate()?;
        let mut random = Random::from_seed(scenario.seed);
        let world = World::new(random.below(u64::MAX), scenario.link);
        let checker = Checker::new(scenario, random.fork());
        let mut faults = random.fork();
        let mut measure = Measure::default();
        let mut plan = Vec::new();
        for (number, fault) in scenario.faults.iter().enumerate() {
            let (who, actions) = fault.plan(scenario.nodes, number, &mut faults);
            if fault.disturbs_running_nodes() {
                measure.disturb(&who);
            }
            plan.extend(actions);
        }
        plan.sort_by_key(|(at, _)| *at);
        let mut simulation = Simulation {
            scenario,
            world,
            checker,
            measure,
            random,
            plan,
            leaving: BTreeSet::new(),
            guests: BTreeMap::new(),
            retiring: Vec::new(),
            words: Words::new(scenario),
            days: Days::new(scenario),
            next_write: Instant::FAR_FUTURE,
            converged_at: None,
            is_undisturbed: scenario.is_clean() && scenario.faults.is_empty(),
            node_hours: 0.0,
            recorded: None,
            tap: None,
        };
        simulation.schedule_write();
        Ok(simulation)
    }

    fn run(mut self) -> Result<Report, ScenarioError> {
        let began = cpu_time::ThreadTime::now();
        let mut rounds_to_heal = None;
        let outcome = self.safety().and_then(|()| {
            if self.scenario.heal {
                rounds_to_heal = Some(self.liveness()?);
            }
            self.checker.sweep(&self.world)?;
            self.days.growth(self.world.now())
        });
        let cpu_s = began.elapsed().as_secs_f64();
        Ok(self.report(outcome.err(), rounds_to_heal, cpu_s))
    }

    // ---- the phases ----

    /// Boots the nodes; then faults and users do what they do.
    fn safety(&mut self) -> Result<(), Violation> {
        let nodes = u32::try_from(self.scenario.nodes).unwrap_or(u32::MAX);
        let end = Instant::ZERO + self.scenario.duration;
        let mut plan = std::mem::take(&mut self.plan).into_iter().peekable();
        for (index, number) in (0..self.scenario.nodes).zip(0..) {
            let at = Instant::ZERO + self.scenario.boot_over / nodes * number;
            self.advance(at.min(end))?;
            self.boot(index)?;
        }
        while let Some((at, action)) = plan.next_if(|(at, _)| *at <= end) {
            self.advance(at)?;
            self.act(action)?;
        }
        self.advance(end)?;
        self.checker.sweep(&self.world)
    }

    /// All faults end, and the nodes must agree in time. Gives the rounds they took.
    fn liveness(&mut self) -> Result<f64, Violation> {
        self.next_write = Instant::FAR_FUTURE;
        let latency = Latency { tail: 0.0, ..self.scenario.link.latency };
        let latency = Latency { min: latency.min.min(QUICK), max: latency.max.min(QUICK), ..latency };
        self.world.heal(LinkConfig { latency, ..LinkConfig::default() });
        for seed in 0..self.scenario.first_nodes() {
            if self.world.node(seed).is_none() || self.leaving.remove(&seed) {
                self.act(Action::Restart(seed, Generation::New))?;
            }
        }
        for index in std::mem::take(&mut self.leaving) {
            self.act(Action::Crash(index))?;
        }
        self.end_doubles_and_strangers()?;
        let healed = self.world.now();
        let end = healed + self.bound();
        let interval = self.scenario.protocol.interval;
        loop {
            self.advance(self.world.now() + interval)?;
            match self.agreement() {
                Ok(()) => {
                    let took = self.world.now().saturating_duration_since(healed);
                    return Ok(took.as_secs_f64() / interval.as_secs_f64());
                }
                Err(message) if self.world.now() >= end => {
                    let message = format!("{message}, {:?} after all faults ended", self.bound());
                    return Err(Violation { at: self.world.now(), rule: Rule::Agreement, message });
                }
                Err(_) => {}
            }
        }
    }

    /// How long it may take to agree: for the detector to find out who is there and who is not, for grace periods to end,
    /// and for as many rounds as the news is packets long.
    fn bound(&self) -> Duration {
        let Scenario { protocol, workload, .. } = self.scenario;
        let nodes = self.scenario.nodes.max(self.world.running().count());
        let config = self.scenario.config(0, 1);
        let longest_interval = config.max_interval().max(config.initial_interval());
        let detector = longest_interval.mul_f64(protocol.phi_threshold + 4.0);
        let smallest = protocol.max_payload_size.iter().min().copied().unwrap_or(512);
        let entry = 80 + workload.keys * (40 + workload.value_bytes);
        let frames = u32::try_from(nodes * entry / (smallest / 4) + 1).unwrap_or(u32::MAX);
        let rounds = (30 + 10 * nodes.ilog2()).saturating_mul(frames);
        let longest_lifetime = Duration::from_secs(30);
        let deletions = if workload.deletes { protocol.grace * 3 + longest_lifetime } else { Duration::ZERO };
        detector + deletions + protocol.interval * rounds
    }

    /// Whether every running node takes exactly the running nodes of its cluster for live and shows their key-values as
    /// their users set them.
    fn agreement(&self) -> Result<(), String> {
        let running: Vec<usize> = self.world.running().collect();
        for observer in &running {
            let Some(node) = self.world.node(*observer) else { continue };
            let mut live = node.live_nodes();
            let cluster = self.scenario.cluster_of(*observer);
            for owner in running.iter().filter(|owner| self.scenario.cluster_of(**owner) == cluster) {
                let Some(id) = self.world.node(*owner).map(|node| node.id()) else { continue };
                let Some(position) = live.iter().position(|live| live == id) else {
                    return Err(format!("node {observer} does not take {id} for live"));
                };
                live.swap_remove(position);
                let shown = node.node_state(id).into_iter().flat_map(|state| state.iter());
                let shown = shown.map(|(key, value)| (key, &*value.value));
                // What is about to go may be gone at the owner and not here, or the other way.
                let slack = self.scenario.protocol.grace + Duration::from_secs(5);
                let compared = self.checker.history.compare(id, self.world.local_now(*owner), slack, shown);
                compared.map_err(|message| format!("node {observer}: {message}"))?;
            }
            if let Some(id) = live.first() {
                return Err(format!("node {observer} takes {id} for live, which does not run"));
            }
        }
        Ok(())
    }

    // ---- time ----

    /// Lets time pass, with all that happens, is written, and is sampled in it.
    fn advance(&mut self, until: Instant) -> Result<(), Violation> {
        loop {
            let sample = self.next_sample();
            let next = until.min(self.next_write).min(sample);
            let before = self.world.now();
            while let Some(node) = self.world.step(next) {
                if let Some(tap) = &mut self.tap {
                    tap(&self.world, node);
                }
                self.news()?;
                self.checker.step(&self.world, node)?;
            }
            let up = self.checker.present().filter(|index| self.world.node(*index).is_some()).count() as f64;
            self.node_hours += self.world.now().saturating_duration_since(before).as_secs_f64() * up / 3600.0;
            if next == self.next_write {
                self.write()?;
                self.schedule_write();
            } else if next == sample {
                self.sample()?;
            }
            if next == until {
                return Ok(());
            }
        }
    }

    fn next_sample(&self) -> Instant {
        let interval = self.scenario.protocol.interval;
        match self.measure.samples().last() {
            Some(last) => Instant::ZERO + Duration::from_secs_f64(last.at_s) + interval,
            None => Instant::ZERO + interval,
        }
    }

    /// Once a round: measures, and holds the nodes against the rules that take a look at all of them.
    fn sample(&mut self) -> Result<(), Violation> {
        let running: Vec<usize> = self.world.running().collect();
        self.measure.sample(self.world.now(), &running, self.world.traffic().bytes);
        if self.converged_at.is_none() && self.is_converged() {
            self.converged_at = Some(self.world.now());
        }
        self.retire_the_long_gone();
        self.days.look(&self.world, &running);
        self.checker.ages(&self.world)?;
        self.words()
    }

    /// While strangers lie, and after: that it hurts few, and for a short time.
    fn words(&mut self) -> Result<(), Violation> {
        let Some(words) = &mut self.words else { return Ok(()) };
        let now = self.world.now();
        let is_due = words.is_due(now);
        let (measure, scenario) = (&self.measure, self.scenario);
        words.check(&self.world, |index| measure.live(index), |index| scenario.cluster_of(index))?;
        if !is_due {
            return Ok(());
        }
        let message = |what| format!("{what}, a while after the last stranger was gone");
        self.agreement().map_err(|what| Violation { at: now, rule: Rule::Word, message: message(what) })
    }

    fn is_converged(&self) -> bool {
        let cluster_of = |index| self.scenario.cluster_of(index);
        let running: Vec<usize> = self.world.running().collect();
        if self.world.len() < self.scenario.nodes || !self.measure.is_membership_right(&running, cluster_of) {
            return false;
        }
        let owners: Vec<_> = running.iter().filter_map(|index| self.world.node(*index)).collect();
        let version = |state: &tidings_core::NodeState| state.max_version();
        owners.iter().all(|owner| {
            let truth = owner.node_state(owner.id()).map(|state| version(state));
            let same_cluster = owners.iter().filter(|node| node.config().cluster_id == owner.config().cluster_id);
            same_cluster.into_iter().all(|node| node.node_state(owner.id()).map(|state| version(state)) >= truth)
        })
    }

    /// Takes what the nodes tell.
    fn news(&mut self) -> Result<(), Violation> {
        for (index, event) in self.world.take_news() {
            self.days.events += 1;
            self.checker.event(&self.world, index, &event)?;
            if let Some(words) = &self.words {
                words.event(&self.world, &self.checker.runs, index, &event.kind)?;
            }
            let is_false = self.measure.event(self.world.now(), index, &event.kind);
            if is_false && self.is_undisturbed {
                let message = format!("node {index} tells: {}, and nothing is wrong with it", event.kind);
                return Err(Violation { at: self.world.now(), rule: Rule::FalseAlarm, message });
            }
            if matches!(event.kind, EventKind::LeaveFinished { .. }) && self.leaving.remove(&index) {
                self.act(Action::Crash(index))?;
            }
        }
        Ok(())
    }

    // ---- the end ----

    fn report(mut self, violation: Option<Violation>, rounds_to_heal: Option<f64>, cpu_s: f64) -> Report {
        let virtual_s = self.world.now().saturating_duration_since(Instant::ZERO).as_secs_f64();
        let node_s = (self.node_hours * 3600.0).max(f64::MIN_POSITIVE);
        let traffic = self.world.traffic();
        let interval = self.scenario.protocol.interval.as_secs_f64();
        let false_positives = self.measure.false_positives();
        let first_fault = self.scenario.faults.iter().map(|fault| fault.at).min();
        let (quiet, peak) = self.measure.quiet_and_peak(first_fault);
        let (revived, flaps) = self.measure.revived_and_flaps();
        let rounds = |at: Instant| at.saturating_duration_since(Instant::ZERO).as_secs_f64() / interval;
        Report {
            name: self.scenario.name.clone(),
            seed: self.scenario.seed,
            dialect: self.scenario.protocol.dialect,
            nodes: self.scenario.nodes,
            virtual_s,
            rounds_to_converge: self.converged_at.map(rounds),
            rounds_to_heal,
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
            violated: violation.as_ref().map(|violation| violation.rule),
            days: self.days.all,
            violations: violation.iter().map(Violation::to_string).collect(),
            trace_hash: format!("{:016x}", self.world.trace_hash()),
            node_hours_per_cpu_s: self.node_hours / cpu_s.max(f64::MIN_POSITIVE),
            node_hours: self.node_hours,
            recording: self.recorded.and_then(|index| self.world.recording(index)).map(<[u8]>::to_vec),
            samples: self.measure.samples().to_vec(),
        }
    }
}

/// No link is slower than this once all is healed.
const QUICK: Duration = Duration::from_millis(20);
