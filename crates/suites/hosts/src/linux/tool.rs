//! The system's tools: run, and their errors told.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::linux::requirements;

/// A call of `program`, wherever it is.
pub(crate) fn command(program: &str) -> Command {
    Command::new(requirements::find(program).unwrap_or_else(|| program.into()))
}

/// Runs `command` with `input` to its end and gives what it wrote. A failure is an error with what it complained of.
pub(crate) fn run(command: &mut Command, input: &str) -> Result<String> {
    let call = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {call}"))?;
    let written = match child.stdin.take() {
        Some(mut stdin) => stdin.write_all(input.as_bytes()),
        None => Ok(()),
    };
    let output = child.wait_with_output().with_context(|| format!("cannot wait for {call}"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{call} failed ({}): {}\n{input}", output.status, complaint.trim());
    written.with_context(|| format!("{call} did not read its input"))?;
    String::from_utf8(output.stdout).with_context(|| format!("{call} wrote no UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_goes_in_and_output_comes_out() {
        assert_eq!(run(&mut Command::new("cat"), "a\nb").unwrap(), "a\nb");
    }

    #[test]
    fn a_failure_tells_what_was_called_and_why_it_failed() {
        let error = run(Command::new("sh").args(["-c", "echo broken >&2; exit 3"]), "").unwrap_err().to_string();
        assert!(error.contains("sh") && error.contains("broken") && error.contains('3'), "{error}");
    }
}
