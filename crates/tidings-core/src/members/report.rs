//! What is said of a node's progress, in no dialect.

use core::time::Duration;

use crate::id::{NodeId, Run};
use crate::members::precedence::Word;
use crate::time::Instant;

/// What a sender says of one node: of its signs of life and of its versions, without any key-value. A dialect makes one of
/// whatever carries that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report<'a> {
    /// The node that this is about.
    pub(crate) id: &'a NodeId,
    /// Which process it is; `None` where that is not known, as of a Python node.
    pub(crate) run: Option<Run>,
    /// Whose word it is.
    pub(crate) word: Word,
    /// The message was written at this instant or later.
    pub(crate) written: Instant,
    /// How long it had been silent by then, at most; `None` where nobody says.
    pub(crate) silence: Option<Duration>,
    /// How much of `silence` was not said but is allowed for.
    pub(crate) allowance: Duration,
    /// Whether it lives, where that is said; `None`: its heartbeats have to show it.
    pub(crate) lives: Option<bool>,
    /// The highest heartbeat heard of it.
    pub(crate) heartbeat: u64,
    /// The highest version heard of.
    pub(crate) max_version: u64,
    /// The version up to which the sender's copy has no holes.
    pub(crate) complete_version: u64,
    /// Tombstones at or below this version are gone from the sender's copy.
    pub(crate) last_gc_version: u64,
    /// The version up to which its key-values may go to unmarked peers; `None` where no bound is known.
    pub(crate) released_version: Option<u64>,
}
