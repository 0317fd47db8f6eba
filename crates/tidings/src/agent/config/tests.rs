use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use tidings_tokio::Address;

use super::*;
use crate::cli::{Cli, Command};

/// What is in the repository as an example.
const EXAMPLE: &str = include_str!("../../../agent.toml");

fn args(words: &[&str]) -> Result<AgentArgs, String> {
    let words = ["tidings", "agent"].iter().chain(words);
    match Cli::try_parse_from(words).map_err(|error| error.to_string())?.command {
        Command::Agent(args) => Ok(args),
        other => Err(format!("{other:?}")),
    }
}

fn load(words: &[&str], env: &[(&str, &str)]) -> Result<Loaded, String> {
    let env = |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string());
    Loaded::from(&args(words)?, env).map_err(|error| error.to_string())
}

/// A file in the tests' own folder; removed at the end.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn new(name: &str, text: &str) -> TemporaryFile {
        let path = std::env::temp_dir().join(format!("tidings-{}-{name}.toml", std::process::id()));
        fs::write(&path, text).unwrap();
        TemporaryFile(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn the_example_holds_every_setting_with_its_default() {
    let printed = print(&Loaded::default(), false);
    assert_eq!(EXAMPLE, printed, "update it with: tidings agent --print-config > crates/tidings/agent.toml");
    let example = TemporaryFile::new("example", EXAMPLE);
    let loaded = load(&["--config", example.path()], &[]).unwrap();
    let (read, default) = (format!("{:?}", loaded.settings), format!("{:?}", Settings::default()));
    assert_eq!(read, default);
}

#[test]
fn what_is_commented_out_in_the_example_can_be_used() {
    let uncommented: String = EXAMPLE
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
        .map(|line| format!("{line}\n"))
        .collect();
    let example = TemporaryFile::new("uncommented", &uncommented);
    let loaded = load(&["--config", example.path()], &[]).unwrap();
    assert_eq!(
        SETTINGS
            .iter()
            .filter(|setting| loaded.origin(setting.name).is_none())
            .map(|setting| setting.name)
            .collect::<Vec<_>>(),
        [""; 0]
    );
    assert_eq!(loaded.settings.http.listen, Some("127.0.0.1:8000".parse().unwrap()));
}

#[test]
fn what_is_printed_is_read_again_as_the_same() {
    let words =
        ["--name", "a \"b\"\n", "--set", "k=v=\\", "--set", "é=", "--gossip-interval", "1m 500ms", "--seed", "[::1]:2"];
    let more = ["--failure-detector-phi-threshold", "0.5", "--tls-server-only", "--generation", "7"];
    let first = load(&[&words[..], &more].concat(), &[]).unwrap();
    let file = TemporaryFile::new("printed", &print(&first, false));
    let second = load(&["--config", file.path()], &[]).unwrap();
    assert_eq!(format!("{:?}", first.settings), format!("{:?}", second.settings));
    assert!(first.settings.tls.server_only && first.settings.key_values.len() == 2);
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let file =
        TemporaryFile::new("order", "cluster_id = 'file'\nname = 'file'\nseeds = ['file:1']\n[http]\nmax_streams = 7");
    let env = [
        ("TIDINGS_CONFIG", file.path()),
        ("TIDINGS_NAME", "env"),
        ("TIDINGS_SEEDS", "env:1, env:2"),
        ("TIDINGS_LISTEN", ""),
    ];
    let loaded = load(&["--seed", "flag:1", "--seed", "flag:2"], &env).unwrap();
    assert_eq!(loaded.settings.seeds, [Address::new("flag", 1), Address::new("flag", 2)]);
    assert_eq!((&*loaded.settings.name, &*loaded.settings.protocol.cluster_id), ("env", "file"));
    assert_eq!(loaded.settings.http.max_streams, 7);
    assert_eq!(loaded.settings.listen, Address::new("127.0.0.1", 7000), "a variable set to nothing is none");
    assert_eq!(load(&[], &env).unwrap().settings.seeds, [Address::new("env", 1), Address::new("env", 2)]);

    let printed = print(&loaded, true);
    for origin in [
        "# from --seed",
        "# from TIDINGS_NAME",
        &format!("# from {}", file.path()),
        "the token is in TIDINGS_HTTP_TOKEN",
    ] {
        assert!(printed.contains(origin), "{origin}: {printed}");
    }
}

#[test]
fn every_setting_has_a_flag_and_a_variable_of_its_own() {
    let mut names: Vec<String> = SETTINGS.iter().flat_map(|setting| [setting.flag(), setting.env()]).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(!names.iter().any(|name| [TOKEN_ENV, CONFIG_ENV].contains(&name.as_str())));
    for setting in SETTINGS {
        // The value that it has, or could have, is taken by flag and variable.
        let value = setting.field.toml(&mut Settings::default()).unwrap_or(setting.example.to_string());
        if setting.field.is_list() {
            continue;
        }
        let value = value.trim_matches('"');
        let by_flag = load(&[&format!("--{}={value}", setting.flag())], &[]).unwrap();
        let by_variable = load(&[], &[(&setting.env(), value)]).unwrap();
        assert_eq!(format!("{:?}", by_flag.settings), format!("{:?}", by_variable.settings), "{}", setting.name);
    }
}

#[test]
fn each_error_of_a_file_names_file_setting_value_and_way_out() {
    let cases = [
        ("gossip_intervall = '1s'", &["there is no setting gossip_intervall", "did you mean gossip_interval?"][..]),
        ("[failure_detektor]\nphi_threshold = 1.0", &["failure_detektor", "did you mean failure_detector?"]),
        ("phi_threshold = 1.0", &["phi_threshold", "did you mean failure_detector.phi_threshold?"]),
        ("[log]\ncolour = true", &["log.colour", "in log there are format, filter"]),
        ("quorum = 3", &["quorum", "at the top there are name, listen"]),
        ("gossip_interval = 1", &["gossip_interval is 1", "write a time with its unit"]),
        ("gossip_interval = '1'", &["gossip_interval is \"1\"", "write a time with its unit"]),
        ("gossip_count = -1", &["gossip_count is -1", "whole number"]),
        ("gossip_count = 1.5", &["gossip_count is 1.5", "whole number"]),
        ("name = 1", &["name is 1", "a text in quotes"]),
        ("seeds = 'a:1'", &["seeds is \"a:1\"", "a list of texts"]),
        ("seeds = ['a']", &["seeds is [\"a\"]", "host:port"]),
        ("key_values = { k = 1 }", &["key_values is { k = 1 }", "a table of texts"]),
        ("[tls]\nserver_only = 'yes'", &["tls.server_only is \"yes\"", "true or false"]),
        ("[http]\nmax_streams = 0", &["http.max_streams is 0", "allowed: 1 to 65536"]),
        ("[http]\nlisten = 8000", &["http.listen is 8000", "a text in quotes"]),
        ("[log]\nformat = 'xml'", &["log.format is \"xml\"", "text or json"]),
        ("http = 3", &["http", "in http there are listen"]),
        ("name = 'a", &["line 1", "--print-config"]),
        ("name = 'a'\nname = 'b'", &["duplicate key", "--print-config"]),
    ];
    for (index, (text, words)) in cases.iter().enumerate() {
        let file = TemporaryFile::new(&format!("bad-{index}"), text);
        let error = load(&["--config", file.path()], &[]).map(drop).expect_err(text);
        assert!(error.contains(file.path()) && words.iter().all(|word| error.contains(word)), "{text:?}: {error}");
    }
    let error = load(&["--config", "/none.toml"], &[]).map(drop).unwrap_err();
    assert!(error.contains("/none.toml") && error.contains("name a file"), "{error}");
}

#[test]
fn each_error_of_flags_and_variables_names_them() {
    let flags: [(&[&str], &str, &str); 6] = [
        (&["--seed", "here"], "--seed", "write host:port"),
        (&["--set", "role"], "--set", "write KEY=VALUE"),
        (&["--http", "8000"], "--http", "127.0.0.1:8000"),
        (&["--gossip-interval", "1"], "--gossip-interval", "with its unit"),
        (&["--gossip-count=-1"], "--gossip-count", "whole number"),
        (&["--log-format", "xml"], "--log-format", "text or json"),
    ];
    for (words, flag, way_out) in flags {
        let error = load(words, &[]).map(drop).expect_err(flag);
        assert!(error.contains(flag) && error.contains(way_out), "{words:?}: {error}");
    }
    let error = load(&[], &[("TIDINGS_PACKET_TIMEOUT", "soon")]).map(drop).unwrap_err();
    assert!(
        error.starts_with("TIDINGS_PACKET_TIMEOUT: packet_timeout is \"soon\"") && error.contains("unit"),
        "{error}"
    );
}

#[test]
fn an_api_for_others_needs_a_token() {
    for good in ["127.0.0.1:8000", "127.8.9.1:0", "[::1]:8000", "localhost:8000", "[::ffff:127.0.0.1]:1"] {
        let loaded = load(&["--name", "a", "--http", good], &[]).unwrap();
        assert!(loaded.settings.http.listen.is_some() && loaded.check(false).is_ok(), "{good}");
    }
    for bad in ["0.0.0.0:8000", "[::]:8000", "10.0.0.7:8000", "[::ffff:10.0.0.7]:8000"] {
        let loaded = load(&["--name", "a", "--http", bad], &[]).unwrap();
        let error = loaded.check(false).unwrap_err().to_string();
        assert!(error.contains("--http: http.listen is") && error.contains("--http-token-file"), "{error}");
        assert!(loaded.check(true).is_ok(), "{bad} with a token");
    }
    let error = load(&[], &[]).unwrap().check(true).unwrap_err().to_string();
    assert!(error.contains("name: not set") && error.contains("TIDINGS_NAME"), "{error}");
    let loaded = load(&["--name", "a", "--http-write-timeout", "0s"], &[]).unwrap();
    assert!(loaded.check(true).unwrap_err().to_string().contains("--http-write-timeout: http.write_timeout is 0ns"));
}

#[test]
fn a_list_given_by_flags_is_in_order() {
    let loaded = load(&["--seed", "a:1", "--set", "k=v=w", "--seed", "[::1]:2", "--set", "empty="], &[]).unwrap();
    assert_eq!(loaded.settings.seeds, [Address::new("a", 1), Address::new("::1", 2)]);
    let pairs = [("k", "v=w"), ("empty", "")].map(|(key, value)| (key.to_string(), value.to_string()));
    assert_eq!(loaded.settings.key_values, pairs);
    assert_eq!(loaded.settings.protocol.gossip_interval, Duration::from_secs(1));
}

#[test]
fn a_slip_in_a_variable_is_noticed_and_what_is_meant_for_others_is_not() {
    let slips = |names: &[&str]| Loaded::slips(names.iter().map(|name| name.to_string()));
    let meant = |slip: &str, meant: &str| vec![(slip.to_string(), meant.to_string())];
    assert_eq!(slips(&["TIDINGS_GOSIP_INTERVAL"]), meant("TIDINGS_GOSIP_INTERVAL", "TIDINGS_GOSSIP_INTERVAL"));
    assert_eq!(slips(&["TIDINGS_HTTP_TOKENS"]), meant("TIDINGS_HTTP_TOKENS", "TIDINGS_HTTP_TOKEN"));
    let fine = ["TIDINGS_NAME", "TIDINGS_HTTP_TOKEN", "TIDINGS_API", "TIDINGS_CONFIG", "GOSSIP_INTERVAL"];
    assert_eq!(slips(&fine), []);
    let kubernetes = ["TIDINGS_PORT", "TIDINGS_SERVICE_HOST", "TIDINGS_SERVICE_PORT", "TIDINGS_PORT_7000_TCP_ADDR"];
    assert_eq!(slips(&kubernetes), []);
}

#[test]
fn the_readme_lists_every_setting() {
    let readme = include_str!("../../../README.md");
    for setting in SETTINGS {
        assert!(readme.contains(&format!("| `{}` | `--{}` |", setting.name, setting.flag())), "{}", setting.name);
    }
}
