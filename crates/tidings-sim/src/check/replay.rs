//! One node's events, replayed: what a user sees who has nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidings_core::{Event, EventKind, Liveness, NodeId, Snapshot, VersionedValue};

use super::history::{History, write_of};
use super::runs::Runs;
use super::violation::Rule;

/// What one node's events say so far.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    last_sequence: u64,
    live: BTreeSet<NodeId>,
    nodes: BTreeMap<NodeId, BTreeMap<Arc<str>, Shown>>,
    /// The latest run of each name that was told of, and which of all runs that is.
    latest: BTreeMap<String, (u64, NodeId)>,
}

/// One key.
#[derive(Debug, Default)]
struct Shown {
    /// `None`: deleted.
    value: Option<Arc<str>>,
    /// The newest write that was ever shown, and its version.
    newest: (u64, u64),
}

type Judgement = Result<(), (Rule, String)>;

impl Replay {
    /// Takes the next event, and holds it against those before it and against the truth.
    pub(crate) fn take(&mut self, event: &Event, history: &History, runs: &Runs) -> Judgement {
        if event.sequence != self.last_sequence + 1 {
            let last = self.last_sequence;
            return Err((Rule::Events, format!("event {} follows event {last}", event.sequence)));
        }
        self.last_sequence = event.sequence;
        self.in_order_of_runs(event, history, runs)?;
        let must_be = |is: bool, node: &NodeId, what: &str| {
            if is { Ok(()) } else { Err((Rule::Events, format!("event {}: {node} {what}", event.sequence))) }
        };
        match &event.kind {
            EventKind::NodeJoined { node } => {
                must_be(self.live.insert(node.clone()), node, "joined, which was live already")
            }
            EventKind::NodeLeft { node } => must_be(self.live.remove(node), node, "left, which was not live"),
            EventKind::NodeDied { node } => must_be(self.live.remove(node), node, "died, which was not live"),
            EventKind::NodeRestarted { old, .. } => {
                self.nodes.remove(old);
                must_be(self.live.remove(old), old, "restarted, which was not live")
            }
            EventKind::NodeMoved { old, new } => {
                if let Some(known) = self.nodes.remove(old) {
                    self.nodes.insert(new.clone(), known);
                }
                if self.live.remove(old) {
                    self.live.insert(new.clone());
                }
                Ok(())
            }
            EventKind::NodeForgotten { node } => {
                self.nodes.remove(node);
                must_be(!self.live.contains(node), node, "is forgotten, which is live")
            }
            EventKind::KeyChanged { node, key, old, new } => self.change(node, key, old.as_ref(), new, history),
            _ => Ok(()),
        }
    }

    /// Of one name nothing is told of a run once a later one was told of, but that it is forgotten.
    fn in_order_of_runs(&mut self, event: &Event, history: &History, runs: &Runs) -> Judgement {
        let (subject, successor) = match &event.kind {
            EventKind::NodeJoined { node }
            | EventKind::NodeLeft { node }
            | EventKind::NodeDied { node }
            | EventKind::KeyChanged { node, .. } => (node, None),
            EventKind::NodeRestarted { old, new } => (old, Some(new)),
            _ => return Ok(()),
        };
        // Where several run at a time, or nobody runs, there is no order.
        let Some(order) = runs.order(subject).filter(|_| !history.is_doubtful(subject)) else { return Ok(()) };
        if let Some((latest, run)) = self.latest.get(subject.name())
            && *latest > order
        {
            let message = format!("event {}: {}, after {run} was told of", event.sequence, event.kind);
            return Err((Rule::RunOrder, message));
        }
        let newest = successor.and_then(|new| Some((runs.order(new)?, new))).unwrap_or((order, subject));
        if newest.0 >= order {
            self.latest.insert(subject.name().to_string(), (newest.0, newest.1.clone()));
        }
        Ok(())
    }

    /// Forgets a run that nobody may tell of any more.
    pub(crate) fn forget(&mut self, run: &NodeId) {
        if self.latest.get(run.name()).is_some_and(|(_, latest)| latest == run) {
            self.latest.remove(run.name());
        }
    }

    fn change(
        &mut self,
        node: &NodeId,
        key: &Arc<str>,
        old: Option<&VersionedValue>,
        new: &VersionedValue,
        history: &History,
    ) -> Judgement {
        let readable = |value: &VersionedValue| value.is_readable().then(|| value.value.clone());
        let shown = self.nodes.entry(node.clone()).or_default().entry(key.clone()).or_default();
        let place = || format!("key {key:?} of {node}");
        if old.and_then(readable) != shown.value {
            let message = format!("{} was shown as {:?}, and is said to have been {old:?}", place(), shown.value);
            return Err((Rule::Events, message));
        }
        let had_value = shown.value.is_some();
        shown.value = readable(new);
        let Some(value) = &shown.value else { return Ok(()) };
        if !history.has_written(node, key, value) {
            return Err((Rule::NeverWritten, format!("{} is {value:?}, which it was never told", place())));
        }
        // A value that was gone may come back only if its owner has said so since, with a new version. (A copy that starts
        // again may lose sight of a key that its owner still has.)
        let shown_now = (write_of(value).unwrap_or_default(), new.version);
        let newest = shown.newest;
        shown.newest = shown_now.max(newest);
        let is_news = shown_now.0 > newest.0 || (shown_now.0 == newest.0 && (had_value || shown_now.1 > newest.1));
        if is_news || history.is_doubtful(node) {
            return Ok(());
        }
        let before = if had_value { "overwritten" } else { "deleted" };
        Err((Rule::Resurrection, format!("{} is {value:?} again, after write {} was {before}", place(), newest.0)))
    }

    /// Compares what the events said with what the node shows.
    pub(crate) fn compare(&self, snapshot: &Snapshot) -> Judgement {
        if snapshot.sequence != self.last_sequence {
            let message = format!("snapshot of event {} after event {}", snapshot.sequence, self.last_sequence);
            return Err((Rule::Events, message));
        }
        let others = snapshot.members.iter().filter(|member| member.id != snapshot.self_id);
        let live: BTreeSet<&NodeId> = others
            .filter(|member| matches!(member.liveness, Liveness::Live | Liveness::Suspect))
            .map(|member| &member.id)
            .collect();
        if let Some(node) = self.live.iter().find(|node| !live.contains(*node)) {
            return Err((Rule::Events, format!("{node} is live by the events, not in the snapshot")));
        }
        if let Some(node) = live.iter().find(|node| !self.live.contains(**node)) {
            return Err((Rule::Events, format!("{node} is live in the snapshot, not by the events")));
        }
        for (node, keys) in &self.nodes {
            let member = snapshot.member(node);
            let shown = |key: &str| member?.state.get(key);
            let differs = keys.iter().find(|(key, event)| event.value.as_deref() != shown(key));
            if let Some((key, event)) = differs {
                let message =
                    format!("key {key:?} of {node} is {:?} by the events, {:?} shown", event.value, shown(key));
                return Err((Rule::Events, message));
            }
        }
        for member in &snapshot.members {
            let keys = self.nodes.get(&member.id);
            let told = |key: &str| keys.is_some_and(|keys| keys.contains_key(key));
            if let Some((key, _)) = member.state.iter().find(|(key, _)| !told(key)) {
                return Err((Rule::Events, format!("key {key:?} of {} is shown, but no event told of it", member.id)));
            }
        }
        Ok(())
    }
}
