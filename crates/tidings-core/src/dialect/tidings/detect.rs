//! Who lives: what becomes of exchanges that are not answered.

use core::time::Duration;

use crate::event::EventKind;
use crate::exchange::{ExchangeId, Outcome};
use crate::knowledge::{Knowledge, Moment};
use crate::members::LastSeen;
use crate::time::Instant;
use crate::wire::tidings::NodeHash;

use super::{Dial, From, Pending, Purpose, Tidings};

impl Tidings {
    /// How long an exchange is waited for.
    pub(crate) fn timeout(&self, knowledge: &Knowledge) -> Duration {
        self.pace.timeout(knowledge.config.detection.probe_timeout)
    }

    /// An exchange was opened.
    pub(crate) fn opened(&mut self, knowledge: &Knowledge, at: Moment, exchange: ExchangeId, purpose: Purpose) {
        let due = at.now + self.timeout(knowledge);
        self.pending.insert(exchange, Pending { purpose, sent: at.now, due, has_failed: false });
        self.overdue.insert((due, exchange));
    }

    /// Whether an exchange is worth waiting for when it has failed: how late the answer is shows how slow the links are.
    pub(crate) fn is_worth_waiting(&self, exchange: ExchangeId) -> bool {
        self.pending.get(&exchange).is_some_and(|pending| pending.purpose.is_patient())
    }

    fn take_pending(&mut self, exchange: ExchangeId) -> Option<Pending> {
        let pending = self.pending.remove(&exchange)?;
        self.overdue.remove(&(pending.due, exchange));
        Some(pending)
    }

    /// An exchange that this node opened was answered.
    pub(crate) fn answered(&mut self, at: Moment, exchange: ExchangeId, by: NodeHash, asked_at: Instant) {
        self.cases.answered(at.now, by.0);
        self.is_isolated = false;
        let Some(pending) = self.take_pending(exchange) else { return };
        self.pace.took(at.now.saturating_duration_since(pending.sent));
        if pending.has_failed {
            return;
        }
        match pending.purpose {
            Purpose::Round(_) => self.cases.exchange_succeeded(),
            Purpose::Relay { target, asked_by } => self.report(target, asked_by, true, asked_at),
            _ => {}
        }
    }

    /// An exchange that this node opened is over; if it was not answered by then, it never will be.
    pub(crate) fn closed(&mut self, knowledge: &mut Knowledge, at: Moment, exchange: ExchangeId, outcome: Outcome) {
        if let Some(pending) = self.take_pending(exchange).filter(|pending| !pending.has_failed) {
            self.failed(knowledge, at, pending, outcome == Outcome::Refused);
        }
    }

    pub(super) fn end_overdue(&mut self, knowledge: &mut Knowledge, at: Moment) {
        while let Some((due, exchange)) = self.overdue.first().copied().filter(|(due, _)| *due <= at.now) {
            self.overdue.remove(&(due, exchange));
            if let Some(pending) = self.pending.get_mut(&exchange) {
                pending.has_failed = true;
                let pending = *pending;
                self.failed(knowledge, at, pending, false);
            }
        }
    }

    fn failed(&mut self, knowledge: &mut Knowledge, at: Moment, pending: Pending, is_refused: bool) {
        let Pending { purpose, sent, .. } = pending;
        if self.cases.is_before_pause(sent) {
            return;
        }
        match purpose {
            Purpose::Round(hash) => {
                if self.cases.is_about(hash.0) {
                    return;
                }
                // A refusal says nothing of the network.
                if !is_refused {
                    self.cases.exchange_failed();
                }
                let seen = self.table.id_of(hash).and_then(|id| knowledge.members.get(id));
                let Some(seen) = seen.map(|peer| peer.pulse.last_seen()) else { return };
                if seen <= LastSeen::at(sent) {
                    self.cases.open(at.now, hash.0, sent);
                    self.look_into(knowledge, at, hash);
                }
            }
            Purpose::Probe(hash) => {
                self.cases.fail(hash.0, sent, 0);
                self.look_into(knowledge, at, hash);
            }
            Purpose::Relay { target, asked_by } => self.report(target, asked_by, false, sent),
            _ => {}
        }
    }

    /// This process was stopped until now.
    pub(crate) fn woke(&mut self, at: Moment) {
        self.cases.wake(at.now);
    }

    /// Accuses, if the evidence is complete.
    fn look_into(&mut self, knowledge: &mut Knowledge, at: Moment, hash: NodeHash) {
        let live = self.table.live();
        let complete = self.cases.take_complete(at.now, hash.0, live, &knowledge.config.detection);
        let Some(complete) = complete else { return };
        if complete.is_lone && !core::mem::replace(&mut self.is_isolated, true) {
            let since = at.now.saturating_duration_since(self.cases.last_answer());
            knowledge.tell(EventKind::Isolated { since });
        }
        let Some(id) = self.table.id_of(hash).cloned() else { return };
        let own = knowledge.config.node_id.clone();
        let said = (LastSeen::at(complete.start), LastSeen::at(complete.failed_at), complete.is_lone);
        self.hear_accusation(knowledge, at, (hash, &id), said, (&own, Some(complete.evidence)));
    }

    /// Probes the cases whose turn has come, directly and through others.
    pub(super) fn probe(&mut self, knowledge: &mut Knowledge, at: Moment) {
        while let Some(who) = self.cases.next_batch(at.now) {
            let hash = NodeHash(who);
            let wanted = self.cases.probes(who, &knowledge.config.detection);
            let Some(id) = self.table.id_of(hash).cloned() else {
                self.cases.forget(who);
                continue;
            };
            for _ in 0..wanted.div_ceil(2) {
                self.spend(Dial { to: id.gossip_advertise_addr().clone(), purpose: Purpose::Probe(hash) });
            }
            for _ in 0..=wanted / 2 {
                if let Some((_, helper)) = self.draw_live(knowledge, &[hash]) {
                    let to = helper.gossip_advertise_addr().clone();
                    self.spend(Dial { to, purpose: Purpose::Ask { target: hash } });
                }
            }
        }
    }

    /// Opens an exchange if the budget of this round allows it.
    fn spend(&mut self, dial: Dial) {
        if self.probes_left > 0 {
            self.probes_left -= 1;
            self.dials.push_back(dial);
        }
    }

    /// Finds out for somebody else whether a node lives.
    pub(super) fn relay(&mut self, knowledge: &Knowledge, target: NodeHash, asked_by: NodeHash) {
        if target == self.own || target == asked_by {
            return;
        }
        let Some(id) = self.table.id_of(target).filter(|id| knowledge.members.get(id).is_some()) else { return };
        let to = id.gossip_advertise_addr().clone();
        self.spend(Dial { to, purpose: Purpose::Relay { target, asked_by } });
    }

    fn report(&mut self, target: NodeHash, asked_by: NodeHash, is_alive: bool, at: Instant) {
        if let Some(id) = self.table.id_of(asked_by) {
            let to = id.gossip_advertise_addr().clone();
            self.dials.push_back(Dial { to, purpose: Purpose::Report { target, is_alive, at } });
        }
    }

    /// Somebody says what came of a probe that it made for this node.
    pub(super) fn hear_report_of_probe(
        &mut self,
        knowledge: &mut Knowledge,
        at: Moment,
        from: From<'_>,
        target: NodeHash,
        is_alive: bool,
        age_ms: u64,
    ) {
        let Some(id) = self.table.id_of(target).cloned() else { return };
        let when = from.instant(age_ms);
        if is_alive {
            self.cases.answered(at.now, from.hash.0);
            return self.hear_alive(knowledge, at, (target, &id), when, false);
        }
        // It failed when it was sent, and that was not later than this node hears of it.
        self.cases.answered(at.now, from.hash.0);
        let sent = LastSeen::at(at.now).instant() - Duration::from_millis(age_ms);
        self.cases.fail(target.0, sent, from.hash.0);
        self.look_into(knowledge, at, target);
    }

    /// Declares those dead who have been suspect for long enough.
    pub(super) fn judge(&mut self, knowledge: &mut Knowledge, at: Moment) {
        while let Some(who) = self.cases.next_verdict(at.now, &knowledge.config.detection) {
            let hash = NodeHash(who);
            let Some(id) = self.table.id_of(hash).cloned() else {
                self.cases.forget(who);
                continue;
            };
            let (members, mut env) = knowledge.members(at);
            members.judge(&mut env, &id, false, None);
            self.touch(knowledge, at, hash, &id);
        }
    }
}
