//! The scenarios: each one a story of a mixed cluster, told by a function of its own.

mod collection;
mod cost;
mod crash;
mod faults;
mod key_values;
mod large;
mod late;
mod leaving;
mod lifetimes;
mod membership;
mod replacement;
mod tls;

use std::future::Future;
use std::io::Write as _;
use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::environment::Environment;
use crate::mixed_cluster::{MixedCluster, Setup};
use crate::report::{Report, Row};

/// The longest that a scenario may take; each wait in it has a shorter limit of its own.
const SCENARIO_TIMEOUT: Duration = Duration::from_secs(180);

type Story<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// One scenario.
pub(crate) struct Scenario {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// What it shows, in a line.
    pub(crate) about: &'static str,
    /// How often it is played, each time in a new cluster.
    runs: u32,
    setup: fn() -> Setup,
    play: for<'a> fn(&'a mut MixedCluster) -> Story<'a>,
}

/// All scenarios, in the order in which they are played.
pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "everyone-live",
        about: "2 Python nodes and 2 of ours: everyone is live at everyone, and stays so",
        runs: 1,
        setup: Setup::default,
        play: |cluster| Box::pin(membership::everyone_live(cluster)),
    },
    Scenario {
        name: "python-keys",
        about: "what a Python node sets, changes and deletes is seen by ours",
        runs: 1,
        setup: Setup::default,
        play: |cluster| Box::pin(key_values::of_python(cluster)),
    },
    Scenario {
        name: "our-keys",
        about: "what a node of ours sets, changes and deletes is seen by Python nodes",
        runs: 1,
        setup: Setup::default,
        play: |cluster| Box::pin(key_values::of_ours(cluster)),
    },
    Scenario {
        name: "python-lifetimes",
        about: "set_with_ttl and delete_after_ttl of a Python node are seen by ours, and end",
        runs: 1,
        setup: lifetimes::setup,
        play: |cluster| Box::pin(lifetimes::of_python(cluster)),
    },
    Scenario {
        name: "our-lifetimes",
        about: "our values for the grace period, and for a time of their own, are seen by Python nodes, and end",
        runs: 1,
        setup: lifetimes::setup,
        play: |cluster| Box::pin(lifetimes::of_ours(cluster)),
    },
    Scenario {
        name: "python-crash",
        about: "a Python node is killed and comes back with a new generation",
        runs: 1,
        setup: Setup::default,
        play: |cluster| Box::pin(crash::of_python(cluster)),
    },
    Scenario {
        name: "our-crash",
        about: "a node of ours is dropped and comes back with a new generation",
        runs: 1,
        setup: Setup::default,
        play: |cluster| Box::pin(crash::of_ours(cluster)),
    },
    Scenario {
        name: "other-cluster",
        about: "a Python node and one of ours with another cluster id stay apart, and are counted",
        runs: 1,
        setup: Setup::default,
        play: |cluster| Box::pin(membership::other_cluster(cluster)),
    },
    Scenario {
        name: "five-and-five",
        about: "5 Python nodes and 5 of ours: everyone is live at everyone, with everyone's key",
        runs: 1,
        setup: large::ten_members,
        play: |cluster| Box::pin(membership::everyone_live(cluster)),
    },
    Scenario {
        name: "python-5000-keys",
        about: "5,000 keys of a Python node that goes on writing reach each of ours, though Python relays with holes",
        runs: 1,
        setup: large::relays,
        play: |cluster| Box::pin(large::python_owner(cluster)),
    },
    Scenario {
        name: "our-5000-keys",
        about: "5,000 keys of a node of ours, set at once, reach every Python node",
        runs: 20,
        setup: Setup::default,
        play: |cluster| Box::pin(large::our_owner(cluster)),
    },
    Scenario {
        name: "our-5000-keys-at-ten",
        about: "the same among 5 Python nodes and 5 of ours",
        runs: 5,
        setup: large::ten_members,
        play: |cluster| Box::pin(large::our_owner(cluster)),
    },
    Scenario {
        name: "late-python",
        about: "a Python node that joins through another misses keys of ours, and none once they are published again",
        runs: 1,
        setup: Setup::default,
        play: |cluster| Box::pin(late::python(cluster)),
    },
    Scenario {
        name: "python-collection",
        about: "tombstones of a Python node are collected: no live key of it is lost at ours",
        runs: 1,
        setup: collection::setup,
        play: |cluster| Box::pin(collection::of_python(cluster)),
    },
    Scenario {
        name: "our-collection",
        about: "tombstones of ours are collected: no live key is lost anywhere",
        runs: 1,
        setup: collection::setup,
        play: |cluster| Box::pin(collection::of_ours(cluster)),
    },
    Scenario {
        name: "python-newest-gone",
        about: "the newest version of a Python node was collected: one of ours joins, and hears from Python nodes alone",
        runs: 1,
        setup: collection::python_nodes,
        play: |cluster| Box::pin(collection::newest_of_python(cluster)),
    },
    Scenario {
        name: "our-newest-gone",
        about: "the newest version of a node of ours was collected: a Python node and one of ours join",
        runs: 1,
        setup: collection::setup,
        play: |cluster| Box::pin(collection::newest_of_ours(cluster)),
    },
    Scenario {
        name: "oversized-packets",
        about: "a Python node sends packets over 65,507 bytes: ours take them",
        runs: 1,
        setup: Setup::default,
        play: |cluster| Box::pin(faults::oversized_packets(cluster)),
    },
    Scenario {
        name: "lower-generation",
        about: "a Python node comes back with a lower generation, as after a reboot",
        runs: 1,
        setup: Setup::default,
        play: |cluster| Box::pin(faults::lower_generation(cluster)),
    },
    Scenario {
        name: "leaving",
        about: "a node of ours leaves, and one of ours who meets only Python nodes knows it as left",
        runs: 1,
        setup: leaving::setup,
        play: |cluster| Box::pin(leaving::through_a_python_relay(cluster)),
    },
    Scenario {
        name: "silence",
        about: "a Python node falls silent in mid-exchange: ours go on, and take it back",
        runs: 1,
        setup: Setup::default,
        play: |cluster| Box::pin(faults::silence_in_mid_exchange(cluster)),
    },
    Scenario {
        name: "rolling-replacement",
        about: "5 Python nodes are replaced by ours one after the other under a writer, and nothing is lost",
        runs: 1,
        setup: replacement::setup,
        play: |cluster| Box::pin(replacement::rolling(cluster)),
    },
    Scenario {
        name: "mtls",
        about: "2 Python nodes and 2 of ours over TLS, all with certificates: everyone is live at everyone",
        runs: 1,
        setup: tls::mutual,
        play: |cluster| Box::pin(tls::everyone_live(cluster)),
    },
    Scenario {
        name: "server-only-tls",
        about: "the same where only the dialled side shows a certificate, as all share one name",
        runs: 1,
        setup: tls::server_only,
        play: |cluster| Box::pin(tls::everyone_live(cluster)),
    },
    Scenario {
        name: "mtls-strangers",
        about: "Python nodes without TLS, with another authority's certificate, or with another's name: ours take none",
        runs: 1,
        setup: tls::mutual,
        play: |cluster| Box::pin(tls::strangers(cluster)),
    },
    Scenario {
        name: "cost",
        about: "what 5 Python nodes have to do beside 5 of ours, against beside 5 more of their own kind",
        runs: 1,
        setup: cost::setup,
        play: |cluster| Box::pin(cost::steady(cluster)),
    },
    Scenario {
        name: "cost-dead-owner",
        about: "the same when an owner has died whose keys all Python nodes hold with holes",
        runs: 1,
        setup: cost::setup,
        play: |cluster| Box::pin(cost::dead_owner(cluster)),
    },
];

/// Plays the scenarios of these names, or all where there are none, and reports. A failed one is no error here.
pub(crate) async fn run(environment: &Environment, names: &[String]) -> Result<Report> {
    let chosen = |scenario: &&Scenario| names.is_empty() || names.iter().any(|name| name == scenario.name);
    let mut report = Report::default();
    for scenario in ALL.iter().filter(chosen) {
        report.rows.push(scenario.run(environment).await?);
    }
    Ok(report)
}

impl Scenario {
    async fn run(&self, environment: &Environment) -> Result<Row> {
        let mut out = std::io::stdout();
        writeln!(out, "{}: {}", self.name, self.about)?;
        let start = Instant::now();
        let mut row = Row { scenario: self.name, runs: self.runs, passed_runs: 0, seconds: 0.0, views: Vec::new() };
        for run in 1..=self.runs {
            if self.runs > 1 {
                writeln!(out, "  run {run} of {}", self.runs)?;
            }
            let (views, result) = self.play_to_the_end(environment).await;
            row.views = views;
            match result {
                Ok(()) => row.passed_runs += 1,
                Err(error) => writeln!(out, "    FAILED: {error:#}")?,
            }
        }
        row.seconds = start.elapsed().as_secs_f64();
        writeln!(out, "    {} ({:.1} s)\n", row.result(), row.seconds)?;
        Ok(row)
    }

    async fn play_to_the_end(&self, environment: &Environment) -> (Vec<crate::view::View>, Result<()>) {
        let mut cluster = match MixedCluster::start(environment, &(self.setup)()).await {
            Ok(cluster) => cluster,
            Err(error) => return (Vec::new(), Err(error.context("the cluster did not start"))),
        };
        let played = match tokio::time::timeout(SCENARIO_TIMEOUT, (self.play)(&mut cluster)).await {
            Ok(result) => result,
            Err(_) => Err(anyhow::anyhow!("it took longer than {SCENARIO_TIMEOUT:?}")),
        };
        let views = cluster.views().await;
        let result = match (&views, played) {
            (_, Err(error)) => {
                tell_last_words(&cluster);
                Err(error)
            }
            (Err(error), Ok(())) => Err(anyhow::anyhow!("at the end: {error:#}")),
            (Ok(_), Ok(())) => no_python_node_is_at_a_loss(&cluster).await,
        };
        (views.unwrap_or_default(), result)
    }
}

/// What Python nodes complained of, beside a failure.
fn tell_last_words(cluster: &MixedCluster) {
    for peer in cluster.python_peers() {
        if let Some(text) = peer.last_words() {
            cluster.tell(format_args!("{} wrote to its standard error:{text}", peer.node_id()));
        }
    }
}

/// Whatever aiocluster does not expect it logs as an error: none of ours may bring it to that.
async fn no_python_node_is_at_a_loss(cluster: &MixedCluster) -> Result<()> {
    for peer in cluster.python_peers() {
        let errors = peer.stats().await?.errors;
        ensure!(errors == 0, "{}", peer.explain(anyhow::anyhow!("it logged {errors} unexpected errors")));
    }
    Ok(())
}
