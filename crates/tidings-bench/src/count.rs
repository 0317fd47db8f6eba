//! stub
#![allow(missing_docs)]
use clap::ValueEnum;
use std::path::Path;
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Operation {
    A,
}
impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad("a")
    }
}
impl Operation {
    pub fn all() -> Vec<Operation> {
        vec![]
    }
    pub fn perform(self, _: usize, _: usize) -> anyhow::Result<()> {
        Ok(())
    }
}
pub struct Counted {
    pub instructions: f64,
    pub bytes: usize,
}
pub fn count(_: &Path, _: Operation, _: usize) -> anyhow::Result<Counted> {
    anyhow::bail!("")
}
