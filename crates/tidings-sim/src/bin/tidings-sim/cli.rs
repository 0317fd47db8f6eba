//! The command line, and `run`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tidings_core::Dialect;
use tidings_sim::{Checks, Fault, FaultKind, Keep, Latency, Report, Scenario, Share, Who};

/// A simulated cluster of tidings nodes: virtual time, faulty links, and everything from one seed.
#[derive(Debug, Parser)]
#[command(name = "tidings-sim", version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run one scenario, from a file, from flags, or from a file changed by flags.
    Run(Box<RunArgs>),
    /// Run the scenarios of many seeds, and make the first one that fails smaller.
    Swarm(SwarmArgs),
    /// Let clusters live for long, and show day by day what they know and what they send.
    Life(LifeArgs),
    /// Try settings of the failure detector: how soon a crash is noticed, against false alarms.
    Frontier(FrontierArgs),
    /// Run all scenarios of a folder, and write a page with tables and plots.
    Report(ReportArgs),
    /// Play what was recorded of one node, and see whether everything comes out as it did.
    Replay(ReplayArgs),
}

#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// The scenario to begin with, as TOML; the flags change it.
    #[arg(long, value_name = "FILE")]
    pub(crate) scenario: Option<PathBuf>,

    /// Begin with the scenario that `swarm` makes of this seed.
    #[arg(long, value_name = "SEED", conflicts_with = "scenario")]
    pub(crate) swarm_seed: Option<u64>,

    /// How many nodes.
    #[arg(long)]
    pub(crate) nodes: Option<usize>,

    /// Where all chance comes from.
    #[arg(long)]
    pub(crate) seed: Option<u64>,

    /// The probability that a packet is lost, 0 to 1.
    #[arg(long)]
    pub(crate) loss: Option<f64>,

    /// How long a packet takes: 5ms, 1ms..20ms, or "1ms..20ms tail 0.05".
    #[arg(long)]
    pub(crate) latency: Option<Latency>,

    /// Keys of each node.
    #[arg(long)]
    pub(crate) keys: Option<usize>,

    /// Changes of keys a second, in the whole cluster.
    #[arg(long)]
    pub(crate) writes: Option<f64>,

    /// Time between two gossip rounds.
    #[arg(long, value_parser = humantime::parse_duration)]
    pub(crate) interval: Option<Duration>,

    /// How long it lasts, in virtual time.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) duration: Option<Duration>,

    /// Nodes that crash: 3, or 10%.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) crash: Option<Share>,

    /// When they crash.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub(crate) crash_at: Duration,

    /// What the nodes say to each other.
    #[arg(long, value_name = "aiocluster|tidings", value_parser = dialect)]
    pub(crate) dialect: Option<Dialect>,

    /// The crashed nodes' hosts vanish with them, so that nobody refuses connections.
    #[arg(long)]
    pub(crate) power: bool,

    /// How closely it is watched.
    #[arg(long, value_name = "off|sampled|full", value_parser = checks)]
    pub(crate) checks: Option<Checks>,

    /// Print the outcome as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,

    /// Print a line for everything that happens.
    #[arg(long, conflicts_with = "json")]
    pub(crate) trace: bool,

    /// Draw convergence, detection and traffic over time.
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,

    /// Record what this node is given, to be played with `replay`.
    #[arg(long, value_name = "NODE", requires = "record")]
    pub(crate) record_node: Option<usize>,

    /// Where that is written.
    #[arg(long, value_name = "FILE", requires = "record_node")]
    pub(crate) record: Option<PathBuf>,

    /// Write the scenario, with all flags in it, to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct SwarmArgs {
    /// How many seeds.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) seeds: u64,

    /// The first one.
    #[arg(long, default_value_t = 0)]
    pub(crate) from: u64,

    /// How many run at once; without it, as many as the machine has processors.
    #[arg(long)]
    pub(crate) jobs: Option<usize>,

    /// End after this time, with however many seeds were run.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) run_for: Option<Duration>,

    /// What the nodes say to each other.
    #[arg(long, value_name = "aiocluster|tidings", value_parser = dialect, default_value = "aiocluster")]
    pub(crate) dialect: Dialect,

    /// Go on after a seed has failed, and make none smaller.
    #[arg(long)]
    pub(crate) keep_going: bool,

    /// Where the smaller scenario of a seed that failed is written.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub(crate) save_to: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct LifeArgs {
    /// One scenario alone; its `day` says how long a day is.
    #[arg(long, value_name = "FILE", conflicts_with = "only")]
    pub(crate) scenario: Option<PathBuf>,

    /// All scenarios of this folder.
    #[arg(long, value_name = "FOLDER", default_value = "crates/tidings-sim/lives")]
    pub(crate) scenarios: PathBuf,

    /// Only those with this in their file's name.
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Option<String>,

    /// How closely they are watched. What is found ends a life; with `off` nothing is looked for but growth.
    #[arg(long, value_name = "off|sampled|full", value_parser = checks)]
    pub(crate) checks: Option<Checks>,

    /// Print the outcomes as a JSON array.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct FrontierArgs {
    /// The settings, and the clusters to try them in, as TOML. Without it, those behind the defaults:
    /// crates/tidings-sim/frontier.toml.
    #[arg(long, value_name = "FILE")]
    pub(crate) experiment: Option<PathBuf>,

    /// At most so many seeds of each cluster.
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true)]
    pub(crate) seeds: u64,

    /// Leave out larger clusters.
    #[arg(long, value_name = "NODES", default_value_t = usize::MAX, hide_default_value = true)]
    pub(crate) max_nodes: usize,

    /// How many run at once; without it, as many as the machine has processors.
    #[arg(long)]
    pub(crate) jobs: Option<usize>,

    /// Print the experiment and all points as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,

    /// Draw detection against false alarms.
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// The scenarios.
    #[arg(long, value_name = "FOLDER", default_value = "crates/tidings-sim/scenarios")]
    pub(crate) scenarios: PathBuf,

    /// Where the page and its plots are written.
    #[arg(long, value_name = "FOLDER", default_value = "docs/simulation-report")]
    pub(crate) to: PathBuf,

    /// Only those with this in their file's name.
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ReplayArgs {
    /// What a driver or `run --record` has written.
    pub(crate) file: PathBuf,

    /// Show each step: the input, and what came of it.
    #[arg(long)]
    pub(crate) verbose: bool,

    /// Show each step from this one on.
    #[arg(long, value_name = "STEP")]
    pub(crate) from: Option<u64>,

    /// Hold the node against the core's invariants after each step.
    #[arg(long)]
    pub(crate) invariants: bool,

    /// Go on where outputs differ from those recorded, as after a change of the protocol.
    #[arg(long)]
    pub(crate) keep_going: bool,
}

fn dialect(text: &str) -> Result<Dialect, String> {
    match text {
        "aiocluster" => Ok(Dialect::Aiocluster),
        "tidings" => Ok(Dialect::Tidings),
        _ => Err(format!("{text:?} is none of aiocluster, tidings")),
    }
}

fn checks(text: &str) -> Result<Checks, String> {
    match text {
        "off" => Ok(Checks::Off),
        "sampled" => Ok(Checks::Sampled),
        "full" => Ok(Checks::Full),
        _ => Err(format!("{text:?} is none of off, sampled, full")),
    }
}

/// Runs one scenario.
pub(crate) fn run(args: &RunArgs) -> Result<ExitCode, Box<dyn Error>> {
    let scenario = scenario(args)?;
    if let Some(file) = &args.save {
        fs::write(file, toml::to_string(&scenario)?)?;
    }
    let mut keep = Keep { record: args.record_node, ..Keep::default() };
    if args.trace {
        keep.trace = Some(Box::new(std::io::BufWriter::new(std::io::stdout())));
    }
    let report = tidings_sim::run_and_keep(&scenario, keep)?;
    if let (Some(file), Some(node)) = (&args.record, args.record_node) {
        let recording = report.recording.as_ref();
        let recording = recording.ok_or_else(|| format!("--record-node {node}: there is no such node"))?;
        fs::write(file, recording).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    if let Some(file) = &args.plot {
        crate::plot::draw(file, &report)?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads a scenario from a file.
pub(crate) fn read(file: &Path) -> Result<Scenario, Box<dyn Error>> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?)
}

/// The scenarios of a folder, by name: those that have `only` in their names.
pub(crate) fn scenarios(folder: &Path, only: Option<&str>) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(|error| format!("{}: {error}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.extension().is_some_and(|extension| extension == "toml"))
        .filter(|file| only.is_none_or(|only| stem(file).contains(only)))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(format!("{} has no such scenario", folder.display()).into());
    }
    Ok(files)
}

/// What a scenario's file is called.
pub(crate) fn stem(file: &Path) -> String {
    file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

fn scenario(args: &RunArgs) -> Result<Scenario, Box<dyn Error>> {
    let mut scenario = match (&args.scenario, args.swarm_seed) {
        (Some(file), _) => read(file)?,
        (None, Some(seed)) => tidings_sim::swarm::scenario(seed),
        (None, None) => Scenario::default(),
    };
    if let Some(dialect) = args.dialect {
        scenario = scenario.speaking(dialect);
    }
    let Scenario { nodes, seed, duration, checks, protocol, link, workload, .. } = &mut scenario;
    set(nodes, args.nodes);
    set(seed, args.seed);
    set(duration, args.duration);
    set(checks, args.checks);
    set(&mut protocol.interval, args.interval);
    set(&mut link.loss, args.loss);
    set(&mut link.latency, args.latency);
    set(&mut workload.keys, args.keys);
    set(&mut workload.writes_per_s, args.writes);
    if let Some(share) = args.crash {
        let kind = FaultKind::Crash { power: args.power };
        let (stagger, every) = (Duration::ZERO, Duration::ZERO);
        scenario.faults.push(Fault { at: args.crash_at, who: Who::Some(share), stagger, times: 0, every, kind });
    }
    Ok(scenario)
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn print(report: &Report) {
    let rounds = |rounds: Option<f64>| rounds.map_or("never".to_string(), |rounds| format!("{rounds:.0} rounds"));
    println!("{} nodes for {:.0} s, seed {}", report.nodes, report.virtual_s, report.seed);
    println!("  converged after  {}", rounds(report.rounds_to_converge));
    if report.rounds_to_heal.is_some() {
        println!("  healed after     {}", rounds(report.rounds_to_heal));
    }
    let detection = &report.detection_s;
    if detection.count > 0 {
        let (median, p99, max, count) = (detection.median, detection.p99, detection.max, detection.count);
        println!("  detected after   {median:.1} s median, {p99:.1} s p99, {max:.1} s last, {count} times");
    }
    println!("  false positives  {}", report.false_positives);
    println!(
        "  traffic a node   {:.0} bytes/s, {:.1} packets/s, largest packet {} bytes",
        report.bytes_per_node_per_s, report.messages_per_node_per_s, report.max_packet_bytes
    );
    println!("  simulated        {:.2} node-hours per CPU second", report.node_hours_per_cpu_s);
    println!("  trace            {}", report.trace_hash);
    for violation in &report.violations {
        println!("  VIOLATED         {violation}");
    }
}
