//! The field numbers of `proto/tidings.proto`, for the reader, the writer and the sizes. Those inside an id stand with the
//! id, which encodes itself.

use crate::id::encoded;

pub(super) mod packet {
    pub(crate) const CLUSTER_ID: u32 = 1;
    pub(crate) const SYN: u32 = 2;
    pub(crate) const SYNACK: u32 = 3;
    pub(crate) const ACK: u32 = 4;
    pub(crate) const BAD_CLUSTER: u32 = 5;
    pub(crate) const PROTOCOL_REVISION: u32 = 100;
}

/// Syn, SynAck and Ack number their parts alike.
pub(super) mod message {
    pub(crate) const DIGEST: u32 = 2;
    pub(crate) const DELTA: u32 = 3;
}

pub(super) mod digest {
    pub(crate) const NODE_DIGESTS: u32 = 1;
    pub(crate) const PARTIAL: u32 = 100;
}

pub(super) mod node_digest {
    pub(crate) const NODE_ID: u32 = 1;
    pub(crate) const HEARTBEAT: u32 = 2;
    pub(crate) const LAST_GC_VERSION: u32 = 3;
    pub(crate) const MAX_VERSION: u32 = 4;
    pub(crate) const COMPLETE_VERSION: u32 = 100;
    pub(crate) const RUN: u32 = 101;
    pub(crate) const RELEASED_VERSION: u32 = 102;
    pub(crate) const SILENCE_MS: u32 = 103;
}

pub(super) mod delta {
    pub(crate) const NODE_DELTAS: u32 = 1;
}

pub(super) mod node_delta {
    pub(crate) const NODE_ID: u32 = 1;
    pub(crate) const FROM_VERSION_EXCLUDED: u32 = 2;
    pub(crate) const LAST_GC_VERSION: u32 = 3;
    pub(crate) const KEY_VALUES: u32 = 4;
    pub(crate) const MAX_VERSION: u32 = 5;
    pub(crate) const SENDER_COMPLETE_VERSION: u32 = 100;
    pub(crate) const RUN: u32 = 101;
}

pub(super) mod key_value {
    pub(crate) const KEY: u32 = 1;
    pub(crate) const VALUE: u32 = 2;
    pub(crate) const VERSION: u32 = 3;
    pub(crate) const STATUS: u32 = 4;
}

// An id writes its own field, with one number wherever it stands.
const _: () = assert!(node_digest::NODE_ID == encoded::FIELD && node_delta::NODE_ID == encoded::FIELD);
