//! One host: the process on it, its clock, and what is wrong with it.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use tidings_core::record::Recorder;
use tidings_core::{Instant, PeerIdentity};

use crate::clock::Clock;
use crate::queue::Happening;
use crate::stranger::Actor;

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

/// What runs on a host.
#[derive(Debug)]
pub(crate) enum Program {
    /// A node: what the process is, or was when it ended.
    Node(Box<Recorder>),
    /// What makes packets of its own.
    Stranger(Box<Actor>),
    /// Nothing, for good.
    Nothing,
}

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) program: Program,
    /// Its address in the network.
    pub(crate) ip: IpAddr,
    /// What its connections prove it to be.
    pub(crate) identity: PeerIdentity,
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
    /// By how much every timer is late.
    pub(crate) timers_late_by: Duration,
}

impl Host {
    /// A host at `ip` on which this begins to run now.
    pub(crate) fn new(now: Instant, program: Program, ip: IpAddr) -> Host {
        Host {
            program,
            ip,
            identity: PeerIdentity::Plaintext,
            recording: None,
            process: Process::Running,
            run: 0,
            clock: Clock::started_at(now),
            backlog: VecDeque::new(),
            armed: None,
            setting: 0,
            stalled_until: Instant::ZERO,
            delay: Duration::ZERO,
            timers_late_by: Duration::ZERO,
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process == Process::Running
    }

    pub(crate) fn node(&self) -> Option<&Recorder> {
        match &self.program {
            Program::Node(node) => Some(node),
            Program::Stranger(_) | Program::Nothing => None,
        }
    }

    pub(crate) fn node_mut(&mut self) -> Option<&mut Recorder> {
        match &mut self.program {
            Program::Node(node) => Some(node),
            Program::Stranger(_) | Program::Nothing => None,
        }
    }

    pub(crate) fn stranger(&self) -> Option<&Actor> {
        match &self.program {
            Program::Stranger(stranger) => Some(stranger),
            Program::Node(_) | Program::Nothing => None,
        }
    }

    /// When a packet that is there at `at` gets through the host.
    pub(crate) fn passes(&self, at: Instant) -> Instant {
        at.max(self.stalled_until) + self.delay
    }
}
