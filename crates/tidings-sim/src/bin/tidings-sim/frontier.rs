//! `frontier`: many settings of the failure detector, tried on the same runs.

mod plot;

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tidings_sim::frontier::{Cluster, Experiment, Heard, Point};

use crate::cli::FrontierArgs;

/// The experiment behind the defaults.
const OURS: &str = include_str!("../../../frontier.toml");

pub(crate) fn run(args: &FrontierArgs) -> Result<ExitCode, Box<dyn Error>> {
    let mut experiment: Experiment = match &args.experiment {
        None => toml::from_str(OURS)?,
        Some(file) => {
            let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
            toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?
        }
    };
    experiment.clusters.retain(|cluster| cluster.nodes <= args.max_nodes);
    for cluster in &mut experiment.clusters {
        cluster.seeds = cluster.seeds.min(args.seeds);
    }
    let points = points(&experiment, args.jobs)?;
    if let Some(file) = &args.plot {
        plot::draw(file, &experiment, &points)?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&json!({ "experiment": experiment, "points": points }))?);
    } else {
        println!("{}", table(&experiment, &points));
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs every cluster with every seed, some at once.
fn points(experiment: &Experiment, jobs: Option<usize>) -> Result<Vec<Point>, Box<dyn Error>> {
    let clusters = experiment.clusters.iter().enumerate();
    let runs: Vec<(usize, u64)> =
        clusters.flat_map(|(index, cluster)| (1..=cluster.seeds).map(move |seed| (index, seed))).collect();
    let jobs = jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)).max(1);
    // It draws nothing where the output is no terminal.
    let bar = ProgressBar::new(runs.len() as u64);
    bar.set_style(ProgressStyle::with_template("{wide_bar} {pos}/{len} runs, {elapsed}")?);
    bar.enable_steady_tick(Duration::from_millis(250));

    let mut heard: Vec<Vec<Heard>> = experiment.clusters.iter().map(|_| Vec::new()).collect();
    let (next, (sender, receiver)) = (AtomicUsize::new(0), mpsc::channel());
    thread::scope(|scope| {
        for _ in 0..jobs {
            let (sender, next, runs) = (sender.clone(), &next, &runs);
            scope.spawn(move || {
                while let Some((cluster, seed)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if sender.send((*cluster, experiment.run(*cluster, *seed))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (cluster, of_seed) in receiver {
            heard[cluster].push(of_seed?);
            bar.inc(1);
        }
        Ok::<(), Box<dyn Error>>(())
    })?;
    bar.finish_and_clear();
    Ok(heard.into_iter().enumerate().flat_map(|(cluster, heard)| experiment.points(cluster, heard)).collect())
}

/// Each candidate with its own threshold, and with the lowest one that makes no false alarm.
fn table(experiment: &Experiment, points: &[Point]) -> String {
    let mut table = String::from("| settings | threshold |");
    for cluster in &experiment.clusters {
        let _ = write!(table, " {} |", title(cluster));
    }
    table += "\n|---|---|";
    table += &"---|".repeat(experiment.clusters.len());
    for (index, candidate) in experiment.candidates.iter().enumerate() {
        let own = candidate.protocol.phi_threshold;
        let of_candidate = || points.iter().filter(|point| point.candidate == index);
        let is_quiet = |threshold: f64| {
            of_candidate().filter(|point| point.threshold == threshold).all(|point| point.false_alarms == 0)
        };
        let lowest = experiment.thresholds_of(candidate).into_iter().find(|threshold| is_quiet(*threshold));
        for threshold in [Some(own), lowest.filter(|lowest| *lowest != own)].into_iter().flatten() {
            let _ = write!(table, "\n| {} | {threshold} |", candidate.name);
            for point in of_candidate().filter(|point| point.threshold == threshold) {
                let _ = match experiment.clusters[point.cluster].crash_at {
                    Some(_) => write!(table, " {:.1} / {:.1} |", point.detection_s.median, point.detection_s.max),
                    None => write!(table, " {} |", point.false_alarms),
                };
            }
        }
    }
    table
}

/// What is measured in this cluster.
fn title(cluster: &Cluster) -> String {
    let Cluster { nodes, seeds, duration, loss, .. } = cluster;
    let duration = humantime::format_duration(*duration);
    match cluster.crash_at {
        Some(at) => format!("N={nodes}, crash at {}: median / last s", humantime::format_duration(at)),
        None => format!("false alarms: N={nodes}, {:.0} % loss, {seeds} seeds of {duration}", loss * 100.0),
    }
}
