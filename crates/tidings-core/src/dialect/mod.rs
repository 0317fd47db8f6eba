//! How what is known is told.

pub(crate) mod aiocluster;
