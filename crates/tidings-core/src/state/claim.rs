//! What a sender says of one owner.

/// What a delta says of one owner, once it is known how far its sender can be trusted. The dialect
/// finds that out, above all of senders that know nothing of our rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The delta holds the sender's key-values above this version.
    pub(crate) from: u64,
    /// ... and all of them up to this one; `None`: there may be holes.
    pub(crate) complete_to: Option<u64>,
    /// The sender's copy had no holes up to this version; at least `complete_to`.
    pub(crate) as_of: u64,
    /// The sender had collected the tombstones up to this version.
    pub(crate) last_gc: u64,
    /// Whether the sender says when it cut a delta short. If not, a reset takes what is missing for deleted.
    pub(crate) says_if_cut: bool,
}
