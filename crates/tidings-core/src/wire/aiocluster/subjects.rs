//! Whom the entries of a digest are about, as its reader knows them.

use alloc::vec::Vec;

use super::digest::{Digest, NodeDigest};

/// Whom an entry of a digest is about, as it is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The node that reads the digest.
    Reader,
    /// The peer at this position among its members.
    Peer(usize),
    /// A node that it does not know.
    Stranger,
}

/// Whom the entries of a digest are about. Found out once, while the digest is decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subjects {
    /// In the order of the entries.
    of_entries: Vec<Subject>,
    /// The number of the entry about the reader.
    reader: Option<usize>,
    /// The number of the entry about each peer, by the peer's position.
    peers: Vec<Option<usize>>,
}

impl Subjects {
    pub(crate) fn reserve(&mut self, entries: usize) {
        self.of_entries.reserve(entries);
    }

    /// Takes note of the next entry, unless an earlier one is about the same node. (A stranger has no place here by
    /// which to tell; it counts as new.)
    #[inline]
    pub(crate) fn push(&mut self, subject: Subject) -> bool {
        let number = self.of_entries.len();
        let place = match subject {
            Subject::Reader => &mut self.reader,
            Subject::Peer(position) => self.place_of(position),
            Subject::Stranger => &mut None,
        };
        if place.is_some() {
            return false;
        }
        *place = Some(number);
        self.of_entries.push(subject);
        true
    }

    /// What it holds, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&self.of_entries[..]) + size_of_val(&self.peers[..])
    }

    fn place_of(&mut self, position: usize) -> &mut Option<usize> {
        if self.peers.len() <= position {
            self.peers.resize(position + 1, None);
        }
        &mut self.peers[position]
    }

    /// Whom the entry of this number is about.
    pub(crate) fn of_entry(&self, number: usize) -> Subject {
        self.of_entries.get(number).copied().unwrap_or(Subject::Stranger)
    }

    /// The stranger of this entry was taken in, and stands at this position from now on.
    pub(crate) fn admitted(&mut self, number: usize, position: usize) {
        *self.place_of(position) = Some(number);
    }

    /// The entry about the reader.
    pub(crate) fn entry_of_reader<'a>(&self, digest: &'a Digest) -> Option<&'a NodeDigest> {
        digest.entries.get(self.reader?)
    }

    /// The entry about the peer at this position.
    pub(crate) fn entry_of_peer<'a>(&self, digest: &'a Digest, position: usize) -> Option<&'a NodeDigest> {
        digest.entries.get((*self.peers.get(position)?)?)
    }
}
