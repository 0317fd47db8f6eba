//! The command line.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Parser, Subcommand};
use tidings_program::Program;

use crate::linux::{interrupt, leftovers, requirements, scenario};

/// What shells give for a process that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

#[derive(Parser)]
#[command(about, version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Play the scenarios and say what was held where
    Run {
        /// Play this one; may be given several times [default: all]
        #[arg(long = "scenario", value_name = "NAME", value_parser = scenario_names())]
        scenarios: Vec<String>,
        /// Run this `tidings` binary on the hosts instead of building one
        #[arg(long, value_name = "PATH")]
        program: Option<PathBuf>,
    },
}

fn scenario_names() -> PossibleValuesParser {
    let names = scenario::ALL.iter().map(|scenario| PossibleValue::new(scenario.name).help(scenario.about));
    PossibleValuesParser::new(names)
}

/// Does what the command line says.
pub(crate) fn obey() -> ExitCode {
    let Command::Run { scenarios, program } = Arguments::parse().command;
    match run(&scenarios, program) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            if interrupt::is_raised() { ExitCode::from(INTERRUPTED) } else { ExitCode::FAILURE }
        }
    }
}

fn run(scenarios: &[String], program: Option<PathBuf>) -> Result<ExitCode> {
    requirements::check()?;
    interrupt::listen()?;
    leftovers::remove()?;
    let program = program.map_or_else(Program::build, Program::at)?;
    let report = scenario::run(&program, scenarios)?;
    writeln!(std::io::stdout(), "{report}")?;
    Ok(if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }
}
