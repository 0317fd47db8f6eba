//! What is known of the nodes' key-values.

mod node_state;
mod own;
mod value;

pub(crate) use node_state::{Applied, Claim, KeyChange, LEFT_KEY};
pub use node_state::{NodeState, RESERVED_PREFIX};
pub use own::{Lifetime, SetError};
pub(crate) use own::{OwnState, check_key};
pub use value::{ValueStatus, VersionedValue};
