//! Which of two runs of one name counts.
//!
//! A name has one run that counts, the *holder*. Another one that is heard of, a *challenger*, counts for nothing until
//! this rule lets it take the holder's place: whose word is it, and does the holder still live?

use crate::id::{NodeId, Run};

/// What speaks for the word of a node about itself. The better one is the greater one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Proof {
    /// It dialled this node and said so; anybody can.
    Presence,
    /// It answered where it says that it is reached.
    Address,
    /// Its certificate holds the name that it goes by.
    Certificate,
}

/// Whose word a report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// That of the node itself, on an exchange with it.
    Own(Proof),
    /// That of another node of ours.
    Relay,
    /// That of a Python peer about another node.
    UnmarkedRelay,
}

impl Word {
    /// Whether it sets what is known, up or down: it is the node itself, and not just somebody who says so.
    pub(crate) fn is_proved(self) -> bool {
        matches!(self, Word::Own(Proof::Address | Proof::Certificate))
    }

    /// Whether it counts for more than the heartbeat that it carries: it is one of us, or the node itself.
    pub(crate) fn is_trusted(self) -> bool {
        self != Word::UnmarkedRelay
    }
}

/// What is known of one of the two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing<'a> {
    pub(super) id: &'a NodeId,
    pub(super) run: Option<Run>,
    /// Its heartbeats are seen; of the holder also: it has had no time yet to be silent.
    pub(super) beats: bool,
    /// It has proved lately that it runs.
    pub(super) proof: Option<Proof>,
}

/// What has passed between the two.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct History {
    /// The challenger held the name before, and the holder has taken its place.
    pub(super) was_replaced: bool,
    /// Both have gone on beating for long.
    pub(super) both_beat_on: bool,
    /// More members take the challenger for the holder than take the holder for it.
    pub(super) has_majority: bool,
}

/// What becomes of a name that two runs lay claim to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    /// The holder goes on counting.
    Holds,
    /// The challenger takes its place.
    Yields,
}

/// Decides between the two.
///
/// - Who neither beats nor has proved that it runs is nobody.
/// - Where the holder is silent, whoever runs takes its place. One that held the name before has to beat on for long
///   first: its last heartbeats may still be under way.
/// - Where the holder beats, hearsay never takes its place. What does: an answer at the holder's own address, for then
///   the holder is not there any more; a certificate, for a later run; any proof, where nothing but hearsay speaks for the
///   holder.
/// - Where both prove that they run, one that was replaced before counts again only if it is the later run; so two
///   processes behind one address do not take turns. At two addresses without certificates that is left to the majority:
///   anybody may answer at an address of its own in any name.
pub(super) fn rule(holder: Standing<'_>, challenger: Standing<'_>, history: History) -> Ruling {
    let yields = |yields| if yields { Ruling::Yields } else { Ruling::Holds };
    let proof = challenger.proof.filter(|proof| *proof > Proof::Presence);
    if proof.is_none() && !challenger.beats {
        return Ruling::Holds;
    }
    if !holder.beats {
        return yields(!history.was_replaced || history.both_beat_on || proof.is_some());
    }
    let Some(proof) = proof else { return Ruling::Holds };
    if history.was_replaced && holder.proof > Some(Proof::Presence) {
        return yields(is_later(challenger, holder));
    }
    let is_there_instead = challenger.id.gossip_advertise_addr() == holder.id.gossip_advertise_addr();
    let is_better = Some(proof) > holder.proof.filter(|proof| *proof > Proof::Presence);
    let is_certified_successor = proof == Proof::Certificate && is_later(challenger, holder);
    yields(is_there_instead || is_better || is_certified_successor || (history.both_beat_on && history.has_majority))
}

/// Whether `a` is the later run of the two: the same answer everywhere.
pub(super) fn is_later(a: Standing<'_>, b: Standing<'_>) -> bool {
    (a.id.generation_id(), a.run, a.id) > (b.id.generation_id(), b.run, b.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Address;

    fn at(host: &str, generation: u64) -> NodeId {
        NodeId::new("n", generation, Address::new(host, 7000))
    }

    fn standing(id: &NodeId, beats: bool, proof: Option<Proof>) -> Standing<'_> {
        Standing { id, run: None, beats, proof }
    }

    const PROVED: Option<Proof> = Some(Proof::Address);
    const NEW: History = History { was_replaced: false, both_beat_on: false, has_majority: false };

    #[test]
    fn hearsay_never_takes_the_place_of_a_run_that_beats() {
        let (holder, higher) = (at("a", 1), at("a", 9));
        for history in [NEW, History { both_beat_on: true, has_majority: true, ..NEW }] {
            for proof in [None, Some(Proof::Presence)] {
                let challenger = standing(&higher, true, proof);
                assert_eq!(rule(standing(&holder, true, PROVED), challenger, history), Ruling::Holds);
                assert_eq!(rule(standing(&holder, true, None), challenger, history), Ruling::Holds);
            }
        }
    }

    #[test]
    fn who_answers_at_the_address_takes_it_whatever_the_generations_are() {
        for generation in [1, 9] {
            let (holder, challenger) = (at("a", 5), at("a", generation));
            let ruling = rule(standing(&holder, true, PROVED), standing(&challenger, false, PROVED), NEW);
            assert_eq!(ruling, Ruling::Yields);
        }
    }

    #[test]
    fn two_processes_behind_one_address_do_not_take_turns() {
        let (low, high) = (at("a", 1), at("a", 2));
        let replaced = History { was_replaced: true, ..NEW };
        assert_eq!(rule(standing(&high, true, PROVED), standing(&low, true, PROVED), replaced), Ruling::Holds);
        assert_eq!(rule(standing(&low, true, PROVED), standing(&high, true, PROVED), replaced), Ruling::Yields);
    }

    #[test]
    fn at_another_address_an_answer_is_no_proof_against_one_that_has_its_own() {
        let (holder, elsewhere) = (at("a", 1), at("b", 9));
        let challenger = standing(&elsewhere, true, PROVED);
        assert_eq!(rule(standing(&holder, true, PROVED), challenger, NEW), Ruling::Holds);
        assert_eq!(rule(standing(&holder, true, None), challenger, NEW), Ruling::Yields, "hearsay alone held it");
        let long = History { both_beat_on: true, ..NEW };
        assert_eq!(rule(standing(&holder, true, PROVED), challenger, long), Ruling::Holds);
        let majority = History { has_majority: true, ..long };
        assert_eq!(rule(standing(&holder, true, PROVED), challenger, majority), Ruling::Yields);
    }

    #[test]
    fn a_certificate_is_proof_at_any_address_for_a_later_run() {
        let (holder, later, earlier) = (at("a", 5), at("b", 6), at("c", 4));
        let certified = Some(Proof::Certificate);
        let ruling = |id| rule(standing(&holder, true, certified), standing(id, true, certified), NEW);
        assert_eq!((ruling(&later), ruling(&earlier)), (Ruling::Yields, Ruling::Holds));
    }

    #[test]
    fn the_place_of_a_silent_run_is_free_for_whoever_beats_or_answers() {
        let (holder, other) = (at("a", 5), at("b", 1));
        let ruling = |beats, proof| rule(standing(&holder, false, PROVED), standing(&other, beats, proof), NEW);
        assert_eq!((ruling(true, None), ruling(false, PROVED)), (Ruling::Yields, Ruling::Yields));
        assert_eq!((ruling(false, None), ruling(false, Some(Proof::Presence))), (Ruling::Holds, Ruling::Holds));
    }

    #[test]
    fn the_last_heartbeats_of_a_replaced_run_bring_it_back_to_nothing() {
        let (holder, replaced) = (at("a", 2), at("a", 1));
        let history = History { was_replaced: true, ..NEW };
        let stragglers = standing(&replaced, true, None);
        assert_eq!(rule(standing(&holder, false, None), stragglers, history), Ruling::Holds);
        let long = History { both_beat_on: true, ..history };
        assert_eq!(rule(standing(&holder, false, None), stragglers, long), Ruling::Yields);
    }

    #[test]
    fn of_one_id_the_higher_run_number_is_the_later_one() {
        let id = at("a", 1);
        let run = |number| Standing { run: Run::new(number), ..standing(&id, true, PROVED) };
        assert!(is_later(run(2), run(1)) && !is_later(run(1), run(2)) && !is_later(run(1), run(1)));
    }
}
