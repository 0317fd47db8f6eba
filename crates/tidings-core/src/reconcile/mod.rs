//! Reconciliation: what a reader lacks of each node, and as much of it as fits a packet.
//!
//! From "Efficient Reconciliation and Flow Control for Anti-Entropy Protocols" (van Renesse et al., 2008), the
//! Scuttlebutt paper.

mod delta;
mod news;
mod pack;

pub use delta::{Delta, NodeDelta};
pub(crate) use news::{Known, News, news_of};
pub(crate) use pack::{Budget, Lengths, Packed, pack};
