//! tidings beside its peers: [chitchat] and [foca] over the same simulated links, and benchmarks of single operations.
//!
//! [`System`] is a cluster of one of them in virtual time, [`run`] measures one, and [`Outcome`] is what came of it, with
//! the fields of `tidings-sim run --json`. [`operations`] are the single steps that `cargo bench` times and [`count`]
//! has valgrind count the instructions of. See `docs/benchmarks.md`.
//!
//! [chitchat]: https://docs.rs/chitchat
//! [foca]: https://docs.rs/foca

pub mod count;
mod harness;
mod links;
pub mod operations;
mod outcome;
mod system;

pub use harness::run;
pub use links::{Deliveries, Links};
pub use outcome::Outcome;
pub use system::{Change, Kind, News, System};
