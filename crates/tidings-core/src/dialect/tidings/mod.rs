//! The dialect between nodes of ours: what a quiet cluster costs does not grow with it.
//!
//! ```text
//! dialler                          acceptor
//!    | -- Open: fingerprint, news ----> |
//!    | <-- Answer: the same ----------- |   and the buckets' sums, where the fingerprints differ
//!    | -- More: what differs ---------> |   only then: all that the dialler has in those buckets
//!    | <-- More: entries, key-values -- |   what the dialler lacks, and what the acceptor wants
//!    | -- More: the same -------------> |
//! ```
//!
//! No heartbeat is told on. An exchange is a sign of life of both sides; who does not answer becomes a case (see
//! [`suspicion`](crate::suspicion)). News is passed on at once, to three nodes, and ages only where the time that the
//! message was under way is known exactly: in answers and behind them, never in what opens an exchange.

mod detect;
mod exchange;
mod hear;
mod pace;
mod round;
mod rumours;
mod table;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::time::Duration;

use crate::exchange::ExchangeId;
use crate::id::{Address, NodeId, Run};
use crate::knowledge::{Knowledge, Moment};
use crate::members::{LastSeen, Peer, Proof};
use crate::snapshot::Liveness;
use crate::suspicion::Cases;
use crate::time::Instant;
use crate::wire::tidings::{Entry, Named, NodeHash, Report, Status, hash_of};

pub(crate) use exchange::Step;
use pace::Pace;
use rumours::Rumours;
use table::{Counted, FADE, Table};

/// The least that `max_payload_size` may be: the usual message, and room for key-values beside it.
pub(crate) const SMALLEST_PAYLOAD: usize = 2_048;

/// What this dialect keeps in mind beside what the node knows.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Tidings {
    own: NodeHash,
    /// How often this node has refuted what was said of it.
    life: u64,
    table: Table,
    rumours: Rumours,
    cases: Cases,
    pace: Pace,
    /// The own key-values up to this version, and the tombstones up to that one, were told.
    told_own: (u64, u64),
    /// From where on the table of others is still to be fetched; `None`: it was.
    cursor: Option<NodeHash>,
    /// The exchanges that wait for their first answer.
    pending: BTreeMap<ExchangeId, Pending>,
    overdue: BTreeSet<(Instant, ExchangeId)>,
    /// When news is to be passed on, and when that was last done.
    news_at: Option<Instant>,
    news_told_at: Instant,
    /// Which node is to be looked at next.
    swept: usize,
    audited: NodeHash,
    probes_left: u32,
    /// The bytes of tables that may be sent to those who join, until the next round.
    service_left: usize,
    is_isolated: bool,
    /// The runs whose places others have taken: they are told of as dead for a while.
    obituaries: BTreeMap<NodeHash, Obituary>,
    dials: VecDeque<Dial>,
}

/// A run that ended here because another one of its name answers at its address.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
struct Obituary {
    run: Run,
    life: u64,
    /// When the other one was met.
    at: Instant,
}

/// An exchange that is to be opened.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Dial {
    pub(crate) to: Address,
    pub(crate) purpose: Purpose,
}

/// What an exchange was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Purpose {
    /// A round's, with a node that is taken for live. If it fails, that node becomes a case.
    Round(NodeHash),
    /// To pass news on.
    News(NodeHash),
    /// In case somebody is there: a seed, or one that was dead.
    Try,
    /// To say goodbye.
    Farewell,
    /// To find out whether a case lives.
    Probe(NodeHash),
    /// The same for somebody else.
    Relay { target: NodeHash, asked_by: NodeHash },
    /// To ask the dialled node to find out whether another lives.
    Ask { target: NodeHash },
    /// To say what came of a probe: when the node lived, or when what it did not answer was sent.
    Report { target: NodeHash, is_alive: bool, at: Instant },
}

impl Purpose {
    /// Whether a late answer is taken all the same.
    pub(crate) fn is_patient(self) -> bool {
        matches!(self, Purpose::Round(_) | Purpose::Try)
    }
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
struct Pending {
    purpose: Purpose,
    sent: Instant,
    due: Instant,
    /// It was not answered in time. It may still be, late.
    has_failed: bool,
}

/// Whose message it is, and what is known of when it was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From<'a> {
    pub(crate) id: &'a NodeId,
    pub(crate) hash: NodeHash,
    /// What speaks for it being that node.
    pub(crate) proof: Proof,
    /// It lived then or later, but for `slack`.
    pub(crate) lived: Instant,
    pub(crate) slack: Duration,
    /// What it says was so at `lived` or later, but for this.
    pub(crate) transit: Duration,
}

impl From<'_> {
    fn seen(&self) -> LastSeen {
        LastSeen::told(self.lived, self.slack)
    }

    /// The instant that is `age_ms` before the message was written, or earlier.
    fn instant(&self, age_ms: u64) -> LastSeen {
        let age = Duration::from_millis(age_ms).saturating_add(self.transit);
        LastSeen::told(self.lived, age)
    }
}

/// An age as it is told: rounded up.
fn millis(age: Duration) -> u64 {
    u64::try_from(age.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl Tidings {
    pub(crate) fn new(knowledge: &Knowledge) -> Tidings {
        let own = hash_of(&knowledge.cluster_id, &knowledge.config.node_id);
        let mut tidings = Tidings { own, cursor: Some(NodeHash(0)), ..Tidings::default() };
        tidings.probes_left = knowledge.config.detection.probe_budget;
        tidings.service_left = round::SERVICE_A_ROUND;
        tidings.touch_own(knowledge);
        tidings
    }

    /// The next exchange to open.
    pub(crate) fn next_dial(&mut self) -> Option<Dial> {
        self.dials.pop_front()
    }

    /// When there is something to do, besides the rounds.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let overdue = self.overdue.first().map(|(at, _)| *at);
        [overdue, self.news_at, self.cases.next_due(), self.table.next_due()].into_iter().flatten().min()
    }

    /// The node of this hash, this one too.
    pub(crate) fn id_of<'a>(&'a self, knowledge: &'a Knowledge, hash: NodeHash) -> Option<&'a NodeId> {
        if hash == self.own { Some(&knowledge.config.node_id) } else { self.table.id_of(hash) }
    }

    /// Whether the others have had the time to hear of this node.
    pub(crate) fn has_joined(&self) -> bool {
        self.cursor.is_none()
    }

    // ---- the table ----

    fn touch_own(&mut self, knowledge: &Knowledge) {
        let state = knowledge.own.state();
        let counted = Counted {
            run: knowledge.run,
            life: self.life,
            status: 0,
            complete_version: state.max_version(),
            last_gc_version: state.last_gc_version(),
            fades_at: None,
        };
        let status = if state.get(crate::state::LEFT_KEY).is_some() { 3 } else { 0 };
        self.table.put(self.own, &knowledge.config.node_id, Some(Counted { status, ..counted }));
    }

    /// Something may have changed about a node.
    fn touch(&mut self, knowledge: &Knowledge, at: Moment, hash: NodeHash, id: &NodeId) {
        match knowledge.members.get(id) {
            Some(peer) => {
                let counted = self.counted(at, hash, peer);
                self.table.put(hash, id, counted);
            }
            None => {
                self.table.remove(hash);
                self.cases.forget(hash.0);
                self.rumours.remove(hash);
            }
        }
    }

    /// What a node counts for; `None`: nothing, and it is not told of.
    fn counted(&self, at: Moment, hash: NodeHash, peer: &Peer) -> Option<Counted> {
        let silence = match peer.liveness() {
            Liveness::Live | Liveness::Suspect => None,
            // That it has left stands among its key-values, and all who have them count it no more.
            Liveness::Left => return None,
            Liveness::Dead => {
                Some(self.cases.accusation(hash.0)?.start.silence(at.now)).filter(|silence| *silence < FADE)
            }
        };
        if silence.is_none() && peer.liveness() == Liveness::Dead {
            return None;
        }
        Some(Counted {
            run: peer.run()?,
            life: peer.life,
            status: if silence.is_some() { 2 } else { 0 },
            complete_version: peer.complete_version,
            last_gc_version: peer.last_gc_version,
            fades_at: silence.map(|silence| at.now + (FADE - silence) + Duration::from_millis(1)),
        })
    }

    /// What is told of a node.
    fn entry(&self, knowledge: &Knowledge, at: Moment, hash: NodeHash, is_in_full: bool) -> Option<Entry> {
        if hash == self.own {
            return Some(self.own_entry(knowledge, is_in_full));
        }
        if let Some(Obituary { run, life, at: met_at }) = self.obituaries.get(&hash).copied() {
            let age_ms = millis(at.now.saturating_duration_since(met_at));
            let status = Status::Dead { silent_ms: age_ms, failed_ms: age_ms };
            let node = Named::Hash(hash);
            return Some(Entry { node, run, life, status, max_version: 0, last_gc_version: 0 });
        }
        let id = self.table.id_of(hash)?;
        let peer = knowledge.members.get(id)?;
        let seen_ms = millis(peer.silence(at.now));
        let accusation = self.cases.accusation(hash.0).filter(|accusation| !accusation.is_lone);
        let status = match (accusation, peer.liveness()) {
            (_, Liveness::Left) => Status::Left { seen_ms },
            (Some(accusation), _) => {
                let (silent_ms, failed_ms) =
                    (millis(accusation.start.silence(at.now)), millis(accusation.failed.silence(at.now)));
                match accusation.is_decided() {
                    true => Status::Dead { silent_ms, failed_ms },
                    false => Status::Suspect { silent_ms, failed_ms },
                }
            }
            (None, Liveness::Dead) => return None,
            (None, _) => Status::Live { seen_ms },
        };
        Some(Entry {
            node: if is_in_full { Named::Id(id.clone()) } else { Named::Hash(hash) },
            run: peer.run()?,
            life: peer.life,
            status,
            max_version: peer.complete_version,
            last_gc_version: peer.last_gc_version,
        })
    }

    fn own_entry(&self, knowledge: &Knowledge, is_in_full: bool) -> Entry {
        let state = knowledge.own.state();
        Entry {
            node: if is_in_full { Named::Id(knowledge.config.node_id.clone()) } else { Named::Hash(self.own) },
            run: knowledge.run,
            life: self.life,
            status: Status::Live { seen_ms: 0 },
            max_version: state.max_version(),
            last_gc_version: state.last_gc_version(),
        }
    }

    // ---- news ----

    /// Has news passed on at once, but not more often than the links can bear.
    fn hurry(&mut self, now: Instant) {
        const SOON: Duration = Duration::from_millis(50);
        const PAUSE: Duration = Duration::from_millis(150);
        if self.news_at.is_none() {
            self.news_at = Some((now + SOON).max(self.news_told_at + PAUSE));
        }
    }

    /// This node's own key-values may have changed.
    pub(crate) fn own_changed(&mut self, knowledge: &Knowledge, at: Moment) {
        let state = knowledge.own.state();
        let now = (state.max_version(), state.last_gc_version());
        let (told_to, told_gc) = core::mem::replace(&mut self.told_own, now);
        if now.0 != told_to {
            self.rumours.tell_keys(self.own, told_to);
        }
        if now.1 != told_gc {
            self.rumours.tell(self.own, false, false);
        }
        if now != (told_to, told_gc) {
            self.touch_own(knowledge);
            self.hurry(at.now);
        }
    }

    /// Whether there is something to say that an opening cannot carry.
    pub(crate) fn has_more(&self) -> bool {
        self.rumours.has_aged() || self.cases.suspects_len() > 0
    }

    /// A report as it is sent.
    fn report_of(target: NodeHash, is_alive: bool, at: Instant, now: Instant) -> Report {
        use crate::wire::tidings::ProbeOutcome;
        let age_ms = millis(now.saturating_duration_since(at));
        let outcome = if is_alive { ProbeOutcome::Alive { age_ms } } else { ProbeOutcome::Failed { age_ms } };
        Report { target, outcome }
    }
}
