//! The command line.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::agent::{self, AgentArgs};
use crate::commands::AgentCommand;

/// Cluster membership by gossip: who is here, who is alive, and what each one says about itself.
#[derive(Debug, Parser)]
#[command(name = "tidings", version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch a cluster form in this process, lose a node and take it back.
    Demo(DemoArgs),
    /// Run one cluster member, with an HTTP API.
    Agent(AgentArgs),
    #[command(flatten)]
    Talk(AgentCommand),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct DemoArgs {
    /// How many nodes, each on a loopback socket of its own.
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) nodes: u16,

    /// End after this time, as in 20s, 1m or 500ms; without it, run until Ctrl-C.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) run_for: Option<Duration>,

    /// Print a line for each event and a summary line every second instead of drawing a table.
    ///
    /// This is also what happens when the output is not a terminal.
    #[arg(long)]
    pub(crate) plain: bool,

    /// Time between two gossip rounds.
    #[arg(long, default_value = "200ms", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) gossip_interval: Duration,

    /// Serve a page at this loopback address that shows all the nodes in a browser; port 0 lets the system choose.
    #[arg(long, value_name = "IP:PORT", num_args = 0..=1, default_missing_value = "127.0.0.1:8080", value_parser = loopback)]
    pub(crate) http: Option<SocketAddr>,
}

/// The demo asks for no token, so that nobody else may reach it.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address = agent::socket(text)?;
    if !address.ip().to_canonical().is_loopback() {
        let (ip, port) = (address.ip(), address.port());
        return Err(format!("{ip} is not a loopback address; use 127.0.0.1:{port} or [::1]:{port}"));
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Command, String> {
        let words = ["tidings"].iter().chain(words);
        Cli::try_parse_from(words).map(|cli| cli.command).map_err(|error| error.to_string())
    }

    #[test]
    fn the_definition_is_sound() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn a_demo_has_three_nodes_and_no_end_unless_told() {
        let Ok(Command::Demo(args)) = parse(&["demo"]) else { panic!("not a demo") };
        assert_eq!((args.nodes, args.run_for, args.plain), (3, None, false));
        assert_eq!(args.gossip_interval, Duration::from_millis(200));
        let Ok(Command::Demo(args)) = parse(&["demo", "--for", "1m 500ms", "--nodes", "64", "--plain"]) else {
            panic!("not a demo")
        };
        assert_eq!((args.nodes, args.run_for, args.plain), (64, Some(Duration::from_millis(60_500)), true));
    }

    #[test]
    fn a_demo_serves_its_page_where_it_is_told_or_at_the_usual_port() {
        let http = |words: &[&str]| match parse(words) {
            Ok(Command::Demo(args)) => args.http.map(|address| address.to_string()),
            other => panic!("not a demo: {other:?}"),
        };
        assert_eq!(http(&["demo"]), None);
        assert_eq!(http(&["demo", "--http"]).as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(http(&["demo", "--http", "--plain"]).as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(http(&["demo", "--http", "[::1]:0"]).as_deref(), Some("[::1]:0"));
        assert!(parse(&["demo", "--http", "0.0.0.0:8080"]).unwrap_err().contains("not a loopback address"));
    }

    #[test]
    fn bad_flags_are_named_with_the_way_out() {
        let cases: [(&[&str], &str, &str); 6] = [
            (&["demo", "--nodes", "0"], "--nodes", "1..=64"),
            (&["demo", "--nodes", "65"], "--nodes", "1..=64"),
            (&["demo", "--for", "20"], "--for", "time unit needed"),
            (&["agent", "--name", "a", "--seed", "here"], "--seed", "write host:port"),
            (&["agent", "--name", "a", "--set", "role"], "--set", "write KEY=VALUE"),
            (&["agent", "--name", "a", "--http", "8000"], "--http", "127.0.0.1:8000"),
        ];
        for (words, flag, way_out) in cases {
            let error = parse(words).expect_err(flag);
            assert!(error.contains(flag) && error.contains(way_out), "{words:?}: {error}");
        }
    }
}
