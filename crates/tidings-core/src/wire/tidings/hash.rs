//! The hash by which nodes are named, and what fingerprints are made of: the same on every machine and in every version.

use crate::id::NodeId;

/// A node's name on the wire: a hash of its whole id, with the cluster's id in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub struct NodeHash(pub u64);

impl NodeHash {
    /// The bucket of the fingerprint that it belongs to.
    #[must_use]
    pub fn bucket(self) -> usize {
        usize::from(self.0.to_be_bytes()[0] >> 1)
    }

    /// The first and the last hash of a bucket.
    pub(crate) fn range_of(bucket: usize) -> (NodeHash, NodeHash) {
        let first = (bucket as u64) << 57;
        (NodeHash(first), NodeHash(first | (u64::MAX >> 7)))
    }
}

/// The hash of a node of this cluster.
pub(crate) fn hash_of(cluster_id: &str, id: &NodeId) -> NodeHash {
    let mut mixer = Mixer::default();
    mixer.bytes(cluster_id.as_bytes());
    mixer.bytes(id.encoded());
    NodeHash(mixer.finish())
}

/// Mixes numbers into one, by folded multiplications. Not against forgers: a clash costs a node its place in the
/// fingerprint and nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mixer(u64);

impl Default for Mixer {
    fn default() -> Mixer {
        Mixer(0x243f_6a88_85a3_08d3)
    }
}

impl Mixer {
    #[allow(clippy::cast_possible_truncation, reason = "both halves of the product are folded")]
    pub(crate) fn number(&mut self, number: u64) {
        let wide = u128::from(self.0 ^ number) * u128::from(0x9e37_79b9_7f4a_7c15_u64);
        let folded = (wide >> 64) as u64 ^ wide as u64;
        self.0 = (folded ^ self.0.rotate_left(29)).wrapping_add(0x1319_8a2e_0370_7344);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            self.number(chunk.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)));
        }
    }

    pub(crate) fn finish(mut self) -> u64 {
        self.number(0xa409_3822_299f_31d0);
        self.0 ^= self.0 >> 31;
        self.0 = self.0.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        self.0 ^ (self.0 >> 29)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::id;
    use alloc::collections::BTreeSet;
    use alloc::format;

    #[test]
    fn hashes_are_spread_over_the_buckets_and_differ_by_cluster() {
        let ids: alloc::vec::Vec<NodeId> = (0..4_096).map(|number| id(&format!("node{number}"), 1)).collect();
        let mut counts = [0_u32; crate::wire::tidings::BUCKETS];
        let hashes: BTreeSet<NodeHash> = ids.iter().map(|id| hash_of("c", id)).collect();
        assert_eq!(hashes.len(), ids.len());
        hashes.iter().for_each(|hash| counts[hash.bucket()] += 1);
        assert!(counts.iter().all(|count| (8..64).contains(count)), "{counts:?}");
        assert!(ids.iter().all(|id| !hashes.contains(&hash_of("d", id))));
    }

    #[test]
    fn a_bucket_is_a_range_of_hashes() {
        for bucket in 0..crate::wire::tidings::BUCKETS {
            let (first, last) = NodeHash::range_of(bucket);
            assert_eq!((first.bucket(), last.bucket()), (bucket, bucket));
            assert!(first.0 == 0 || NodeHash(first.0 - 1).bucket() == bucket - 1);
        }
    }

    #[test]
    fn the_hash_never_changes() {
        assert_eq!(hash_of("default-cluster", &id("node1", 7)), NodeHash(GOLDEN));
    }

    const GOLDEN: u64 = 13_510_336_032_823_674_413;
}
