//! The scenarios: each one a story of a cluster on several hosts, told by a function of its own.

mod addresses;
mod cuts;
mod forming;
mod leaving;
mod poor_links;

use std::io::Write as _;
use std::time::Instant;

use anyhow::{Result, ensure};
use tidings_program::Program;

use crate::linux::cluster::{Cluster, Setup};
use crate::linux::interrupt;
use crate::linux::network::Addressing;
use crate::linux::report::{Report, Row};
use crate::linux::view::View;

/// So many lines of each log are printed after a failure.
const LOG_LINES: usize = 12;

/// One scenario.
pub(crate) struct Scenario {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// What it shows, in a line.
    pub(crate) about: &'static str,
    setup: fn() -> Setup,
    play: fn(&mut Cluster<'_>) -> Result<()>,
}

/// All scenarios, in the order in which they are played.
pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "forming",
        about: "5 hosts form a cluster from one seed; a key set, changed and deleted on one is so on all",
        setup: Setup::default,
        play: forming::five_hosts,
    },
    Scenario {
        name: "late-seed",
        about: "4 hosts wait for their seed, which comes up last",
        setup: || Setup { seed_is_up: false, ..Setup::default() },
        play: forming::late_seed,
    },
    Scenario {
        name: "twenty-hosts",
        about: "20 hosts form a cluster from one seed; a key set on one is seen on all; one leaves",
        setup: || Setup { hosts: 20, ..Setup::default() },
        play: forming::twenty_hosts,
    },
    Scenario {
        name: "host-names",
        about: "hosts know each other by name alone; one moves to another address under its name",
        setup: || Setup { addressing: Addressing::Names, ..Setup::default() },
        play: addresses::by_name,
    },
    Scenario {
        name: "ipv6",
        about: "hosts without any IPv4 address form a cluster",
        setup: || Setup { addressing: Addressing::Ipv6, ..Setup::default() },
        play: addresses::ipv6_only,
    },
    Scenario {
        name: "leaving",
        about: "an agent that is sent SIGTERM is seen as left on all hosts, never as dead, and comes back",
        setup: Setup::default,
        play: leaving::and_coming_back,
    },
    Scenario {
        name: "link-down",
        about: "the link of one host goes down: it is dead at the others in time, and back after link up",
        setup: Setup::default,
        play: cuts::link_down,
    },
    Scenario {
        name: "partition",
        about: "2 and 3 hosts are parted: each side goes on by itself; healed, the writes of both are everywhere",
        setup: Setup::default,
        play: cuts::partition,
    },
    Scenario {
        name: "one-way",
        about: "what one host sends another vanishes: both live on through the rest; then all that one host sends",
        setup: Setup::default,
        play: cuts::one_way,
    },
    Scenario {
        name: "packet-loss",
        about: "30 % of all packets are lost for 60 s: nobody is declared dead, and news arrive",
        setup: Setup::default,
        play: poor_links::packet_loss,
    },
    Scenario {
        name: "blackhole",
        about: "a host whose packets vanish, with no refusal, does not slow the rounds of the others",
        setup: Setup::default,
        play: poor_links::blackhole,
    },
];

/// Plays the scenarios of these names, or all where there are none, and reports. A failed one is no error here.
pub(crate) fn run(program: &Program, names: &[String]) -> Result<Report> {
    let chosen = |scenario: &&Scenario| names.is_empty() || names.iter().any(|name| name == scenario.name);
    let mut report = Report::default();
    for scenario in ALL.iter().filter(chosen) {
        report.rows.push(scenario.run(program)?);
    }
    Ok(report)
}

impl Scenario {
    fn run(&self, program: &Program) -> Result<Row> {
        let mut out = std::io::stdout();
        writeln!(out, "{}: {}", self.name, self.about)?;
        let start = Instant::now();
        let (views, result) = match Cluster::start(program, (self.setup)()) {
            Ok(mut cluster) => self.play_in(&mut cluster),
            Err(error) => (Vec::new(), Err(error.context("the cluster did not start"))),
        };
        // When the user wants to stop, that is no failure of the scenario.
        interrupt::check()?;
        let has_passed = result.is_ok();
        if let Err(error) = result {
            writeln!(out, "    FAILED: {error:#}")?;
        }
        let seconds = start.elapsed().as_secs_f64();
        writeln!(out, "    {} ({seconds:.1} s)\n", if has_passed { "passed" } else { "FAILED" })?;
        Ok(Row { scenario: self.name, has_passed, seconds, views })
    }

    fn play_in(&self, cluster: &mut Cluster<'_>) -> (Vec<View>, Result<()>) {
        let mut result = (self.play)(cluster).and_then(|()| {
            ensure!(!cluster.has_fault(), "the scenario ended with the network broken");
            Ok(())
        });
        let views = match cluster.views() {
            Ok(views) => views,
            Err(error) => {
                result = result.and(Err(error));
                Vec::new()
            }
        };
        if result.is_err() && !interrupt::is_raised() {
            cluster.tell(format_args!("the logs end so:\n{}", cluster.log_tails(LOG_LINES)));
        }
        (views, result)
    }
}
