//! What the scenarios are played on.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use tidings_program::{Program, Running};
use tokio::runtime::Runtime;

use crate::agent::{Agent, Launch};
use crate::fake::{Fake, Names};
use crate::requirements::Chromium;
use crate::tab::{Look, SOON, Tab};
use crate::webdriver::Driver;

/// The binary, the browser, and where pictures go.
pub(crate) struct Stage {
    program: Program,
    driver: Driver,
    runtime: Runtime,
    screenshots: PathBuf,
}

impl Stage {
    pub(crate) fn set(program: Program, chromium: &Chromium, screenshots: PathBuf) -> Result<Stage> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.context("no async runtime")?;
        Ok(Stage { program, driver: Driver::start(chromium)?, runtime, screenshots })
    }

    pub(crate) fn screenshots(&self) -> &Path {
        &self.screenshots
    }

    pub(crate) fn start(&self, launch: &Launch) -> Result<Agent> {
        launch.start(&self.program)
    }

    /// A cluster of agents, the first being the seed of the others.
    pub(crate) fn cluster(&self, names: &[&str]) -> Result<Vec<Agent>> {
        let mut agents: Vec<Agent> = Vec::new();
        for name in names {
            let launch = match agents.first() {
                Some(first) => Launch::joining(name, first)?,
                None => Launch::named(name),
            };
            agents.push(self.start(&launch)?);
        }
        Ok(agents)
    }

    /// `tidings demo` with its page. The line that says that it runs names the page's address.
    pub(crate) fn demo(&self) -> Result<Running> {
        let mut command = Command::new(self.program.path());
        Running::start(command.args(["demo", "--plain", "--http", "127.0.0.1:0"]), "event=start")
    }

    /// A made-up agent, seen through the page of a real one.
    pub(crate) fn fake(&self, names: Names) -> Result<Fake> {
        let agent = self.start(&Launch::named("page"))?;
        Fake::serve(&self.runtime, names, &agent.page()?)
    }

    /// A tab at this address.
    pub(crate) fn open(&self, url: &str, look: Look) -> Result<Tab> {
        let tab = Tab::new(&self.driver, look)?;
        tab.go(url)?;
        Ok(tab)
    }

    /// Keeps a picture under this name.
    pub(crate) fn picture(&self, tab: &Tab, name: &str) -> Result<()> {
        tab.screenshot(&self.screenshots.join(format!("{name}.png")))
    }
}

/// Asks until the answer is yes.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + SOON;
    while !holds()? {
        ensure!(Instant::now() < end, "not within {SOON:?}: {what}");
        thread::sleep(std::time::Duration::from_millis(50));
    }
    Ok(())
}

/// A cluster of so many members, as they are usually called.
pub(crate) fn many_names(count: usize) -> Names {
    const ROLES: [&str; 5] = ["web", "db", "cache", "queue", "edge"];
    const KEY_VALUES: [(&str, &str); 5] = [
        ("config/upstreams", r#"["10.0.0.21:8080","10.0.0.22:8080","10.0.0.23:8080"]"#),
        ("load", "0.42"),
        ("role", "web"),
        ("version", "1.42.0"),
        ("zone", "eu-central-1b"),
    ];
    Names {
        members: (0..count).map(|i| format!("{}-{:03}", ROLES[i % ROLES.len()], i / ROLES.len() + 1)).collect(),
        key_values: KEY_VALUES.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
    }
}
