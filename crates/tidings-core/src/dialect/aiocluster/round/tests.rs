//! The probabilities of aiocluster's choice, counted over many rounds.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec;

use super::*;
use crate::id::NodeId;
use crate::testing::{config, id, members, random};

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
            let targets = targets(members, seeds, &own, &config, &mut random);
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
