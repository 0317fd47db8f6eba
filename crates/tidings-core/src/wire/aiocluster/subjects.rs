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

impl Subject {
    /// The position of the peer, if it is one.
    pub(crate) fn position(self) -> Option<usize> {
        match self {
            Subject::Peer(position) => Some(position),
            Subject::Reader | Subject::Stranger => None,
        }
    }
}

/// Whom the entries of a digest are about. Found out once, while the digest is decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subjects {
    /// In the order of the entries.
    of_entries: Vec<Subject>,
    /// The number of the entry about the reader.
    reader: Option<usize>,
    /// A bit for each peer, by its position: whether an entry is about it.
    peers: Vec<u64>,
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
        let is_new = match subject {
            Subject::Reader => {
                let is_new = self.reader.is_none();
                self.reader = self.reader.or(Some(number));
                is_new
            }
            Subject::Peer(position) => self.mark(position),
            Subject::Stranger => true,
        };
        if is_new {
            self.of_entries.push(subject);
        }
        is_new
    }

    /// What it holds, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&self.of_entries[..]) + size_of_val(&self.peers[..])
    }

    /// Takes note that an entry is about this peer; false: it was noted before.
    fn mark(&mut self, position: usize) -> bool {
        let (word, bit) = (position / 64, 1 << (position % 64));
        if self.peers.len() <= word {
            self.peers.resize(word + 1, 0);
        }
        let is_new = self.peers[word] & bit == 0;
        self.peers[word] |= bit;
        is_new
    }

    /// Whether an entry is about the peer at this position.
    pub(crate) fn has_peer(&self, position: usize) -> bool {
        self.peers.get(position / 64).is_some_and(|word| word & (1 << (position % 64)) != 0)
    }

    /// Whom the entry of this number is about.
    pub(crate) fn of_entry(&self, number: usize) -> Subject {
        self.of_entries.get(number).copied().unwrap_or(Subject::Stranger)
    }

    /// The stranger of this entry was taken in, and stands at this position from now on.
    pub(crate) fn admitted(&mut self, number: usize, position: usize) {
        self.mark(position);
        if let Some(subject) = self.of_entries.get_mut(number) {
            *subject = Subject::Peer(position);
        }
    }

    /// The entry about the reader.
    pub(crate) fn entry_of_reader<'a>(&self, digest: &'a Digest) -> Option<&'a NodeDigest> {
        digest.entries.get(self.reader?)
    }
}
