//! `life`: clusters that live for long, day by day.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use tidings_sim::{Report, Scenario};

use crate::cli::{LifeArgs, read, scenarios};

pub(crate) fn run(args: &LifeArgs) -> Result<ExitCode, Box<dyn Error>> {
    let files = match &args.scenario {
        Some(file) => vec![file.clone()],
        None => scenarios(&args.scenarios, args.only.as_deref())?,
    };
    let mut is_clean = true;
    let mut reports = Vec::new();
    for file in &files {
        let scenario = Scenario { checks: args.checks.unwrap_or(read(file)?.checks), ..read(file)? };
        let report = tidings_sim::run(&scenario)?;
        is_clean &= report.violations.is_empty();
        if args.json {
            reports.push(report);
        } else {
            print(file, &report);
        }
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&reports)?);
    }
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(file: &Path, report: &Report) {
    println!("{}", report.name);
    println!("  {}, seed {}, {:.1} hours", file.display(), report.seed, report.virtual_s / 3600.0);
    println!(
        "  {:>4} {:>8} {:>8} {:>12} {:>16} {:>8}",
        "day", "starts", "running", "known at most", "bytes/s a node", "events"
    );
    for day in &report.days {
        println!(
            "  {:>4} {:>8} {:>8} {:>12} {:>16.0} {:>8}",
            day.day, day.starts, day.running, day.most_known, day.bytes_per_node_per_s, day.events
        );
    }
    for violation in &report.violations {
        println!("  VIOLATED {violation}");
    }
    if let Some(memory) = memory_kib() {
        println!("  at most {} MB of memory so far", memory / 1024);
    }
    println!();
}

/// The most memory that this process has had, where the system says so.
fn memory_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
