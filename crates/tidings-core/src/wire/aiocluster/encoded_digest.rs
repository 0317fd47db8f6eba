//! A digest on its way out, written entry by entry while there is room.

use crate::wire::aiocluster::encode::Writer;
use crate::wire::aiocluster::{Digest, NodeDigest};
use crate::wire::aiocluster::{size, tag};

/// The entries of a digest as they stand on the wire, the sender's own first.
#[derive(Clone, Debug)]
pub(crate) struct EncodedDigest {
    entries: Writer,
    count: usize,
    partial: bool,
}

/// By so much another entry may well be longer than the own one.
const MAX_NUMBER_LEN: usize = 10;

impl EncodedDigest {
    /// A digest of one entry, the sender's own, which so many others will follow, in `room` bytes or little more.
    pub(crate) fn new(own: &NodeDigest, others: usize, room: usize) -> EncodedDigest {
        let len = size::node_digest_len(own) + MAX_NUMBER_LEN;
        let entries = Writer::with_capacity((len * (others + 1)).min(room + len));
        let mut digest = EncodedDigest { entries, count: 0, partial: false };
        digest.push(own);
        digest
    }

    pub(crate) fn push(&mut self, entry: &NodeDigest) {
        self.entries.node_digest(entry);
        self.count += 1;
    }

    /// Adds an entry, if there is room for it in `budget` bytes.
    pub(crate) fn push_within(&mut self, entry: &NodeDigest, budget: usize) -> bool {
        let fits = self.len() + size::node_digest_len(entry) <= budget;
        if fits {
            self.push(entry);
        }
        fits
    }

    /// How many entries it has.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Says that the nodes absent from it were not asked about.
    pub(crate) fn into_partial(self) -> EncodedDigest {
        EncodedDigest { partial: true, ..self }
    }

    /// The length of its body, in bytes.
    pub(crate) fn len(&self) -> usize {
        size::digest_len(self.entries.len(), self.partial)
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
        let mut encoded = EncodedDigest { entries, count: 0, partial: digest.partial };
        digest.entries.iter().for_each(|entry| encoded.push(entry));
        encoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{entry, id};
    use crate::wire::aiocluster::{self as wire, Message, Outgoing};
    use alloc::vec::Vec;

    #[test]
    fn an_entry_longer_than_one_byte_can_say_has_a_longer_length() {
        for len in [60, 120, 130, 20_000] {
            let long = entry(&id(&"n".repeat(len / 2), 1), 1);
            let digest = Digest { entries: Vec::from([long.clone(), entry(&id("b", 1), 1)]), partial: false };
            let encoded = EncodedDigest::from(&digest);
            assert_eq!(encoded.len(), digest.entries.iter().map(size::node_digest_len).sum::<usize>());
            let bytes = wire::encode_outgoing("c", 1, Outgoing::Syn(&encoded));
            let limits = crate::DecodeLimits { max_name_bytes: len, ..Default::default() };
            assert_eq!(wire::decode(&bytes, &limits).unwrap().packet.message, Message::Syn { digest });
        }
    }
}
