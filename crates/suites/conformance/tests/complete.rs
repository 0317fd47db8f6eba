//! Every scenario is run on every runtime: one that no test calls would look as if it passed.

use std::fs;
use std::path::Path;

#[test]
fn each_runtime_has_a_test_for_each_scenario() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut scenarios = Vec::new();
    for entry in fs::read_dir(here.join("src")).unwrap() {
        let source = fs::read_to_string(entry.unwrap().path()).unwrap();
        let names =
            source.lines().filter_map(|line| line.strip_prefix("pub async fn ")?.strip_suffix("<R: Runtime>() {"));
        scenarios.extend(names.map(str::to_owned));
    }
    assert!(scenarios.len() > 40, "{scenarios:?}");

    for (runtime, name) in [("tidings-async-std", "AsyncStd"), ("tidings-smol", "Smol"), ("tidings-tokio", "Tokio")] {
        let tests = fs::read_to_string(here.join("../..").join(runtime).join("tests/conformance.rs")).unwrap();
        for scenario in &scenarios {
            let call = format!("suite::{scenario}::<{name}>()");
            assert!(tests.contains(&call), "{runtime} does not run {scenario}");
        }
        assert_eq!(tests.matches("suite::").count(), scenarios.len(), "{runtime} runs each scenario once");
    }
}
