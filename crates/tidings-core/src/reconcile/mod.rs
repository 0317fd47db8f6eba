//! Reconciliation: what a reader lacks of each node, and as much of it as fits a packet.

mod pack;

pub use pack::{Delta, KeyValueUpdate, NodeDelta};
pub(crate) use pack::{News, Packed, pack};
