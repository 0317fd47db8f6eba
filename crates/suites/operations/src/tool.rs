//! Programs of others.

use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

/// Runs it, which has to succeed; `package` is Debian's that has it. Gives its output and errors together.
pub(crate) fn run(command: &mut Command, package: &str) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let Output { status, stdout, stderr } = command
        .output()
        .with_context(|| format!("cannot run {name}; 'apt-get install {package}' has it, on Debian"))?;
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    ensure!(status.success(), "{name} found fault ({status}):\n{said}");
    Ok(said)
}
