//! Detection by cases: no heartbeat is told on, and whoever does not answer is asked again, also through others.
//!
//! A regular exchange that fails opens a *case*, from the instant at which it was sent. Probes follow; each failure that
//! is reported is worth -log10 of the share of this node's own regular exchanges that fail, and any sign of life later
//! than the start closes the case. With enough evidence, by enough others and at enough instants, the case becomes an
//! *accusation*: silent since, last failed at. Everybody who hears it takes the node for suspect, and for dead once it
//! has been silent for long enough, unless a later sign of life comes.
//!
//! Nodes are named by numbers here, whatever stands behind them.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::time::Duration;

use crate::config::DetectionConfig;
use crate::members::LastSeen;
use crate::time::Instant;

/// Signs of life that differ by less are one.
const SLACK: Duration = Duration::from_millis(60);

/// No verdict sooner than this after an accusation is heard, nor after waking from a pause.
const FLOOR: Duration = Duration::from_millis(1_500);

/// Probes of one case follow each other by this.
pub(crate) const BATCH: Duration = Duration::from_millis(250);

/// A case that has not come to anything after so many batches is given up.
const MAX_BATCHES: u32 = 60;

/// Failures have to be reported by so many others, or as many as answer.
const PATHS: usize = 5;

/// ... and at so many instants.
const INSTANTS: u32 = 6;

/// Who has answered within this counts as one who answers.
const ANSWERS: Duration = Duration::from_secs(2);

/// So many answers are remembered.
const MAX_ANSWERS: usize = 64;

/// What the last exchange counts for in the share of those that fail: about a hundred make it.
const FADES: f64 = 0.99;

/// More cases at once than this nobody can look into.
const MAX_CASES: usize = 256;

/// A node that does not answer.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
struct Case {
    start: Instant,
    failed_at: Instant,
    evidence: f64,
    paths: BTreeSet<u64>,
    instants: u64,
    batches: u32,
    next_batch: Instant,
}

/// An accusation that was heard or made, until it is refuted or the node is forgotten.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Accusation {
    /// Since when the node has been silent.
    pub(crate) start: LastSeen,
    /// When it last failed to answer. A sign of life before that moves the start, and only a later one refutes.
    pub(crate) failed: LastSeen,
    /// When there is to be a verdict; `None`: it has been given.
    due: Option<Instant>,
    /// How much later than usual the verdict is: nobody answers this node.
    pub(crate) is_lone: bool,
}

impl Accusation {
    /// Whether the node was declared dead.
    pub(crate) fn is_decided(&self) -> bool {
        self.due.is_none()
    }
}

/// What came of hearing an accusation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accused {
    /// It lived later than that.
    Refuted,
    /// It is suspect from now on.
    New,
    /// It was accused already, of failures not as late.
    Later,
    /// Nothing new.
    Known,
}

/// What came of a sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nothing was said against the node, or still is.
    Nothing,
    /// It was suspect.
    Recovered,
    /// It was dead.
    Revived,
}

/// Evidence that is complete.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Complete {
    pub(crate) start: Instant,
    pub(crate) failed_at: Instant,
    pub(crate) evidence: f64,
    /// Nobody else answers.
    pub(crate) is_lone: bool,
}

/// The cases and accusations of one node.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Cases {
    open: BTreeMap<u64, Case>,
    accusations: BTreeMap<u64, Accusation>,
    dues: BTreeSet<(Instant, u64)>,
    batches: BTreeSet<(Instant, u64)>,
    succeeded: f64,
    failed: f64,
    answers: VecDeque<(Instant, u64)>,
    last_answer: Instant,
    woke_at: Option<Instant>,
}

impl Default for Cases {
    fn default() -> Cases {
        Cases {
            open: BTreeMap::new(),
            accusations: BTreeMap::new(),
            dues: BTreeSet::new(),
            batches: BTreeSet::new(),
            succeeded: 10.0,
            failed: 0.1,
            answers: VecDeque::new(),
            last_answer: Instant::ZERO,
            woke_at: None,
        }
    }
}

impl Cases {
    /// A regular exchange was answered.
    pub(crate) fn exchange_succeeded(&mut self) {
        self.succeeded = self.succeeded * FADES + 1.0;
        self.failed *= FADES;
    }

    /// A regular exchange with one who is not suspected was not.
    pub(crate) fn exchange_failed(&mut self) {
        self.failed = self.failed * FADES + 1.0;
        self.succeeded *= FADES;
    }

    /// The share of this node's own regular exchanges that fail, with its uncertainty added.
    pub(crate) fn failed_share(&self) -> f64 {
        let all = self.succeeded + self.failed;
        let share = self.failed / all;
        (share + sqrt(share * (1.0 - share) / all) + 0.01).clamp(0.03, 0.98)
    }

    /// What one failure is worth.
    fn worth(&self) -> f64 {
        -log10(self.failed_share())
    }

    /// Somebody has answered this node.
    pub(crate) fn answered(&mut self, now: Instant, who: u64) {
        self.answers.retain(|(_, other)| *other != who);
        if self.answers.len() >= MAX_ANSWERS {
            self.answers.pop_front();
        }
        self.answers.push_back((now, who));
        self.last_answer = now;
    }

    /// When somebody last answered.
    pub(crate) fn last_answer(&self) -> Instant {
        self.last_answer
    }

    /// This process was stopped until now: what it took for silence was its own.
    pub(crate) fn wake(&mut self, now: Instant) {
        self.open.clear();
        self.batches.clear();
        self.woke_at = Some(now);
    }

    /// Whether something sent then was sent before this process was last stopped.
    pub(crate) fn is_before_pause(&self, sent: Instant) -> bool {
        self.woke_at.is_some_and(|woke_at| sent < woke_at)
    }

    /// Whether there is a case, or an accusation.
    pub(crate) fn is_about(&self, who: u64) -> bool {
        self.open.contains_key(&who) || self.accusations.contains_key(&who)
    }

    /// What is said against a node.
    pub(crate) fn accusation(&self, who: u64) -> Option<&Accusation> {
        self.accusations.get(&who)
    }

    /// Those who are suspected and not declared dead yet, unless nobody but this node does.
    pub(crate) fn suspects(&self) -> impl Iterator<Item = u64> {
        self.dues.iter().map(|(_, who)| *who).filter(|who| self.accusations.get(who).is_some_and(|a| !a.is_lone))
    }

    /// How many are suspected.
    pub(crate) fn suspects_len(&self) -> usize {
        self.dues.len()
    }

    /// Those who were declared dead.
    pub(crate) fn dead(&self) -> impl Iterator<Item = u64> {
        self.accusations.iter().filter(|(_, accusation)| accusation.is_decided()).map(|(who, _)| *who)
    }

    /// A regular exchange that was sent then has failed.
    pub(crate) fn open(&mut self, now: Instant, who: u64, sent: Instant) {
        if self.is_about(who) || self.open.len() >= MAX_CASES {
            return;
        }
        let case = Case {
            start: sent,
            failed_at: sent,
            evidence: 0.0,
            paths: BTreeSet::new(),
            instants: 0,
            batches: 0,
            next_batch: now,
        };
        self.open.insert(who, case);
        self.batches.insert((now, who));
        self.fail(who, sent, 0);
    }

    /// A probe that was sent then was not answered; `path`: by whose report, 0 for this node's own.
    pub(crate) fn fail(&mut self, who: u64, sent: Instant, path: u64) {
        let worth = self.worth();
        let Some(case) = self.open.get_mut(&who).filter(|case| sent >= case.start) else { return };
        case.evidence += worth;
        case.failed_at = case.failed_at.max(sent);
        if case.paths.len() < MAX_ANSWERS {
            case.paths.insert(path);
        }
        case.instants |= 1 << (sent.as_nanos() / u64::try_from(BATCH.as_nanos()).unwrap_or(1) % 64);
    }

    /// Takes a case whose evidence is complete. `live`: how many live nodes are known, this one too.
    pub(crate) fn take_complete(
        &mut self,
        now: Instant,
        who: u64,
        live: usize,
        config: &DetectionConfig,
    ) -> Option<Complete> {
        let case = self.open.get(&who)?;
        let others = self.answers.iter().filter(|(at, other)| *other != who && *at + ANSWERS > now).count();
        let most = live.saturating_sub(2).max(1);
        let is_lone = others == 0;
        let paths = if is_lone { 1 } else { PATHS.min(others + 1).max(2).min(most) };
        let is_complete =
            case.evidence >= config.threshold && case.paths.len() >= paths && case.instants.count_ones() >= INSTANTS;
        if !is_complete {
            return None;
        }
        let complete = Complete {
            start: case.start,
            failed_at: case.failed_at,
            evidence: case.evidence,
            is_lone: is_lone && live > 2,
        };
        self.close(who);
        Some(complete)
    }

    fn close(&mut self, who: u64) {
        if let Some(case) = self.open.remove(&who) {
            self.batches.remove(&(case.next_batch, who));
        }
    }

    /// Hears, or makes, an accusation. `proof`: the last sign of life that is known.
    pub(crate) fn accuse(
        &mut self,
        now: Instant,
        who: u64,
        accusation: (LastSeen, LastSeen, bool),
        proof: LastSeen,
        config: &DetectionConfig,
    ) -> Accused {
        let (start, failed, is_lone) = accusation;
        if proof > failed.plus(SLACK) {
            return Accused::Refuted;
        }
        let start = start.max(proof);
        if let Some(known) = self.accusations.get_mut(&who) {
            if known.is_lone && !is_lone {
                known.is_lone = false;
            }
            if failed <= known.failed.plus(SLACK) {
                return Accused::Known;
            }
            known.failed = failed;
            return Accused::Later;
        }
        self.close(who);
        let due = due_of(now, start, is_lone, config);
        self.accusations.insert(who, Accusation { start, failed, due: Some(due), is_lone });
        self.dues.insert((due, who));
        Accused::New
    }

    /// A node lived then.
    pub(crate) fn seen(&mut self, who: u64, at: LastSeen) -> Seen {
        if self.open.get(&who).is_some_and(|case| at > LastSeen::at(case.start)) {
            self.close(who);
        }
        let Some(accusation) = self.accusations.get_mut(&who) else { return Seen::Nothing };
        if at > accusation.start.max(accusation.failed).plus(SLACK) {
            return self.acquit(who);
        }
        if accusation.due.is_some() && at > accusation.start {
            accusation.start = at;
        }
        Seen::Nothing
    }

    /// Takes back what is said against a node.
    pub(crate) fn acquit(&mut self, who: u64) -> Seen {
        self.close(who);
        let Some(accusation) = self.accusations.remove(&who) else { return Seen::Nothing };
        match accusation.due {
            Some(due) => {
                self.dues.remove(&(due, who));
                Seen::Recovered
            }
            None => Seen::Revived,
        }
    }

    /// The next whose time is over, as a verdict.
    pub(crate) fn next_verdict(&mut self, now: Instant, config: &DetectionConfig) -> Option<u64> {
        while let Some((due, who)) = self.dues.first().copied().filter(|(due, _)| *due <= now) {
            self.dues.pop_first();
            let woke_at = self.woke_at;
            let Some(accusation) = self.accusations.get_mut(&who) else { continue };
            let usual = due_of(Instant::ZERO, accusation.start, accusation.is_lone, config);
            let rested = woke_at.map_or(Instant::ZERO, |at| at + FLOOR);
            let later = usual.max(rested);
            if later > due && later > now {
                accusation.due = Some(later);
                self.dues.insert((later, who));
                continue;
            }
            accusation.due = None;
            return Some(who);
        }
        None
    }

    /// The next case whose batch of probes is due.
    pub(crate) fn next_batch(&mut self, now: Instant) -> Option<u64> {
        while let Some((_, who)) = self.batches.first().copied().filter(|(at, _)| *at <= now) {
            self.batches.pop_first();
            let Some(case) = self.open.get_mut(&who) else { continue };
            case.batches = case.batches.saturating_add(1);
            if case.batches > MAX_BATCHES {
                self.open.remove(&who);
                continue;
            }
            case.next_batch = now + BATCH;
            self.batches.insert((case.next_batch, who));
            return Some(who);
        }
        None
    }

    /// How many probes the next batch is to have, those through others too.
    pub(crate) fn probes(&self, who: u64, config: &DetectionConfig) -> usize {
        let first = self.open.get(&who).is_some_and(|case| case.batches == 1);
        let wanted = 0.6 * config.threshold / self.worth();
        let most = if first { 6 } else { 16 };
        (4..=most).find(|number| *number as f64 >= wanted).unwrap_or(most)
    }

    /// When there is something to do.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let due = self.dues.first().map(|(at, _)| *at);
        let batch = self.batches.first().map(|(at, _)| *at);
        due.into_iter().chain(batch).min()
    }

    /// Forgets a node.
    pub(crate) fn forget(&mut self, who: u64) {
        self.acquit(who);
    }
}

fn due_of(now: Instant, start: LastSeen, is_lone: bool, config: &DetectionConfig) -> Instant {
    let times = if is_lone { 2 } else { 1 };
    start.plus(config.suspicion_time * times).instant().max(now + FLOOR)
}

/// The square root of a small positive number, to six digits: there is none without `std`.
fn sqrt(number: f64) -> f64 {
    if number <= 0.0 {
        return 0.0;
    }
    let mut root = if number > 1.0 { number } else { 1.0 };
    for _ in 0..32 {
        root = 0.5 * (root + number / root);
    }
    root
}

/// The decimal logarithm of a number from 1/100 to 1, to six digits.
fn log10(number: f64) -> f64 {
    const LN_10: f64 = core::f64::consts::LN_10;
    // The series of artanh, after the number is brought near 1.
    let (mut mantissa, mut twos) = (number, 0.0);
    while mantissa < 0.75 && twos < 64.0 {
        mantissa *= 2.0;
        twos += 1.0;
    }
    let quotient = (mantissa - 1.0) / (mantissa + 1.0);
    let square = quotient * quotient;
    let (mut term, mut sum) = (quotient, 0.0);
    for odd in [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0] {
        sum += term / odd;
        term *= square;
    }
    (2.0 * sum - twos * core::f64::consts::LN_2) / LN_10
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: u64 = 7;

    fn config() -> DetectionConfig {
        DetectionConfig::lan()
    }

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn lived(millis: u64) -> LastSeen {
        LastSeen::at(at(millis))
    }

    /// A node whose peers 1 to 5 answer, with a case against X that was opened at 10 s.
    fn with_case() -> Cases {
        let mut cases = Cases::default();
        (1..=5).for_each(|other| cases.answered(at(12_000), other));
        cases.open(at(10_500), X, at(10_000));
        cases
    }

    fn complete(cases: &mut Cases) -> Option<Complete> {
        cases.take_complete(at(12_500), X, 10, &config())
    }

    #[test]
    fn the_logarithm_and_the_root_are_those_of_the_books() {
        for (number, expected) in [(1.0, 0.0), (0.1, -1.0), (0.25, -0.602_06), (0.03, -1.522_88), (0.98, -0.008_774)] {
            assert!((log10(number) - expected).abs() < 1e-5, "{number}: {}", log10(number));
        }
        for (number, expected) in [(0.0, 0.0), (0.25, 0.5), (3.0, 1.732_051), (0.0001, 0.01)] {
            assert!((sqrt(number) - expected).abs() < 1e-5, "{number}: {}", sqrt(number));
        }
    }

    #[test]
    fn evidence_needs_others_and_instants_and_not_only_a_sum() {
        let mut cases = with_case();
        (0..100).for_each(|_| cases.fail(X, at(10_000), 0));
        assert_eq!(complete(&mut cases), None, "one path, one instant");
        (0..6).for_each(|instant| cases.fail(X, at(10_000 + 250 * instant), 0));
        assert_eq!(complete(&mut cases), None, "one path");
        (1..=4).for_each(|path| cases.fail(X, at(11_000), path));
        let complete = complete(&mut cases).expect("five paths at six instants");
        assert_eq!((complete.start, complete.failed_at, complete.is_lone), (at(10_000), at(11_250), false));
        assert!(complete.evidence >= config().threshold);
    }

    #[test]
    fn failures_of_what_was_sent_before_the_case_began_are_no_evidence() {
        let mut cases = with_case();
        for path in 1..=5 {
            (0..6).for_each(|instant| cases.fail(X, at(8_000 + 250 * instant), path));
        }
        (0..6).for_each(|instant| cases.fail(X, at(10_000 + 250 * instant), 0));
        assert_eq!(complete(&mut cases), None);
    }

    #[test]
    fn a_sign_of_life_later_than_the_start_closes_a_case() {
        let mut cases = with_case();
        assert_eq!(cases.seen(X, lived(10_000)), Seen::Nothing);
        assert!(cases.is_about(X));
        cases.seen(X, lived(10_001));
        assert!(!cases.is_about(X));
    }

    #[test]
    fn whom_nobody_answers_waits_twice_as_long_unless_there_are_only_two() {
        for (live, is_lone) in [(10, true), (2, false)] {
            let mut cases = Cases::default();
            cases.open(at(10_500), X, at(10_000));
            (0..12).for_each(|instant| cases.fail(X, at(10_000 + 250 * instant), 0));
            let complete = cases.take_complete(at(13_500), X, live, &config()).expect("no other path can be had");
            assert_eq!(complete.is_lone, is_lone);
            let said = (lived(10_000), lived(12_750), is_lone);
            assert_eq!(cases.accuse(at(13_500), X, said, lived(9_000), &config()), Accused::New);
            let verdict = if is_lone { 18_000 } else { 15_000 };
            assert_eq!(cases.next_verdict(at(verdict - 1), &config()), None);
            assert_eq!(cases.next_verdict(at(verdict), &config()), Some(X));
            assert_eq!(cases.suspects().count(), 0);
        }
    }

    #[test]
    fn an_accusation_is_refuted_by_what_is_later_than_its_last_failure_only() {
        let mut cases = Cases::default();
        let said = (lived(10_000), lived(12_000), false);
        assert_eq!(cases.accuse(at(12_500), X, said, lived(12_100), &config()), Accused::Refuted);
        assert_eq!(cases.accuse(at(12_500), X, said, lived(11_000), &config()), Accused::New);
        assert_eq!(cases.accusation(X).map(|accusation| accusation.start), Some(lived(11_000)), "it lived until then");
        assert_eq!(cases.seen(X, lived(11_900)), Seen::Nothing);
        assert_eq!(cases.accusation(X).map(|accusation| accusation.start), Some(lived(11_900)));
        assert_eq!(cases.next_verdict(at(15_899), &config()), None);
        assert_eq!(cases.seen(X, lived(12_100)), Seen::Recovered);
        assert_eq!(cases.next_verdict(at(99_000), &config()), None);
    }

    #[test]
    fn there_is_no_verdict_at_once_and_none_after_waking() {
        let mut cases = Cases::default();
        let said = (lived(10_000), lived(12_000), false);
        cases.accuse(at(20_000), X, said, lived(9_000), &config());
        assert_eq!(cases.next_verdict(at(21_499), &config()), None);
        cases.wake(at(21_400));
        assert_eq!(cases.next_verdict(at(22_899), &config()), None);
        assert_eq!(cases.next_verdict(at(22_900), &config()), Some(X));
        assert_eq!(cases.seen(X, lived(12_061)), Seen::Revived);
    }

    #[test]
    fn the_more_exchanges_fail_the_less_is_one_failure_worth() {
        let mut cases = Cases::default();
        let quiet = cases.worth();
        (0..300).for_each(|number| if number % 4 == 0 { cases.exchange_succeeded() } else { cases.exchange_failed() });
        assert!((0.74..0.85).contains(&cases.failed_share()), "{}", cases.failed_share());
        assert!(quiet > 1.2 && cases.worth() < 0.14, "{quiet} {}", cases.worth());
    }

    #[test]
    fn a_case_that_comes_to_nothing_is_given_up() {
        let mut cases = with_case();
        let batches = (0..200).filter(|batch| cases.next_batch(at(10_500 + 250 * batch)).is_some()).count();
        assert_eq!((batches, cases.is_about(X), cases.next_due()), (60, false, None));
    }
}
