//! What many unit tests need: short names for ids, key-values, instants and configs.

use alloc::sync::Arc;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::config::Config;
use crate::delta::KeyValueUpdate;
use crate::id::{Address, NodeId};
use crate::rng::Random;
use crate::state::ValueStatus;
use crate::time::Instant;

/// A node at an address of its own; a later generation is at the same one.
pub(crate) fn id(name: &str, generation: u64) -> NodeId {
    NodeId::new(name, generation, Address::new(name, 7000))
}

pub(crate) fn config(name: &str) -> Config {
    Config::new(id(name, 1))
}

pub(crate) fn secs(secs: u64) -> Instant {
    Instant::from_secs(secs)
}

pub(crate) fn random(seed: u64) -> Random {
    Random::from_rng(&mut ChaCha8Rng::seed_from_u64(seed))
}

pub(crate) fn set(key: &str, value: &str, version: u64) -> KeyValueUpdate {
    update(key, value, version, ValueStatus::Set)
}

pub(crate) fn deleted(key: &str, version: u64) -> KeyValueUpdate {
    update(key, "", version, ValueStatus::Deleted)
}

pub(crate) fn fading(key: &str, value: &str, version: u64) -> KeyValueUpdate {
    update(key, value, version, ValueStatus::DeleteAfterTtl)
}

fn update(key: &str, value: &str, version: u64, status: ValueStatus) -> KeyValueUpdate {
    KeyValueUpdate { key: Arc::from(key), value: Arc::from(value), version, status }
}
