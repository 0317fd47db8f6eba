//! The flags, one for each setting.

use std::path::PathBuf;

use clap::error::Error;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};

use super::field::{Field, Given};
use super::settings::Settings;
use super::table::{SETTINGS, Setting};

/// What the command line says.
#[derive(Clone, Debug)]
pub(crate) struct AgentArgs {
    /// The file to read first.
    pub(crate) config: Option<PathBuf>,
    /// Print the settings and end.
    pub(crate) print_config: bool,
    /// The settings that were given, each with its words.
    pub(super) given: Vec<(&'static Setting, Vec<String>)>,
}

/// The settings that nearly everybody needs; the help shows the others only when it is asked for in full.
const COMMON: [&str; 8] =
    ["name", "listen", "advertise", "seeds", "cluster_id", "gossip_interval", "key_values", "http.listen"];

impl Args for AgentArgs {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("Read settings from this TOML file, which TIDINGS_CONFIG can name too; flags and TIDINGS_* variables win over it");
        let print = Arg::new("print_config")
            .long("print-config")
            .action(ArgAction::SetTrue)
            .help("Print all settings as such a file, with where each comes from, and end");
        SETTINGS.iter().fold(command.arg(file).arg(print), |command, setting| command.arg(flag(setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        AgentArgs::augment_args(command)
    }
}

impl FromArgMatches for AgentArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<AgentArgs, Error> {
        let given = |setting: &'static Setting| {
            let from_command_line = matches.value_source(setting.name) == Some(ValueSource::CommandLine);
            let words = matches.get_many::<String>(setting.name).filter(|_| from_command_line)?;
            Some((setting, words.cloned().collect()))
        };
        Ok(AgentArgs {
            config: matches.get_one("config").cloned(),
            print_config: matches.get_flag("print_config"),
            given: SETTINGS.iter().filter_map(given).collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = AgentArgs::from_arg_matches(matches)?;
        Ok(())
    }
}

fn flag(setting: &'static Setting) -> Arg {
    let check = move |word: &str| {
        let words = [word.to_string()];
        setting.field.put(&mut Settings::default(), Given::Words(&words)).map(|()| word.to_string())
    };
    let default = setting.field.toml(&mut Settings::default());
    let about = setting.help.trim_end_matches('.');
    let help = match default {
        Some(value) if !setting.field.is_list() => format!("{about} [default: {}]", value.trim_matches('"')),
        _ => about.to_string(),
    };
    let arg = Arg::new(setting.name).long(setting.flag()).value_name(setting.placeholder()).help(help);
    let arg = match setting.section() {
        "" => arg,
        section => arg.help_heading(format!("Options of [{section}]")),
    };
    let arg = match setting.field {
        Field::Addresses(_) | Field::Pairs(_) => arg.action(ArgAction::Append),
        Field::Switch(_) => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        _ => arg,
    };
    arg.value_parser(check).hide_short_help(!COMMON.contains(&setting.name))
}
