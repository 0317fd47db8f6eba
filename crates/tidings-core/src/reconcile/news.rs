//! What a reader lacks of one node.

use alloc::vec::Vec;

use crate::id::{NodeId, Run};
use crate::reconcile::NodeDelta;
use crate::state::{KeyValueUpdate, NodeState};

/// What a reader holds of one node; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its copy has no holes up to here.
    pub(crate) complete_version: u64,
    /// Tombstones at or below this version are gone from it.
    pub(crate) last_gc_version: u64,
}

/// What a peer lacks of one node, before it is cut to fit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct News<'a> {
    pub(crate) node_id: &'a NodeId,
    /// Which process of the node wrote them.
    pub(crate) run: Option<Run>,
    pub(crate) state: &'a NodeState,
    /// The peer holds everything up to here; 0 where it must start again.
    pub(crate) from: u64,
    /// The peer may be told everything up to here.
    pub(crate) up_to: u64,
    /// What the peer is told of the collected tombstones.
    pub(crate) last_gc: u64,
}

/// What a peer that knows `known` lacks of one node's state.
///
/// It has to start again where it has not seen all tombstones that were collected here. A copy that is itself older
/// than the tombstones the peer has collected has nothing to tell.
pub(crate) fn news_of<'a>(
    node_id: &'a NodeId,
    run: Option<Run>,
    state: &'a NodeState,
    known: Option<Known>,
) -> Option<News<'a>> {
    let Known { complete_version: version, last_gc_version: last_gc } = known.unwrap_or_default();
    if state.as_of() < last_gc {
        return None;
    }
    let is_reset = state.last_gc_version() > version.max(last_gc);
    if !is_reset && state.max_version() <= version {
        return None;
    }
    let from = if is_reset { 0 } else { version };
    Some(News { node_id, run, state, from, up_to: state.max_version(), last_gc: state.last_gc_version() })
}

impl News<'_> {
    /// All of it.
    pub(super) fn whole(&self) -> NodeDelta {
        NodeDelta { key_values: self.updates().collect(), ..self.header() }
    }

    pub(super) fn updates(&self) -> impl Iterator<Item = KeyValueUpdate> {
        self.state.news(self.from, self.up_to).map(|entry| KeyValueUpdate {
            key: entry.key.clone(),
            value: entry.value.value.clone(),
            version: entry.value.version,
            status: entry.value.status,
        })
    }

    pub(super) fn header(&self) -> NodeDelta {
        NodeDelta {
            node_id: self.node_id.clone(),
            from_version_excluded: self.from,
            last_gc_version: self.last_gc,
            key_values: Vec::new(),
            max_version: Some(self.up_to),
            sender_complete_version: Some(self.state.knows_deletions_to()),
            run: self.run,
        }
    }
}
