//! Each rule beside the defect it answers.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::limits::Limits;
use crate::members::Holding;
use crate::state::Lifetime;
use crate::testing::{NOW, config, id, members, secs, sender, set};

/// News of the owner that stop at 7, from a sender that is at 20.
fn cut_short() -> NodeDelta {
    NodeDelta {
        node_id: id("owner", 1),
        from_version_excluded: 5,
        last_gc_version: 3,
        key_values: vec![set("a", "1", 6), set("b", "2", 7)],
        max_version: Some(20),
        sender_complete_version: None,
        run: None,
    }
}

fn own_with(keys: usize) -> OwnState {
    let mut own = OwnState::default();
    for number in 0..keys {
        own.set(secs(1), &format!("key{number}"), "v", Lifetime::Forever, &mut Vec::new());
    }
    own
}

#[test]
fn one_of_us_and_whoever_speaks_of_itself_are_trusted() {
    let (a, b) = (id("a", 1), id("b", 1));
    assert!(sender(&a, 1).word_about(&b).is_trusted());
    assert!(sender(&a, 0).word_about(&a).is_trusted());
    assert!(!sender(&a, 0).word_about(&b).is_trusted());
    assert!(!sender(&id("a", 2), 0).word_about(&a).is_trusted(), "another run is another node");
}

#[test]
fn defect_1_an_unmarked_owner_is_complete_only_up_to_the_last_key_value_it_sent() {
    let claim = claim_of(&cut_short(), sender(&id("owner", 1), 0));
    assert_eq!(claim, Claim { from: 5, complete_to: Some(7), as_of: 20, last_gc: 3, says_if_cut: false });
    let empty = NodeDelta { key_values: Vec::new(), ..cut_short() };
    assert_eq!(claim_of(&empty, sender(&id("owner", 1), 0)).complete_to, Some(5));
}

#[test]
fn defects_1_3_and_20_an_unmarked_relay_says_nothing_of_where_it_stands() {
    let claim = claim_of(&cut_short(), sender(&id("relay", 1), 0));
    assert_eq!((claim.complete_to, claim.last_gc), (None, 0));
}

#[test]
fn one_of_us_is_taken_at_its_word() {
    let delta = NodeDelta { max_version: Some(7), sender_complete_version: Some(20), ..cut_short() };
    let claim = claim_of(&delta, sender(&id("relay", 1), 1));
    assert_eq!(claim, Claim { from: 5, complete_to: Some(7), as_of: 20, last_gc: 3, says_if_cut: true });
    // What was over a limit of ours ended the delta, and it says no more where it goes.
    let skipped = NodeDelta { max_version: None, sender_complete_version: None, ..cut_short() };
    let claim = claim_of(&skipped, sender(&id("relay", 1), 1));
    assert_eq!((claim.complete_to, claim.as_of), (Some(7), 7));
}

#[test]
fn defect_1_a_relay_with_holes_is_shown_the_highest_version_heard_and_the_owner_the_complete_one() {
    let owner = id("owner", 1);
    let mut members = members(&config("me"), core::slice::from_ref(&owner), &[]);
    let peer = members.get_mut(&owner).unwrap();
    peer.heard_version = 20;
    assert_eq!(versions_to_show(peer, || true), (20, Some(0)), "one of ours reads both");
    peer.heard_version = 0;
    peer.be_python();
    assert_eq!(versions_to_show(peer, || false), (0, None));
    peer.heard_version = 20;
    assert_eq!(versions_to_show(peer, || false), (20, Some(0)));
    assert_eq!(versions_to_show(peer, || true), (0, None));
    let claim = Claim { from: 0, complete_to: Some(7), as_of: 7, last_gc: 0, says_if_cut: true };
    peer.change_state(|state| state.apply(NOW, claim, &[set("a", "1", 7)], &Limits::default(), &mut Vec::new()));
    assert_eq!(versions_to_show(peer, || false), (20, Some(7)));
    assert_eq!(versions_to_show(peer, || true), (7, None));
}

/// News of a node at version 10 that collected up to 6, for a peer that shows these numbers of it.
fn bounded(
    own: &OwnState,
    (known_version, known_gc): (u64, u64),
    from: u64,
    released: Option<u64>,
    is_owner: bool,
) -> Option<(u64, u64, u64)> {
    let owner = id("owner", 1);
    let known = Known { complete_version: known_version, last_gc_version: known_gc };
    let news = News { node_id: &owner, run: None, state: own.state(), from, up_to: 10, last_gc: 6 };
    bound_news(news, Some(known), released, is_owner).map(|news| (news.from, news.up_to, news.last_gc))
}

#[test]
fn defect_3_an_unmarked_peer_is_told_of_no_collection_that_it_does_not_know() {
    let own = own_with(10);
    assert_eq!(bounded(&own, (8, 2), 8, None, true), Some((8, 10, 2)));
    assert_eq!(bounded(&own, (8, 9), 8, None, false), Some((8, 10, 6)), "nor of more than there was");
    // One that knows nothing has nothing to lose.
    assert_eq!(bounded(&own, (0, 0), 0, None, false), Some((0, 10, 6)));
}

#[test]
fn defect_4_only_the_owner_starts_an_unmarked_peer_again() {
    let own = own_with(10);
    assert_eq!(bounded(&own, (4, 0), 0, None, false), None);
    assert_eq!(bounded(&own, (4, 0), 0, None, true), Some((0, 10, 6)));
}

#[test]
fn defect_1_nothing_goes_out_beyond_the_released_version() {
    let own = own_with(10);
    assert_eq!(bounded(&own, (3, 6), 3, Some(8), true), Some((3, 8, 6)));
    assert_eq!(bounded(&own, (8, 6), 8, Some(8), true), None);
    assert_eq!(bounded(&own, (4, 0), 0, Some(4), true), None, "nothing that would be new to it");
    assert_eq!(bounded(&own, (3, 6), 3, None, false), Some((3, 10, 6)));
}

#[test]
fn defects_3_and_20_live_keys_at_or_below_the_collected_tombstones_get_new_versions_once() {
    let mut own = own_with(3);
    own.delete(secs(1), "key0", &mut Vec::new());
    assert_eq!(keep_live_keys_above_gc(&mut own), 0, "nothing collected");
    own.adopt_gc(secs(1), 4, &mut Vec::new());
    assert_eq!(keep_live_keys_above_gc(&mut own), 2);
    let versions: Vec<u64> = own.state().iter().map(|(_, value)| value.version).collect();
    assert_eq!((versions, own.state().last_gc_version()), (vec![5, 6], 4));
    assert_eq!(keep_live_keys_above_gc(&mut own), 0);
}

fn held(said_at: Instant, version: u64) -> Holding {
    Holding { version, said_at, behind_since: None }
}

/// Members that are all live and unmarked, and what each said that it holds of this node, now.
fn unmarked(config: &Config, versions: &[u64]) -> Members {
    let names: Vec<NodeId> = (0..versions.len()).map(|number| id(&format!("py{number}"), 1)).collect();
    let mut members = members(config, &names, &[]);
    for (name, version) in names.iter().zip(versions) {
        let peer = members.get_mut(name).unwrap();
        peer.be_python();
        peer.holding = Some(held(NOW, *version));
    }
    members
}

#[test]
fn only_live_unmarked_peers_need_care() {
    let config = config("me");
    assert!(has_unmarked(&unmarked(&config, &[1])));
    assert!(!has_unmarked(&members(&config, &[id("ours", 1)], &[])));
    let mut members = members(&config, &[], &[id("py", 1)]);
    members.get_mut(&id("py", 1)).unwrap().be_python();
    assert!(!has_unmarked(&members), "not live");
}

#[test]
fn defect_1_an_owner_stays_300_versions_ahead_of_the_slowest_unmarked_peer() {
    let (config, own) = (config("me"), own_with(1_000));
    let released = |members: &Members| version_to_release(own.state(), members, NOW, &config);
    assert_eq!(released(&members(&config, &[id("ours", 1)], &[])), None, "no bound among us");
    assert_eq!(released(&unmarked(&config, &[100, 700])), Some(400));
    assert_eq!(released(&unmarked(&config, &[699])), Some(999));
    assert_eq!(released(&unmarked(&config, &[700])), Some(1_000));
    assert_eq!(released(&unmarked(&config, &[1_000])), Some(1_000));
    assert_eq!(released(&unmarked(&config, &[9_999])), Some(1_000), "it claims what there is not");
}

#[test]
fn defect_1_an_owner_stays_half_a_packet_ahead_but_one_key_value_always_goes() {
    let mut own = OwnState::default();
    for key in ["a", "b", "c", "d"] {
        own.set(secs(1), key, &"v".repeat(400), Lifetime::Forever, &mut Vec::new());
    }
    let mut config = config("me");
    let released = |config: &Config| version_to_release(own.state(), &unmarked(config, &[1]), NOW, config);
    config.max_payload_size = 600;
    assert_eq!(released(&config), Some(2));
    config.max_payload_size = 2_000;
    assert_eq!(released(&config), Some(3));
}

#[test]
fn the_last_versions_are_released_with_the_last_key_value() {
    // Above the last live key stand versions of keys that were written again and of collected tombstones.
    let mut own = own_with(3);
    own.delete(secs(1), "key2", &mut Vec::new());
    own.adopt_gc(secs(1), 4, &mut Vec::new());
    let config = config("me");
    assert_eq!(version_to_release(own.state(), &unmarked(&config, &[0]), NOW, &config), Some(4));
}

#[test]
fn a_peer_just_heard_of_holds_nothing_and_one_out_of_touch_holds_up_nobody() {
    let (config, own) = (config("me"), own_with(1_000));
    let released = |members: &Members, now| version_to_release(own.state(), members, now, &config);

    let mut members = unmarked(&config, &[700, 700]);
    members.get_mut(&id("py1", 1)).unwrap().holding = None;
    assert_eq!(released(&members, NOW), Some(300));
    // It never spoke with this node itself: after 30 rounds it does not count.
    let later = NOW + Duration::from_secs(31);
    members.get_mut(&id("py0", 1)).unwrap().holding = Some(held(later, 700));
    assert_eq!(released(&members, later), Some(1_000));

    // Nor does one that has not spoken for as long.
    let mut members = unmarked(&config, &[700, 100]);
    assert_eq!(released(&members, NOW + Duration::from_secs(30)), Some(400));
    members.get_mut(&id("py0", 1)).unwrap().holding = Some(held(later, 700));
    assert_eq!(released(&members, later), Some(1_000));
}
