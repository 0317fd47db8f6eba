//! The sans-IO core of tidings.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod delta;
pub mod digest;
mod id;
mod state;
mod time;

pub use id::{Address, NodeId, ParseAddressError};
pub use state::{ValueStatus, VersionedValue};
pub use time::Instant;
