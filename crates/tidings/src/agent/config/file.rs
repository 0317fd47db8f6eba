//! The TOML file.

use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::error::ConfigError;
use super::table::{SETTINGS, Setting};

/// Names at least this much alike (1.0: the same) may be meant for one another.
const ALIKE: f64 = 0.7;

/// Every setting that the file gives.
pub(super) fn read(path: &Path) -> Result<Vec<(&'static Setting, Value)>, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::File { path: path.into(), source })?;
    let table: Table =
        text.parse().map_err(|source| ConfigError::Syntax { path: path.into(), source: Box::new(source) })?;
    let mut found = Vec::new();
    collect("", table, &mut found).map_err(|name| ConfigError::Unknown {
        path: path.into(),
        hint: hint(&name),
        name,
    })?;
    Ok(found)
}

/// Adds what is in a section to `found`; fails with the name of something that there is not.
fn collect(section: &str, table: Table, found: &mut Vec<(&'static Setting, Value)>) -> Result<(), String> {
    for (key, value) in table {
        let name = if section.is_empty() { key } else { format!("{section}.{key}") };
        match (SETTINGS.iter().find(|setting| setting.name == name), value) {
            (Some(setting), value) => found.push((setting, value)),
            (None, Value::Table(inner)) if is_section(&name) => collect(&name, inner, found)?,
            (None, _) => return Err(name),
        }
    }
    Ok(())
}

fn is_section(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

/// What may have been meant.
fn hint(name: &str) -> String {
    let (section, key) = name.rsplit_once('.').unwrap_or(("", name));
    let candidates = SETTINGS.iter().flat_map(|setting| [setting.name, setting.section()]);
    let likeness = |candidate: &str| {
        let whole = strsim::normalized_levenshtein(candidate, name);
        let candidate_key = candidate.rsplit_once('.').map_or(candidate, |(_, key)| key);
        // The right name in the wrong section counts a little less.
        whole.max(strsim::normalized_levenshtein(candidate_key, key) - 0.01)
    };
    let nearest = candidates.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    if let Some(nearest) = nearest.filter(|nearest| likeness(nearest) >= ALIKE && !is_section(name)) {
        return format!("did you mean {nearest}?");
    }
    let section = if is_section(name) { name } else { section };
    let in_section: Vec<_> =
        SETTINGS.iter().filter(|setting| setting.section() == section).map(|setting| setting.key()).collect();
    match section {
        _ if in_section.is_empty() => "--print-config lists those that there are".to_string(),
        "" => format!("at the top there are {}, and the sections that --print-config shows", in_section.join(", ")),
        section => format!("in {section} there are {}", in_section.join(", ")),
    }
}
