//! Checks of `docs/operations` that need programs of others: systemd's, and Prometheus'.
//!
//! `tidings-operations run` has systemd look at the unit, promtool play the cases of the alerts, and a real Prometheus
//! scrape real agents, which then has an answer to every question of the dashboard. See this crate's README.md.

mod prometheus;
mod systemd;
mod tool;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};

/// Checks what docs/operations holds with systemd and Prometheus.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run all checks; fails where one cannot be run.
    Run {
        /// The tidings binary; without it, the one beside this program.
        #[arg(long, value_name = "FILE")]
        program: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let Command::Run { program } = Cli::parse().command;
    match run(program) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(program: Option<PathBuf>) -> Result<()> {
    let program = match program {
        Some(program) => program,
        None => std::env::current_exe()?.with_file_name("tidings"),
    };
    ensure!(
        program.is_file(),
        "there is no tidings binary at {}; 'cargo build -p tidings' makes it (with --release, if this is a release)",
        program.display()
    );
    let program = program.canonicalize()?;
    let folder = tempfile::tempdir()?;
    systemd::check(&program, folder.path())?;
    passed("systemd takes the unit, and finds it shut tight")?;
    prometheus::check_files()?;
    passed("promtool takes the rules and the configuration; each alert fires when it should, and only then")?;
    prometheus::scrape(&program, folder.path())?;
    passed("a Prometheus that scrapes two agents has an answer for each panel, and evaluates each rule")
}

fn passed(what: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "passed: {what}")?)
}
