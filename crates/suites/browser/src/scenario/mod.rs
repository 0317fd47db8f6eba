//! The scenarios: each one a story of the page, told by a function of its own.

mod cluster;
mod demo;
mod hostile;
mod looks;
mod many;
mod table;
mod token;

use std::io::Write as _;
use std::time::Instant;

use anyhow::Result;

use crate::report::{Report, Row};
use crate::stage::Stage;

/// One scenario.
pub(crate) struct Scenario {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// What it shows, in a line.
    pub(crate) about: &'static str,
    play: fn(&Stage) -> Result<()>,
}

/// All scenarios, in the order in which they are played.
pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "members",
        about: "three agents appear, and who gossips with whom is drawn",
        play: cluster::members,
    },
    Scenario {
        name: "keys",
        about: "a key set at another agent shows; one is set and deleted in the page, and others read it",
        play: cluster::keys,
    },
    Scenario { name: "death", about: "a killed agent turns dead, and that is said", play: cluster::death },
    Scenario {
        name: "restart",
        about: "the observed agent is killed: the page says so; started again, its events go on",
        play: cluster::restart,
    },
    Scenario { name: "search", about: "500 members are searched and sorted", play: table::search },
    Scenario {
        name: "keyboard",
        about: "everything can be reached and seen to be reached by keys alone",
        play: table::keyboard,
    },
    Scenario { name: "many", about: "500 members are shown at a bounded cost of frames", play: many::frames },
    Scenario { name: "still", about: "who asked for less motion gets none", play: many::still },
    Scenario {
        name: "looks",
        about: "light, dark and on a phone: readable by contrast, nothing sticks out; screenshots are kept",
        play: looks::looks,
    },
    Scenario { name: "hostile", about: "names, keys and values that are markup stay texts", play: hostile::hostile },
    Scenario { name: "token", about: "an agent with a token is asked with one", play: token::token },
    Scenario { name: "demo", about: "the demo's page shows all its nodes, and one that it killed", play: demo::demo },
];

/// Plays the scenarios of these names, or all where there are none, and reports. A failed one is no error here.
pub(crate) fn run(stage: &Stage, names: &[String]) -> Result<Report> {
    let chosen = |scenario: &&Scenario| names.is_empty() || names.iter().any(|name| name == scenario.name);
    let mut report = Report::default();
    let mut out = std::io::stdout();
    for scenario in ALL.iter().filter(chosen) {
        writeln!(out, "{}: {}", scenario.name, scenario.about)?;
        let start = Instant::now();
        let result = (scenario.play)(stage);
        let (has_passed, seconds) = (result.is_ok(), start.elapsed().as_secs_f64());
        if let Err(error) = result {
            writeln!(out, "    FAILED: {error:#}")?;
        }
        writeln!(out, "    {} ({seconds:.1} s)", if has_passed { "passed" } else { "FAILED" })?;
        report.rows.push(Row { scenario: scenario.name, has_passed, seconds });
    }
    Ok(report)
}
