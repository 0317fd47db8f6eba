//! What became of a node that was stopped.

/// How a shutdown went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Exchanges that were cut off, because they were not over in time.
    pub exchanges_cancelled: usize,
    /// Events that some subscriber had not read in time. They stay in its buffer: it can still read them.
    pub events_unread: usize,
}

/// How leaving the cluster went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaveReport {
    /// How many live peers the node told itself that it leaves; 0 where it gave up.
    pub told: usize,
    /// Whether it gave up telling, because the time was up or a shutdown came between.
    pub gave_up: bool,
    /// The shutdown that followed.
    pub shutdown: ShutdownReport,
}
