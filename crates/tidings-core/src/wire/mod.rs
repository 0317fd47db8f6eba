//! The wire: packets from bytes, and bytes from packets.
//!
//! [`aiocluster`] holds the messages; [`frame`] puts packets on a stream and takes them off.

pub mod aiocluster;
pub mod frame;
mod reader;
