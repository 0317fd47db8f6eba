//! What inputs cost: counted, not timed, so that a test can bound it on any machine.

use core::ops::{AddAssign, Sub};

/// What a node has done so far, in steps that are the same on every machine.
///
/// An input that brings `n` bytes and is answered by `m` costs at most [`Work::allowed`]`(n + m)`, whatever the node knows
/// already. Timeouts are no such inputs: once a round a node looks at all that it knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Work {
    /// Entries looked at: members, entries of a digest, key-values.
    pub visited: u64,
    /// Bytes read, written, copied, or measured one by one.
    pub bytes: u64,
}

impl Work {
    /// An entry that is looked at weighs as much as so many bytes: it is one fetch from memory, a line of 64 bytes.
    pub const VISIT_WEIGHT: u64 = 64;

    /// The most that any input costs beside its bytes.
    pub const MOST_PER_INPUT: u64 = 256 << 10;

    /// The most that an input costs for each of its bytes and of those of its answer.
    pub const MOST_PER_BYTE: u64 = 16;

    /// Visits and bytes as one number.
    #[must_use]
    pub fn total(self) -> u64 {
        self.visited.saturating_mul(Work::VISIT_WEIGHT).saturating_add(self.bytes)
    }

    /// The highest [`total`](Work::total) of an input that, together with its answer, has so many bytes.
    #[must_use]
    pub fn allowed(bytes: usize) -> u64 {
        Work::MOST_PER_INPUT.saturating_add(Work::MOST_PER_BYTE.saturating_mul(bytes as u64))
    }

    /// So many entries are looked at.
    pub(crate) fn visit(&mut self, entries: usize) {
        self.visited += entries as u64;
    }

    /// So many bytes are read, written, copied or measured.
    pub(crate) fn touch(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Work) {
        self.visited += other.visited;
        self.bytes += other.bytes;
    }
}

/// What was done since `before`.
impl Sub for Work {
    type Output = Work;

    fn sub(self, before: Work) -> Work {
        Work { visited: self.visited.saturating_sub(before.visited), bytes: self.bytes.saturating_sub(before.bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_a_difference_of_two_counts() {
        let mut work = Work::default();
        work.visit(3);
        let before = work;
        work.visit(2);
        work.touch(10);
        let done = work - before;
        assert_eq!((done.visited, done.bytes, done.total()), (2, 10, 138));
        work += done;
        assert_eq!((work.visited, work.bytes), (7, 20));
        assert_eq!(Work::allowed(1_000), Work::MOST_PER_INPUT + 16_000);
    }
}
