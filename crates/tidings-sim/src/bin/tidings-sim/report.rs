//! `report`: all scenarios of a folder, on one page.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::process::ExitCode;

use tidings_sim::{Report, Scenario};

use crate::cli::{ReportArgs, read, scenarios, stem};
use crate::plot;

pub(crate) fn run(args: &ReportArgs) -> Result<ExitCode, Box<dyn Error>> {
    let files = scenarios(&args.scenarios, args.only.as_deref())?;
    fs::create_dir_all(&args.to)?;
    let mut page = String::from(HEAD);
    let mut plots = String::new();
    let mut is_clean = true;
    for file in &files {
        let name = stem(file);
        let scenario = read(file)?;
        let report = tidings_sim::run(&scenario)?;
        eprintln!("{name}: {:.2} node-hours per CPU second", report.node_hours_per_cpu_s);
        plot::draw(&args.to.join(format!("{name}.svg")), &report)?;
        is_clean &= report.violations.is_empty();
        page += &row(&name, &scenario, &report);
        write!(plots, "\n## {name}\n\n{}\n\n![{name}]({name}.svg)\n", scenario.name)?;
        for violation in &report.violations {
            write!(plots, "\nViolated: {violation}\n")?;
        }
    }
    fs::write(args.to.join("README.md"), page + &plots)?;
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

const HEAD: &str = "\
# Simulated scenarios

Written by `tidings-sim report`. Each row is one run of one scenario of `crates/tidings-sim/scenarios`, with one seed.
Detection: from the end of a process until another node declares it dead, over all pairs. False positives: a running
node declared a running node dead; among healthy: nothing was done to either of both.

| scenario | nodes | virtual s | rounds to converge | detection median / p99 / last s | false positives | among healthy | bytes/s a node | packets/s a node | largest packet | violations |
|---|---|---|---|---|---|---|---|---|---|---|
";

fn row(name: &str, scenario: &Scenario, report: &Report) -> String {
    let rounds = report.rounds_to_converge.map_or("never".to_string(), |rounds| format!("{rounds:.0}"));
    let detection = match report.detection_s {
        spread if spread.count == 0 => "-".to_string(),
        spread => format!("{:.1} / {:.1} / {:.1}", spread.median, spread.p99, spread.max),
    };
    format!(
        "| [{name}](#{name}) | {} | {:.0} | {rounds} | {detection} | {} | {} | {:.0} | {:.1} | {} | {} |\n",
        scenario.nodes,
        report.virtual_s,
        report.false_positives,
        report.false_positives_among_healthy,
        report.bytes_per_node_per_s,
        report.messages_per_node_per_s,
        report.max_packet_bytes,
        report.violations.len()
    )
}
