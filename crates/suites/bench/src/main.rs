//! The `tidings-bench` command: tidings, chitchat and foca over the same simulated links.
#![allow(clippy::print_stdout, reason = "a command prints")]

mod cli;
mod compare;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let done = match cli::Cli::parse().command {
        cli::Command::Run(args) => cli::run(&args),
        cli::Command::Compare(args) => compare::run(&args),
        cli::Command::Count(args) => cli::count(&args),
        cli::Command::Perform { operation, nodes, times } => {
            operation.perform(nodes, times).map(|bytes| println!("{bytes}"))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tidings-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
