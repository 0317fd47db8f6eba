//! What was found wrong.

use std::fmt;

use serde::Serialize;
use tidings_core::Instant;

/// What does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Rule {
    /// One of the invariants of [`tidings_core::invariants`], by number.
    Invariant(u8),
    /// A node shows a key-value that its owner was never told.
    NeverWritten,
    /// A node shows a key-value again that it had seen overwritten or deleted.
    Resurrection,
    /// A node's own key-values are not what it was told.
    OwnKeys,
    /// A node's events contradict each other, or its snapshot.
    Events,
    /// A node is taken for dead though nothing is wrong.
    FalseAlarm,
    /// After all faults have ended the nodes do not agree within the bound.
    Agreement,
    /// The same seed gave two different runs.
    Determinism,
    /// A node knows a run that ended longer ago than a grace period.
    Age,
    /// Of one name, something is told of a run after a later one was told of.
    RunOrder,
    /// While one stranger lies, more than a few nodes are not live somewhere, or one that runs is declared dead; or not
    /// all is right again soon after.
    Word,
    /// The traffic grows from day to day.
    Growth,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Invariant(number) => write!(f, "invariant {number}"),
            Rule::NeverWritten => f.write_str("never written"),
            Rule::Resurrection => f.write_str("resurrection"),
            Rule::OwnKeys => f.write_str("own keys"),
            Rule::Events => f.write_str("events"),
            Rule::FalseAlarm => f.write_str("false alarm"),
            Rule::Agreement => f.write_str("agreement"),
            Rule::Determinism => f.write_str("determinism"),
            Rule::Age => f.write_str("age"),
            Rule::RunOrder => f.write_str("order of runs"),
            Rule::Word => f.write_str("word"),
            Rule::Growth => f.write_str("growth"),
        }
    }
}

/// Something that must hold and does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When, in the world's time.
    pub at: Instant,
    /// What does not hold.
    pub rule: Rule,
    /// What was seen, where.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {}", self.at, self.rule, self.message)
    }
}

impl std::error::Error for Violation {}
