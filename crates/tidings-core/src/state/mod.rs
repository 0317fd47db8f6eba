//! What is known of the nodes' key-values.

mod claim;
mod entry;
mod node_state;
mod own;
mod tree;
mod value;

pub(crate) use claim::Claim;
pub use entry::ENTRY_OVERHEAD;
pub(crate) use node_state::{Applied, KeyChange, LEFT_KEY, LONGEST_FAREWELL};
pub use node_state::{NodeState, RESERVED_PREFIX};
pub use own::{Lifetime, SetError};
pub(crate) use own::{OwnState, check_key};
pub use value::{KeyValueUpdate, ValueStatus, VersionedValue};
