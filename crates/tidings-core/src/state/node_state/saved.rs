//! A node's key-values as a checkpoint has them: each entry once.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Entry, NodeState};

#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Saved {
    /// In order of key.
    entries: Vec<Arc<Entry>>,
    max_version: u64,
    last_gc_version: u64,
    prefix_as_of: u64,
    known_to: u64,
}

impl From<NodeState> for Saved {
    fn from(state: NodeState) -> Saved {
        let NodeState { max_version, last_gc_version, prefix_as_of, known_to, .. } = state;
        let entries = state.by_key.iter().cloned().collect();
        Saved { entries, max_version, last_gc_version, prefix_as_of, known_to }
    }
}

impl From<Saved> for NodeState {
    fn from(saved: Saved) -> NodeState {
        let Saved { entries, max_version, last_gc_version, prefix_as_of, known_to } = saved;
        let mut state = NodeState { max_version, last_gc_version, prefix_as_of, known_to, ..NodeState::default() };
        for entry in entries {
            state.put(Arc::unwrap_or_clone(entry), &mut Vec::new());
        }
        state
    }
}
