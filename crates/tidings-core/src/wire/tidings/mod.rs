//! The messages of the dialect between nodes of ours: from bytes, and to bytes.
//!
//! There is one message with parts, and each part is there where it is wanted. A quiet exchange is two messages of some
//! forty bytes. Third nodes are named by a hash of their id, and in full only to who may not know them.
//!
//! As in [`aiocluster`](super::aiocluster), bytes are checked once: what is wrong with a message as a whole is a
//! [`DecodeError`](super::DecodeError), a wrong entry is left out and counted.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::id::{NodeId, Run};
use crate::reconcile::Delta;

mod decode;
mod encode;
mod hash;
mod tag;

pub(crate) use decode::decode_known;
pub use decode::{Decoded, decode};
pub use encode::encode;
pub(crate) use encode::entry_len;
pub use hash::NodeHash;
pub(crate) use hash::{Mixer, hash_of};

/// The revision of this dialect's rules that is followed here.
pub(crate) const REVISION: u32 = 1;

/// The lowest that is understood.
pub(crate) const LOWEST_REVISION: u32 = 1;

/// How many buckets the fingerprint has: the first seven bits of a hash say which.
pub const BUCKETS: usize = 128;

/// A message, with the cluster that it belongs to where the sender introduces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Empty where the sender is named by its hash alone.
    pub cluster_id: Arc<str>,
    /// The message.
    pub message: Message,
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Opens an exchange.
    Open,
    /// Opens an exchange in which nothing is asked but whether the other one lives.
    Probe,
    /// Answers an opening.
    Answer,
    /// Goes on, on either side.
    More,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is for.
    pub kind: Kind,
    /// The revision that the sender follows.
    pub revision: u32,
    /// The lowest revision that the sender understands.
    pub lowest_revision: u32,
    /// Who sends it.
    pub sender: NodeHash,
    /// Which process that is.
    pub run: Run,
    /// Rises with every message of a run.
    pub counter: u64,
    /// Over all that the sender knows, ages left out.
    pub fingerprint: u64,
    /// The sender gives the exchange up so many milliseconds after it wrote this.
    pub void_after_ms: u32,
    /// How many nodes the sender knows, itself too; 0 where it does not say.
    pub known: u32,
    /// The sender does not know the reader.
    pub who: bool,
    /// The sender itself, in full.
    pub own: Option<Entry>,
    /// News.
    pub rumours: Vec<Entry>,
    /// The sums of the fingerprint's buckets: all [`BUCKETS`] of them, or none.
    pub sums: Vec<u32>,
    /// All that the sender has in these parts of its table.
    pub ranges: Vec<Range>,
    /// The nodes of which the sender wants all that the reader has.
    pub wants: Vec<NodeHash>,
    /// Key-values.
    pub delta: Delta,
    /// The reader is asked to find out whether this node lives.
    pub ask: Option<NodeHash>,
    /// What came of that.
    pub report: Option<Report>,
    /// The sender wants the reader's table from here on.
    pub cursor: Option<NodeHash>,
    /// The sender's table goes on behind this hash.
    pub next: Option<NodeHash>,
    /// The sender has more to say once it is answered.
    pub more: bool,
}

/// What a sender knows of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The node.
    pub node: Named,
    /// Which process it is.
    pub run: Run,
    /// Only the node itself raises it.
    pub life: u64,
    /// What the sender takes it for.
    pub status: Status,
    /// The sender's copy of its key-values has no holes up to here.
    pub max_version: u64,
    /// Tombstones at or below this version are gone from it.
    pub last_gc_version: u64,
}

/// A node in full or by its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// In full.
    Id(NodeId),
    /// By its hash.
    Hash(NodeHash),
}

/// What a sender takes a node for. All times are ages at the moment of writing, in milliseconds, rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It lives: it was last seen so long ago.
    Live {
        /// The age of its last sign of life.
        seen_ms: u64,
    },
    /// It is accused.
    Suspect {
        /// How long it has been silent.
        silent_ms: u64,
        /// How long ago it last failed to answer.
        failed_ms: u64,
    },
    /// It is dead.
    Dead {
        /// How long it has been silent.
        silent_ms: u64,
        /// How long ago it last failed to answer.
        failed_ms: u64,
    },
    /// It said goodbye.
    Left {
        /// The age of its last sign of life.
        seen_ms: u64,
    },
}

/// The entries whose hashes are from `from` to `to`: of what is missing the sender knows nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first hash.
    pub from: NodeHash,
    /// The last hash.
    pub to: NodeHash,
    /// What the sender has between them, in order.
    pub entries: Vec<Entry>,
}

/// What came of a probe for somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The node that was probed.
    pub target: NodeHash,
    /// How it went.
    pub outcome: ProbeOutcome,
}

/// How a probe went; ages as in [`Status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// It answered, and lived so long ago.
    Alive {
        /// The age of that.
        age_ms: u64,
    },
    /// It did not answer what was sent so long ago.
    Failed {
        /// The age of that.
        age_ms: u64,
    },
}

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod tests;
