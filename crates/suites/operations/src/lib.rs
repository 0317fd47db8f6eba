//! What is in `docs/operations`, for the checks of it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Where the file of this name is.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/operations").join(name)
}

/// The text of the file of this name.
///
/// # Errors
///
/// It cannot be read.
pub fn read(name: &str) -> Result<String> {
    let path = path(name);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}
