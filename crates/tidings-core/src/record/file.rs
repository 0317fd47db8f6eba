//! Records as bytes, and back.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::input::Input;
use super::output::Output;
use super::{replay, restore};
use crate::node::Node;
use crate::time::Instant;

/// The number of the encoding. It goes up whenever a type that is recorded changes its shape, at least once between two
/// versions of this crate where one has.
pub const FORMAT: u32 = 2;

const MAGIC: [u8; 8] = *b"TIDINGS\n";
/// Magic and format.
const PREAMBLE_LEN: usize = 12;
/// Length, inverted length, checksum.
const HEADER_LEN: usize = 16;

/// Every record but the first.
#[derive(Serialize, Deserialize)]
enum Record<'a> {
    Input {
        at: Instant,
        #[serde(borrow)]
        input: Input<'a>,
    },
    Output(Output),
}

/// [`Record`], as it is written.
#[derive(Serialize)]
#[serde(rename = "Record")]
enum RecordRef<'a> {
    Input { at: Instant, input: &'a Input<'a> },
    Output(&'a Output),
}

/// The beginning of a recording; `None`: it is too long for one record.
pub(super) fn encode_checkpoint(node: &Node) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    Writer { records: 0 }.append(&mut bytes, node).ok()?;
    Some(bytes)
}

/// Appends records, and numbers them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writer {
    pub(super) records: u64,
}

impl Writer {
    pub(super) fn after_checkpoint() -> Writer {
        Writer { records: 1 }
    }

    pub(super) fn input(
        &mut self,
        buffer: &mut Vec<u8>,
        at: Instant,
        input: &Input<'_>,
    ) -> Result<(), postcard::Error> {
        self.append(buffer, &RecordRef::Input { at, input })
    }

    pub(super) fn output(&mut self, buffer: &mut Vec<u8>, output: &Output) -> Result<(), postcard::Error> {
        self.append(buffer, &RecordRef::Output(output))
    }

    pub(super) fn append(&mut self, buffer: &mut Vec<u8>, payload: &impl Serialize) -> Result<(), postcard::Error> {
        let start = buffer.len();
        buffer.extend_from_slice(&[0; HEADER_LEN]);
        postcard::serialize_with_flavor(payload, Append(buffer)).inspect_err(|_| buffer.truncate(start))?;
        let payload = &buffer[start + HEADER_LEN..];
        let Ok(len) = u32::try_from(payload.len()) else {
            buffer.truncate(start);
            return Err(postcard::Error::SerializeBufferFull);
        };
        let sum = xxh3_64_with_seed(payload, self.records);
        buffer[start..start + 4].copy_from_slice(&len.to_le_bytes());
        buffer[start + 4..start + 8].copy_from_slice(&(!len).to_le_bytes());
        buffer[start + 8..start + HEADER_LEN].copy_from_slice(&sum.to_le_bytes());
        self.records += 1;
        Ok(())
    }
}

/// Appends to what there is already.
struct Append<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Append<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// A recording that is read.
#[derive(Clone, Debug)]
pub struct Recording<'a> {
    bytes: &'a [u8],
    at: usize,
    records: u64,
    steps: u64,
    node: Node,
    /// The input after one without outputs.
    pending: Option<(Instant, Input<'a>)>,
    end: End,
}

/// How a recording ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With a whole record.
    Whole,
    /// In the midst of a record, as when the process or its machine stopped while it was written.
    CutOff {
        /// Where the record begins of which there is only a part.
        at_byte: usize,
    },
}

/// One input, and what followed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Step<'a> {
    /// Counts from 1.
    pub number: u64,
    /// When.
    pub at: Instant,
    /// What the node was given.
    pub input: Input<'a>,
    /// What it made of it; `None`: the recording does not say. Then the node panicked, or the recording ends here.
    pub output: Option<Output>,
}

impl<'a> Recording<'a> {
    /// Reads the beginning.
    ///
    /// # Errors
    /// There is no whole checkpoint that this version can read.
    pub fn new(bytes: &'a [u8]) -> Result<Recording<'a>, ReadError> {
        let (preamble, _) = bytes.split_first_chunk::<PREAMBLE_LEN>().ok_or(ReadError::NotARecording)?;
        let [magic @ .., a, b, c, d] = preamble;
        if *magic != MAGIC {
            return Err(ReadError::NotARecording);
        }
        let format = u32::from_le_bytes([*a, *b, *c, *d]);
        if format != FORMAT {
            return Err(ReadError::OtherFormat { format });
        }
        let mut frames = Frames { bytes, at: PREAMBLE_LEN, records: 0 };
        let payload = frames.next(0)?.ok_or(ReadError::NoCheckpoint)?;
        let (node, rest) = postcard::take_from_bytes::<Node>(payload).map_err(|_| ReadError::NotThisVersions)?;
        if !rest.is_empty() {
            return Err(ReadError::NotThisVersions);
        }
        restore::check(&node).map_err(|what| ReadError::Impossible { what })?;
        let Frames { at, records, .. } = frames;
        Ok(Recording { bytes, at, records, steps: 0, node, pending: None, end: End::Whole })
    }

    /// The node as it was when the recording began, drained, to be [fed](Step::feed) with the steps.
    #[must_use]
    pub fn start(&self) -> Node {
        let mut node = self.node.clone();
        replay::drain(&mut node);
        node
    }

    /// The next step; `None`: there is none. See then how it [ends](Recording::end).
    ///
    /// # Errors
    /// A record is damaged. What stood before it is good; nothing after it is read.
    pub fn next_step(&mut self) -> Result<Option<Step<'a>>, ReadError> {
        let next = match self.pending.take() {
            Some(pending) => Some(pending),
            None => match self.next_record()? {
                None => None,
                Some(Record::Input { at, input }) => Some((at, input)),
                Some(Record::Output(_)) => return Err(self.damaged("outputs without an input")),
            },
        };
        let Some((at, input)) = next else { return Ok(None) };
        let output = match self.next_record()? {
            None => None,
            Some(Record::Input { at, input }) => {
                self.pending = Some((at, input));
                None
            }
            Some(Record::Output(output)) => Some(output),
        };
        self.steps += 1;
        Ok(Some(Step { number: self.steps, at, input, output }))
    }

    /// How the recording ends, as far as it was read.
    #[must_use]
    pub fn end(&self) -> End {
        self.end
    }

    fn next_record(&mut self) -> Result<Option<Record<'a>>, ReadError> {
        let mut frames = Frames { bytes: self.bytes, at: self.at, records: self.records };
        let Some(payload) = frames.next(self.steps + 1)? else {
            if self.at < self.bytes.len() {
                self.end = End::CutOff { at_byte: self.at };
            }
            return Ok(None);
        };
        let record = match postcard::take_from_bytes(payload) {
            Ok((record, [])) => record,
            _ => return Err(self.damaged("the checksum is right, the record is not")),
        };
        (self.at, self.records) = (frames.at, frames.records);
        Ok(Some(record))
    }

    fn damaged(&self, why: &'static str) -> ReadError {
        ReadError::Damaged { step: self.steps + 1, at_byte: self.at, why }
    }
}

/// Payloads, one after the other.
struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
    records: u64,
}

impl<'a> Frames<'a> {
    /// The next payload; `None`: there is no whole one.
    fn next(&mut self, step: u64) -> Result<Option<&'a [u8]>, ReadError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let damaged = |why| ReadError::Damaged { step, at_byte: self.at, why };
        let Some((header, rest)) = rest.split_first_chunk::<HEADER_LEN>() else { return Ok(None) };
        let [l0, l1, l2, l3, i0, i1, i2, i3, sum @ ..] = *header;
        let len = u32::from_le_bytes([l0, l1, l2, l3]);
        if len != !u32::from_le_bytes([i0, i1, i2, i3]) {
            // A machine that loses its power may leave a file longer than what was written, with zeros at its end.
            let is_blank = header.iter().chain(rest).all(|byte| *byte == 0);
            return if is_blank { Ok(None) } else { Err(damaged("the length is wrong")) };
        }
        let Some(payload) = usize::try_from(len).ok().and_then(|len| rest.get(..len)) else { return Ok(None) };
        if xxh3_64_with_seed(payload, self.records) != u64::from_le_bytes(sum) {
            return Err(damaged("the checksum is wrong"));
        }
        self.at += HEADER_LEN + payload.len();
        self.records += 1;
        Ok(Some(payload))
    }
}

/// Why a recording cannot be read, or not further.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// It does not begin as a recording does.
    NotARecording,
    /// It was made by a version that writes another format than [`FORMAT`]; play it with that version.
    OtherFormat {
        /// Its format.
        format: u32,
    },
    /// It is cut off before the end of its checkpoint: there is nothing to begin with.
    NoCheckpoint,
    /// The checkpoint is not that of this version's node, although the format's number is the same; play it with the
    /// version that made it.
    NotThisVersions,
    /// No node can be as the checkpoint says.
    Impossible {
        /// What does not hold.
        what: &'static str,
    },
    /// Bytes are not what was written: a record of this step. Everything before it could be read.
    Damaged {
        /// The step; 0: the checkpoint.
        step: u64,
        /// Where the record begins.
        at_byte: usize,
        /// What is wrong.
        why: &'static str,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::NotARecording => f.write_str("this is no recording of a node"),
            ReadError::OtherFormat { format } => write!(
                f,
                "the recording is of format {format}, this version reads {FORMAT}; play it with the version of \
                 tidings-core that made it"
            ),
            ReadError::NoCheckpoint => f.write_str(
                "the recording is cut off within its checkpoint, so that there is nothing to begin with; an older \
                 recording may lie beside it",
            ),
            ReadError::NotThisVersions => f.write_str(
                "the checkpoint is not that of this version's node; play it with the version of tidings-core that made it",
            ),
            ReadError::Impossible { what } => write!(f, "no node can be as the checkpoint says: {what}"),
            ReadError::Damaged { step, at_byte, why } => {
                write!(f, "step {step}: the record at byte {at_byte} is damaged ({why}); what is before it can be played")
            }
        }
    }
}

impl core::error::Error for ReadError {}
