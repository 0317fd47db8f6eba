//! One host: the process on it, its clock, and what is wrong with it.

use std::collections::VecDeque;
use std::time::Duration;

use tidings_core::record::Recorder;
use tidings_core::{Config, Instant};

use crate::clock::Clock;
use crate::queue::Happening;

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// It runs.
    Running,
    /// It is stopped and will go on; what comes for it waits.
    Paused,
    /// It is not there; the host's system refuses connections.
    Crashed,
    /// The host is not there: nothing answers.
    Gone,
}

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) config: Config,
    /// What the process is, or was when it crashed.
    pub(crate) node: Recorder,
    /// What was recorded of it; `None`: it is not recorded.
    pub(crate) recording: Option<Vec<u8>>,
    pub(crate) process: Process,
    /// Counts the processes there have been.
    pub(crate) run: u64,
    pub(crate) clock: Clock,
    /// What came while the process was paused.
    pub(crate) backlog: VecDeque<Happening>,
    /// When the process wakes, in the world's time, and which setting of the timer that is.
    pub(crate) armed: Option<Instant>,
    pub(crate) setting: u64,
    /// No packet passes in or out before this.
    pub(crate) stalled_until: Instant,
    /// How much longer every packet takes, in and out.
    pub(crate) delay: Duration,
}

impl Host {
    pub(crate) fn is_running(&self) -> bool {
        self.process == Process::Running
    }

    /// When a packet that is there at `at` gets through the host.
    pub(crate) fn passes(&self, at: Instant) -> Instant {
        at.max(self.stalled_until) + self.delay
    }
}
