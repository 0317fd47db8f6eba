//! Why the settings are of no use.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Nothing was started.
#[derive(Debug)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    File { path: PathBuf, source: io::Error },
    /// It is not TOML.
    Syntax { path: PathBuf, source: Box<toml::de::Error> },
    /// It names a setting that there is not.
    Unknown { path: PathBuf, name: String, hint: String },
    /// A value is none that the setting takes.
    Value { origin: String, name: &'static str, value: String, advice: String },
    /// A setting is missing.
    Missing { name: &'static str, advice: String },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::File { path, source } => {
                write!(f, "{}: {source}; name a file that this process may read", path.display())
            }
            ConfigError::Syntax { path, source } => {
                let text = source.to_string();
                write!(
                    f,
                    "{}: {}; correct it, or see --print-config for how it is written",
                    path.display(),
                    text.trim()
                )
            }
            ConfigError::Unknown { path, name, hint } => {
                write!(f, "{}: there is no setting {name}; {hint}", path.display())
            }
            ConfigError::Value { origin, name, value, advice } => {
                write!(f, "{origin}: {name} is {value}: {advice}")
            }
            ConfigError::Missing { name, advice } => write!(f, "{name}: not set; {advice}"),
        }
    }
}

impl std::error::Error for ConfigError {}
