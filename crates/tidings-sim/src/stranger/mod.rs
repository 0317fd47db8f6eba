//! Strangers: hosts that are no nodes, and make packets out of what they hear.
//!
//! A stranger decodes what nodes tell it and builds packets of its own with the core's wire types. It dials nodes, and
//! answers at an address of its own; so it may be a liar, a member with a defect in its memory, or a peer of another make
//! that keeps to fewer rules than a node does. All that it does is bounded: one packet each `every`, until `until`.

mod lie;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tidings_core::reconcile::{Delta, NodeDelta};
use tidings_core::wire::aiocluster::{self as wire, Digest, Message, NodeDigest, Packet};
use tidings_core::{Address, DecodeLimits, Instant, NodeId, Run, ValueStatus};

use crate::random::Random;
pub(crate) use lie::BEYOND_WHAT_IS_WRITTEN;
pub use lie::{ForgedAddress, ForgedGeneration, Lie};

/// What a stranger is, and what it does.
///
/// ```
/// use std::time::Duration;
/// use tidings_core::{Config, Instant, NodeId};
/// use tidings_sim::{Lie, LinkConfig, Stranger, World, address};
///
/// let mut world = World::new(7, LinkConfig::default());
/// let id = |index: usize| NodeId::new(format!("node{index}"), 1, address(index));
/// for index in 0..3 {
///     let mut config = Config::new(id(index));
///     config.seeds = vec![address(0)];
///     world.add(config)?;
/// }
/// world.run_until(Instant::from_secs(10));
///
/// // It tells node 2, once, that node 1 has beaten a thousand times more often than it has.
/// let mut stranger = Stranger::new(NodeId::new("stranger", 1, address(99)), vec![address(2)]);
/// stranger.about = vec!["node1".into()];
/// stranger.lies = vec![Lie::Raise { heartbeat: 1_000, version: 0 }];
/// stranger.most = 1;
/// let stranger = world.add_stranger(stranger);
/// world.run_until(Instant::from_secs(20));
/// assert_eq!(world.lies_told(stranger), 1);
/// assert!(world.heard(stranger, &id(1)).is_some_and(|entry| entry.heartbeat > 1_000));
/// # Ok::<(), tidings_core::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Stranger {
    /// Who it says it is. It answers at the address in it.
    pub id: NodeId,
    /// The cluster it speaks to. [`Stranger::new`]: the default one.
    pub cluster_id: String,
    /// Whether its packets say that it keeps to our rules, as a node's do. [`Stranger::new`]: yes.
    pub is_marked: bool,
    /// The addresses that it dials, one drawn by chance each time.
    pub tells: Vec<Address>,
    /// Names of the nodes it lies about.
    pub about: Vec<String>,
    /// What it says of them, all of it in each packet; nothing at first.
    pub lies: Vec<Lie>,
    /// It dials the node that it lies about, not one of `tells`.
    pub to_owner: bool,
    /// It speaks as the node that it lies about, not as itself: the first entry of its digests is that node's, with the
    /// lie in it.
    pub as_owner: bool,
    /// What it shows of the key-values of others.
    pub holding: Holding,
    /// The time from one packet to the next. [`Stranger::new`]: a second.
    pub every: Duration,
    /// It dials nobody from this instant on, and tells the truth where it is dialled.
    pub until: Instant,
    /// It lies in at most so many packets.
    pub most: u64,
}

/// What a stranger shows of other nodes' key-values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// That it holds whatever it has heard of: so it is sent nothing.
    Everything,
    /// That it holds nothing, however often it is sent everything.
    Nothing,
    /// What it was sent, as an aiocluster node takes it: with the version that the delta claims.
    Taken,
}

impl Stranger {
    /// One that tells these addresses who it is, and no lie.
    #[must_use]
    pub fn new(id: NodeId, tells: Vec<Address>) -> Stranger {
        Stranger {
            id,
            cluster_id: "default-cluster".to_string(),
            is_marked: true,
            tells,
            about: Vec::new(),
            lies: Vec::new(),
            to_owner: false,
            as_owner: false,
            holding: Holding::Everything,
            every: Duration::from_secs(1),
            until: Instant::FAR_FUTURE,
            most: u64::MAX,
        }
    }
}

/// A stranger at work: what it has heard and said so far. Sans-IO, as a node is.
#[derive(Debug)]
pub(crate) struct Actor {
    stranger: Stranger,
    random: Random,
    heartbeat: u64,
    /// The newest that was heard of each node.
    heard: BTreeMap<NodeId, NodeDigest>,
    /// Runs that it made up: what it hears of them proves nothing.
    forged: BTreeSet<NodeId>,
    /// What was taken of each node's key-values.
    taken: BTreeMap<NodeId, Taken>,
    next_dial: Instant,
    lies_told: u64,
}

/// One node's key-values as a stranger has taken them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) version: u64,
    pub(crate) last_gc_version: u64,
    pub(crate) keys: BTreeMap<Arc<str>, Arc<str>>,
}

/// A stranger remembers and tells of so many nodes, and of so many keys of each.
const MAX_HEARD: usize = 1_000;

/// What a stranger answers to a packet.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) packet: Option<Bytes>,
    pub(crate) reads_on: bool,
}

impl Actor {
    pub(crate) fn new(now: Instant, stranger: Stranger, random: Random) -> Actor {
        Actor {
            stranger,
            random,
            heartbeat: 1,
            heard: BTreeMap::new(),
            forged: BTreeSet::new(),
            taken: BTreeMap::new(),
            next_dial: now,
            lies_told: 0,
        }
    }

    pub(crate) fn address(&self) -> &Address {
        self.stranger.id.gossip_advertise_addr()
    }

    pub(crate) fn heard(&self, id: &NodeId) -> Option<&NodeDigest> {
        self.heard.get(id)
    }

    pub(crate) fn taken(&self, id: &NodeId) -> Option<&Taken> {
        self.taken.get(id)
    }

    pub(crate) fn lies_told(&self) -> u64 {
        self.lies_told
    }

    /// When it dials next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        Some(self.next_dial).filter(|at| *at < self.stranger.until)
    }

    /// Dials somebody, if it is time: whom, and what it sends first.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<(Address, Bytes)> {
        if now < self.next_dial || now >= self.stranger.until {
            return None;
        }
        self.next_dial = now + self.stranger.every.max(Duration::from_millis(1));
        self.heartbeat += 1;
        let victim = self.victim();
        let owner = victim.as_ref().filter(|_| self.stranger.to_owner).map(|victim| &victim.node_id);
        let to = match owner {
            Some(owner) => owner.gossip_advertise_addr().clone(),
            None => self.random.choose(&self.stranger.tells)?.clone(),
        };
        let digest = self.digest(now, victim.as_ref());
        Some((to, self.packet(Message::Syn { digest })))
    }

    /// A peer has connected.
    pub(crate) fn accept(&mut self) {
        self.heartbeat += 1;
    }

    /// Takes a packet, on a connection of either direction.
    pub(crate) fn handle_packet(&mut self, now: Instant, packet: &[u8]) -> Answer {
        let Ok(decoded) = wire::decode(packet, &DecodeLimits::default()) else { return Answer::default() };
        match decoded.packet.message {
            Message::Syn { digest } => {
                self.hear(&digest);
                let victim = self.victim();
                let delta = self.delta(now, victim.as_ref());
                let digest = self.digest(now, victim.as_ref());
                let packet = self.packet(Message::SynAck { digest, delta });
                Answer { packet: Some(packet), reads_on: true }
            }
            Message::SynAck { digest, delta } => {
                self.hear(&digest);
                self.take(&delta);
                let victim = self.victim();
                let delta = self.delta(now, victim.as_ref());
                Answer { packet: Some(self.packet(Message::Ack { delta })), reads_on: false }
            }
            Message::Ack { delta } => {
                self.take(&delta);
                Answer::default()
            }
            Message::BadCluster => Answer::default(),
        }
    }

    fn hear(&mut self, digest: &Digest) {
        for entry in &digest.entries {
            let is_own = entry.node_id == self.stranger.id || self.forged.contains(&entry.node_id);
            let is_newer = |heard: &NodeDigest| entry.heartbeat >= heard.heartbeat;
            let has_room = self.heard.len() < MAX_HEARD || self.heard.contains_key(&entry.node_id);
            if !is_own && has_room && self.heard.get(&entry.node_id).is_none_or(is_newer) {
                self.heard.insert(entry.node_id.clone(), entry.clone());
            }
        }
    }

    /// Takes key-values as an aiocluster node does.
    fn take(&mut self, delta: &Delta) {
        if self.stranger.holding != Holding::Taken {
            return;
        }
        for news in &delta.node_deltas {
            let has_room = self.taken.len() < MAX_HEARD || self.taken.contains_key(&news.node_id);
            if has_room {
                self.taken.entry(news.node_id.clone()).or_default().take(news);
            }
        }
    }

    /// Whom the next lie is about: the newest run of a name that it has heard of.
    fn victim(&mut self) -> Option<NodeDigest> {
        let name = self.random.choose(&self.stranger.about)?;
        self.heard.values().rfind(|entry| entry.node_id.name() == name).cloned()
    }

    fn is_lying(&self, now: Instant) -> bool {
        !self.stranger.lies.is_empty() && now < self.stranger.until && self.lies_told < self.stranger.most
    }

    /// Its own entry first, or its victim's; then the lies; then whatever it has heard.
    fn digest(&mut self, now: Instant, victim: Option<&NodeDigest>) -> Digest {
        let own = self.own_entry();
        let lies = if self.is_lying(now) { self.false_entries(victim) } else { Vec::new() };
        self.lies_told += u64::from(!lies.is_empty());
        let speaks_as_owner = self.stranger.as_owner && !lies.is_empty();
        let mut entries = if speaks_as_owner { lies } else { [own].into_iter().chain(lies).collect() };
        let true_ones: Vec<NodeDigest> = self.heard.values().map(|heard| self.shown(heard)).collect();
        for entry in true_ones {
            if entries.iter().all(|other| other.node_id != entry.node_id) {
                entries.push(entry);
            }
        }
        Digest { entries, partial: false }
    }

    fn own_entry(&self) -> NodeDigest {
        NodeDigest {
            node_id: self.stranger.id.clone(),
            heartbeat: self.heartbeat,
            last_gc_version: 0,
            max_version: 0,
            complete_version: None,
            run: Run::new(self.revision()),
            released_version: None,
            silence_ms: None,
        }
    }

    /// What it tells of a node where it tells the truth.
    fn shown(&self, heard: &NodeDigest) -> NodeDigest {
        let (max_version, last_gc_version) = match self.stranger.holding {
            Holding::Everything => (heard.max_version.max(heard.complete_version()), heard.last_gc_version),
            Holding::Nothing => (0, 0),
            Holding::Taken => {
                self.taken.get(&heard.node_id).map_or((0, 0), |taken| (taken.version, taken.last_gc_version))
            }
        };
        NodeDigest { max_version, last_gc_version, complete_version: None, ..heard.clone() }
    }

    fn delta(&mut self, now: Instant, victim: Option<&NodeDigest>) -> Delta {
        let node_deltas = if self.is_lying(now) { self.false_news(victim) } else { Vec::new() };
        self.lies_told += u64::from(!node_deltas.is_empty());
        Delta { node_deltas }
    }

    fn revision(&self) -> u32 {
        u32::from(self.stranger.is_marked)
    }

    fn packet(&self, message: Message) -> Bytes {
        let cluster_id = Arc::from(&*self.stranger.cluster_id);
        wire::encode(&Packet { cluster_id, protocol_revision: self.revision(), message })
    }
}

impl Taken {
    fn take(&mut self, news: &NodeDelta) {
        self.version = self.version.max(news.max_version.unwrap_or(0));
        self.last_gc_version = self.last_gc_version.max(news.last_gc_version);
        for update in &news.key_values {
            self.version = self.version.max(update.version);
            if update.status == ValueStatus::Deleted {
                self.keys.remove(&update.key);
            } else if self.keys.len() < MAX_HEARD {
                self.keys.insert(update.key.clone(), update.value.clone());
            }
        }
    }
}
