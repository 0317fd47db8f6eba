//! The `tidings-sim` command: runs one scenario, or a swarm of seeds, writes a report, or plays a recording.
#![allow(clippy::print_stdout, reason = "a command prints")]

mod cli;
mod frontier;
mod life;
mod plot;
mod replay;
mod report;
mod swarm;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let done = match cli::Cli::parse().command {
        cli::Command::Run(args) => cli::run(&args),
        cli::Command::Swarm(args) => swarm::run(&args),
        cli::Command::Life(args) => life::run(&args),
        cli::Command::Frontier(args) => frontier::run(&args),
        cli::Command::Report(args) => report::run(&args),
        cli::Command::Replay(args) => replay::run(&args),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tidings-sim: {error}");
            ExitCode::FAILURE
        }
    }
}
