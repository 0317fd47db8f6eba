//! A digest on its way out, written entry by entry before it is known how many of them the packet has room for.

use alloc::vec::Vec;
use core::ops::Range;

use crate::rng::Random;
use crate::wire::aiocluster::encode::Writer;
use crate::wire::aiocluster::{Digest, NodeDigest};
use crate::wire::aiocluster::{size, tag};

/// The entries of a digest as they stand on the wire, the sender's own first.
#[derive(Clone, Debug)]
pub(crate) struct EncodedDigest {
    entries: Writer,
    /// Where each entry ends.
    ends: Vec<usize>,
    partial: bool,
}

/// By so much another entry may well be longer than the own one.
const MAX_NUMBER_LEN: usize = 10;

impl EncodedDigest {
    /// A digest of one entry, the sender's own, with room for so many others.
    pub(crate) fn new(own: &NodeDigest, others: usize) -> EncodedDigest {
        let len = size::node_digest_len(own) + MAX_NUMBER_LEN;
        let entries = Writer::with_capacity(len * (others + 1));
        let mut digest = EncodedDigest { entries, ends: Vec::with_capacity(others + 1), partial: false };
        digest.push(own);
        digest
    }

    pub(crate) fn push(&mut self, entry: &NodeDigest) {
        self.entries.node_digest(entry);
        self.ends.push(self.entries.len());
    }

    /// Says that the nodes absent from it were not asked about.
    pub(crate) fn into_partial(self) -> EncodedDigest {
        EncodedDigest { partial: true, ..self }
    }

    /// The length of its body, in bytes.
    pub(crate) fn len(&self) -> usize {
        size::digest_len(self.entries.len(), self.partial)
    }

    /// The same in at most `budget` bytes: where it does not fit, the own entry and a random share of the others, so that
    /// every node is told of in time. Also the number of nodes left out.
    pub(crate) fn fit(self, budget: usize, random: &mut Random) -> (EncodedDigest, usize) {
        if self.len() <= budget {
            return (self, 0);
        }
        let own_end = self.ends.first().copied().unwrap_or(0);
        let mut left = budget.saturating_sub(size::digest_len(own_end, true));
        let mut others: Vec<(usize, usize)> =
            self.ends.iter().copied().zip(self.ends.iter().copied().skip(1)).collect();
        let count = others.len();
        random.choose(&mut others, count);
        let mut fitting = EncodedDigest { entries: Writer::default(), ends: Vec::new(), partial: true };
        fitting.copy(&self, 0..own_end);
        for (start, end) in others {
            if end - start > left {
                break;
            }
            left -= end - start;
            fitting.copy(&self, start..end);
        }
        let left_out = self.ends.len() - fitting.ends.len();
        (fitting, left_out)
    }

    /// Takes over the entry that stands at `range` in another one.
    fn copy(&mut self, from: &EncodedDigest, range: Range<usize>) {
        self.entries.copy(&from.entries, range);
        self.ends.push(self.entries.len());
    }

    /// The entries, one after the other, and whether they are all there are.
    pub(super) fn write_to(&self, out: &mut Writer) {
        out.nested(tag::message::DIGEST, self.len());
        out.copy(&self.entries, 0..self.entries.len());
        out.uint(tag::digest::PARTIAL, self.partial.into());
    }
}

impl From<&Digest> for EncodedDigest {
    fn from(digest: &Digest) -> EncodedDigest {
        let entries = Writer::with_capacity(digest.entries.iter().map(size::node_digest_len).sum());
        let mut encoded = EncodedDigest { entries, ends: Vec::new(), partial: digest.partial };
        digest.entries.iter().for_each(|entry| encoded.push(entry));
        encoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{entry, id, random};
    use crate::wire::aiocluster::{self as wire, Message, Outgoing};
    use alloc::collections::BTreeSet;
    use alloc::format;
    use alloc::string::String;

    /// The names of the digest's nodes, and whether it is partial, as a peer reads them.
    fn read(digest: &EncodedDigest) -> (Vec<String>, bool) {
        let bytes = wire::encode_outgoing("c", 1, Outgoing::Syn(digest));
        let Message::Syn { digest } = wire::decode(&bytes, &Default::default()).unwrap().packet.message else {
            panic!()
        };
        (digest.entries.iter().map(|entry| entry.node_id.name().into()).collect(), digest.partial)
    }

    #[test]
    fn a_digest_that_does_not_fit_keeps_its_own_entry_and_gives_every_other_its_turn() {
        let mut random = random(1);
        let mut whole = EncodedDigest::new(&entry(&id("own", 1), 1), 100);
        (0..100).for_each(|n| whole.push(&entry(&id(&format!("node{n}"), 1), 1)));
        let (digest, left_out) = whole.clone().fit(whole.len(), &mut random);
        let (names, partial) = read(&digest);
        assert_eq!((names.len(), partial, left_out), (101, false, 0));

        let mut told = BTreeSet::new();
        for _ in 0..60 {
            let budget = whole.len() / 4;
            let (digest, left_out) = whole.clone().fit(budget, &mut random);
            let (names, partial) = read(&digest);
            assert!(partial && names[0] == "own");
            assert_eq!(names.len() + left_out, 101);
            assert!(digest.len() <= budget && digest.len() + 40 > budget, "{} of {budget}", digest.len());
            told.extend(names);
        }
        assert_eq!(told.len(), 101);
    }

    #[test]
    fn an_entry_longer_than_one_byte_can_say_has_a_longer_length() {
        for len in [60, 120, 130, 20_000] {
            let long = entry(&id(&"n".repeat(len / 2), 1), 1);
            let digest = Digest { entries: Vec::from([long.clone(), entry(&id("b", 1), 1)]), partial: false };
            let encoded = EncodedDigest::from(&digest);
            assert_eq!(encoded.ends[0], size::node_digest_len(&long));
            let bytes = wire::encode_outgoing("c", 1, Outgoing::Syn(&encoded));
            let limits = crate::DecodeLimits { max_name_bytes: len, ..Default::default() };
            assert_eq!(wire::decode(&bytes, &limits).unwrap().packet.message, Message::Syn { digest });
        }
    }
}
