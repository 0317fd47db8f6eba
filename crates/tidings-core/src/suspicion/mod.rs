//! How long others may be silent: heartbeats and phi, this node's own reach, and the clock that leaves pauses out.

mod attention;
mod cases;
mod clock;
mod health;
mod told;
mod window;

pub(crate) use attention::Attention;
pub(crate) use cases::{Accusation, Accused, Cases, Seen};
pub(crate) use clock::{ActiveClock, Tolerance};
pub(crate) use health::LocalHealth;
pub(crate) use told::ToldShare;
pub use window::{Detector, HeartbeatWindow};
