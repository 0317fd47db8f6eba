//! The Python environment: an interpreter that is found, and a virtual environment with aiocluster that is made.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use anyhow::{Context, Result, bail};

/// What aiocluster 1.1.0 asks for in its metadata, and needs: its logging does not run on 3.12.
const OLDEST_PYTHON: (u32, u32) = (3, 13);

/// The exact versions of aiocluster and of what it depends on.
const REQUIREMENTS: &str = include_str!("../python/requirements.txt");

/// A virtual environment in which aiocluster is installed.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    /// The environment's own interpreter.
    pub(crate) python: PathBuf,
}

impl Environment {
    /// Finds the environment of an earlier run, or makes it: some seconds, and the package index is needed.
    pub(crate) fn prepare() -> Result<Environment> {
        let directory = target_directory().join("tidings-interop").join("venv");
        let stamp = directory.join("complete");
        let environment = Environment { python: directory.join("bin").join("python") };
        if fs::read_to_string(&stamp).is_ok_and(|text| text == REQUIREMENTS) && environment.imports_aiocluster() {
            return Ok(environment);
        }

        let interpreter = find_interpreter()?;
        if directory.exists() {
            fs::remove_dir_all(&directory)
                .with_context(|| format!("cannot remove the incomplete environment {}", directory.display()))?;
        }
        make_environment(&interpreter, &directory)?;
        environment.install_requirements()?;
        fs::write(&stamp, REQUIREMENTS).with_context(|| format!("cannot write {}", stamp.display()))?;
        Ok(environment)
    }

    fn imports_aiocluster(&self) -> bool {
        let output = Command::new(&self.python).args(["-c", "import aiocluster"]).output();
        output.is_ok_and(|output| output.status.success())
    }

    fn install_requirements(&self) -> Result<()> {
        let output = Command::new(&self.python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(script("requirements.txt"))
            .output()
            .with_context(|| format!("cannot run {}", self.python.display()))?;
        if !output.status.success() {
            bail!(
                "pip could not install {}; it needs a package index: connect to one, or point pip at a mirror or a \
                 folder of wheels with PIP_INDEX_URL or PIP_FIND_LINKS\n{}",
                REQUIREMENTS.split_whitespace().collect::<Vec<_>>().join(" and "),
                complaint(&output)
            );
        }
        Ok(())
    }
}

/// The path of one of this crate's Python files.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name)
}

/// Where cargo puts what it builds.
pub(crate) fn target_directory() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => PathBuf::from(directory),
        None => workspace_root().join("target"),
    }
}

/// The folder with the workspace's Cargo.toml.
pub(crate) fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join("..").join("..")
}

fn make_environment(interpreter: &Path, directory: &Path) -> Result<()> {
    let output = Command::new(interpreter)
        .args(["-m", "venv"])
        .arg(directory)
        .output()
        .with_context(|| format!("cannot run {}", interpreter.display()))?;
    if !output.status.success() {
        bail!(
            "{} could not make a virtual environment in {}; where its venv module is missing, install it (Debian and \
             Ubuntu: the package python3-venv), or name another Python with TIDINGS_PYTHON\n{}",
            interpreter.display(),
            directory.display(),
            complaint(&output)
        );
    }
    Ok(())
}

/// The first candidate that runs and is new enough. A candidate may exist and yet not run: pyenv's shims do.
fn find_interpreter() -> Result<PathBuf> {
    if let Some(chosen) = env::var_os("TIDINGS_PYTHON") {
        let chosen = PathBuf::from(chosen);
        let version = version_of(&chosen)
            .map_err(|reason| anyhow::anyhow!("TIDINGS_PYTHON is {}, which {reason}", chosen.display()))?;
        return if version >= OLDEST_PYTHON {
            Ok(chosen)
        } else {
            bail!("TIDINGS_PYTHON is {}, which is {}", chosen.display(), too_old(version))
        };
    }

    let mut tried = String::new();
    for candidate in candidates() {
        let reason = match version_of(&candidate) {
            Ok(version) if version >= OLDEST_PYTHON => return Ok(candidate),
            Ok(version) => format!("is {}", too_old(version)),
            Err(reason) => reason,
        };
        let _ = write!(tried, "\n  {} {reason}", candidate.display());
    }
    let (major, minor) = OLDEST_PYTHON;
    bail!(
        "no Python {major}.{minor} or later; install one (`pyenv install {major}.{minor}`, or the system's package), \
         or name one with TIDINGS_PYTHON. Tried:{tried}"
    );
}

fn candidates() -> Vec<PathBuf> {
    let mut candidates: Vec<PathBuf> = env::var_os("PYTHON313").map(PathBuf::from).into_iter().collect();
    candidates.extend(["python3.13", "python3.14", "python3"].map(PathBuf::from));
    if let Some(home) = env::var_os("HOME") {
        let versions = fs::read_dir(Path::new(&home).join(".pyenv").join("versions"));
        let mut pyenv: Vec<PathBuf> =
            versions.into_iter().flatten().flatten().map(|entry| entry.path().join("bin").join("python")).collect();
        pyenv.sort();
        candidates.extend(pyenv);
    }
    candidates
}

/// Major and minor version of this interpreter, or why it has none.
fn version_of(interpreter: &Path) -> Result<(u32, u32), String> {
    let output = Command::new(interpreter)
        .args(["-c", "import sys; print(sys.version_info[0], sys.version_info[1])"])
        .output()
        .map_err(|error| format!("does not run: {error}"))?;
    if !output.status.success() {
        return Err(format!("does not run: {}", complaint(&output)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
        _ => Err(format!("tells no version, but {text:?}")),
    }
}

fn too_old((major, minor): (u32, u32)) -> String {
    format!("{major}.{minor}, older than {}.{}", OLDEST_PYTHON.0, OLDEST_PYTHON.1)
}

/// How a command failed: its exit status and the end of what it wrote to standard error, or else standard output.
fn complaint(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    let text = if stderr.trim().is_empty() { stdout.trim() } else { stderr.trim() };
    let lines: Vec<&str> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(12)..].join("\n");
    format!("{}: {last}", output.status)
}
