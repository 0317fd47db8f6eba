//! The core builds without std: a crate with a panic handler of its own depends on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn the_core_needs_no_std() {
    let (passed, output) = check_probe("without_std", &[]);
    assert!(passed, "something links std:\n{output}");
}

#[test]
fn recording_needs_no_std() {
    let (passed, output) = check_probe("recording", &["--features", "record"]);
    assert!(passed, "something links std:\n{output}");
}

/// The negative control: the check above would notice std.
#[test]
fn with_its_std_feature_the_probe_fails() {
    let (passed, output) = check_probe("with_std", &["--features", "std"]);
    assert!(!passed && output.contains("duplicate lang item `panic_impl`"), "std went unnoticed:\n{output}");
}

/// Runs `cargo check` on a copy of the probe that has the workspace's lock file, so that whatever built this test has
/// fetched all that the probe needs.
fn check_probe(name: &str, arguments: &[&str]) -> (bool, String) {
    let core = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no_std_probe").join(name);
    fs::create_dir_all(copy.join("src")).expect("a folder for the copy of the probe");
    let probe = core.join("tests/no_std_probe");
    let manifest = fs::read_to_string(probe.join("Cargo.toml")).expect("the probe's manifest");
    let (relative, absolute) = (r#"path = "../..""#, format!("path = {:?}", core.to_str().expect("a path in UTF-8")));
    assert!(manifest.contains(relative), "the probe's manifest depends on the core by {relative}");
    fs::write(copy.join("Cargo.toml"), manifest.replace(relative, &absolute)).expect("the copy's manifest");
    fs::copy(probe.join("src/lib.rs"), copy.join("src/lib.rs")).expect("the copy's source");
    fs::copy(core.join("../../Cargo.lock"), copy.join("Cargo.lock")).expect("the copy's lock file");

    let mut command = Command::new(env!("CARGO"));
    command.args(["check", "--offline", "--quiet"]).args(arguments).current_dir(&copy);
    // What instruments this build (coverage, sanitizers) would bring std in by another door.
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env("CARGO_TARGET_DIR", copy.join("target"));
    let output = command.output().expect("cargo, which runs this test, runs again");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}
