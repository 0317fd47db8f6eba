//! The command line.

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Parser, Subcommand};
use tidings_program::Program;

use crate::requirements::Chromium;
use crate::scenario;
use crate::stage::Stage;

#[derive(Parser)]
#[command(about, version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say where Chromium and its driver are, or what is missing and how to get it
    Env,
    /// Play the scenarios and say how each went
    Run {
        /// Play this one; may be given several times [default: all]
        #[arg(long = "scenario", value_name = "NAME", value_parser = scenario_names())]
        scenarios: Vec<String>,
        /// Run this `tidings` binary instead of building one
        #[arg(long, value_name = "PATH")]
        program: Option<PathBuf>,
        /// Keep the screenshots here [default: `browser` in cargo's target directory]
        #[arg(long, value_name = "DIRECTORY")]
        screenshots: Option<PathBuf>,
    },
}

fn scenario_names() -> PossibleValuesParser {
    let names = scenario::ALL.iter().map(|scenario| PossibleValue::new(scenario.name).help(scenario.about));
    PossibleValuesParser::new(names)
}

/// Does what the command line says.
pub(crate) fn obey() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Env => tell_environment(),
        Command::Run { scenarios, program, screenshots } => run(&scenarios, program, screenshots),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn tell_environment() -> Result<ExitCode> {
    let Chromium { browser, driver } = Chromium::find()?;
    writeln!(std::io::stdout(), "{}\n{}", browser.display(), driver.display())?;
    Ok(ExitCode::SUCCESS)
}

fn run(scenarios: &[String], program: Option<PathBuf>, screenshots: Option<PathBuf>) -> Result<ExitCode> {
    let chromium = Chromium::find()?;
    let program = program.map_or_else(Program::build, Program::at)?;
    let screenshots = screenshots.unwrap_or_else(|| target_directory().join("browser"));
    std::fs::create_dir_all(&screenshots)
        .with_context(|| format!("cannot make {}; name another with --screenshots", screenshots.display()))?;
    let stage = Stage::set(program, &chromium, screenshots)?;
    let report = scenario::run(&stage, scenarios)?;
    writeln!(std::io::stdout(), "{report}\nscreenshots: {}", stage.screenshots().display())?;
    Ok(if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where cargo puts what it builds.
fn target_directory() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => PathBuf::from(directory),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join("..").join("..").join("target"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound_and_knows_every_scenario() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
        for scenario in scenario::ALL {
            Arguments::try_parse_from(["tidings-browser", "run", "--scenario", scenario.name]).unwrap();
        }
        assert!(Arguments::try_parse_from(["tidings-browser", "run", "--scenario", "no-such-story"]).is_err());
    }
}
