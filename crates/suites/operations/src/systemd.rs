//! The unit, as systemd itself sees it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

const BINARY: &str = "/usr/local/bin/tidings";
/// Of 100 that a service without any hardening has; what is left is that it may reach the network.
const MOST_EXPOSED: &str = "15";

/// Checks it with `program` where the unit has the installed one, as that has to exist.
pub(crate) fn check(program: &Path, folder: &Path) -> Result<()> {
    let unit = tidings_operations::read("tidings.service")?;
    ensure!(unit.contains(BINARY), "the unit does not run {BINARY}; then this check is to replace another path");
    let copy = folder.join("tidings.service");
    fs::write(&copy, unit.replace(BINARY, &program.display().to_string()))?;

    let said = verify(&copy)?;
    ensure!(said.trim().is_empty(), "systemd-analyze verify says of the unit:\n{said}");
    let mut security = analyze("security");
    let security = security.args(["--offline=true", "--threshold", MOST_EXPOSED, "--no-pager"]).arg(&copy);
    crate::tool::run(security, "systemd")?;

    // It does see what is wrong.
    let broken = folder.join("broken.service");
    let text = fs::read_to_string(&copy)?.replace("ProtectSystem=strict", "ProtectSystems=strict");
    fs::write(&broken, text)?;
    let said = verify(&broken).unwrap_or_else(|error| error.to_string());
    ensure!(said.contains("ProtectSystems"), "systemd-analyze verify does not see a field that there is not:\n{said}");
    Ok(())
}

fn verify(unit: &Path) -> Result<String> {
    crate::tool::run(analyze("verify").args(["--man=no", "--no-pager"]).arg(unit), "systemd")
        .context("the unit is not taken")
}

fn analyze(verb: &str) -> Command {
    let mut command = Command::new("systemd-analyze");
    command.arg(verb);
    command
}
