//! Which process speaks under an id.

use core::fmt;

/// A random number that a node draws at each start.
///
/// Two processes that were given the same id, generation included, are told apart by it. It is no secret, and no order
/// follows from it but the one that settles a tie. 28 bits, so that it takes four bytes on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub struct Run(u32);

impl Run {
    /// One more than the highest run number.
    pub(crate) const END: u32 = 1 << 28;

    /// The run of the number 1.
    pub(crate) const FIRST: Run = Run(1);

    /// The run of this number; `None` for 0 and for a number of more than 28 bits, which no node draws.
    #[must_use]
    pub const fn new(number: u32) -> Option<Run> {
        if number > 0 && number < Run::END { Some(Run(number)) } else { None }
    }

    /// Whether these are known to be two processes. Where one is not known, as from a Python relay, they may be the same.
    pub(crate) fn differ(a: Option<Run>, b: Option<Run>) -> bool {
        matches!((a, b), (Some(a), Some(b)) if a != b)
    }

    /// The number, from 1 to 2^28 - 1.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// Seven hexadecimal digits.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:07x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_a_number_of_28_bits_that_is_not_zero() {
        assert_eq!((Run::new(0), Run::new(Run::END)), (None, None));
        assert_eq!(Run::new(Run::END - 1).map(Run::number), Some(0x0fff_ffff));
        assert_eq!(alloc::format!("{}", Run::new(0xab).unwrap()), "00000ab");
    }
}
