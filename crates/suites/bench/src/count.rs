//! Instructions, counted by valgrind's callgrind. The counts repeat where times do not.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::operations::Operation;

/// What one operation takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counted {
    /// Instructions of one time, on average; those of the system's kernel are not among them.
    pub instructions: f64,
    /// Bytes that the node sent.
    pub bytes: usize,
}

/// Does something; callgrind counts what happens in here, and nothing else.
#[inline(never)]
pub fn counted_by_valgrind<T>(act: impl FnOnce() -> T) -> T {
    act()
}

/// Has the program `this` (the command `tidings-bench`) do the operation under valgrind, and counts its instructions.
///
/// # Errors
/// valgrind is not there or does not run, or the operation fails.
pub fn count(valgrind: &Path, this: &Path, operation: Operation, nodes: usize) -> anyhow::Result<Counted> {
    // What only the first times take (buffers that grow, say) is in both, and so in neither.
    const FEW: u32 = 3;
    const MANY: u32 = 13;
    let (few, _) = collect(valgrind, this, operation, nodes, FEW)?;
    let (many, bytes) = collect(valgrind, this, operation, nodes, MANY)?;
    let instructions = many.saturating_sub(few) as f64 / f64::from(MANY - FEW);
    Ok(Counted { instructions, bytes })
}

fn collect(
    valgrind: &Path,
    this: &Path,
    operation: Operation,
    nodes: usize,
    times: u32,
) -> anyhow::Result<(u64, usize)> {
    let file = Profile::new();
    let output = Command::new(valgrind)
        .arg("--tool=callgrind")
        .arg("--toggle-collect=*counted_by_valgrind*")
        .arg(format!("--callgrind-out-file={}", file.0.display()))
        .arg(this)
        .args(["perform", &operation.to_string(), &nodes.to_string(), &times.to_string()])
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "{} is not there; install valgrind (on Debian: apt-get install valgrind), or say with --valgrind where it is",
            valgrind.display()
        ),
        Err(error) => return Err(error).with_context(|| format!("{} does not start", valgrind.display())),
    };
    let (printed, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        bail!("{operation} under valgrind failed: {log}");
    }
    let collected = log.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    let collected = collected.filter(|collected| *collected > 0);
    let collected = collected.with_context(|| format!("valgrind has counted nothing: {log}"))?;
    Ok((collected, printed.trim().parse().with_context(|| format!("{printed:?} is no number of bytes"))?))
}

/// The file that callgrind writes and nobody reads.
struct Profile(PathBuf);

impl Profile {
    fn new() -> Profile {
        Profile(std::env::temp_dir().join(format!("tidings-bench-{}.callgrind", std::process::id())))
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // It may not have been written.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valgrind_that_is_not_there_is_named() {
        let (valgrind, this) = (Path::new("/nowhere/valgrind"), Path::new("tidings-bench"));
        let error = count(valgrind, this, Operation::TidingsAnswer, 10).unwrap_err().to_string();
        assert!(error.contains("/nowhere/valgrind is not there; install valgrind"), "{error}");
    }
}
