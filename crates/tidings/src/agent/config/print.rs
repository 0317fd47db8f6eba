//! The settings as a TOML file, which can be used as one.

use std::fmt::Write;

use super::table::SETTINGS;
use super::{Loaded, TOKEN_ENV};

/// Each setting with what it is for, its value, and where that comes from if it is no default. What has no value is
/// shown as a comment.
pub(crate) fn print(loaded: &Loaded, token_in_env: bool) -> String {
    let mut settings = loaded.settings.clone();
    let mut text = String::from("# The settings of a tidings agent; `tidings agent --config FILE` reads them.\n");
    let mut section = "";
    for setting in SETTINGS {
        if setting.section() != section {
            section = setting.section();
            let _ = write!(text, "\n[{section}]\n");
        }
        let _ = writeln!(text, "\n# {}", setting.help);
        let _ = match setting.field.toml(&mut settings) {
            Some(value) => write!(text, "{} = {value}", setting.key()),
            None => write!(text, "#{} = {}", setting.key(), setting.example),
        };
        if let Some(origin) = loaded.origin(setting.name) {
            let _ = write!(text, "  # from {origin}");
        } else if setting.name == "http.token_file" && token_in_env {
            let _ = write!(text, "  # not used: the token is in {TOKEN_ENV}");
        }
        text.push('\n');
    }
    text
}
