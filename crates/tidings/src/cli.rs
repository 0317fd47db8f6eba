//! The command line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tidings_tokio::Address;

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
    /// Run one cluster member, with an HTTP API on the loopback interface.
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
}

#[derive(Args, Clone, Debug)]
pub(crate) struct AgentArgs {
    /// This node's name, the same at every start.
    #[arg(long)]
    pub(crate) name: String,

    /// Where to listen for gossip; port 0 lets the system choose.
    #[arg(long, default_value = "127.0.0.1:7000", value_name = "HOST:PORT")]
    pub(crate) listen: Address,

    /// Where other nodes reach this one, if that is not where it listens.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) advertise: Option<Address>,

    /// A node to begin with; may be repeated.
    #[arg(long = "seed", value_name = "HOST:PORT")]
    pub(crate) seeds: Vec<Address>,

    /// The cluster to belong to; nodes of another one are not spoken to.
    #[arg(long, default_value = "default-cluster", value_name = "ID")]
    pub(crate) cluster_id: String,

    /// Time between two gossip rounds, as in 1s or 200ms.
    #[arg(long, default_value = "1s", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) gossip_interval: Duration,

    /// A key-value to start with; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) key_values: Vec<(String, String)>,

    /// Serve the HTTP API at this loopback address, as in 127.0.0.1:8000; port 0 lets the system choose.
    ///
    /// Whoever can reach the API can write this node's key-values, so only a loopback address is taken.
    #[arg(long, value_name = "IP:PORT", value_parser = loopback)]
    pub(crate) http: Option<SocketAddr>,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, as in role=web")?;
    Ok((key.to_string(), value.to_string()))
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address = match text.strip_prefix("localhost:") {
        Some(port) => port.parse().map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)).ok(),
        None => text.parse().ok(),
    };
    let address: SocketAddr =
        address.ok_or("write an IP address and a port, as in 127.0.0.1:8000, [::1]:8000 or localhost:8000")?;
    if !address.ip().to_canonical().is_loopback() {
        return Err(format!(
            "{} is not a loopback address. The API asks for no credentials, so it is served to this machine alone: \
             use 127.0.0.1:{port} or [::1]:{port}",
            address.ip(),
            port = address.port(),
        ));
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

    fn agent(words: &[&str]) -> Result<AgentArgs, String> {
        match parse(&[&["agent", "--name", "a"], words].concat())? {
            Command::Agent(args) => Ok(args),
            other => Err(format!("{other:?}")),
        }
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
    fn bad_flags_are_named_with_the_way_out() {
        let cases: [(&[&str], &str, &str); 7] = [
            (&["demo", "--nodes", "0"], "--nodes", "1..=64"),
            (&["demo", "--nodes", "65"], "--nodes", "1..=64"),
            (&["demo", "--for", "20"], "--for", "time unit needed"),
            (&["agent"], "--name", "required"),
            (&["agent", "--name", "a", "--seed", "here"], "--seed", "write host:port"),
            (&["agent", "--name", "a", "--set", "role"], "--set", "write KEY=VALUE"),
            (&["agent", "--name", "a", "--http", "8000"], "--http", "127.0.0.1:8000"),
        ];
        for (words, flag, way_out) in cases {
            let error = parse(words).expect_err(flag);
            assert!(error.contains(flag) && error.contains(way_out), "{words:?}: {error}");
        }
    }

    #[test]
    fn seeds_and_key_values_are_collected_in_order() {
        let args = agent(&["--seed", "a:1", "--set", "k=v=w", "--seed", "[::1]:2", "--set", "empty="]).unwrap();
        assert_eq!(args.seeds, [Address::new("a", 1), Address::new("::1", 2)]);
        let pairs = [("k", "v=w"), ("empty", "")].map(|(key, value)| (key.to_string(), value.to_string()));
        assert_eq!(args.key_values, pairs);
    }

    #[test]
    fn the_api_is_served_on_loopback_alone() {
        for good in ["127.0.0.1:8000", "127.8.9.1:0", "[::1]:8000", "localhost:8000", "[::ffff:127.0.0.1]:1"] {
            assert!(agent(&["--http", good]).unwrap().http.is_some(), "{good}");
        }
        for bad in ["0.0.0.0:8000", "[::]:8000", "10.0.0.7:8000", "[::ffff:10.0.0.7]:8000"] {
            let error = agent(&["--http", bad]).expect_err(bad);
            assert!(error.contains("not a loopback address") && error.contains("use 127.0.0.1:8000"), "{error}");
        }
    }
}
