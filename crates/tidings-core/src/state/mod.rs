//! What is known of the nodes' key-values.

mod value;

pub use value::{ValueStatus, VersionedValue};
