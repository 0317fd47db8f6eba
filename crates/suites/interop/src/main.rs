//! tidings and the real Python aiocluster in one cluster.
//!
//! `env` makes the Python environment, `record` records golden packets from real aiocluster nodes, `run` plays the
//! scenarios: clusters of processes and nodes on loopback, each of which says at the end what was held where.

mod environment;
mod member;
mod mixed_cluster;
mod our_peer;
mod python_peer;
mod record;
mod relay;
mod report;
mod scenario;
mod security;
mod view;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Parser, Subcommand};

use crate::environment::Environment;

#[derive(Parser)]
#[command(about, version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make the Python environment, if it is not there yet, and say where it is
    Env,
    /// Play the scenarios and say what was held where
    Run {
        /// Play this one; may be given several times [default: all]
        #[arg(long = "scenario", value_name = "NAME", value_parser = scenario_names())]
        scenarios: Vec<String>,
    },
    /// Record golden packets from real aiocluster nodes into proto/vectors
    Record {
        /// Compare with the packets in proto/vectors and change nothing
        #[arg(long)]
        check: bool,
    },
}

fn scenario_names() -> PossibleValuesParser {
    let names = scenario::ALL.iter().map(|scenario| PossibleValue::new(scenario.name).help(scenario.about));
    PossibleValuesParser::new(names)
}

#[tokio::main]
async fn main() -> ExitCode {
    match obey(Arguments::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn obey(command: Command) -> Result<ExitCode> {
    let environment = Environment::prepare()?;
    let mut out = std::io::stdout();
    match command {
        Command::Run { scenarios } => {
            let report = scenario::run(&environment, &scenarios).await?;
            writeln!(out, "{report}")?;
            return Ok(if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Env => writeln!(out, "{}", environment.python.display())?,
        Command::Record { check: true } => {
            let packets = record::check(&environment).await?;
            writeln!(out, "{packets} packets, each as it is in proto/vectors")?;
        }
        Command::Record { check: false } => {
            let packets = record::record(&environment).await?;
            writeln!(out, "{packets} packets recorded in proto/vectors")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_knows_every_scenario() {
        Arguments::command().debug_assert();
        for scenario in scenario::ALL {
            Arguments::try_parse_from(["tidings-interop", "run", "--scenario", scenario.name]).unwrap();
        }
        assert!(Arguments::try_parse_from(["tidings-interop", "run", "--scenario", "no-such-story"]).is_err());
    }
}
