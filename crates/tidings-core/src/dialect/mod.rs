//! How what is known is told: which dialect is spoken with whom. The only place that asks.
//!
//! [`aiocluster`] is the one that nodes of ours and Python's share; [`tidings`] is that between nodes of ours alone, and
//! the config says whether it is spoken.

use alloc::boxed::Box;

use crate::config::{self, Config};
use crate::error::ConfigError;
use crate::knowledge::Knowledge;

pub(crate) mod aiocluster;
pub(crate) mod tidings;

pub(crate) use aiocluster::Aiocluster as Dialect;

/// The dialect between nodes of ours, where the config has it.
pub(crate) fn tidings_of(knowledge: &Knowledge) -> Option<Box<tidings::Tidings>> {
    match knowledge.config.dialect {
        config::Dialect::Aiocluster => None,
        config::Dialect::Tidings => Some(Box::new(tidings::Tidings::new(knowledge))),
    }
}

impl Config {
    /// How many exchanges may be open by this node's own dialling: in the dialect between nodes of ours, probes come on top.
    pub(crate) fn max_dialled(&self) -> usize {
        const MOST_PROBES: usize = 256;
        let probes = if self.dialect == config::Dialect::Tidings { MOST_PROBES } else { 0 };
        self.max_concurrent_gossip + probes
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is outside its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let smallest = match self.dialect {
            config::Dialect::Aiocluster => 0,
            config::Dialect::Tidings => tidings::SMALLEST_PAYLOAD,
        };
        self.check(aiocluster::smallest_payload(self).max(smallest))
    }
}
