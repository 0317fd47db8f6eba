//! The field numbers of `proto/tidings.proto`, for the reader and the writer.

pub(super) const CLUSTER_ID: u32 = 1;
pub(super) const TIDINGS: u32 = 110;

pub(super) mod message {
    pub(crate) const KIND: u32 = 1;
    pub(crate) const REVISION: u32 = 2;
    pub(crate) const LOWEST_REVISION: u32 = 3;
    pub(crate) const SENDER: u32 = 4;
    pub(crate) const RUN: u32 = 5;
    pub(crate) const COUNTER: u32 = 6;
    pub(crate) const FINGERPRINT: u32 = 7;
    pub(crate) const VOID_AFTER_MS: u32 = 8;
    pub(crate) const KNOWN: u32 = 9;
    pub(crate) const OWN: u32 = 10;
    pub(crate) const RUMOURS: u32 = 11;
    pub(crate) const SUMS: u32 = 12;
    pub(crate) const RANGES: u32 = 13;
    pub(crate) const WANTS: u32 = 14;
    pub(crate) const DELTA: u32 = 15;
    pub(crate) const ASK: u32 = 16;
    pub(crate) const REPORT: u32 = 17;
    pub(crate) const CURSOR: u32 = 18;
    pub(crate) const WHO: u32 = 19;
    pub(crate) const NEXT: u32 = 20;
    pub(crate) const MORE: u32 = 21;
}

pub(super) mod entry {
    pub(crate) const NODE_ID: u32 = 1;
    pub(crate) const HASH: u32 = 2;
    pub(crate) const RUN: u32 = 3;
    pub(crate) const LIFE: u32 = 4;
    pub(crate) const STATUS: u32 = 5;
    pub(crate) const SEEN_MS: u32 = 6;
    pub(crate) const FAILED_MS: u32 = 7;
    pub(crate) const MAX_VERSION: u32 = 8;
    pub(crate) const LAST_GC_VERSION: u32 = 9;
}

pub(super) mod range {
    pub(crate) const FROM: u32 = 1;
    pub(crate) const TO: u32 = 2;
    pub(crate) const ENTRIES: u32 = 3;
}

pub(super) mod report {
    pub(crate) const TARGET: u32 = 1;
    pub(crate) const ALIVE_MS: u32 = 2;
    pub(crate) const FAILED_MS: u32 = 3;
}
