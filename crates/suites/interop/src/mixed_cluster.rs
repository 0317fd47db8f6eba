//! A cluster of Python nodes and of ours on loopback, and the waiting for what should come about in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tidings_conformance::certificates::Authority;
use tidings_core::{Address, NodeId};
use tokio::time::sleep;

use crate::environment::Environment;
use crate::member::{Kind, Member, Spec};
use crate::our_peer::OurPeer;
use crate::python_peer::PythonPeer;
use crate::security::{Demand, Security};
use crate::view::{Detail, View};

/// How often the members are asked while something is waited for.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Below the ports that systems give to outgoing connections, so that none of these takes one between choice and use.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// What a mixed cluster is started with.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// How many Python nodes, named py-1, py-2, ...
    pub(crate) python: usize,
    /// How many of ours, named ours-1, ours-2, ...
    pub(crate) ours: usize,
    /// See [`Spec::grace_period`].
    pub(crate) grace_period: Duration,
    /// Which sides show certificates; `None`: traffic is in the clear.
    pub(crate) tls: Option<Demand>,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup { python: 2, ours: 2, grace_period: Duration::from_secs(7200), tls: None }
    }
}

/// A running mixed cluster.
#[derive(Debug)]
pub(crate) struct MixedCluster {
    environment: Environment,
    authority: Authority,
    members: BTreeMap<String, (Spec, Member)>,
}

impl MixedCluster {
    /// Starts all members. The first of each kind are everyone's seeds, their own too, as one list serves all in practice.
    pub(crate) async fn start(environment: &Environment, setup: &Setup) -> Result<MixedCluster> {
        let mut cluster = MixedCluster {
            environment: environment.clone(),
            authority: Authority::new("interop"),
            members: BTreeMap::new(),
        };
        let mut specs = Vec::new();
        for (kind, count) in [(Kind::Python, setup.python), (Kind::Ours, setup.ours)] {
            for number in 1..=count {
                let mut spec = new_spec(kind, &format!("{}-{number}", prefix(kind)))?;
                spec.grace_period = setup.grace_period;
                spec.security = setup.tls.map(|demand| Security::new(&spec.name, &cluster.authority, demand));
                specs.push(spec);
            }
        }
        let is_seed = |spec: &&Spec| spec.name.ends_with("-1");
        let seeds: Vec<Address> = specs.iter().filter(is_seed).map(|spec| spec.address.clone()).collect();
        for mut spec in specs {
            spec.seeds.clone_from(&seeds);
            cluster.join(spec).await?;
        }
        Ok(cluster)
    }

    /// Starts another cluster beside this one.
    pub(crate) async fn start_another(&self, setup: &Setup) -> Result<MixedCluster> {
        MixedCluster::start(&self.environment, setup).await
    }

    /// What a further member of this cluster would be started with.
    pub(crate) fn new_spec(&self, kind: Kind, name: &str) -> Result<Spec> {
        let mut spec = new_spec(kind, name)?;
        if let Some((pattern, _)) = self.members.values().next() {
            spec.seeds.clone_from(&pattern.seeds);
            spec.grace_period = pattern.grace_period;
        }
        Ok(spec)
    }

    /// Who signs the members' certificates.
    pub(crate) const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Starts a further member.
    pub(crate) async fn join(&mut self, spec: Spec) -> Result<()> {
        let member = Member::start(&self.environment, &spec).await?;
        self.members.insert(spec.name.clone(), (spec, member));
        Ok(())
    }

    /// Ends a member without a word and says what it was started with.
    pub(crate) async fn crash(&mut self, name: &str) -> Result<Spec> {
        let (spec, member) = self.members.remove(name).with_context(|| format!("{name} is not a member"))?;
        self.tell(format_args!("{name} crashes"));
        member.crash().await?;
        Ok(spec)
    }

    /// The member of this name.
    pub(crate) fn member(&self, name: &str) -> Result<&Member> {
        let (_, member) = self.members.get(name).with_context(|| format!("{name} is not a member"))?;
        Ok(member)
    }

    /// The Python node of this name.
    pub(crate) fn python(&self, name: &str) -> Result<&PythonPeer> {
        match self.member(name)? {
            Member::Python(peer) => Ok(peer),
            Member::Ours(_) => bail!("{name} is not a Python node"),
        }
    }

    /// Our node of this name.
    pub(crate) fn ours(&self, name: &str) -> Result<&OurPeer> {
        match self.member(name)? {
            Member::Ours(peer) => Ok(peer),
            Member::Python(_) => bail!("{name} is a Python node"),
        }
    }

    /// All Python nodes.
    pub(crate) fn python_peers(&self) -> impl Iterator<Item = &PythonPeer> {
        self.members().filter_map(|member| match member {
            Member::Python(peer) => Some(&**peer),
            Member::Ours(_) => None,
        })
    }

    /// All members.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values().map(|(_, member)| member)
    }

    /// The identities of all members.
    pub(crate) fn node_ids(&self) -> BTreeSet<NodeId> {
        self.members.values().map(|(spec, _)| spec.node_id()).collect()
    }

    /// What every member holds.
    pub(crate) async fn views(&self) -> Result<Vec<View>> {
        self.views_of(None, Detail::KeyValues).await
    }

    async fn views_of(&self, among: Option<Kind>, detail: Detail) -> Result<Vec<View>> {
        let mut views = Vec::new();
        for (spec, member) in self.members.values() {
            if among.is_none_or(|kind| kind == spec.kind) {
                views.push(member.view(detail).await?);
            }
        }
        Ok(views)
    }

    /// Waits until every member is live at every member, and nobody else is.
    pub(crate) async fn everyone_is_live(&self) -> Result<()> {
        let everyone = self.node_ids();
        self.until("everyone is live at everyone", Duration::from_secs(30), |view| view.live == everyone).await
    }

    /// Waits until the condition holds of every member's view.
    pub(crate) async fn until(&self, what: &str, within: Duration, condition: impl Fn(&View) -> bool) -> Result<()> {
        self.wait(what, within).until(condition).await
    }

    /// Begins to wait for something; see [`Wait`].
    pub(crate) fn wait(&self, what: impl Into<String>, within: Duration) -> Wait<'_> {
        Wait { cluster: self, what: what.into(), within, among: None, detail: Detail::KeyValues }
    }

    /// Ends a Python node as its owner would, and says what it was started with.
    pub(crate) async fn stop_python(&mut self, name: &str) -> Result<Spec> {
        let (spec, member) = self.members.remove(name).with_context(|| format!("{name} is not a member"))?;
        match member {
            Member::Python(peer) => peer.stop().await?,
            Member::Ours(_) => bail!("{name} is not a Python node"),
        }
        Ok(spec)
    }

    /// Takes a node of ours out of the cluster, so that it can leave.
    pub(crate) fn take_ours(&mut self, name: &str) -> Result<OurPeer> {
        match self.members.remove(name) {
            Some((_, Member::Ours(peer))) => Ok(peer),
            _ => bail!("{name} is not a node of ours"),
        }
    }

    /// Prints a step of the story.
    pub(crate) fn tell(&self, step: impl std::fmt::Display) {
        let _ = writeln!(std::io::stdout(), "    {step}");
    }
}

/// A wait for a condition to hold of the views of all members, or of those of one kind, at the same time.
#[derive(Debug)]
pub(crate) struct Wait<'a> {
    cluster: &'a MixedCluster,
    what: String,
    within: Duration,
    among: Option<Kind>,
    detail: Detail,
}

impl Wait<'_> {
    /// Asks the members of this kind alone.
    pub(crate) const fn among(mut self, kind: Kind) -> Self {
        self.among = Some(kind);
        self
    }

    /// Asks for the number of keys and not for the keys, which spares a Python node with thousands of them.
    pub(crate) const fn counting_keys(mut self) -> Self {
        self.detail = Detail::KeyCounts;
        self
    }

    /// Waits, and tells how long it took. Where the time runs out, the error says who holds what.
    pub(crate) async fn until(self, condition: impl Fn(&View) -> bool) -> Result<()> {
        let start = Instant::now();
        loop {
            let views = self.cluster.views_of(self.among, self.detail).await?;
            if views.iter().all(&condition) {
                self.cluster.tell(format_args!("{} ({:.1} s)", self.what, start.elapsed().as_secs_f64()));
                return Ok(());
            }
            if start.elapsed() > self.within {
                let mut held = String::new();
                for view in &views {
                    let verdict = if condition(view) { "so it is at" } else { "NOT SO AT" };
                    let _ = write!(held, "\n  {verdict} {view}");
                }
                bail!("not within {:?}: {}{held}", self.within, self.what);
            }
            sleep(POLL_INTERVAL).await;
        }
    }
}

const fn prefix(kind: Kind) -> &'static str {
    match kind {
        Kind::Python => "py",
        Kind::Ours => "ours",
    }
}

fn new_spec(kind: Kind, name: &str) -> Result<Spec> {
    Ok(Spec {
        kind,
        name: name.to_owned(),
        generation_id: 1,
        address: Address::new("127.0.0.1", free_port()?),
        seeds: Vec::new(),
        cluster_id: "interop".to_owned(),
        gossip_interval: Duration::from_millis(200),
        grace_period: Duration::from_secs(7200),
        max_payload_bytes: 65_507,
        security: None,
    })
}

/// A port of loopback that nobody listens on; each call gives another one.
fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let count = PORTS.end - PORTS.start;
    // Two runs at the same time begin at different ports.
    let first = u16::try_from(std::process::id() * 97 % u32::from(count))?;
    for _ in PORTS {
        let port = PORTS.start + (first + NEXT.fetch_add(1, Ordering::Relaxed) % count) % count;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("every port from {} to {} of 127.0.0.1 is taken", PORTS.start, PORTS.end - 1)
}
