//! The wire: packets from bytes, and bytes from packets.
//!
//! [`aiocluster`] and [`tidings`] hold the messages of a dialect each and their encoding; [`frame`] puts packets on a stream and takes them off.

pub mod aiocluster;
mod error;
pub mod frame;
mod reader;
pub mod tidings;

pub use error::DecodeError;
