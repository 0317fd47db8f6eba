//! The command line, `run` and `count`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tidings_bench::operations::Operation;
use tidings_bench::{Kind, Outcome, count};
use tidings_sim::{Fault, FaultKind, Latency, Scenario, Share, Who};

/// tidings, chitchat and foca over the same simulated links.
#[derive(Debug, Parser)]
#[command(name = "tidings-bench", version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a cluster of one system.
    Run(RunArgs),
    /// Run clusters of several systems, sizes and losses, and print one table.
    Compare(CompareArgs),
    /// Count the instructions of single operations, with valgrind.
    Count(CountArgs),
    /// Do an operation, for valgrind to count.
    #[command(hide = true)]
    Perform {
        /// Which.
        operation: Operation,
        /// In a cluster of so many nodes.
        nodes: usize,
        /// So often.
        times: usize,
    },
}

#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// Of what the cluster is.
    #[arg(long)]
    pub(crate) system: Kind,

    /// How many nodes.
    #[arg(long, default_value_t = 10)]
    pub(crate) nodes: usize,

    /// The probability that a packet is lost, 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    pub(crate) loss: f64,

    #[command(flatten)]
    pub(crate) shared: SharedArgs,

    /// Print the outcome as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CompareArgs {
    /// Which systems.
    #[arg(long, value_delimiter = ',', default_value = "tidings,chitchat,foca")]
    pub(crate) systems: Vec<Kind>,

    /// How many nodes, each of these.
    #[arg(long, value_delimiter = ',', default_value = "10,100,300")]
    pub(crate) nodes: Vec<usize>,

    /// The probability that a packet is lost, each of these.
    #[arg(long, value_delimiter = ',', default_value = "0,0.1,0.3,0.5")]
    pub(crate) loss: Vec<f64>,

    #[command(flatten)]
    pub(crate) shared: SharedArgs,

    /// Print a JSON object a line after the table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `run` and `compare` have in common, with the names that `tidings-sim run` has for it.
#[derive(Args, Debug)]
pub(crate) struct SharedArgs {
    /// Where the chance of the links, of tidings and of foca comes from.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// How long a packet takes: 5ms, 1ms..20ms, or "1ms..20ms tail 0.05".
    #[arg(long, default_value = "1ms..20ms")]
    latency: Latency,

    /// Keys of each node.
    #[arg(long, default_value_t = 10)]
    keys: usize,

    /// Time between two gossip rounds; foca probes as often.
    #[arg(long, default_value = "1s", value_parser = humantime::parse_duration)]
    interval: Duration,

    /// How long it lasts, in virtual time.
    #[arg(long = "for", value_name = "TIME", default_value = "120s", value_parser = humantime::parse_duration)]
    duration: Duration,

    /// Nodes that crash: 3, or 10%.
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    crash: Share,

    /// When they crash.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    crash_at: Duration,
}

#[derive(Args, Debug)]
pub(crate) struct CountArgs {
    /// Sizes of the cluster; for the operations beside many key-values, how many there are.
    #[arg(long, value_delimiter = ',', default_value = "100,1000")]
    nodes: Vec<usize>,

    /// Which operations; without it, all.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Operation>,

    /// Where valgrind is.
    #[arg(long, value_name = "FILE", default_value = "valgrind")]
    valgrind: PathBuf,
}

impl SharedArgs {
    pub(crate) fn scenario(&self, nodes: usize, loss: f64) -> Scenario {
        let mut scenario = Scenario { nodes, seed: self.seed, duration: self.duration, ..Scenario::default() };
        scenario.link.loss = loss;
        scenario.link.latency = self.latency;
        scenario.protocol.interval = self.interval;
        // chitchat and foca would else do everything in step, at whole seconds, as no real cluster does.
        scenario.boot_over = self.interval;
        scenario.workload.keys = self.keys;
        if self.crash != Share::Count(0) {
            let (stagger, every) = (Duration::ZERO, Duration::ZERO);
            let kind = FaultKind::Crash { power: false };
            scenario.faults =
                vec![Fault { at: self.crash_at, who: Who::Some(self.crash), stagger, times: 0, every, kind }];
        }
        scenario
    }
}

/// Runs a cluster of one system.
pub(crate) fn run(args: &RunArgs) -> anyhow::Result<()> {
    let outcome = tidings_bench::run(args.system, &args.shared.scenario(args.nodes, args.loss))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    } else {
        print(&outcome);
    }
    Ok(())
}

/// Counts instructions, or says why that is not possible.
pub(crate) fn count(args: &CountArgs) -> anyhow::Result<()> {
    let operations = if args.only.is_empty() { Operation::all() } else { &args.only[..] };
    let this = std::env::current_exe()?;
    println!("{:<32} {:>6} {:>16} {:>16} {:>10}", "operation", "nodes", "instructions", "per node", "bytes");
    for nodes in &args.nodes {
        for operation in operations {
            let counted = count::count(&args.valgrind, &this, *operation, *nodes)?;
            let (name, instructions) = (operation.to_string(), counted.instructions);
            let each = instructions / *nodes as f64;
            println!("{name:<32} {nodes:>6} {instructions:>16.0} {each:>16.0} {:>10}", counted.bytes);
        }
    }
    Ok(())
}

fn print(outcome: &Outcome) {
    let Outcome { system, nodes, virtual_s, seed, .. } = outcome;
    println!("{nodes} nodes of {system} for {virtual_s:.0} s, seed {seed}");
    let rounds = outcome.rounds_to_converge.map_or("never".to_string(), |rounds| format!("{rounds:.0} rounds"));
    println!("  converged after  {rounds}");
    let detection = &outcome.detection_s;
    if detection.count > 0 {
        let (median, p99, max, count) = (detection.median, detection.p99, detection.max, detection.count);
        println!("  detected after   {median:.1} s median, {p99:.1} s p99, {max:.1} s last, {count} times");
    }
    println!("  false positives  {}", outcome.false_positives);
    println!(
        "  traffic a node   {:.0} bytes/s, {:.1} packets/s, largest packet {} bytes",
        outcome.bytes_per_node_per_s, outcome.messages_per_node_per_s, outcome.max_packet_bytes
    );
    if let Some(links) = outcome.deliveries {
        let lost = 100.0 * links.lost as f64 / links.sent.max(1) as f64;
        let millis = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64() * 1e3;
        let (shortest, longest) = (millis(links.shortest), millis(links.longest));
        println!("  links            lost {lost:.1} %, took {shortest:.1} to {longest:.1} ms");
    }
    let cpu = outcome.cpu_us_per_node_per_s();
    println!(
        "  simulated        {:.2} node-hours per CPU second ({cpu:.1} us of a node a second)",
        outcome.node_hours_per_cpu_s
    );
    println!("  trace            {}", outcome.trace_hash.as_deref().unwrap_or("another one each time"));
}
