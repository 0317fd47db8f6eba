//! Recording what a node is given and what it makes of it, so that a run can be played again.
//!
//! A node is a function of its state and its inputs, so a recording is a checkpoint (the node's whole state) and every
//! input after it. What came out is recorded as well: whoever plays it again sees at once where another build, or the
//! same one on another machine, goes another way.
//!
//! ```text
//!  caller --verb--> Recorder --verb--> Node            bytes --> Recording --> a node as it was
//!                      | input, outputs                              | steps
//!                      v                                             v
//!                    buffer --take--> the caller's file      Step::feed --> outputs, old and new
//! ```
//!
//! - [`Recorder`] is a node with the same verbs, all inputs of which pass here. It does no IO: the caller
//!   [takes](Recorder::take) the bytes and writes them wherever it likes. While it does not record, it costs one look
//!   at an `Option` for each verb.
//! - [`Recording`] reads such bytes, whatever they are: it does not panic, and what it allocates stays in proportion to
//!   them. It gives the [`Step`]s.
//! - [`replay`] plays a recording and fails at the first output that differs; [`play`] goes on to the end.
//!
//! # The bytes
//!
//! Eight bytes `TIDINGS\n` and a little-endian `u32` with the number of the format, [`FORMAT`]. Then records: the
//! payload's length as a little-endian `u32`, the same with all bits inverted, XXH3-64 of the payload as a little-endian
//! `u64` with the record's number (from 0) for a seed, the payload. The first payload is the checkpoint; the others are
//! an input with its instant, or the outputs that followed. An input is recorded before the node gets it, so that one
//! on which the node panics is the last in the file.
//!
//! The payload is [postcard](https://postcard.jamesmunns.com) of this crate's own types. A checkpoint is the node's
//! fields, whichever they are, so a new field cannot be forgotten; it also means that another version of this crate may
//! not read it, and says so: play a recording with the version that made it.
//!
//! Of packets that come out, length and hash are recorded: they are long, follow from all before them, and are there to
//! be looked at when the recording is played. Packets that come in are whole, and so are events, so **every key-value
//! that the node gets to see is in a recording, in the clear**, with names and addresses of nodes and the names in their
//! certificates. Keys of certificates never are; a node does not have them. Counters are not part of a checkpoint: in a
//! recording that is played they count from its beginning.

mod file;
mod input;
mod output;
mod replay;
mod restore;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::Deref;

use crate::error::{ConfigError, ForgetError};
use crate::event::Event;
use crate::exchange::{Abort, ExchangeId, Outcome, Reply, Transmit, Via};
use crate::id::{Address, NodeId};
use crate::identity::PeerIdentity;
use crate::node::Node;
use crate::state::{Lifetime, SetError};
use crate::time::Instant;
use file::Writer;
use output::Mark;

pub use file::{End, FORMAT, ReadError, Recording, Step};
pub use input::Input;
pub use output::{Answer, Fingerprint, Output, Sent};
pub use replay::{Difference, Fed, ReplayError, Replayed, play, replay};

/// A [`Node`] whose inputs can be recorded. It has the node's verbs; to look at the node, use it as one.
#[derive(Clone, Debug)]
pub struct Recorder {
    node: Node,
    log: Option<Log>,
}

/// What is recorded and not taken yet.
#[derive(Clone, Debug)]
struct Log {
    writer: Writer,
    buffer: Vec<u8>,
    max_buffered: usize,
    has_gap: bool,
    last_at: Instant,
}

/// A node's whole state, from which a recording begins.
#[derive(Clone, Debug)]
pub struct Checkpoint(Box<Node>);

/// What was recorded since the last time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "what is taken is recorded nowhere else"]
pub struct Taken {
    /// To be appended to what was taken before.
    pub bytes: Vec<u8>,
    /// The buffer was full: what came after these bytes is lost, and nothing is recorded until
    /// [begun](Recorder::begin) anew.
    pub has_gap: bool,
}

impl Recorder {
    /// The node, not recorded yet.
    #[must_use]
    pub fn new(node: Node) -> Recorder {
        Recorder { node, log: None }
    }

    /// Begins a recording at the node as it is now, in place of the one there may be; [take](Recorder::take) the rest of
    /// that first. The recording's first bytes are [`Checkpoint::encode`]'s, which may come later and elsewhere: it takes
    /// longer than a step.
    ///
    /// Of what is recorded and not taken at most about `max_buffered` bytes are kept.
    pub fn begin(&mut self, max_buffered: usize) -> Checkpoint {
        let last_at = self.log.as_ref().map_or(Instant::ZERO, |log| log.last_at);
        let writer = Writer::after_checkpoint();
        self.log = Some(Log { writer, buffer: Vec::new(), max_buffered, has_gap: false, last_at });
        Checkpoint(Box::new(self.node.clone()))
    }

    /// Takes what was recorded since the last time; nothing while it does not record.
    pub fn take(&mut self) -> Taken {
        let Some(log) = &mut self.log else { return Taken::default() };
        Taken { bytes: core::mem::take(&mut log.buffer), has_gap: log.has_gap }
    }

    /// Records no longer. What is not taken yet is gone.
    pub fn stop(&mut self) {
        self.log = None;
    }

    /// Bytes that wait to be taken; `None`: it does not record.
    #[must_use]
    pub fn buffered(&self) -> Option<usize> {
        self.log.as_ref().map(|log| log.buffer.len())
    }

    // ---- the node's verbs ----

    /// See [`Node::accept`].
    pub fn accept(&mut self, now: Instant, from: IpAddr) -> Option<ExchangeId> {
        self.step(now, || Input::Accept { from }, |node| node.accept(now, from))
    }

    /// See [`Node::handle_connected`].
    pub fn handle_connected(&mut self, now: Instant, exchange: ExchangeId) {
        self.step(now, || Input::Connected { exchange }, |node| node.handle_connected(now, exchange));
    }

    /// See [`Node::handle_packet`].
    pub fn handle_packet(&mut self, now: Instant, via: Via, packet: &[u8], peer: &PeerIdentity) -> Reply {
        let input = || Input::Packet { via, packet, peer: Cow::Borrowed(peer) };
        self.step(now, input, |node| node.handle_packet(now, via, packet, peer))
    }

    /// See [`Node::handle_closed`].
    pub fn handle_closed(&mut self, now: Instant, exchange: ExchangeId, outcome: Outcome) {
        let input = || Input::Closed { exchange, outcome };
        self.step(now, input, |node| node.handle_closed(now, exchange, outcome));
    }

    /// See [`Node::handle_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        self.step(now, || Input::Timeout, |node| node.handle_timeout(now));
    }

    /// See [`Node::set`].
    ///
    /// # Errors
    /// As [`Node::set`].
    pub fn set(&mut self, now: Instant, key: &str, value: &str, lifetime: Lifetime) -> Result<u64, SetError> {
        self.step(now, || Input::Set { key, value, lifetime }, |node| node.set(now, key, value, lifetime))
    }

    /// See [`Node::delete`].
    ///
    /// # Errors
    /// As [`Node::delete`].
    pub fn delete(&mut self, now: Instant, key: &str) -> Result<Option<u64>, SetError> {
        self.step(now, || Input::Delete { key }, |node| node.delete(now, key))
    }

    /// See [`Node::delete_after_ttl`].
    ///
    /// # Errors
    /// As [`Node::delete_after_ttl`].
    pub fn delete_after_ttl(&mut self, now: Instant, key: &str) -> Result<Option<u64>, SetError> {
        self.step(now, || Input::DeleteAfterTtl { key }, |node| node.delete_after_ttl(now, key))
    }

    /// See [`Node::republish`].
    pub fn republish(&mut self, now: Instant) -> usize {
        self.step(now, || Input::Republish, |node| node.republish(now))
    }

    /// See [`Node::leave`].
    pub fn leave(&mut self, now: Instant) {
        self.step(now, || Input::Leave, |node| node.leave(now));
    }

    /// See [`Node::forget`].
    ///
    /// # Errors
    /// As [`Node::forget`].
    pub fn forget(&mut self, now: Instant, id: &NodeId) -> Result<(), ForgetError> {
        self.step(now, || Input::Forget { node: Cow::Borrowed(id) }, |node| node.forget(now, id))
    }

    /// See [`Node::set_advertise_addr`].
    pub fn set_advertise_addr(&mut self, now: Instant, address: Address) -> Result<NodeId, ConfigError> {
        self.step(
            now,
            || Input::SetAdvertiseAddr { address: Cow::Borrowed(&address) },
            |node| node.set_advertise_addr(now, address.clone()),
        )
    }

    /// See [`Node::set_seeds`].
    pub fn set_seeds(&mut self, seeds: Vec<Address>) {
        let now = self.log.as_ref().map_or(Instant::ZERO, |log| log.last_at);
        self.step(now, || Input::SetSeeds { seeds: Cow::Borrowed(&seeds) }, |node| node.set_seeds(seeds.clone()));
    }

    /// See [`Node::poll_transmit`]. What it gives is recorded already, with the input that it follows from.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.node.poll_transmit()
    }

    /// See [`Node::poll_abort`]. What it gives is recorded already, with the input that it follows from.
    pub fn poll_abort(&mut self) -> Option<Abort> {
        self.node.poll_abort()
    }

    /// See [`Node::poll_event`]. What it gives is recorded already, with the input that it follows from.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.node.poll_event()
    }

    /// Every input passes here.
    fn step<'a, T>(&mut self, now: Instant, input: impl FnOnce() -> Input<'a>, act: impl FnOnce(&mut Node) -> T) -> T
    where
        Answer: for<'b> From<&'b T>,
    {
        let Some(log) = &mut self.log else { return act(&mut self.node) };
        log.record(|writer, buffer| writer.input(buffer, now, &input()));
        log.last_at = now;
        let before = Mark::of(&self.node);
        let done = act(&mut self.node);
        log.record(|writer, buffer| writer.output(buffer, &before.output_since(&self.node, Answer::from(&done))));
        done
    }
}

/// To look at the node; there is no way around the recorder to change it.
impl Deref for Recorder {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

impl Log {
    /// Records something, unless the buffer is full or was before.
    fn record(&mut self, write: impl FnOnce(&mut Writer, &mut Vec<u8>) -> Result<(), postcard::Error>) {
        self.has_gap |= self.buffer.len() >= self.max_buffered;
        if !self.has_gap {
            self.has_gap = write(&mut self.writer, &mut self.buffer).is_err();
        }
    }
}

impl Checkpoint {
    /// The first bytes of the recording; `None`: the state takes more than 4 GiB, and cannot be recorded.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        file::encode_checkpoint(&self.0)
    }
}

/// The members in the order in which they stand. Not as a map: what a map asks for at once would be as much as the bytes
/// say, not as much as there are.
pub(crate) mod in_order {
    use alloc::vec::Vec;
    use core::hash::{BuildHasher, Hash};

    use indexmap::IndexMap;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<K, V, H, S>(map: &IndexMap<K, V, H>, serializer: S) -> Result<S::Ok, S::Error>
    where
        K: Serialize,
        V: Serialize,
        S: Serializer,
    {
        serializer.collect_seq(map)
    }

    pub(crate) fn deserialize<'de, K, V, H, D>(deserializer: D) -> Result<IndexMap<K, V, H>, D::Error>
    where
        K: Deserialize<'de> + Eq + Hash,
        V: Deserialize<'de>,
        H: BuildHasher + Default,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests;
