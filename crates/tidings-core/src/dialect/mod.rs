//! How what is known is told: which dialect is spoken with whom. The only place that asks.
//!
//! There is one dialect today, aiocluster's, which nodes of ours and Python's share.

use crate::config::Config;
use crate::error::ConfigError;

pub(crate) mod aiocluster;

pub(crate) use aiocluster::Aiocluster as Dialect;

impl Config {
    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is outside its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.check(aiocluster::smallest_payload(self))
    }
}
