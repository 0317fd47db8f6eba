//! How long others may be silent: heartbeats and phi, this node's own reach, and the clock that leaves pauses out.

mod health;
mod window;

pub(crate) use health::LocalHealth;
pub(crate) use window::ActiveClock;
pub use window::{Detector, HeartbeatWindow};
