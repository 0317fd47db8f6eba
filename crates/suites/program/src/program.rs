//! The `tidings` binary that a suite runs.

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Where the `tidings` binary is.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
}

impl Program {
    /// The one at `path`, as `--program` names it. An error if there is no file.
    pub fn at(path: PathBuf) -> Result<Program> {
        let path = path.canonicalize().with_context(|| format!("--program {}: no such file", path.display()))?;
        ensure!(path.is_file(), "--program {}: not a file; name the tidings binary itself", path.display());
        Ok(Program { path })
    }

    /// Builds the workspace's, with this program's own profile. An error if cargo cannot, or is not there.
    pub fn build() -> Result<Program> {
        writeln!(std::io::stdout(), "building tidings")?;
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["build", "--package", "tidings", "--bin", "tidings", "--profile", profile])
            .args(["--quiet", "--message-format", "json-render-diagnostics", "--manifest-path"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run cargo; name a tidings binary with --program instead")?;
        ensure!(output.status.success(), "cargo did not build tidings ({}); its output says why", output.status);
        let messages = String::from_utf8_lossy(&output.stdout);
        let path = executable(&messages).context("cargo built tidings and did not say where; use --program")?;
        Ok(Program { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The executable that cargo names in its messages, a JSON object a line.
fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages
        .filter(|message| message["target"]["name"] == "tidings")
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_read_from_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"serde"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"tidings"},"executable":"/t/release/tidings"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some("/t/release/tidings".into()));
        assert_eq!(executable("{}\nnot json"), None);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = format!("{:#}", Program::at("/nowhere/tidings".into()).unwrap_err());
        assert!(error.contains("--program") && error.contains("/nowhere/tidings"), "{error}");
        let error = format!("{:#}", Program::at("/".into()).unwrap_err());
        assert!(error.contains("not a file"), "{error}");
    }
}
