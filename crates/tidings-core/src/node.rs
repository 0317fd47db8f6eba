//! One member's whole protocol state, and every verb there is.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use bytes::Bytes;

use crate::config::Config;
use crate::dialect::aiocluster::{self, MOST_AT_ONE_ADDRESS, Sender, round};
use crate::dialect::tidings::{Purpose, Tidings};
use crate::dialect::{self, Dialect};
use crate::dials::Dials;
use crate::error::{ConfigError, ForgetError, Rejected};
use crate::event::{Event, EventKind};
use crate::exchange::{Abort, Closed, ExchangeId, Exchanges, Next, Outcome, Patience, Reply, Stage, Transmit, Via};
use crate::farewell::Farewell;
use crate::id::{Address, NodeId, Run};
use crate::identity::PeerIdentity;
use crate::knowledge::{Knowledge, Moment};
use crate::members::{Peer, Proof};
use crate::rng::Random;
use crate::self_reach::SelfReach;
use crate::snapshot::{Liveness, Member, Snapshot};
use crate::state::{Lifetime, NodeState, SetError, VersionedValue, check_key};
use crate::stats::Stats;
use crate::suspicion::{ActiveClock, Attention, Tolerance};
use crate::time::Instant;
use crate::wire::aiocluster::Digest;
use crate::wire::aiocluster::{Message, Packet, decode_known};

/// A local pause shorter than this is none: schedulers are late now and then.
const MIN_PAUSE: Duration = Duration::from_millis(250);

/// One member of a cluster: takes instants and packets, gives packets and events. See the crate's documentation for
/// the loop that drives it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub struct Node {
    knowledge: Knowledge,
    dialect: Dialect,
    /// The dialect between nodes of ours, where it is the one that is spoken.
    tidings: Option<Box<Tidings>>,
    exchanges: Exchanges,
    transmits: VecDeque<Transmit>,
    seeds: Vec<Address>,
    self_reach: SelfReach,
    dials: Dials,
    started_at: Instant,
    now: Instant,
    clock: ActiveClock,
    attention: Attention,
    next_round: Instant,
    farewell: Option<Farewell>,
    has_left: bool,
}

impl Node {
    /// A node that has heard of nobody. Its first round comes at a random point of the first interval.
    ///
    /// Draws one seed from `rng`; all later chance comes from a ChaCha8 generator of its own.
    ///
    /// # Errors
    /// The first field of `config` outside its range.
    pub fn new(config: Config, now: Instant, rng: &mut impl rand_core::Rng) -> Result<Node, ConfigError> {
        config.validate()?;
        let mut random = Random::from_rng(rng);
        let interval_nanos = u64::try_from(config.gossip_interval.as_nanos()).unwrap_or(u64::MAX);
        let first_round = now + Duration::from_nanos(random.below(interval_nanos));
        let seeds = config.seeds.clone();
        let mut knowledge = Knowledge::new(config, random);
        // aiocluster's first heartbeat is 1, and 0 means that none was heard.
        knowledge.own.heartbeat = 1;
        let tidings = dialect::tidings_of(&knowledge);
        Ok(Node {
            knowledge,
            tidings,
            dialect: Dialect::default(),
            exchanges: Exchanges::default(),
            transmits: VecDeque::new(),
            seeds,
            self_reach: SelfReach::default(),
            dials: Dials::default(),
            started_at: now,
            now,
            clock: ActiveClock::default(),
            attention: Attention::new(now),
            next_round: first_round,
            farewell: None,
            has_left: false,
        })
    }

    // ---- inputs ----

    /// A peer at `from` has connected. `None`: a limit is reached, close the connection.
    ///
    /// Raises the heartbeat, as aiocluster does.
    pub fn accept(&mut self, now: Instant, from: IpAddr) -> Option<ExchangeId> {
        let at = self.moment(now);
        let may_have_waited = self.attention.longest_wait(at.now);
        let limits = &self.knowledge.config.limits;
        let (max, max_per_ip) = (limits.max_accepted_exchanges, limits.max_accepted_exchanges_per_ip);
        self.knowledge.own.heartbeat += 1;
        let accepted =
            self.exchanges.accept(patience(&self.knowledge.config, at), may_have_waited, from, max, max_per_ip);
        match accepted {
            Some(_) => self.knowledge.stats.exchanges_accepted += 1,
            None => self.knowledge.stats.exchanges_refused += 1,
        }
        accepted
    }

    /// The connection of a dialled exchange is made, TLS included: from now on the packets have their time.
    pub fn handle_connected(&mut self, now: Instant, exchange: ExchangeId) {
        let at = self.moment(now);
        let is_patient = self.tidings.as_ref().is_some_and(|tidings| tidings.is_worth_waiting(exchange));
        let timeouts = self.message_timeouts(is_patient);
        let patience = patience(&self.knowledge.config, at);
        let patience = timeouts.as_ref().map_or(patience, |timeouts| Patience { timeouts, ..patience });
        self.exchanges.connected(patience, exchange);
    }

    /// A packet has come on an open exchange, from the peer that `peer` proves it to be. Do what the reply says.
    pub fn handle_packet(&mut self, now: Instant, via: Via, packet: &[u8], peer: &PeerIdentity) -> Reply {
        let at = self.moment(now);
        self.knowledge.stats.bytes_received += packet.len() as u64;
        self.knowledge.stats.work.touch(packet.len());
        let taken = match self.tidings {
            Some(_) => self.take_message(at, via, packet, peer),
            None => self.take_packet(at, via, packet, peer),
        };
        self.dial_messages();
        match taken {
            Ok((packet, next)) => Reply { packet, next, rejected: None },
            Err((packet, rejected)) => {
                self.count_rejected(&rejected);
                Reply { packet, next: Next::Close, rejected: Some(rejected) }
            }
        }
    }

    /// An exchange is over: its connection is closed, or was never made. Call this once for every exchange; after an
    /// [`Abort`] it does nothing.
    pub fn handle_closed(&mut self, now: Instant, exchange: ExchangeId, outcome: Outcome) {
        self.moment(now);
        self.close(exchange, outcome);
        self.dial_messages();
    }

    /// The instant of [`Node::poll_timeout`] has come. A call before it does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        let deadline = self.poll_timeout().unwrap_or(Instant::FAR_FUTURE);
        let at = self.moment(now);
        self.clock.timer_came(at.now, deadline, self.tolerance());
        self.end_overdue(at);
        if self.knowledge.own.next_deadline().is_some_and(|deadline| deadline <= at.now) {
            self.knowledge.expire_lifetimes(at);
        }
        if at.now >= self.next_round {
            self.run_round(at);
        } else {
            self.knowledge.refresh_due(at);
        }
        self.wake_tidings(at);
        self.finish_farewell();
    }

    // ---- outputs ----

    /// The next exchange to open. Drain after every input and command.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next exchange whose connection is to be cut. Drain after every input and command, after
    /// [`Node::poll_transmit`].
    pub fn poll_abort(&mut self) -> Option<Abort> {
        self.exchanges.next_abort()
    }

    /// The next event. Drain after every input and command.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.knowledge.events.pop()
    }

    /// When to call [`Node::handle_timeout`]; changes with every input and command.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let lifetime = self.knowledge.own.next_deadline().unwrap_or(Instant::FAR_FUTURE);
        let farewell = self.farewell.as_ref().map_or(Instant::FAR_FUTURE, Farewell::deadline);
        let suspicion = self.knowledge.members.next_due().map_or(Instant::FAR_FUTURE, |due| self.clock.when(due));
        let exchange = self.exchanges.next_due().map_or(Instant::FAR_FUTURE, |due| self.clock.when(due));
        let message = self.tidings.as_ref().and_then(|tidings| tidings.next_due()).unwrap_or(Instant::FAR_FUTURE);
        Some(self.next_round.min(lifetime).min(farewell).min(suspicion).min(exchange).min(message))
    }

    // ---- commands ----

    /// Sets one of this node's keys and gives its version.
    ///
    /// Setting a key again to the value it has changes nothing, but its lifetime starts anew.
    ///
    /// # Errors
    /// A key or value that is reserved, too long, or over a limit; the state is as it was.
    pub fn set(&mut self, now: Instant, key: &str, value: &str, lifetime: Lifetime) -> Result<u64, SetError> {
        let at = self.moment(now);
        let Knowledge { own, config, .. } = &self.knowledge;
        let packet_len = aiocluster::packet_len_with(&self.knowledge, key, value);
        own.check_set(key, value, lifetime, packet_len, config.max_payload_size, &config.limits)?;
        let mut changes = Vec::new();
        let version = self.knowledge.own.set(at.now, key, value, lifetime, &mut changes);
        self.knowledge.tell_own_changes(at, changes);
        self.own_changed(at);
        Ok(version)
    }

    /// Deletes one of this node's keys and gives the tombstone's version; `None` if there was nothing to delete.
    ///
    /// # Errors
    /// [`SetError::ReservedKey`].
    pub fn delete(&mut self, now: Instant, key: &str) -> Result<Option<u64>, SetError> {
        check_key(key)?;
        let at = self.moment(now);
        let mut changes = Vec::new();
        let version = self.knowledge.own.delete(at.now, key, &mut changes);
        self.knowledge.tell_own_changes(at, changes);
        self.own_changed(at);
        Ok(version)
    }

    /// Lets one of this node's keys be read until the grace period is over, and gives the version; `None` if there is
    /// no such key.
    ///
    /// # Errors
    /// [`SetError::ReservedKey`].
    pub fn delete_after_ttl(&mut self, now: Instant, key: &str) -> Result<Option<u64>, SetError> {
        check_key(key)?;
        let at = self.moment(now);
        let mut changes = Vec::new();
        let version = self.knowledge.own.delete_after_ttl(at.now, key, &mut changes);
        self.knowledge.tell_own_changes(at, changes);
        self.own_changed(at);
        Ok(version)
    }

    /// Gives every live key of this node a new version, values unchanged, so that each is sent to everybody again.
    /// Returns how many there were.
    ///
    /// The cure for a Python node that joined through another Python node and has holes in this node's keys for ever (see
    /// docs/protocol.md). Costs one more dissemination of all keys; between nodes of ours it is never needed.
    pub fn republish(&mut self, now: Instant) -> usize {
        let at = self.moment(now);
        let count = self.dialect.republish(&mut self.knowledge, at);
        self.own_changed(at);
        count
    }

    /// Says goodbye: peers will report this node as left, not dead. It dials several live nodes at once to tell them
    /// itself, and ends with [`EventKind::LeaveFinished`]: at once if nobody is known, after four rounds at the latest.
    /// Stop the node then; until then drive it on. A second call does nothing.
    pub fn leave(&mut self, now: Instant) {
        let at = self.moment(now);
        if core::mem::replace(&mut self.has_left, true) {
            return;
        }
        let version = self.knowledge.own.mark_left(at.now);
        self.farewell = Some(Farewell::new(at.now, version, &self.knowledge.config));
        self.own_changed(at);
        self.dial_for_farewell(at);
        self.finish_farewell();
    }

    /// Replaces the seeds. Addresses that are not valid in a [`Config`] are not dialled successfully, that is all.
    pub fn set_seeds(&mut self, seeds: Vec<Address>) {
        self.seeds = seeds;
    }

    /// Has this node advertise another address, as when its machine was given one, and gives its id from now on. The address is
    /// part of the id; so the generation goes up by one. The process is the same, and so are its key-values.
    ///
    /// Peers of ours take it over without a death: at once where a certificate proves the node, else when the former id has
    /// been silent for as long as a death takes. A Python peer sees a new node, and the death of the former one.
    ///
    /// # Errors
    /// The address is not valid, or the generation cannot go up; nothing has changed.
    pub fn set_advertise_addr(&mut self, now: Instant, address: Address) -> Result<NodeId, ConfigError> {
        let at = self.moment(now);
        let old = self.id().clone();
        if *old.gossip_advertise_addr() == address {
            return Ok(old);
        }
        let Some(generation) = old.generation_id().checked_add(1) else {
            let (value, allowed) = (old.generation_id().to_string(), String::from("less, so that it can go up by one"));
            return Err(ConfigError { field: "node_id.generation_id", value, allowed });
        };
        let new = NodeId::with_tls_name(old.name(), generation, address, old.tls_name().map(String::from));
        let config = Config { node_id: new.clone(), ..self.knowledge.config.clone() };
        config.validate()?;
        self.knowledge.config = config;
        self.knowledge.members.set_self_id(new.clone());
        self.knowledge.tell(EventKind::NodeMoved { old, new: new.clone() });
        // Others are told at once.
        self.next_round = self.next_round.min(at.now);
        Ok(new)
    }

    /// Forgets a node that will not come back, before its grace period is over, and which certificate its name belongs to.
    /// A name outlasts its node: where the node is not shown any more, any id with the name releases it.
    ///
    /// Each node forgets for itself: call it at every node.
    ///
    /// # Errors
    /// A node of this name is live, or neither the node nor its name is known; nothing has changed.
    pub fn forget(&mut self, now: Instant, id: &NodeId) -> Result<(), ForgetError> {
        let at = self.moment(now);
        if id.name() == self.id().name() {
            return Err(ForgetError::Live { node: self.id().clone() });
        }
        let (members, mut env) = self.knowledge.members(at);
        members.forget_for_good(&mut env, id)
    }

    // ---- getters ----

    /// Which process this is: a random number of its own, by which two under one id are told apart.
    #[must_use]
    pub fn run(&self) -> Run {
        self.knowledge.run
    }

    /// Who this node is.
    #[must_use]
    pub fn id(&self) -> &NodeId {
        &self.knowledge.config.node_id
    }

    /// What it was made with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.knowledge.config
    }

    /// The value of one of its own keys.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Arc<str>> {
        self.get_versioned(key).filter(|value| value.is_readable()).map(|value| value.value.clone())
    }

    /// One of its own keys with version and status, a tombstone too.
    #[must_use]
    pub fn get_versioned(&self, key: &str) -> Option<&VersionedValue> {
        self.knowledge.own.state().get_versioned(key)
    }

    /// The live nodes, this one first.
    #[must_use]
    pub fn live_nodes(&self) -> Vec<NodeId> {
        let own = core::iter::once(self.id().clone()).filter(|_| !self.has_left);
        own.chain(self.ids_with(Liveness::Live)).collect()
    }

    /// The nodes that are silent, or not heard of twice yet.
    #[must_use]
    pub fn dead_nodes(&self) -> Vec<NodeId> {
        self.ids_with(Liveness::Dead).collect()
    }

    /// The nodes that said goodbye.
    #[must_use]
    pub fn left_nodes(&self) -> Vec<NodeId> {
        let own = core::iter::once(self.id().clone()).filter(|_| self.has_left);
        own.chain(self.ids_with(Liveness::Left)).collect()
    }

    fn ids_with(&self, liveness: Liveness) -> impl Iterator<Item = NodeId> {
        let peers = self.knowledge.members.iter_sorted();
        peers.filter(move |(_, peer)| peer.liveness() == liveness).map(|(id, _)| id.clone())
    }

    /// A node's key-values, this one's too; `None` for an unknown node.
    #[must_use]
    pub fn node_state(&self, id: &NodeId) -> Option<&Arc<NodeState>> {
        if id == self.id() {
            return Some(self.knowledge.own.state());
        }
        self.knowledge.members.get(id).map(|peer| &peer.state)
    }

    /// The suspicion that a node is dead, without unit; `None` for this node, an unknown one, and one not yet heard of
    /// often enough.
    #[must_use]
    pub fn phi(&self, now: Instant, id: &NodeId) -> Option<f64> {
        let active = self.clock.at(now.max(self.now));
        self.knowledge.members.get(id)?.phi(active, &self.knowledge.detector())
    }

    /// The share of its exchanges with live nodes that failed lately, from 0 to 1: the network around this node is bad,
    /// or this node is slow. 1 at first, when it has reached nobody yet. See
    /// [`local_health_weight`](crate::FailureDetectorConfig::local_health_weight).
    #[must_use]
    pub fn failed_share(&self) -> f64 {
        self.knowledge.health.failed_share()
    }

    /// The highest heartbeat heard of each other node, for experiments with failure detectors. In the order in which the
    /// nodes were heard of, as long as none is forgotten.
    pub fn heartbeats(&self) -> impl Iterator<Item = (&NodeId, u64)> {
        self.knowledge.members.iter().map(|(id, peer)| (id, peer.pulse.heartbeat()))
    }

    /// Everything this node knows now. Shares the key-values instead of copying them.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let own = Member {
            id: self.id().clone(),
            liveness: if self.has_left { Liveness::Left } else { Liveness::Live },
            phi: None,
            since: self.started_at,
            silent_for: None,
            run: Some(self.knowledge.run),
            heartbeat: self.knowledge.own.heartbeat,
            state: self.knowledge.own.state().clone(),
        };
        let (active, detector) = (self.clock.at(now.max(self.now)), self.knowledge.detector());
        let others = self.knowledge.members.iter_sorted().map(|(id, peer)| Member {
            id: id.clone(),
            liveness: peer.shown(),
            phi: peer.phi(active, &detector),
            since: peer.since(),
            silent_for: Some(peer.silence(now)),
            run: peer.run(),
            heartbeat: peer.pulse.heartbeat(),
            state: peer.state.clone(),
        });
        let mut members: Vec<Member> = others.collect();
        let position = members.partition_point(|member| member.id < own.id);
        members.insert(position, own);
        Snapshot {
            sequence: self.knowledge.events.last_sequence(),
            at: now,
            cluster_id: self.knowledge.cluster_id.clone(),
            self_id: self.id().clone(),
            members,
        }
    }

    /// Who speaks on an open exchange, once a packet of it was taken; ask before [`Node::handle_closed`].
    #[must_use]
    pub fn exchange_peer(&self, exchange: ExchangeId) -> Option<&NodeId> {
        self.exchanges.peer(exchange)
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.knowledge.stats
    }

    /// For `invariants`, which looks inside.
    pub(crate) fn knowledge(&self) -> &Knowledge {
        &self.knowledge
    }

    /// For `invariants`, which looks inside.
    pub(crate) fn exchanges(&self) -> &Exchanges {
        &self.exchanges
    }

    /// For the tests of `record`, which break it.
    #[cfg(all(test, feature = "record"))]
    pub(crate) fn knowledge_mut(&mut self) -> &mut Knowledge {
        &mut self.knowledge
    }

    /// For `record`, which looks inside.
    #[cfg(feature = "record")]
    pub(crate) fn farewell(&self) -> Option<&Farewell> {
        self.farewell.as_ref()
    }

    /// For `record`, which looks at what waits to be drained.
    #[cfg(feature = "record")]
    pub(crate) fn transmits(&self) -> &VecDeque<Transmit> {
        &self.transmits
    }

    // ---- wiring ----

    /// Every input passes here first: time never runs backwards, and a local pause is noticed.
    fn moment(&mut self, now: Instant) -> Moment {
        self.now = self.now.max(now);
        self.attention.input(self.now);
        let deadline = self.poll_timeout().unwrap_or(Instant::FAR_FUTURE);
        if self.clock.notice(self.now, deadline, self.tolerance()) {
            self.knowledge.stats.pauses += 1;
            // Packets may wait in sockets that are read after the timers ran.
            self.exchanges.spare_until(self.clock.at(self.now) + MIN_PAUSE);
            let at = Moment { now: self.now, active: self.clock.at(self.now) };
            if let Some(tidings) = &mut self.tidings {
                tidings.woke(at);
            }
        }
        Moment { now: self.now, active: self.clock.at(self.now) }
    }

    fn tolerance(&self) -> Tolerance {
        let config = &self.knowledge.config;
        Tolerance { lateness: config.gossip_interval.max(MIN_PAUSE), usual: config.shortest_suspicion() / 4 }
    }

    fn close(&mut self, exchange: ExchangeId, outcome: Outcome) {
        let Some(Closed { stage, tells_farewell, to_live, unanswered }) = self.exchanges.close(exchange) else {
            return;
        };
        if let Some(address) = unanswered.filter(|address| !self.seeds.contains(address)) {
            let Knowledge { config, random, .. } = &mut self.knowledge;
            self.dials.failed(self.now, &address, config.gossip_interval, random);
        }
        if to_live {
            self.knowledge.health.exchange_over(outcome);
        }
        let at = Moment { now: self.now, active: self.clock.at(self.now) };
        if let Some(tidings) = &mut self.tidings {
            tidings.closed(&mut self.knowledge, at, exchange, outcome);
        }
        let told = match stage {
            Stage::Close { completed: true, told } if outcome == Outcome::Done => {
                self.knowledge.stats.exchanges_completed += 1;
                told
            }
            Stage::Close { .. }
            | Stage::SynAck { .. }
            | Stage::Syn { .. }
            | Stage::Ack { .. }
            | Stage::Message { .. } => {
                self.knowledge.stats.exchanges_failed += 1;
                None
            }
        };
        self.go_on_with_farewell(told, tells_farewell);
    }

    fn end_overdue(&mut self, at: Moment) {
        for exchange in self.exchanges.overdue(at.active) {
            // What the caller has not taken out has no connection yet.
            match self.transmits.binary_search_by_key(&exchange, |transmit| transmit.exchange) {
                Ok(position) => drop(self.transmits.remove(position)),
                Err(_) => self.exchanges.abort(exchange),
            }
            self.close(exchange, Outcome::TimedOut);
        }
    }

    fn run_round(&mut self, at: Moment) {
        let interval = self.knowledge.config.gossip_interval;
        self.next_round += interval;
        if self.next_round <= at.now {
            self.next_round = at.now + interval;
        }
        self.knowledge.own.heartbeat += 1;
        self.knowledge.stats.rounds += 1;
        if self.tidings.is_some() {
            return self.run_message_round(at);
        }
        self.dialect.maintain(&mut self.knowledge, at);
        let mut avoided = self.self_reach.avoided(at.now);
        let detector = self.knowledge.detector();
        let Knowledge { members, config, random, stats, .. } = &mut self.knowledge;
        avoided.push(config.node_id.gossip_advertise_addr().clone());
        self.dials.begin_round(at.now, |address| members.at(address).next().is_some());
        let reach = round::Reach { avoided: &avoided, dials: &self.dials, detector };
        let targets = round::targets(members, &self.seeds, reach, at, config, random, stats);
        for target in targets {
            self.dial(at, target, false);
        }
        if let Some(farewell) = &mut self.farewell {
            farewell.try_again();
            self.dial_for_farewell(at);
        }
    }

    /// Opens an exchange, unless too many are open, or one with this address.
    fn dial(&mut self, at: Moment, to: Address, tells_farewell: bool) -> bool {
        if self.tidings.is_some() {
            return self.dial_message(at, to, Purpose::Farewell);
        }
        let dialled = self.exchanges.dialled() + self.exchanges.aborts().len();
        let is_full = dialled >= self.knowledge.config.max_concurrent_gossip;
        if is_full || (!tells_farewell && self.exchanges.is_dialling(&to)) {
            self.knowledge.stats.exchanges_not_opened += 1;
            return false;
        }
        let is_proven = self.seeds.contains(&to) || self.dials.is_proven(&to);
        let packet = self.dialect.syn(&mut self.knowledge, at, &to, is_proven);
        self.knowledge.stats.dials_unproven += u64::from(!is_proven);
        let peer = self.peer_at(&to);
        let to_live = peer.is_some_and(|(_, peer)| peer.liveness() == Liveness::Live);
        let detector = self.knowledge.detector();
        let is_overdue = peer.is_some_and(|(_, peer)| peer.is_overdue(at.active, &detector));
        // Whoever was at this address may have gone for good, and its certificate with it: a name that nobody there shows
        // would keep out its successor. So it is demanded in turns.
        let is_demanded = to_live || self.dials.failures(&to).is_multiple_of(2);
        let tls_name = peer.filter(|_| is_demanded).and_then(|(id, _)| id.tls_name()).map(String::from);
        // Where a node that may well be dead does not answer, that says nothing of this one.
        let counts = to_live && !is_overdue;
        let exchange = self.exchanges.dial(patience(&self.knowledge.config, at), to.clone(), counts, tells_farewell);
        self.knowledge.stats.exchanges_opened += 1;
        self.transmits.push_back(Transmit { exchange, to, tls_name, packet });
        true
    }

    /// The node at this address: the live one, where there are several.
    fn peer_at(&self, address: &Address) -> Option<(&NodeId, &Peer)> {
        let some = self.knowledge.members.at(address).take(MOST_AT_ONE_ADDRESS);
        some.min_by_key(|(_, peer)| peer.liveness() != Liveness::Live)
    }

    /// Takes one packet in; gives the answer and what the exchange needs next, or why it was rejected and what may be
    /// answered all the same.
    fn take_packet(
        &mut self,
        at: Moment,
        via: Via,
        packet: &[u8],
        peer: &PeerIdentity,
    ) -> Result<(Option<Bytes>, Next), (Option<Bytes>, Rejected)> {
        let stage = self.exchanges.take_stage(via).ok_or((None, Rejected::UnknownExchange))?;
        self.exchanges.begin_step(patience(&self.knowledge.config, at), via.exchange());
        let known = |encoded: &[u8]| aiocluster::known_id(&self.knowledge.members, encoded);
        let decoded = decode_known(packet, &self.knowledge.config.limits.decode, &known);
        let (decoded, subjects) = decoded.map_err(|error| (None, Rejected::Malformed(error)))?;
        self.knowledge.stats.work.touch(subjects.bytes());
        let Packet { cluster_id, protocol_revision, message } = decoded.packet;
        let unexpected = |got| (None, Rejected::UnexpectedMessage { got });
        let got = message.kind().name();
        // First of all: to a peer that is not who it says, nothing is answered.
        if let Some(speaks_as) = sender_of(&message)
            && let Err(held) = peer.check(speaks_as)
        {
            return Err((None, Rejected::WrongName { speaks_as: speaks_as.clone(), held: held.clone() }));
        }
        let is_certified = sender_of(&message).is_some_and(|speaks_as| peer.proves(speaks_as));
        if let Some(speaks_as) = sender_of(&message).filter(|_| is_certified) {
            self.check_name(at, speaks_as).map_err(|rejected| (None, rejected))?;
        }

        if matches!((&stage, &message), (Stage::SynAck { .. }, Message::BadCluster))
            || cluster_id != self.knowledge.cluster_id
        {
            let from = sender_of(&message).cloned();
            self.dialect.tell_other_cluster(&mut self.knowledge, &cluster_id, from);
            let answer = matches!((&stage, &message), (Stage::Syn { .. }, Message::Syn { .. }));
            let answer = answer.then(|| self.dialect.bad_cluster(&mut self.knowledge));
            return Err((answer, Rejected::OtherCluster { cluster_id }));
        }
        if sender_of(&message) == Some(self.id()) {
            self.hear_own_id(at, &stage, &message, protocol_revision);
            // The side that dialled learns from the answer whom it has reached.
            let answer = matches!((&stage, &message), (Stage::Syn { .. }, Message::Syn { .. }));
            let answer = answer.then(|| self.dialect.introduction(&mut self.knowledge));
            return Err((answer, Rejected::OwnPacket));
        }

        let answer = match (stage, &message) {
            (Stage::Syn { accepted_at, may_have_waited }, Message::Syn { digest }) => {
                let from = first_of(digest).ok_or_else(|| unexpected(got))?.clone();
                let proof = if is_certified { Proof::Certificate } else { Proof::Presence };
                self.bind_name(&from, is_certified);
                // It was written before the connection was made.
                let timeouts = &self.knowledge.config.exchange_timeouts;
                let under_way = timeouts.whole.min(timeouts.connect + timeouts.packet);
                let (written, transit) = (accepted_at, under_way + may_have_waited);
                let sender = Sender { id: &from, protocol_revision, proof, written, transit };
                let answer = self.dialect.answer_syn(&mut self.knowledge, at, digest, subjects, sender);
                self.exchanges.introduce(via, &from);
                self.learn_of_dialler(via, &from);
                self.exchanges.wait_for(via, Stage::Ack { from, protocol_revision, proof, asked_at: at.now });
                (Some(answer), Next::Read)
            }
            (Stage::SynAck { to, asked_at }, Message::SynAck { digest, delta }) => {
                let from = first_of(digest).ok_or_else(|| unexpected(got))?;
                if self.is_wrong_peer(&to, from) {
                    return Err((None, Rejected::WrongPeer { dialled: to, got: from.clone() }));
                }
                self.self_reach.reached_another(&to);
                self.dials.answered(&to);
                self.exchanges.answered(via);
                let proof = match is_certified {
                    true => Proof::Certificate,
                    false if *from.gossip_advertise_addr() == to => Proof::Address,
                    false => Proof::Presence,
                };
                self.bind_name(from, is_certified);
                let sender = Sender { id: from, protocol_revision, proof, written: asked_at, transit: Duration::ZERO };
                let (answer, told_version) =
                    self.dialect.answer_syn_ack(&mut self.knowledge, at, &to, (digest, subjects), delta, sender);
                let told = told_version.map(|version| (from.clone(), version));
                self.exchanges.introduce(via, from);
                self.exchanges.wait_for(via, Stage::Close { completed: true, told });
                (Some(answer), Next::Close)
            }
            (Stage::Ack { from, protocol_revision, proof, asked_at }, Message::Ack { delta }) => {
                let transit = Duration::ZERO;
                let sender = Sender { id: &from, protocol_revision, proof, written: asked_at, transit };
                self.dialect.take_ack(&mut self.knowledge, at, delta, sender);
                self.exchanges.wait_for(via, Stage::Close { completed: true, told: None });
                (None, Next::Close)
            }
            _ => return Err(unexpected(got)),
        };
        self.knowledge.stats.packets_received.count(message.kind());
        self.knowledge.stats.entries_skipped += decoded.skipped_entries as u64;
        Ok(answer)
    }

    /// Whether a node may go by the name that it speaks under with its certificate.
    fn check_name(&mut self, at: Moment, speaks_as: &NodeId) -> Result<(), Rejected> {
        if self.knowledge.config.names_are_tls_names && speaks_as.tls_name() != Some(speaks_as.name()) {
            return Err(Rejected::NameIsNotTlsName { speaks_as: speaks_as.clone() });
        }
        let (members, mut env) = self.knowledge.members(at);
        match members.refuses_name(&mut env, speaks_as) {
            Some(belongs_to) => Err(Rejected::NameTaken { speaks_as: speaks_as.clone(), belongs_to }),
            None => Ok(()),
        }
    }

    fn bind_name(&mut self, id: &NodeId, is_certified: bool) {
        if is_certified {
            let max = self.knowledge.config.limits.max_nodes;
            self.knowledge.members.bind(id, max);
        }
    }

    /// A packet came from this node's own id: it has dialled itself, or another process goes by its id.
    fn hear_own_id(&mut self, at: Moment, stage: &Stage, message: &Message, protocol_revision: u32) {
        let (Message::Syn { digest } | Message::SynAck { digest, .. }) = message else { return };
        let Some(entry) = digest.entries.first() else { return };
        if entry.run.is_none_or(|run| run == self.knowledge.run) {
            return self.learn_self_reach(at, stage);
        }
        let (written, transit) = (at.now, Duration::ZERO);
        let sender = Sender { id: &entry.node_id, protocol_revision, proof: Proof::Presence, written, transit };
        let (members, mut env) = self.knowledge.members(at);
        members.hear_of_namesake(&mut env, &entry.report(sender));
    }

    /// Whether an answer comes from another node than the one known at the dialled address. Seeds may be reached by any name,
    /// a node may have been restarted at its address, and who was live there and is no more does not count.
    fn is_wrong_peer(&self, dialled: &Address, got: &NodeId) -> bool {
        let members = &self.knowledge.members;
        let is_former = |peer: &Peer| peer.was_live() && peer.liveness() != Liveness::Live;
        let is_known = members.at(dialled).take(MOST_AT_ONE_ADDRESS).any(|(_, peer)| !is_former(peer));
        let is_named = || members.holder(got.name()).is_some_and(|holder| holder.gossip_advertise_addr() == dialled);
        is_known && got.gossip_advertise_addr() != dialled && !is_named()
    }

    fn learn_self_reach(&mut self, at: Moment, stage: &Stage) {
        if let Stage::SynAck { to, .. } = stage {
            self.self_reach.reached_itself(at.now, to, self.knowledge.config.gossip_interval);
        }
    }

    /// A node that dials from the IP address that it advertises is there: nobody has invented it.
    fn learn_of_dialler(&mut self, via: Via, id: &NodeId) {
        let address = id.gossip_advertise_addr();
        let advertised = address.host().parse::<IpAddr>().ok();
        if advertised.is_some_and(|ip| self.exchanges.accepted_from(via) == Some(ip))
            && self.knowledge.members.has_heard_of(id)
        {
            self.dials.has_dialled(address);
        }
    }

    fn dial_for_farewell(&mut self, at: Moment) {
        let Knowledge { members, random, .. } = &mut self.knowledge;
        let Some(farewell) = &mut self.farewell else { return };
        let targets = farewell.targets(members, random);
        for target in targets {
            if !self.dial(at, target, true)
                && let Some(farewell) = &mut self.farewell
            {
                farewell.exchange_over(None, true);
            }
        }
    }

    fn go_on_with_farewell(&mut self, told: Option<(NodeId, u64)>, tells_farewell: bool) {
        let at = Moment { now: self.now, active: self.clock.at(self.now) };
        if let Some(farewell) = &mut self.farewell {
            farewell.exchange_over(told, tells_farewell);
            self.dial_for_farewell(at);
            self.finish_farewell();
        }
    }

    fn finish_farewell(&mut self) {
        let members = &self.knowledge.members;
        if let Some(farewell) = self.farewell.take_if(|farewell| farewell.is_over(self.now, members)) {
            let told = farewell.told(members);
            self.knowledge.tell(EventKind::LeaveFinished { told });
        }
    }

    fn count_rejected(&mut self, rejected: &Rejected) {
        let counts = &mut self.knowledge.stats.rejected;
        *match rejected {
            Rejected::Malformed(_) => &mut counts.malformed,
            Rejected::OtherCluster { .. } => &mut counts.other_cluster,
            Rejected::UnexpectedMessage { .. } => &mut counts.unexpected_message,
            Rejected::UnknownExchange => &mut counts.unknown_exchange,
            Rejected::WrongPeer { .. } => &mut counts.wrong_peer,
            Rejected::OwnPacket => &mut counts.own_packet,
            Rejected::WrongName { .. } | Rejected::NameTaken { .. } | Rejected::NameIsNotTlsName { .. } => {
                &mut counts.wrong_name
            }
        } += 1;
    }
}

fn patience(config: &Config, at: Moment) -> Patience<'_> {
    Patience { now: at.now, active: at.active, timeouts: &config.exchange_timeouts }
}

fn first_of(digest: &Digest) -> Option<&NodeId> {
    digest.entries.first().map(|entry| &entry.node_id)
}

/// Whose packet it is, where it says.
fn sender_of(message: &Message) -> Option<&NodeId> {
    match message {
        Message::Syn { digest } | Message::SynAck { digest, .. } => first_of(digest),
        Message::Ack { .. } | Message::BadCluster => None,
    }
}

mod tidings;

#[cfg(test)]
mod tests;
