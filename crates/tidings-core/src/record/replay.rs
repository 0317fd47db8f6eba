//! Plays a recording and looks whether everything comes out as it did.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use super::file::{End, ReadError, Recording, Step};
use super::output::{Mark, Output};
use crate::node::Node;
use crate::time::Instant;

/// What a node makes of a recorded input when it is played.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Fed {
    /// To be held against the recorded one.
    pub output: Output,
    /// The packets that came out, which recordings only have fingerprints of: the reply first, then the exchanges opened.
    pub packets: Vec<Bytes>,
}

impl Step<'_> {
    /// Gives `node` this input, and drains it.
    pub fn feed(&self, node: &mut Node) -> Fed {
        let before = Mark::of(node);
        let (answer, reply) = self.input.apply(node, self.at);
        let output = before.output_since(node, answer);
        let packets = reply.into_iter().chain(before.transmits_since(node).map(|transmit| transmit.packet.clone()));
        let packets = packets.collect();
        drain(node);
        Fed { output, packets }
    }

    /// What differs between the outputs that were recorded and these, if anything does.
    #[must_use]
    pub fn difference(&self, fed: &Fed) -> Option<Difference> {
        let recorded = self.output.as_ref().filter(|recorded| **recorded != fed.output)?;
        Some(Difference {
            step: self.number,
            at: self.at,
            input: self.input.to_string(),
            recorded: recorded.clone(),
            played: fed.output.clone(),
        })
    }
}

pub(super) fn drain(node: &mut Node) {
    while node.poll_transmit().is_some() {}
    while node.poll_abort().is_some() {}
    while node.poll_event().is_some() {}
}

/// The first step whose outputs are not those that were recorded. Its `Display` shows both, line by line: `-` was
/// recorded, `+` came now.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Difference {
    /// The step's number.
    pub step: u64,
    /// When.
    pub at: Instant,
    /// The input, in words.
    pub input: String,
    /// What came out when it was recorded.
    pub recorded: Output,
    /// What came out now.
    pub played: Output,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { step, at, input, recorded, played } = self;
        write!(f, "step {step} at {at:?}, {input}: other outputs than those recorded")?;
        let (recorded, played) = (recorded.to_string(), played.to_string());
        let (recorded, played): (Vec<&str>, Vec<&str>) = (recorded.lines().collect(), played.lines().collect());
        let is_in_both = |line: &&&str| recorded.contains(*line) && played.contains(*line);
        recorded.iter().filter(is_in_both).try_for_each(|line| write!(f, "\n    {line}"))?;
        recorded.iter().filter(|line| !is_in_both(line)).try_for_each(|line| write!(f, "\n  - {line}"))?;
        played.iter().filter(|line| !is_in_both(line)).try_for_each(|line| write!(f, "\n  + {line}"))
    }
}

/// A recording that was played to its end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Replayed {
    /// The node as it is then.
    pub node: Node,
    /// How many inputs it was given.
    pub steps: u64,
    /// Of these, the inputs whose outputs were not recorded: 1 where the recording ends within a step or the node
    /// panicked, and more only where it panicked more than once.
    pub unchecked: u64,
    /// Whether the recording ends with a whole record.
    pub end: End,
    /// The first step whose outputs were not those recorded; [`replay`] gives it as an error instead.
    pub difference: Option<Box<Difference>>,
}

/// Why a recording was not played to its end.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ReplayError {
    /// It cannot be read, or not further. Up to there all outputs were the same.
    Unreadable(ReadError),
    /// Something else came out than was recorded.
    Differs(Box<Difference>),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplayError::Unreadable(error) => error.fmt(f),
            ReplayError::Differs(difference) => difference.fmt(f),
        }
    }
}

impl core::error::Error for ReplayError {}

impl From<ReadError> for ReplayError {
    fn from(error: ReadError) -> ReplayError {
        ReplayError::Unreadable(error)
    }
}

/// Plays a recording, and fails at the first output that differs from what was recorded.
///
/// # Errors
/// An output differs, or the recording cannot be read. One that is cut off at its end is played to there, and no error.
pub fn replay(bytes: &[u8]) -> Result<Replayed, ReplayError> {
    let mut replayed = play_while(bytes, |difference| difference.is_none())?;
    match replayed.difference.take() {
        None => Ok(replayed),
        Some(difference) => Err(ReplayError::Differs(difference)),
    }
}

/// Plays a recording to its end, whatever comes out: with a node that has been mended something else should, and a test
/// asks of [`Replayed::node`] what it ought to be.
///
/// From the first difference on the node is no longer the one that was recorded, but its peers in the recording do not
/// know: packets on exchanges that it did not open are rejected.
///
/// # Errors
/// The recording cannot be read. One that is cut off at its end is played to there, and no error.
pub fn play(bytes: &[u8]) -> Result<Replayed, ReadError> {
    play_while(bytes, |_| true)
}

fn play_while(bytes: &[u8], goes_on: impl Fn(&Option<Box<Difference>>) -> bool) -> Result<Replayed, ReadError> {
    let mut recording = Recording::new(bytes)?;
    let node = recording.start();
    let mut replayed = Replayed { node, steps: 0, unchecked: 0, end: End::Whole, difference: None };
    while goes_on(&replayed.difference)
        && let Some(step) = recording.next_step()?
    {
        let fed = step.feed(&mut replayed.node);
        if replayed.difference.is_none() {
            replayed.difference = step.difference(&fed).map(Box::new);
        }
        replayed.steps += 1;
        replayed.unchecked += u64::from(step.output.is_none());
    }
    replayed.end = recording.end();
    Ok(replayed)
}
