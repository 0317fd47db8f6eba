//! A view of the whole cluster at one moment. Cheap: key-values are shared, not copied.

use alloc::sync::Arc;
use alloc::vec::Vec;

use core::time::Duration;

use crate::id::{NodeId, Run};
use crate::state::NodeState;
use crate::time::Instant;

/// What this node knows at one moment. Later changes do not show in it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// The sequence number of the last event this snapshot reflects; the events after it continue it without a gap.
    pub sequence: u64,
    /// The moment, by this node's clock.
    pub at: Instant,
    /// The cluster's id.
    pub cluster_id: Arc<str>,
    /// This node.
    pub self_id: NodeId,
    /// Every known node, this one included, in order of id.
    pub members: Vec<Member>,
}

impl Snapshot {
    /// The member with this id, if it is known.
    #[must_use]
    pub fn member(&self, id: &NodeId) -> Option<&Member> {
        let index = self.members.binary_search_by(|member| member.id.cmp(id)).ok()?;
        self.members.get(index)
    }
}

/// One node as it is known here.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Member {
    /// Who it is.
    pub id: NodeId,
    /// Whether it is live.
    pub liveness: Liveness,
    /// The suspicion that it is dead, without unit; `None` for this node itself and before two heartbeats were seen.
    pub phi: Option<f64>,
    /// Since when it has been what `liveness` says, by this node's clock.
    pub since: Instant,
    /// How long it has been silent, by every account there is: at least so long as it really was, and more by the time that
    /// messages may have been under way. `None` for this node itself.
    pub silent_for: Option<Duration>,
    /// Which process it is; `None` where that is not known, as of a Python node.
    pub run: Option<Run>,
    /// The highest heartbeat heard of it.
    pub heartbeat: u64,
    /// Its key-values.
    pub state: Arc<NodeState>,
}

/// Whether a node takes part in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub enum Liveness {
    /// Its heartbeats are seen.
    Live,
    /// It is live, and accused of being dead: if it does not refute that, it is. Only in [`Dialect::Tidings`](crate::Dialect).
    Suspect,
    /// Its heartbeats are not seen: not any more, or not yet (a node just heard of is proved live by two heartbeats).
    Dead,
    /// It said that it leaves.
    Left,
}
