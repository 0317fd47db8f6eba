//! The wire: packets from bytes, and bytes from packets.
//!
//! [`aiocluster`] holds the messages and their encoding; [`frame`] puts packets on a stream and takes them off.

pub mod aiocluster;
mod error;
pub mod frame;
mod reader;

pub use error::DecodeError;
