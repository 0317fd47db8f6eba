//! Which addresses have answered, which have not, and when those may be dialled again.

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::id::Address;
use crate::rng::Random;
use crate::time::Instant;

/// The wait doubles so often for an address that has never answered: 64 rounds at most.
const MAX_DOUBLINGS: u32 = 6;

/// ... and so often for one that has: 8 rounds at most. Its node may be back at any time.
const MAX_DOUBLINGS_ANSWERED: u32 = 3;

/// A live node that has answered is not waited for until it has failed so often in a row: the network may be bad.
const PATIENCE: u32 = 8;

/// So many dials to unproven addresses may fail before they are rationed.
const ALLOWANCE: u32 = 16;

/// ... and one more in so many rounds.
const ROUNDS_PER_DIAL: u64 = 16;

/// Dials that are under way when the allowance is used up count as well, up to so many in all.
const MOST_SPENT: u32 = 2 * ALLOWANCE;

/// Records of addresses where no node is known are dropped once in so many rounds.
const ROUNDS_BETWEEN_PRUNES: u64 = 64;

/// What dials have shown of the addresses that this node was told of.
///
/// Anybody may tell a node of members that do not exist, at addresses of a third party. An address is *unproven* until its
/// node has answered there or has itself dialled this node from that IP address. Dials to unproven addresses that fail are
/// paid from an allowance; where that is used up, there is one in 16 rounds, whatever is invented. Beside that, each
/// address that fails has to wait, twice as long each time. Seeds are not held back: the user named them.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Dials {
    records: BTreeMap<Address, Record>,
    /// How much of the allowance is used.
    spent: u32,
    rounds: u64,
    /// No address waits longer than this.
    longest_wait: Instant,
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
struct Record {
    has_answered: bool,
    /// Its node has dialled this one from the IP address that it advertises.
    has_dialled: bool,
    /// Failures in a row.
    failures: u32,
    not_before: Instant,
}

impl Default for Record {
    fn default() -> Record {
        Record { has_answered: false, has_dialled: false, failures: 0, not_before: Instant::ZERO }
    }
}

impl Dials {
    /// A round begins. `is_known`: whether a node is known at an address; the records of others end.
    pub(crate) fn begin_round(&mut self, now: Instant, is_known: impl Fn(&Address) -> bool) {
        self.rounds += 1;
        if self.rounds.is_multiple_of(ROUNDS_PER_DIAL) {
            self.spent = self.spent.saturating_sub(1);
        }
        if self.rounds.is_multiple_of(ROUNDS_BETWEEN_PRUNES) {
            self.records.retain(|address, record| now < record.not_before || is_known(address));
        }
    }

    /// Somebody has answered at `address` as a node does.
    pub(crate) fn answered(&mut self, address: &Address) {
        let record = self.record(address);
        *record = Record { has_answered: true, failures: 0, not_before: Instant::ZERO, ..*record };
    }

    /// The node that advertises `address`, and is known, has dialled this one from there.
    pub(crate) fn has_dialled(&mut self, address: &Address) {
        self.record(address).has_dialled = true;
    }

    /// Nobody has answered at `address`, or not as a node does.
    pub(crate) fn failed(&mut self, now: Instant, address: &Address, interval: Duration, random: &mut Random) {
        if !self.is_proven(address) {
            self.spent = (self.spent + 1).min(MOST_SPENT);
        }
        let record = self.record(address);
        let most = if record.has_answered { MAX_DOUBLINGS_ANSWERED } else { MAX_DOUBLINGS };
        let wait = interval * (1 << record.failures.min(most));
        record.failures = record.failures.saturating_add(1);
        // Half of it to one and a half: nodes that failed together do not come again together.
        let jitter = random.below(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
        record.not_before = now + wait / 2 + Duration::from_nanos(jitter);
        let not_before = record.not_before;
        self.longest_wait = self.longest_wait.max(not_before);
    }

    /// Whether `address` is not to be dialled now.
    pub(crate) fn is_held_back(&self, now: Instant, address: &Address, is_live: bool) -> bool {
        // Nearly always nobody waits.
        if now >= self.longest_wait {
            return false;
        }
        self.records.get(address).is_some_and(|record| {
            let is_spared = is_live && record.has_answered && record.failures < PATIENCE;
            now < record.not_before && !is_spared
        })
    }

    /// Whether the node at `address` has answered there, or has dialled from there.
    pub(crate) fn is_proven(&self, address: &Address) -> bool {
        self.records.get(address).is_some_and(|record| record.has_answered || record.has_dialled)
    }

    /// How many unproven addresses may be dialled now.
    pub(crate) fn allowance(&self) -> usize {
        ALLOWANCE.saturating_sub(self.spent) as usize
    }

    /// How often in a row dials to `address` have failed.
    pub(crate) fn failures(&self, address: &Address) -> u32 {
        self.records.get(address).map_or(0, |record| record.failures)
    }

    fn record(&mut self, address: &Address) -> &mut Record {
        self.records.entry(address.clone()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{random, secs};
    use alloc::format;

    const SECOND: Duration = Duration::from_secs(1);

    fn host(number: u32) -> Address {
        Address::new(format!("10.0.{}.{}", number / 256, number % 256), 7000)
    }

    /// How often a node that dials each second whatever is not held back has dialled after an hour.
    fn dials_in_an_hour(dials: &mut Dials, address: &Address, is_live: bool) -> usize {
        let mut random = random(1);
        let mut count = 0;
        for second in 0..3_600 {
            if !dials.is_held_back(secs(second), address, is_live) {
                dials.failed(secs(second), address, SECOND, &mut random);
                count += 1;
            }
        }
        count
    }

    #[test]
    fn an_address_that_never_answers_is_dialled_ever_more_rarely() {
        let dialled = dials_in_an_hour(&mut Dials::default(), &host(1), true);
        assert!((45..=75).contains(&dialled), "{dialled}");
    }

    #[test]
    fn one_that_has_answered_is_tried_more_often_and_a_live_one_spared_at_first() {
        let mut dials = Dials::default();
        dials.answered(&host(1));
        for _ in 1..PATIENCE {
            dials.failed(secs(10), &host(1), SECOND, &mut random(1));
            assert!(!dials.is_held_back(secs(10), &host(1), true));
            assert!(dials.is_held_back(secs(10), &host(1), false));
        }
        dials.failed(secs(10), &host(1), SECOND, &mut random(1));
        assert!(dials.is_held_back(secs(10), &host(1), true));
        let dialled = dials_in_an_hour(&mut dials, &host(1), false);
        assert!((400..=500).contains(&dialled), "{dialled}");
        dials.answered(&host(1));
        assert!(!dials.is_held_back(secs(3_600), &host(1), false));
    }

    #[test]
    fn whatever_is_invented_few_unproven_addresses_are_dialled() {
        let (mut dials, mut random, mut dialled) = (Dials::default(), random(1), 0);
        for round in 0..3_600 {
            dials.begin_round(secs(round), |_| false);
            // Addresses that nobody has heard of before, in each round.
            for _ in 0..dials.allowance().min(3) {
                dialled += 1;
                dials.failed(secs(round), &host(dialled), SECOND, &mut random);
            }
        }
        assert!(dialled <= ALLOWANCE + 3_600 / 16 + 3, "{dialled}");
        assert!(dials.records.len() < 64, "{} are remembered", dials.records.len());
    }

    #[test]
    fn who_dials_from_its_address_costs_nothing_and_what_fails_under_way_is_bounded() {
        let mut dials = Dials::default();
        dials.has_dialled(&host(1));
        dials.failed(secs(1), &host(1), SECOND, &mut random(1));
        assert_eq!(dials.allowance(), ALLOWANCE as usize);
        assert!(dials.is_held_back(secs(1), &host(1), true), "it waits all the same");
        for number in 2..1_000 {
            dials.failed(secs(1), &host(number), SECOND, &mut random(1));
        }
        assert_eq!((dials.allowance(), dials.spent), (0, MOST_SPENT));
    }
}
