//! The `tidings-sim` command.
#![allow(clippy::print_stdout, reason = "a command prints")]

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (from, to): (u64, u64) = (args.next().unwrap().parse().unwrap(), args.next().unwrap().parse().unwrap());
    for seed in from..to {
        let s = tidings_sim::swarm::scenario(seed);
        let t = std::time::Instant::now();
        if std::env::var("SHRINK").is_ok() {
            let (s, r) = tidings_sim::swarm::shrink(&s, 300).unwrap();
            println!("{}\n{:?}", toml::to_string(&s).unwrap(), r.violations);
            if std::env::var("TRACE").is_ok() {
                tidings_sim::run_with_trace(&s, Box::new(std::io::stdout())).unwrap();
            }
            continue;
        }
        let r = tidings_sim::run(&s).unwrap();
        let ms = t.elapsed().as_millis();
        println!(
            "{seed} n={} {:.0}s {ms}ms heal {:?} fp {} {:?}",
            r.nodes, r.virtual_s, r.rounds_to_heal, r.false_positives, r.violations
        );
    }
    ExitCode::SUCCESS
}
