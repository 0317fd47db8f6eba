//! Seeds that once found a bug, and a few more, on every `cargo test`.

use tidings_sim::{Checks, run, swarm};

/// Each of these failed once. The number is the seed, the rest says what it found.
const REGRESSIONS: &str = include_str!("regressions.txt");

#[test]
fn what_was_once_found_stays_mended() {
    let lines = REGRESSIONS.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut count = 0;
    for line in lines {
        let (seed, what) = line.split_once(' ').expect("a seed and what it found");
        let seed = seed.parse().expect("a number");
        let report = run(&swarm::scenario(seed)).expect("a valid scenario");
        assert_eq!(
            report.violations, [""; 0],
            "seed {seed} is back ({what}): tidings-sim run --swarm-seed {seed} --trace"
        );
        count += 1;
    }
    assert!(count > 0, "the list is empty");
}

#[test]
fn a_small_swarm_passes() {
    for seed in 5_000_000..5_000_025 {
        let report = run(&swarm::scenario(seed)).expect("a valid scenario");
        assert_eq!(report.violations, [""; 0], "tidings-sim run --swarm-seed {seed} --trace");
        assert!(report.rounds_to_heal.is_some());
    }
}

#[test]
fn the_same_seed_gives_the_same_run_to_the_byte_however_closely_it_is_watched() {
    for seed in 0..5 {
        let scenario = swarm::scenario(seed);
        let hash = |checks| {
            let mut scenario = scenario.clone();
            scenario.checks = checks;
            run(&scenario).expect("a valid scenario").trace_hash
        };
        let first = hash(Checks::Sampled);
        assert_eq!(first, hash(Checks::Sampled), "seed {seed}");
        assert_eq!(first, hash(Checks::Full), "seed {seed}");
        assert_eq!(first, hash(Checks::Off), "seed {seed}");
    }
}

#[test]
fn different_seeds_give_different_runs() {
    let hash = |seed| run(&tidings_sim::Scenario { seed, ..Default::default() }).expect("a valid scenario").trace_hash;
    assert_ne!(hash(7), hash(8));
}

#[test]
fn every_scenario_that_is_kept_is_valid() {
    for folder in ["/scenarios", "/lives"] {
        let folder = format!("{}{folder}", env!("CARGO_MANIFEST_DIR"));
        let mut count = 0;
        for entry in std::fs::read_dir(&folder).expect("the folder") {
            let file = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&file).expect("a text");
            let scenario: tidings_sim::Scenario =
                toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            scenario.validate().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            count += 1;
        }
        assert!(count > 0, "{folder} is empty");
    }
}
