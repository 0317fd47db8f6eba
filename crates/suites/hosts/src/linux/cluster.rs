//! A cluster of agents on hosts, and the waiting for what should come about in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use tidings_program::Program;

use crate::linux::agent::{self, Agent};
use crate::linux::detector::longest_silence;
use crate::linux::fault::{Drops, Rule};
use crate::linux::interrupt;
use crate::linux::network::{Addressing, Host, Network};
use crate::linux::view::{Liveness, View};

/// What the agents run with.
pub(crate) const GOSSIP_INTERVAL: Duration = Duration::from_millis(200);
/// For what takes a few rounds. Generous, since the machine may be busy; who succeeds never waits for it.
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// How long a leaving agent may take to end.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the agents are asked while something is waited for.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// How often one is asked while time is measured.
const ARRIVAL_POLL_INTERVAL: Duration = Duration::from_millis(10);
/// How long the last news of a member that is cut off may go round, and a death may stay unseen by us.
const DETECTION_SLACK: Duration = Duration::from_secs(3);

/// What a cluster is started with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// How many hosts, named host-1, host-2, ...
    pub(crate) hosts: u8,
    pub(crate) addressing: Addressing,
    /// The only seed of all the others.
    pub(crate) seed: &'static str,
    /// Whether the seed's agent is started at first, or by the scenario.
    pub(crate) seed_is_up: bool,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup { hosts: 5, addressing: Addressing::Ipv4, seed: "host-1", seed_is_up: true }
    }
}

/// A running cluster. Dropping it kills the agents and removes the hosts.
#[derive(Debug)]
pub(crate) struct Cluster<'a> {
    // Before the network, since a namespace lives on with the last process in it.
    agents: BTreeMap<String, Agent>,
    network: Network,
    program: &'a Program,
    seed: String,
    formed: Option<Instant>,
}

impl<'a> Cluster<'a> {
    /// Makes the hosts and starts an agent on each.
    pub(crate) fn start(program: &'a Program, setup: Setup) -> Result<Cluster<'a>> {
        let network = Network::create(setup.hosts, setup.addressing)?;
        let seed = setup.seed.to_owned();
        let mut cluster = Cluster { agents: BTreeMap::new(), network, program, seed, formed: None };
        for name in cluster.all_hosts() {
            if setup.seed_is_up || name != setup.seed {
                cluster.start_agent(&name)?;
            }
        }
        Ok(cluster)
    }

    /// Starts the agent of this host, with the seed as its seed unless it is the seed itself.
    pub(crate) fn start_agent(&mut self, name: &str) -> Result<()> {
        interrupt::check()?;
        let seeds = if name == self.seed { Vec::new() } else { vec![self.network.host(&self.seed)?.gossip_address()] };
        let agent = Agent::start(self.program, self.network.host(name)?, &seeds, GOSSIP_INTERVAL)?;
        self.agents.insert(name.to_owned(), agent);
        Ok(())
    }

    /// Sends the agent SIGTERM, so that it leaves, and waits for its good end.
    pub(crate) fn leave(&mut self, name: &str) -> Result<()> {
        let agent = self.agents.remove(name).with_context(|| format!("{name} has no agent"))?;
        let start = Instant::now();
        let status = agent.leave(LEAVE_TIMEOUT).with_context(|| format!("{name} is to leave"))?;
        ensure!(status.success(), "the agent of {name} did not leave in order: {status}");
        self.tell(format_args!("{name} was sent SIGTERM and ended ({:.1} s)", start.elapsed().as_secs_f64()));
        Ok(())
    }

    /// Sets a key of this host's agent.
    pub(crate) fn set(&self, name: &str, key: &str, value: &str) -> Result<()> {
        agent::set(self.network.host(name)?, key, value)
    }

    /// Deletes a key of this host's agent.
    pub(crate) fn delete(&self, name: &str, key: &str) -> Result<()> {
        agent::delete(self.network.host(name)?, key)
    }

    /// The generation this host's agent runs as.
    pub(crate) fn generation_id(&self, name: &str) -> Result<u64> {
        Ok(self.agents.get(name).with_context(|| format!("{name} has no agent"))?.generation_id())
    }

    /// Pulls the host's cable. Gives the instant by which it has to be dead at the others, and they at it.
    pub(crate) fn unplug(&self, name: &str) -> Result<Instant> {
        self.network.set_link(name, false)?;
        self.tell(format_args!("the link of {name} is down"));
        Ok(self.death_of_whom_is_cut_off_now())
    }

    /// Puts the host's cable in again.
    pub(crate) fn plug_in(&self, name: &str) -> Result<()> {
        self.network.set_link(name, true)?;
        self.tell(format_args!("the link of {name} is up"));
        Ok(())
    }

    /// Lets the switch drop what the rules say. Gives the instant by which who is cut off by that has to be dead.
    pub(crate) fn break_network(&mut self, what: &str, rules: &[Rule<'_>]) -> Result<Instant> {
        self.network.break_it(rules)?;
        self.tell(what);
        Ok(self.death_of_whom_is_cut_off_now())
    }

    /// Lets the switch forward everything again. A fault that dropped nothing shows nothing, and is an error.
    pub(crate) fn heal(&mut self) -> Result<Drops> {
        let drops = self.network.heal()?;
        ensure!(drops.dropped > 0, "the fault did nothing: {drops}");
        self.tell(format_args!("the network is whole again; {drops}"));
        Ok(drops)
    }

    /// Gives the host another address under its old name.
    pub(crate) fn renumber(&mut self, name: &str, address: Ipv4Addr) -> Result<()> {
        self.network.renumber(name, address)?;
        self.tell(format_args!("{name} has moved to {address}"));
        Ok(())
    }

    /// The names of all hosts.
    pub(crate) fn all_hosts(&self) -> Vec<String> {
        self.network.hosts().iter().map(|host| host.name().to_owned()).collect()
    }

    /// The hosts with a running agent, these left out.
    pub(crate) fn others(&self, without: &[&str]) -> Vec<&str> {
        self.running().map(Host::name).filter(|name| !without.contains(name)).collect()
    }

    fn running(&self) -> impl Iterator<Item = &Host> {
        self.network.hosts().iter().filter(|host| self.agents.contains_key(host.name()))
    }

    /// Waits until every agent holds every running agent for live, and nobody else.
    pub(crate) fn everyone_is_live(&mut self) -> Result<()> {
        let everyone = self.others(&[]);
        self.holds_live(&everyone, &everyone, SOON)?;
        self.formed.get_or_insert_with(Instant::now);
        Ok(())
    }

    /// Waits until each of `at` holds exactly `live` for live.
    pub(crate) fn holds_live(&self, at: &[&str], live: &[&str], within: Duration) -> Result<()> {
        let wanted: BTreeSet<&str> = live.iter().copied().collect();
        let what = format!("{} live at {}", brief(live), brief(at));
        self.until(&what, at, within, |view| view.names(Liveness::Live) == wanted)
    }

    /// Waits until each of `at` holds each of `dead` for dead.
    pub(crate) fn holds_dead(&self, at: &[&str], dead: &[&str], deadline: Instant) -> Result<()> {
        let what = format!("{} dead at {}", brief(dead), brief(at));
        let within = deadline.saturating_duration_since(Instant::now());
        self.until(&what, at, within, |view| dead.iter().all(|name| view.holds(name, Liveness::Dead)))
    }

    /// Waits until each of `at` reads this value under that host's key.
    pub(crate) fn reads(&self, at: &[&str], name: &str, key: &str, value: &str) -> Result<()> {
        let what = format!("{key}={value} of {name} read at {}", brief(at));
        self.until(&what, at, SOON, |view| view.reads(name, key, value))
    }

    /// Waits until the condition holds of the views of all these hosts at the same time, and tells how long it took.
    /// Where the time runs out, the error says who holds what.
    pub(crate) fn until(
        &self,
        what: &str,
        at: &[&str],
        within: Duration,
        condition: impl Fn(&View) -> bool,
    ) -> Result<()> {
        let start = Instant::now();
        loop {
            let views = self.views_at(at)?;
            if views.iter().all(&condition) {
                self.tell(format_args!(
                    "{what} ({:.1} s of {:.1})",
                    start.elapsed().as_secs_f64(),
                    within.as_secs_f64()
                ));
                return Ok(());
            }
            if start.elapsed() > within {
                bail!("not within {within:.1?}: {what}{}", verdicts(&views, condition));
            }
            interrupt::sleep(POLL_INTERVAL)?;
        }
    }

    /// Waits, without telling, until the condition holds of this host's view; looks as often as it can.
    pub(crate) fn arrival(&self, at: &str, within: Duration, condition: impl Fn(&View) -> bool) -> Result<()> {
        let start = Instant::now();
        let host = self.network.host(at)?;
        while !condition(&agent::view(host)?) {
            ensure!(start.elapsed() <= within, "nothing came to {at} within {within:.1?}");
            interrupt::sleep(ARRIVAL_POLL_INTERVAL)?;
        }
        Ok(())
    }

    /// Watches that the condition holds of all views for this long.
    pub(crate) fn hold(&self, what: &str, time: Duration, condition: impl Fn(&View) -> bool) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < time {
            let views = self.views()?;
            if !views.iter().all(&condition) {
                bail!("no longer after {:.1?}: {what}{}", start.elapsed(), verdicts(&views, condition));
            }
            interrupt::sleep(POLL_INTERVAL)?;
        }
        self.tell(format_args!("{what}, for {:.0} s", time.as_secs_f64()));
        Ok(())
    }

    /// Waits until the agents have known each other for this long, so that their detectors know what to expect.
    pub(crate) fn live_together_for(&self, time: Duration) -> Result<()> {
        let formed = self.formed.context("the cluster has not formed yet")?;
        interrupt::sleep(time.saturating_sub(formed.elapsed()))
    }

    /// For how long at most somebody whom nobody hears is not taken for dead. He must have been live since the beginning.
    pub(crate) fn time_to_death(&self) -> Duration {
        let known_for = self.formed.map_or(Duration::ZERO, |formed| formed.elapsed());
        longest_silence(known_for, GOSSIP_INTERVAL) + DETECTION_SLACK
    }

    fn death_of_whom_is_cut_off_now(&self) -> Instant {
        Instant::now() + self.time_to_death()
    }

    /// The deaths that the log of this host's agent tells of, in order. It has those too that no view shows, since they
    /// were over too soon.
    fn deaths_told_by(&self, name: &str) -> Result<Vec<String>> {
        let agent = self.agents.get(name).with_context(|| format!("{name} has no agent"))?;
        let hosts = self.all_hosts();
        Ok(agent.log().iter().filter_map(|line| death(line, &hosts)).map(str::to_owned).collect())
    }

    /// Waits until the logs of all these hosts tell of exactly these deaths.
    pub(crate) fn logs_tell_of_deaths(&self, at: &[&str], dead: &[&str]) -> Result<()> {
        let start = Instant::now();
        for name in at {
            // A log comes through a pipe, and may be a moment behind the view.
            while self.deaths_told_by(name)? != dead {
                let deaths = self.deaths_told_by(name)?;
                ensure!(start.elapsed() <= SOON, "the log of {name} tells of these deaths: {deaths:?}; not {dead:?}");
                interrupt::sleep(POLL_INTERVAL)?;
            }
        }
        Ok(())
    }

    /// Fails when any agent has ever taken another for dead.
    pub(crate) fn nobody_was_declared_dead(&self) -> Result<()> {
        for name in self.others(&[]) {
            let deaths = self.deaths_told_by(name)?;
            ensure!(deaths.is_empty(), "{name} has taken these for dead: {}", deaths.join(", "));
        }
        self.tell("no log tells of a death");
        Ok(())
    }

    /// What every agent holds.
    pub(crate) fn views(&self) -> Result<Vec<View>> {
        self.views_at(&self.others(&[]))
    }

    /// What these hosts' agents hold, asked at the same time.
    fn views_at(&self, names: &[&str]) -> Result<Vec<View>> {
        let hosts: Vec<&Host> = names.iter().map(|name| self.network.host(name)).collect::<Result<_>>()?;
        thread::scope(|scope| {
            let asked: Vec<_> = hosts.into_iter().map(|host| scope.spawn(move || agent::view(host))).collect();
            let answer = |asked: thread::ScopedJoinHandle<'_, Result<View>>| asked.join();
            asked.into_iter().map(|asked| answer(asked).map_err(|_| anyhow!("asking an agent panicked"))?).collect()
        })
    }

    /// The end of each agent's log.
    pub(crate) fn log_tails(&self, lines: usize) -> String {
        let mut tails = String::new();
        for (name, agent) in &self.agents {
            let log = agent.log();
            let _ = writeln!(tails, "{name}:\n  {}", log[log.len().saturating_sub(lines)..].join("\n  "));
        }
        tails
    }

    /// Whether a fault is still there.
    pub(crate) const fn has_fault(&self) -> bool {
        self.network.has_fault()
    }

    /// Prints a step of the story.
    pub(crate) fn tell(&self, step: impl fmt::Display) {
        let _ = writeln!(std::io::stdout(), "    {step}");
    }
}

fn verdicts(views: &[View], condition: impl Fn(&View) -> bool) -> String {
    let mut verdicts = String::new();
    for view in views {
        let verdict = if condition(view) { "so it is at" } else { "NOT SO AT" };
        let _ = write!(verdicts, "\n  {verdict} {view}");
    }
    verdicts
}

fn brief(names: &[&str]) -> String {
    if names.len() > 5 { format!("{} hosts", names.len()) } else { names.join(", ") }
}

/// The host whose death a line of a log tells of.
fn death<'a>(line: &str, hosts: &'a [String]) -> Option<&'a str> {
    // An event ends the line, and names a node as name-generation-address.
    let (_, node) = line.strip_suffix(" died")?.rsplit_once(' ')?;
    let is_it = |host: &&String| node.strip_prefix(host.as_str()).is_some_and(|rest| rest.starts_with('-'));
    hosts.iter().find(is_it).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_is_found_in_the_log() {
        let hosts = ["host-1", "host-10"].map(str::to_owned);
        let line = |event| format!("2026-01-01T00:00:00Z  INFO node{{id=host-2-5-10.77.0.2:7000}}: tidings: {event}");
        assert_eq!(death(&line("host-10-7-10.77.0.10:7000 died"), &hosts), Some("host-10"));
        assert_eq!(death(&line("host-1-7-10.77.0.1:7000 died"), &hosts), Some("host-1"));
        assert_eq!(death(&line("host-1-7-10.77.0.1:7000 joined"), &hosts), None);
    }
}
