//! Where the agent's settings come from: flags, before the environment, before a file, before the defaults.

mod args;
mod error;
mod field;
mod file;
mod print;
mod settings;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use self::args::AgentArgs;
pub(crate) use self::error::ConfigError;
use self::field::Given;
pub(crate) use self::field::socket;
pub(crate) use self::print::print;
pub(crate) use self::settings::{HttpSettings, LogFormat, LogSettings, Settings};
use self::table::{SETTINGS, Setting};

/// What else has a meaning; the last is for the commands that call an agent.
const OTHER_ENV: [&str; 3] = [TOKEN_ENV, CONFIG_ENV, "TIDINGS_API"];

/// Variables at least this much alike (1.0: the same) are one meant for the other.
const SLIP: f64 = 0.85;

const LONGEST_HTTP_TIMEOUT: Duration = Duration::from_secs(86_400);

/// The variable that names the file.
const CONFIG_ENV: &str = "TIDINGS_CONFIG";

/// The variable that holds the API's token itself.
pub(crate) const TOKEN_ENV: &str = "TIDINGS_HTTP_TOKEN";

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    File(PathBuf),
    Environment(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(path) => path.display().fmt(f),
            Origin::Environment(variable) => f.write_str(variable),
            Origin::Flag(flag) => write!(f, "--{flag}"),
        }
    }
}

/// The settings, and where each comes from that is not a default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    origins: BTreeMap<&'static str, Origin>,
}

impl Loaded {
    /// Reads the file, if one is named, and puts environment and flags above it. `env` gives a variable of the
    /// environment.
    pub(crate) fn from(args: &AgentArgs, env: impl Fn(&str) -> Option<String>) -> Result<Loaded, ConfigError> {
        let mut loaded = Loaded::default();
        let path = args.config.clone().or_else(|| Some(env(CONFIG_ENV)?.into()));
        if let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) {
            loaded.read_file(&path)?;
        }
        for setting in SETTINGS {
            let variable = setting.env();
            // A variable that is set to nothing is a template that was not filled in.
            if let Some(text) = env(&variable).filter(|text| !text.is_empty()) {
                let words: Vec<String> = match setting.field.is_list() {
                    true => text.split(',').map(|word| word.trim().to_string()).collect(),
                    false => vec![text],
                };
                loaded.put(setting, Given::Words(&words), Origin::Environment(variable))?;
            }
        }
        for (setting, words) in &args.given {
            loaded.put(setting, Given::Words(words), Origin::Flag(setting.flag()))?;
        }
        Ok(loaded)
    }

    /// Variables that are none of ours and look like a slip of the pen, each with what may have been meant. They are no
    /// errors: Kubernetes makes variables of its own for a service that is named tidings.
    pub(crate) fn slips(variables: impl Iterator<Item = String>) -> Vec<(String, String)> {
        let known: Vec<String> = SETTINGS.iter().map(Setting::env).chain(OTHER_ENV.map(str::to_string)).collect();
        let meant = |variable: &String| {
            let likeness = |candidate: &String| strsim::normalized_levenshtein(candidate, variable);
            let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
            (likeness(nearest) >= SLIP && nearest != variable).then(|| nearest.clone())
        };
        let ours = variables.filter(|variable| variable.starts_with("TIDINGS_"));
        ours.filter_map(|variable| Some((variable.clone(), meant(&variable)?))).collect()
    }

    /// Where a setting comes from; `None`: it is the default.
    pub(crate) fn origin(&self, name: &str) -> Option<&Origin> {
        self.origins.get(name)
    }

    /// Whether a setting was given on the command line.
    pub(crate) fn is_flag(&self, name: &str) -> bool {
        matches!(self.origin(name), Some(Origin::Flag(_)))
    }

    /// What no setting says by itself.
    ///
    /// # Errors
    ///
    /// A setting is missing, or does not go with the others.
    pub(crate) fn check(&self, has_token: bool) -> Result<(), ConfigError> {
        if self.settings.name.is_empty() && self.origin("name").is_none() {
            let advice = "every node needs one of its own: give --name, TIDINGS_NAME, or name in the file".to_string();
            return Err(ConfigError::Missing { name: "name", advice });
        }
        if let Some(address) = self.settings.http.listen
            && !address.ip().to_canonical().is_loopback()
            && !has_token
        {
            let advice = format!(
                "it is not a loopback address, and who calls from elsewhere has to show a token: give --http-token-file, \
                 or listen on 127.0.0.1:{port} or [::1]:{port}",
                port = address.port(),
            );
            return Err(self.wrong("http.listen", address.to_string(), advice));
        }
        for (name, timeout) in [
            ("http.read_timeout", self.settings.http.read_timeout),
            ("http.write_timeout", self.settings.http.write_timeout),
        ] {
            if timeout.is_zero() || timeout > LONGEST_HTTP_TIMEOUT {
                let advice = "allowed: more than 0 s and at most one day".to_string();
                return Err(self.wrong(name, format!("{timeout:?}"), advice));
            }
        }
        Ok(())
    }

    /// That a setting's value is of no use.
    pub(crate) fn wrong(&self, name: &'static str, value: String, advice: String) -> ConfigError {
        let origin = self.origin(name).map_or_else(|| "by default".to_string(), ToString::to_string);
        ConfigError::Value { origin, name, value, advice }
    }

    fn read_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        for (setting, value) in file::read(path)? {
            self.put(setting, Given::Toml(&value), Origin::File(path.to_path_buf()))?;
        }
        Ok(())
    }

    fn put(&mut self, setting: &'static Setting, given: Given<'_>, origin: Origin) -> Result<(), ConfigError> {
        setting.field.put(&mut self.settings, given).map_err(|advice| ConfigError::Value {
            origin: origin.to_string(),
            name: setting.name,
            value: shown(given),
            advice,
        })?;
        self.origins.insert(setting.name, origin);
        Ok(())
    }
}

/// A value for an error's text, cut where it is long.
fn shown(given: Given<'_>) -> String {
    let whole = match given {
        Given::Words(words) => format!("{:?}", words.join(",")),
        Given::Toml(value) => value.to_string(),
    };
    match whole.char_indices().nth(60) {
        Some((cut, _)) => format!("{}…", &whole[..cut]),
        None => whole,
    }
}

#[cfg(test)]
mod tests;
