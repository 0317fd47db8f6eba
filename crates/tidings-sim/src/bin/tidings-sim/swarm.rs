//! `swarm`: many seeds on several threads, and what to do with one that fails.

use std::error::Error;
use std::fs;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tidings_core::Dialect;
use tidings_sim::{Report, Scenario, swarm};

use crate::cli::SwarmArgs;

/// Runs of a failing scenario, at most, to make it smaller.
const SHRINK_RUNS: usize = 400;

/// A seed's run.
struct Done {
    seed: u64,
    outcome: Result<Report, String>,
}

pub(crate) fn run(args: &SwarmArgs) -> Result<ExitCode, Box<dyn Error>> {
    let jobs = args.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)).max(1);
    let end = args.from.saturating_add(args.seeds);
    let (next, stop) = (AtomicU64::new(args.from), AtomicBool::new(false));
    let deadline = args.run_for.map(|duration| Instant::now() + duration);
    let began = Instant::now();
    let (sender, receiver) = mpsc::channel();

    let failed = thread::scope(|scope| {
        for _ in 0..jobs {
            let (sender, next, stop) = (sender.clone(), &next, &stop);
            scope.spawn(move || work(sender, next, stop, &|seed| scenario(args, seed), (end, deadline)));
        }
        drop(sender);
        watch(args, &receiver, &stop)
    });
    let Watched { runs, virtual_s, mut failed } = failed;
    failed.sort_unstable();
    println!(
        "{runs} seeds from {} on in {:.1} s on {jobs} threads, {:.1} virtual hours: {} failed",
        args.from,
        began.elapsed().as_secs_f64(),
        virtual_s / 3600.0,
        failed.len()
    );
    for (seed, why) in &failed {
        println!("seed {seed}: {why}");
        let dialect = if args.dialect == Dialect::Tidings { " --dialect tidings" } else { "" };
        println!("  tidings-sim run --swarm-seed {seed}{dialect} --trace");
    }
    if let (Some((seed, _)), false) = (failed.first(), args.keep_going) {
        shrink(args, *seed)?;
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn scenario(args: &SwarmArgs, seed: u64) -> Scenario {
    swarm::scenario(seed).speaking(args.dialect)
}

fn work(
    sender: mpsc::Sender<Done>,
    next: &AtomicU64,
    stop: &AtomicBool,
    scenario: &dyn Fn(u64) -> Scenario,
    (end, deadline): (u64, Option<Instant>),
) {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        let is_late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if seed >= end || is_late || stop.load(Ordering::Relaxed) {
            return;
        }
        let outcome = tidings_sim::run(&scenario(seed)).map_err(|error| error.to_string());
        if sender.send(Done { seed, outcome }).is_err() {
            return;
        }
    }
}

struct Watched {
    runs: u64,
    virtual_s: f64,
    failed: Vec<(u64, String)>,
}

/// Shows how far it is, on a terminal, and gathers what failed.
fn watch(args: &SwarmArgs, receiver: &mpsc::Receiver<Done>, stop: &AtomicBool) -> Watched {
    // It draws nothing where the output is no terminal.
    let bar = ProgressBar::new(args.seeds);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} seeds, {per_sec}, {eta} left {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    let mut watched = Watched { runs: 0, virtual_s: 0.0, failed: Vec::new() };
    for Done { seed, outcome } in receiver {
        watched.runs += 1;
        bar.inc(1);
        let why = match outcome {
            Ok(report) => {
                watched.virtual_s += report.virtual_s;
                report.violations.first().cloned()
            }
            Err(error) => Some(error),
        };
        if let Some(why) = why {
            watched.failed.push((seed, why));
            bar.set_message(format!("{} FAILED", watched.failed.len()));
            stop.fetch_or(!args.keep_going, Ordering::Relaxed);
        }
    }
    bar.finish_and_clear();
    watched
}

/// Makes the seed's scenario smaller, writes it down, and says how to run it.
fn shrink(args: &SwarmArgs, seed: u64) -> Result<(), Box<dyn Error>> {
    println!("making it smaller ...");
    let Some((smallest, report)) = swarm::shrink(&scenario(args, seed), SHRINK_RUNS) else { return Ok(()) };
    let file = args.save_to.join(format!("swarm-{seed}.toml"));
    fs::write(&file, toml::to_string(&smallest)?)?;
    println!(
        "{} nodes, {} faults, {:.1} s: {}",
        smallest.nodes,
        smallest.faults.len(),
        report.virtual_s,
        report.violations.join("; ")
    );
    println!("  tidings-sim run --scenario {} --trace", file.display());
    Ok(())
}
