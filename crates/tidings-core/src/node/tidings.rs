//! The node in the dialect between nodes of ours: whose message it is, and which exchanges are opened.

use alloc::string::String;
use core::time::Duration;

use bytes::Bytes;

use super::{Node, patience};
use crate::config::ExchangeTimeouts;
use crate::dialect::aiocluster;
use crate::dialect::tidings::{Dial, From, Purpose, Step};
use crate::error::Rejected;
use crate::exchange::{Next, Patience, Stage, Transmit, Via};
use crate::id::{Address, NodeId};
use crate::identity::PeerIdentity;
use crate::knowledge::Moment;
use crate::members::{self, Proof, Word};
use crate::snapshot::Liveness;
use crate::wire::DecodeError;
use crate::wire::tidings::{Kind, Message, Named, decode_known, hash_of};

type Taken = Result<(Option<Bytes>, Next), (Option<Bytes>, Rejected)>;

impl Node {
    /// Whether this dialect is spoken; then how long each step of an exchange may take.
    pub(super) fn message_timeouts(&self, is_patient: bool) -> Option<ExchangeTimeouts> {
        const LATE: Duration = Duration::from_secs(2);
        let step = self.tidings.as_ref()?.timeout(&self.knowledge);
        let configured = &self.knowledge.config.exchange_timeouts;
        let (connect, packet) = if is_patient { (step * 2, step + LATE) } else { (step, step) };
        let (connect, packet) = (connect.min(configured.connect), packet.min(configured.packet));
        Some(ExchangeTimeouts { connect, packet, whole: configured.whole })
    }

    /// The own key-values may have changed.
    pub(super) fn own_changed(&mut self, at: Moment) {
        if let Some(tidings) = &mut self.tidings {
            tidings.own_changed(&self.knowledge, at);
        }
    }

    pub(super) fn wake_tidings(&mut self, at: Moment) {
        if let Some(tidings) = &mut self.tidings {
            tidings.own_changed(&self.knowledge, at);
            tidings.wake(&mut self.knowledge, at);
        }
        self.dial_messages();
    }

    pub(super) fn run_message_round(&mut self, at: Moment) {
        let mut avoided = self.self_reach.avoided(at.now);
        avoided.push(self.knowledge.config.node_id.gossip_advertise_addr().clone());
        if let Some(tidings) = &mut self.tidings {
            tidings.round(&mut self.knowledge, at, &self.seeds, &avoided);
        }
        self.dial_messages();
        if let Some(farewell) = &mut self.farewell {
            farewell.try_again();
            self.dial_for_farewell(at);
        }
    }

    /// Opens the exchanges that the dialect wants.
    pub(super) fn dial_messages(&mut self) {
        let at = Moment { now: self.now, active: self.clock.at(self.now) };
        while let Some(Dial { to, purpose }) = self.tidings.as_mut().and_then(|tidings| tidings.next_dial()) {
            self.dial_message(at, to, purpose);
        }
    }

    pub(super) fn dial_message(&mut self, at: Moment, to: Address, purpose: Purpose) -> bool {
        let is_probe = !matches!(purpose, Purpose::Round(_) | Purpose::News(_) | Purpose::Try | Purpose::Farewell);
        let config = &self.knowledge.config;
        let most = if is_probe { config.max_dialled() } else { config.max_concurrent_gossip };
        if self.exchanges.dialled() + self.exchanges.aborts().len() >= most {
            self.knowledge.stats.exchanges_not_opened += 1;
            return false;
        }
        let Some(timeouts) = self.message_timeouts(purpose.is_patient()) else { return false };
        let live = self.peer_at(&to).filter(|(_, peer)| peer.liveness() == Liveness::Live);
        let tls_name = self.peer_at(&to).and_then(|(id, _)| id.tls_name()).map(String::from);
        // Who does not know it after all asks.
        let is_known = live.is_some() && self.tidings.as_ref().is_some_and(|tidings| tidings.has_joined());
        let void_after = timeouts.connect + timeouts.packet;
        let patience = Patience { now: at.now, active: at.active, timeouts: &timeouts };
        let Some(tidings) = &mut self.tidings else { return false };
        let is_announced = tidings.has_more();
        let packet = tidings.open(&mut self.knowledge, at, purpose, is_known, void_after);
        let exchange =
            self.exchanges.dial_message(patience, to.clone(), is_announced, matches!(purpose, Purpose::Farewell));
        tidings.opened(&self.knowledge, at, exchange, purpose);
        self.knowledge.stats.exchanges_opened += 1;
        self.transmits.push_back(Transmit { exchange, to, tls_name, packet });
        true
    }

    /// Takes one message in; gives the answer and what the exchange needs next, or why it was rejected.
    pub(super) fn take_message(&mut self, at: Moment, via: Via, packet: &[u8], peer: &PeerIdentity) -> Taken {
        let stage = self.exchanges.take_stage(via).ok_or((None, Rejected::UnknownExchange))?;
        self.exchanges.begin_step(patience(&self.knowledge.config, at), via.exchange());
        let known = |encoded: &[u8]| aiocluster::known_id(&self.knowledge.members, encoded);
        let decoded = decode_known(packet, &self.knowledge.config.limits.decode, &known);
        let decoded = decoded.map_err(|error| (None, Rejected::Malformed(error)))?;
        self.knowledge.stats.entries_skipped += decoded.skipped_entries as u64;
        let (cluster_id, message) = (decoded.packet.cluster_id, decoded.packet.message);
        if message.own.is_some() && cluster_id != self.knowledge.cluster_id {
            let from = message.own.as_ref().and_then(|own| named(&own.node)).cloned();
            self.dialect.tell_other_cluster(&mut self.knowledge, &cluster_id, from);
            // The other side learns of it the same way.
            let answer = matches!(stage, Stage::Syn { .. }).then(|| self.who_are_you()).flatten();
            return Err((answer, Rejected::OtherCluster { cluster_id }));
        }
        let opens = matches!(stage, Stage::Syn { .. });
        let expected = match via {
            Via::Accepted(_) if opens => matches!(message.kind, Kind::Open | Kind::Probe),
            Via::Accepted(_) => message.kind == Kind::More,
            Via::Dialled(_) => matches!(message.kind, Kind::Answer | Kind::More),
        };
        if !expected {
            return Err((None, Rejected::UnexpectedMessage { got: name_of(message.kind) }));
        }
        let Some(id) = self.sender_of_message(&message).map_err(|error| (None, Rejected::Malformed(error)))? else {
            let answer = self.who_are_you();
            // What the sender said is said again when it is known.
            self.exchanges
                .wait_for(via, Stage::Message { to: None, asked_at: at.now, from: None, is_announced: false });
            return match via {
                Via::Accepted(_) if opens => Ok((answer, Next::Read)),
                _ => Err((None, Rejected::Malformed(DecodeError::NoSender))),
            };
        };
        self.take_message_of(at, via, stage, &id, &message, peer)
    }

    fn take_message_of(
        &mut self,
        at: Moment,
        via: Via,
        stage: Stage,
        id: &NodeId,
        message: &Message,
        peer: &PeerIdentity,
    ) -> Taken {
        if let Err(held) = peer.check(id) {
            return Err((None, Rejected::WrongName { speaks_as: id.clone(), held: held.clone() }));
        }
        let is_certified = peer.proves(id);
        if is_certified {
            self.check_name(at, id).map_err(|rejected| (None, rejected))?;
        }
        if id == self.id() {
            return Err((self.hear_itself(at, &stage, message), Rejected::OwnPacket));
        }
        let hash = message.sender;
        let (from, to, is_announced, is_opening) = match &stage {
            Stage::Syn { accepted_at, may_have_waited } => {
                let transit = Duration::from_millis(message.void_after_ms.into()) + *may_have_waited;
                let proof = if is_certified { Proof::Certificate } else { Proof::Presence };
                (From { id, hash, proof, lived: *accepted_at, slack: *may_have_waited, transit }, None, false, true)
            }
            Stage::Message { to, asked_at, from, is_announced } => {
                if from.as_ref().is_some_and(|from| from != id) {
                    return Err((None, Rejected::UnexpectedMessage { got: name_of(message.kind) }));
                }
                if let Some(to) = to
                    && self.is_wrong_peer(to, id)
                {
                    return Err((None, Rejected::WrongPeer { dialled: to.clone(), got: id.clone() }));
                }
                let proof = match (is_certified, to) {
                    (true, _) => Proof::Certificate,
                    (false, Some(to)) if id.gossip_advertise_addr() == to => Proof::Address,
                    (false, _) => Proof::Presence,
                };
                let lived = *asked_at;
                let is_opening = to.is_none() && from.is_none();
                let from = From { id, hash, proof, lived, slack: Duration::ZERO, transit: Duration::ZERO };
                (from, to.clone(), *is_announced, is_opening)
            }
            _ => return Err((None, Rejected::UnexpectedMessage { got: name_of(message.kind) })),
        };
        self.bind_name(id, is_certified);
        if let Some(to) = &to {
            self.self_reach.reached_another(to);
        }
        self.exchanges.introduce(via, id);
        let Some(tidings) = &mut self.tidings else { return Err((None, Rejected::UnknownExchange)) };
        let knowledge = &mut self.knowledge;
        if message.kind == Kind::Answer {
            tidings.answered(at, via.exchange(), hash, from.lived);
        }
        let Step { message: answer, reads_on } = match via {
            Via::Accepted(_) if is_opening => tidings.answer(knowledge, at, from, message),
            Via::Accepted(_) => tidings.reply(knowledge, at, from, message),
            Via::Dialled(_) => tidings.go_on(knowledge, at, from, message, is_announced),
        };
        let answer = answer.map(|answer| tidings.packet(knowledge, answer));
        let own_version = knowledge.own.state().max_version();
        let next = if reads_on {
            let from = Some(id.clone());
            self.exchanges.wait_for(via, Stage::Message { to, asked_at: at.now, from, is_announced: false });
            Next::Read
        } else {
            let told = to.is_some().then(|| (id.clone(), own_version));
            self.exchanges.wait_for(via, Stage::Close { completed: true, told });
            Next::Close
        };
        Ok((answer, next))
    }

    fn who_are_you(&mut self) -> Option<Bytes> {
        let tidings = self.tidings.as_mut()?;
        let message = tidings.who_are_you(&mut self.knowledge);
        Some(tidings.packet(&mut self.knowledge, message))
    }

    /// Who sent a message; `None`: it is not known, and does not say.
    fn sender_of_message(&self, message: &Message) -> Result<Option<NodeId>, DecodeError> {
        if let Some(id) = message.own.as_ref().and_then(|own| named(&own.node)) {
            let is_true = hash_of(&self.knowledge.cluster_id, id) == message.sender;
            return if is_true { Ok(Some(id.clone())) } else { Err(DecodeError::NoSender) };
        }
        Ok(self.tidings.as_ref().and_then(|tidings| tidings.id_of(&self.knowledge, message.sender)).cloned())
    }

    /// A message came from this node's own id: it has dialled itself, or another process goes by its id.
    fn hear_itself(&mut self, at: Moment, stage: &Stage, message: &Message) -> Option<Bytes> {
        if message.run != self.knowledge.run {
            let id = self.id().clone();
            let report = members::Report {
                id: &id,
                run: Some(message.run),
                word: Word::Own(Proof::Presence),
                written: at.now,
                silence: Some(Duration::ZERO),
                allowance: Duration::ZERO,
                lives: None,
                heartbeat: message.counter,
                max_version: 0,
                complete_version: 0,
                last_gc_version: 0,
                released_version: None,
            };
            let (members, mut env) = self.knowledge.members(at);
            members.hear_of_namesake(&mut env, &report);
        } else if let Stage::Message { to: Some(to), .. } = stage {
            self.self_reach.reached_itself(at.now, to, self.knowledge.config.gossip_interval);
        }
        // The side that dialled learns from the answer whom it has reached.
        matches!(stage, Stage::Syn { .. }).then(|| self.who_are_you()).flatten()
    }
}

fn named(node: &Named) -> Option<&NodeId> {
    match node {
        Named::Id(id) => Some(id),
        Named::Hash(_) => None,
    }
}

fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Open => "Open",
        Kind::Probe => "Probe",
        Kind::Answer => "Answer",
        Kind::More => "More",
    }
}
