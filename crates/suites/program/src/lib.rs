//! The `tidings` binary, for the suites that test it from outside: where it is, and its processes.

mod process;
mod program;

pub use process::Running;
pub use program::Program;
