//! The probabilities of aiocluster's choice, counted over many rounds.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec;

use super::*;
use crate::dialect::aiocluster::Sender;
use crate::event::EventQueue;
use crate::id::NodeId;
use crate::members::{Env, Proof};
use crate::suspicion::Detector;
use crate::testing::{NOW, config, entry, hear_from, id, members, random, sender};
use crate::time::Instant;

const ROUNDS: usize = 20_000;

/// How often each address was dialled in [`ROUNDS`] rounds, and how often so many at once.
struct Counts {
    by_host: BTreeMap<alloc::string::String, usize>,
    by_number: BTreeMap<usize, usize>,
}

impl Counts {
    fn of(members: &Members, seeds: &[Address]) -> Counts {
        let (config, mut random) = (config("me"), random(1));
        let own = [Address::new("me", 7000), Address::new("me-by-another-name", 7000)];
        let mut counts = Counts { by_host: BTreeMap::new(), by_number: BTreeMap::new() };
        for _ in 0..ROUNDS {
            let reach = Reach { avoided: &own, dials: &Dials::default(), detector: Detector::new(&config, 0.0) };
            let at = Moment { now: NOW, active: NOW };
            let targets = targets(members, seeds, reach, at, &config, &mut random, &mut Stats::default());
            let distinct: BTreeSet<&Address> = targets.iter().collect();
            assert_eq!(distinct.len(), targets.len(), "an address twice: {targets:?}");
            assert!(!targets.iter().any(|target| own.contains(target)), "itself: {targets:?}");
            *counts.by_number.entry(targets.len()).or_default() += 1;
            for target in targets {
                *counts.by_host.entry(target.host().into()).or_default() += 1;
            }
        }
        counts
    }

    fn of_nodes(live: &[NodeId], dead: &[NodeId], seeds: &[&str]) -> Counts {
        let seeds: Vec<Address> = seeds.iter().map(|seed| Address::new(seed, 7000)).collect();
        Counts::of(&members(&config("me"), live, dead), &seeds)
    }

    #[track_caller]
    fn assert_share(&self, host: &str, share: f64) {
        let is = self.by_host.get(host).copied().unwrap_or(0) as f64 / ROUNDS as f64;
        // Five standard deviations, at most.
        assert!((is - share).abs() < 0.02, "{host} in {is} of all rounds, not {share}");
    }
}

fn nodes(prefix: &str, count: usize) -> Vec<NodeId> {
    (0..count).map(|number| id(&format!("{prefix}{number}"), 1)).collect()
}

#[test]
fn a_round_takes_three_of_the_live_nodes_each_as_often_as_the_others() {
    let counts = Counts::of_nodes(&nodes("live", 10), &[], &[]);
    assert_eq!(counts.by_number, BTreeMap::from([(3, ROUNDS)]));
    (0..10).for_each(|number| counts.assert_share(&format!("live{number}"), 0.3));
}

#[test]
fn fewer_live_nodes_than_that_are_all_taken() {
    let counts = Counts::of_nodes(&nodes("live", 2), &[], &[]);
    assert_eq!(counts.by_number, BTreeMap::from([(2, ROUNDS)]));
}

#[test]
fn while_nobody_is_live_all_known_nodes_are_tried() {
    // The dead one on top is a draw of its own, and often one of the three again.
    let counts = Counts::of_nodes(&[], &nodes("dead", 6), &[]);
    (0..6).for_each(|number| counts.assert_share(&format!("dead{number}"), 0.5 + 0.5 / 6.0));
    assert_eq!(counts.by_number.keys().copied().collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn a_dead_node_is_tried_with_the_probability_of_dead_over_live_and_one() {
    let counts = Counts::of_nodes(&nodes("live", 4), &nodes("dead", 2), &[]);
    counts.assert_share("dead0", 0.2);
    counts.assert_share("dead1", 0.2);
    let counts = Counts::of_nodes(&nodes("live", 1), &nodes("dead", 5), &[]);
    assert_eq!(counts.by_number, BTreeMap::from([(2, ROUNDS)]), "certain, and never two");
}

#[test]
fn a_seed_is_tried_with_the_probability_of_seeds_over_known_nodes() {
    let counts = Counts::of_nodes(&nodes("live", 6), &nodes("dead", 2), &["seed0", "seed1"]);
    counts.assert_share("seed0", 0.125);
    counts.assert_share("seed1", 0.125);
}

#[test]
fn a_seed_is_always_tried_while_nobody_is_live() {
    let counts = Counts::of_nodes(&[], &[], &["seed0", "seed1"]);
    assert_eq!(counts.by_number, BTreeMap::from([(1, ROUNDS)]));
    counts.assert_share("seed0", 0.5);
    let counts = Counts::of_nodes(&[], &nodes("dead", 9), &["seed"]);
    counts.assert_share("seed", 1.0);
}

#[test]
fn no_seed_on_top_where_one_is_among_the_chosen_unless_there_are_more_seeds_than_live_nodes() {
    // "live0" is not among three of four one time in four; then 2 / 4 for a seed, and half of them for "away".
    let counts = Counts::of_nodes(&nodes("live", 4), &[], &["live0", "away"]);
    counts.assert_share("away", 0.25 * 0.5 * 0.5);
    // Three seeds and two live nodes: 3 / 2 is certain, and "away" is drawn one time in three.
    let counts = Counts::of_nodes(&nodes("live", 2), &[], &["live0", "live1", "away"]);
    counts.assert_share("away", 1.0 / 3.0);
}

#[test]
fn a_node_never_dials_itself_and_its_own_address_is_no_seed() {
    // Its old run is known, dead, at the same address; and a seed leads back to it.
    let counts = Counts::of_nodes(&nodes("live", 1), &[id("me", 0)], &["me", "me-by-another-name"]);
    assert_eq!(counts.by_number, BTreeMap::from([(1, ROUNDS)]));
    // Nodes of other names claim to be where it is.
    let here = |name| NodeId::new(name, 1, Address::new("me", 7000));
    let counts = Counts::of_nodes(&[id("live", 1), here("another")], &[here("gone")], &[]);
    assert_eq!(counts.by_host, BTreeMap::from([("live".into(), ROUNDS)]));
}

#[test]
fn a_run_that_lays_claim_to_a_name_is_asked_beside_its_holder() {
    let elsewhere = NodeId::new("live0", 2, Address::new("new-place", 7000));
    let members = members(&config("me"), &[nodes("live", 2), vec![elsewhere]].concat(), &[]);
    let counts = Counts::of(&members, &[]);
    let all = ["live0", "live1", "new-place"].map(|host| (host.into(), ROUNDS));
    assert_eq!(counts.by_host, BTreeMap::from(all));
}

#[test]
fn of_a_large_cluster_only_some_nodes_ask_in_one_round_who_lays_claim_to_a_name() {
    let elsewhere = NodeId::new("live0", 2, Address::new("new-place", 7000));
    let members = members(&config("me"), &[nodes("live", 99), vec![elsewhere]].concat(), &[]);
    let asked = Counts::of(&members, &[]).by_host.get("new-place").copied().unwrap_or(0);
    assert!((ROUNDS / 20..ROUNDS / 5).contains(&asked), "about a tenth of {ROUNDS}: {asked}");
}

#[test]
fn two_nodes_at_one_address_are_dialled_once() {
    let twins = [id("a", 1), NodeId::new("b", 1, Address::new("a", 7000))];
    let counts = Counts::of_nodes(&twins, &[], &["a"]);
    assert_eq!(counts.by_number, BTreeMap::from([(1, ROUNDS)]));
}

#[test]
fn of_the_dead_those_that_were_live_are_tried_first_however_many_are_invented() {
    let mut members = members(&config("me"), &nodes("live", 2), &nodes("invented", 100));
    let after = Instant::from_secs(1_008);
    let (config, mut events, mut stats) = (config("me"), EventQueue::new(&config("me").limits), Stats::default());
    let detector = Detector::new(&config, 0.0);
    let mut env = Env { now: after, active: after, detector, config: &config, events: &mut events, stats: &mut stats };
    members.refresh_all(&mut env);
    assert_eq!(members.with_liveness(Liveness::Live).count(), 0);
    let counts = Counts::of(&members, &[]);
    // Nobody is live, so that one of three is drawn from the two, and three of four times one more.
    let share = |host| counts.by_host.get(host).copied().unwrap_or(0) as f64 / ROUNDS as f64;
    assert!(share("live0") > 0.5 && share("live1") > 0.5, "{} and {}", share("live0"), share("live1"));
}

#[test]
fn one_of_three_has_answered_lately_however_many_invented_ones_beat() {
    let mut members = members(&config("me"), &[nodes("invented", 150), nodes("real", 2)].concat(), &[]);
    let (config, mut events, mut stats) = (config("me"), EventQueue::new(&config("me").limits), Stats::default());
    let detector = Detector::new(&config, 0.0);
    let mut env = Env { now: NOW, active: NOW, detector, config: &config, events: &mut events, stats: &mut stats };
    for node in nodes("real", 2) {
        let said = entry(&node, 4);
        hear_from(&mut members, &mut env, &said, Sender { proof: Proof::Address, ..sender(&node, 1) });
    }
    let counts = Counts::of(&members, &[]);
    counts.assert_share("real0", 0.5);
    counts.assert_share("real1", 0.5);
}

#[test]
fn a_seed_is_tried_at_a_least_rate_however_many_nodes_are_known() {
    let counts = Counts::of_nodes(&nodes("live", 2), &nodes("invented", 1_000), &["seed"]);
    let tried = counts.by_host.get("seed").copied().unwrap_or(0);
    assert!((ROUNDS / 80..ROUNDS / 45).contains(&tried), "once in 60 of {ROUNDS}: {tried}");
}
