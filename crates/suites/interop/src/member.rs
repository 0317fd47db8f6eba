//! A member of a mixed cluster: the same verbs for a Python node and for one of ours.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use tidings_core::{Address, NodeId};

use crate::environment::Environment;
use crate::our_peer::OurPeer;
use crate::python_peer::{PythonConfig, PythonPeer};
use crate::security::Security;
use crate::view::{Detail, View};

/// Whose implementation a member runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Python aiocluster, in a process of its own.
    Python,
    /// tidings, in this process.
    Ours,
}

/// What a member is started with.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) generation_id: u64,
    pub(crate) address: Address,
    pub(crate) seeds: Vec<Address>,
    pub(crate) cluster_id: String,
    pub(crate) gossip_interval: Duration,
    /// How long a tombstone, or a key that is set for the grace period, is kept.
    pub(crate) grace_period: Duration,
    /// The most bytes in a packet it sends; a Python node refuses packets above it, too.
    pub(crate) max_payload_bytes: u32,
    /// `None`: traffic is in the clear.
    pub(crate) security: Option<Security>,
}

impl Spec {
    /// The identity of the member started with this.
    pub(crate) fn node_id(&self) -> NodeId {
        let tls_name = self.security.as_ref().and_then(|security| security.tls_name.clone());
        NodeId::with_tls_name(&self.name, self.generation_id, self.address.clone(), tls_name)
    }

    /// The longest interval that is a sample: ten rounds, as by the defaults of both.
    pub(crate) fn max_interval(&self) -> Duration {
        self.gossip_interval * 10
    }

    /// The same for Python.
    pub(crate) fn python_config(&self) -> PythonConfig {
        let mut config = PythonConfig::new(&self.name, self.generation_id, &self.address);
        config.seeds = self.seeds.iter().map(|seed| (seed.host().to_owned(), seed.port())).collect();
        config.cluster_id.clone_from(&self.cluster_id);
        config.gossip_interval = self.gossip_interval.as_secs_f64();
        config.marked_for_deletion_grace_period = self.grace_period.as_secs_f64();
        config.max_payload_size = self.max_payload_bytes;
        // Five rounds, as by its defaults.
        config.failure_detector.initial_interval = (self.gossip_interval * 5).as_secs_f64();
        config.failure_detector.max_interval = self.max_interval().as_secs_f64();
        if let Some(security) = &self.security {
            config.tls_name.clone_from(&security.tls_name);
            config.tls = Some(security.of_python());
        }
        config
    }
}

/// A running member. Dropping it is a crash.
#[derive(Debug)]
pub(crate) enum Member {
    /// Python aiocluster.
    Python(Box<PythonPeer>),
    /// tidings.
    Ours(OurPeer),
}

impl Member {
    /// Starts a member and waits until it listens.
    pub(crate) async fn start(environment: &Environment, spec: &Spec) -> Result<Member> {
        Ok(match spec.kind {
            Kind::Python => Member::Python(Box::new(PythonPeer::start(environment, &spec.python_config()).await?)),
            Kind::Ours => Member::Ours(OurPeer::start(spec).await?),
        })
    }

    /// Sets a key of the member's own.
    pub(crate) async fn set(&self, key: &str, value: &str) -> Result<()> {
        match self {
            Member::Python(peer) => peer.set(key, value).await,
            Member::Ours(peer) => peer.set(key, value),
        }
    }

    /// Sets a key for the grace period.
    pub(crate) async fn set_with_ttl(&self, key: &str, value: &str) -> Result<()> {
        match self {
            Member::Python(peer) => peer.set_with_ttl(key, value).await,
            Member::Ours(peer) => peer.set_with_ttl(key, value),
        }
    }

    /// Sets many keys at once.
    pub(crate) async fn set_many(&self, pairs: &BTreeMap<String, String>) -> Result<()> {
        match self {
            Member::Python(peer) => peer.set_many(pairs).await,
            Member::Ours(peer) => pairs.iter().try_for_each(|(key, value)| peer.set(key, value)),
        }
    }

    /// Turns a key into a tombstone.
    pub(crate) async fn delete(&self, key: &str) -> Result<()> {
        match self {
            Member::Python(peer) => peer.delete(key).await,
            Member::Ours(peer) => peer.delete(key),
        }
    }

    /// Lets a key end with the grace period.
    pub(crate) async fn delete_after_ttl(&self, key: &str) -> Result<()> {
        match self {
            Member::Python(peer) => peer.delete_after_ttl(key).await,
            Member::Ours(peer) => peer.delete_after_ttl(key),
        }
    }

    /// All that the member holds.
    pub(crate) async fn view(&self, detail: Detail) -> Result<View> {
        match self {
            Member::Python(peer) => peer.view(detail).await,
            Member::Ours(peer) => Ok(peer.view()),
        }
    }

    /// Ends it without a word: SIGKILL for a process, the handle dropped for one of ours. Its port is free afterwards.
    pub(crate) async fn crash(self) -> Result<()> {
        match self {
            Member::Python(peer) => peer.kill().await,
            Member::Ours(peer) => peer.crash().await,
        }
    }
}
