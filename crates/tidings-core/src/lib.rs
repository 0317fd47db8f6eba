//! The sans-IO core of tidings.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod delta;
pub mod digest;
mod id;
mod limits;
mod state;
mod time;
pub mod wire;

pub use id::{Address, NodeId, ParseAddressError};
pub use limits::{DecodeLimits, MAX_VERSION};
pub use state::{ValueStatus, VersionedValue};
pub use time::Instant;
