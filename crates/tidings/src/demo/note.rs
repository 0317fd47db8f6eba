//! One thing that happened, told twice: as fields for a pipe, and as a sentence for the screen.

use std::time::Duration;

use tidings_tokio::{EventKind, NodeId, ValueStatus, VersionedValue};

use crate::logfmt::Line;

#[derive(Clone, Debug)]
pub(crate) struct Note {
    /// Since the demo's start.
    pub(crate) at: Duration,
    pub(crate) line: Line,
    pub(crate) sentence: String,
}

impl Note {
    pub(crate) fn new(at: Duration, line: Line, sentence: impl Into<String>) -> Note {
        Note { at, line, sentence: sentence.into() }
    }

    /// What the first node noticed.
    pub(crate) fn of_event(at: Duration, kind: &EventKind) -> Note {
        let about = |event, node: &NodeId, sentence: String| {
            let line = Line::new(event)
                .field("node", node.name())
                .field("generation_id", node.generation_id())
                .field("address", node.gossip_advertise_addr());
            Note::new(at, line, sentence)
        };
        match kind {
            EventKind::NodeJoined { node } => about("joined", node, format!("{} is live", node.name())),
            EventKind::NodeLeft { node } => about("left", node, format!("{} has left", node.name())),
            EventKind::NodeDied { node } => about("died", node, format!("{} is dead: no heartbeat came", node.name())),
            EventKind::NodeForgotten { node } => about("forgotten", node, format!("{} is forgotten", node.name())),
            EventKind::NodeRestarted { new, .. } => about("restarted", new, format!("{} was restarted", new.name())),
            EventKind::KeyChanged { node, key, old, new } => key_changed(at, node, key, old.as_ref(), new),
            other => Note::new(at, Line::new("other").field("text", other), other.to_string()),
        }
    }
}

fn key_changed(at: Duration, node: &NodeId, key: &str, old: Option<&VersionedValue>, new: &VersionedValue) -> Note {
    let name = node.name();
    let (event, sentence) = match new.status {
        ValueStatus::Deleted => ("deleted", format!("{name} deletes {key}")),
        ValueStatus::Set | ValueStatus::DeleteAfterTtl => ("set", format!("{name} sets {key} to {}", new.value)),
    };
    let mut line = Line::new(event).field("node", name).field("key", key);
    if let Some(old) = old {
        line = line.field("old", &old.value);
    }
    Note::new(at, line.field("value", &new.value).field("version", new.version), sentence)
}
