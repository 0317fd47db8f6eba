//! One owner's key-values as a replica meets them: in order, out of order, with holes, after a collection.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;

use super::*;
use crate::state::ENTRY_OVERHEAD;
use crate::testing::{deleted, fading, secs, set};

mod model;

const HOUR: Duration = Duration::from_secs(3600);

/// A replica, and what its user was told.
#[derive(Default)]
struct Replica {
    state: NodeState,
    limits: Limits,
    changes: Vec<KeyChange>,
}

impl Replica {
    /// A replica that has heard `key_values` from the owner, up to `max_version`.
    fn with(key_values: &[KeyValueUpdate], max_version: u64) -> Replica {
        let mut replica = Replica::default();
        replica.apply(whole(0, max_version), key_values);
        replica.changes.clear();
        replica
    }

    fn apply(&mut self, claim: Claim, key_values: &[KeyValueUpdate]) -> Applied {
        let applied = self.state.apply(secs(1), claim, key_values, &self.limits, &mut self.changes);
        self.state.check().unwrap();
        applied
    }

    fn follow_gc(&mut self, last_gc: u64) {
        self.state.follow_gc(secs(1), last_gc, &mut self.changes);
        self.state.check().unwrap();
    }

    /// What can be read, as `key=value@version`.
    fn reads(&self) -> String {
        reads(&self.state)
    }

    /// What the user was told since the last call, as `key=value`, or `-key` for a deletion.
    fn told(&mut self) -> Vec<String> {
        let text = |change: KeyChange| match change.new.is_readable() {
            true => format!("{}={}", change.key, change.new.value),
            false => format!("-{}", change.key),
        };
        self.changes.drain(..).map(text).collect()
    }

    fn versions(&self) -> (u64, u64) {
        (self.state.last_gc_version, self.state.max_version)
    }
}

fn reads(state: &NodeState) -> String {
    let texts: Vec<String> = state.iter().map(|(key, v)| format!("{key}={}@{}", v.value, v.version)).collect();
    texts.join(" ")
}

/// The word of the owner, or of one of us, with no tombstones collected.
fn whole(from: u64, complete_to: u64) -> Claim {
    Claim { from, complete_to: Some(complete_to), as_of: complete_to, last_gc: 0, says_if_cut: true }
}

fn collected(from: u64, complete_to: u64, last_gc: u64) -> Claim {
    Claim { last_gc, as_of: complete_to.max(last_gc), ..whole(from, complete_to) }
}

/// The word of an unmarked owner: it says where it ends, but not that it was cut short.
fn unmarked_owner(from: u64, last_sent: u64, last_gc: u64) -> Claim {
    Claim { says_if_cut: false, ..collected(from, last_sent, last_gc) }
}

/// The word of an unmarked relay: key-values, and no promise at all.
const RELAY: Claim = Claim { from: 0, complete_to: None, as_of: 1_000, last_gc: 0, says_if_cut: false };

fn write(state: &mut NodeState, now: Instant, key: &str, value: &str, status: ValueStatus) -> u64 {
    state.write(now, Arc::from(key), Arc::from(value), status, &mut Vec::new())
}

#[test]
fn an_owner_counts_its_versions_up_and_a_tombstone_takes_one() {
    let mut owner = NodeState::default();
    assert_eq!(write(&mut owner, secs(1), "a", "1", ValueStatus::Set), 1);
    assert_eq!(write(&mut owner, secs(1), "b", "2", ValueStatus::Set), 2);
    assert_eq!(write(&mut owner, secs(2), "a", "", ValueStatus::Deleted), 3);
    assert_eq!(reads(&owner), "b=2@2");
    assert_eq!(owner.get("a"), None);
    assert_eq!(owner.get_versioned("a").unwrap().version, 3);
    assert_eq!((owner.len(), owner.entries(), owner.max_version()), (1, 2, 3));
    assert_eq!(owner.bytes(), 3 + 2 * ENTRY_OVERHEAD);
    owner.check().unwrap();
}

#[test]
fn a_prefix_is_read_in_order_and_reserved_keys_only_by_their_own_prefix() {
    let mut state = NodeState::default();
    for key in ["b/2", "a", "b/1", "b0", "tidings.left", "c"] {
        write(&mut state, secs(1), key, "v", ValueStatus::Set);
    }
    write(&mut state, secs(1), "b/2", "", ValueStatus::Deleted);
    let keys = |prefix| state.iter_prefix(prefix).map(|(key, _)| key.to_string()).collect::<Vec<_>>();
    assert_eq!(keys("b"), ["b/1", "b0"]);
    assert_eq!(keys(""), ["a", "b/1", "b0", "c"]);
    assert_eq!(keys("tidings."), ["tidings.left"]);
    assert_eq!(keys("d"), [""; 0]);
    assert_eq!(state.len(), 4);
}

#[test]
fn deltas_in_order_build_the_copy_and_repeats_change_nothing() {
    let mut replica = Replica::default();
    let first = [set("a", "1", 1), set("b", "2", 2)];
    assert_eq!(replica.apply(whole(0, 2), &first).taken, 2);
    assert_eq!(replica.apply(whole(2, 4), &[set("a", "3", 3), deleted("b", 4)]).taken, 2);
    assert_eq!(replica.told(), ["a=1", "b=2", "a=3", "-b"]);
    assert_eq!(replica.apply(whole(0, 2), &first), Applied::default());
    assert_eq!((replica.reads().as_str(), replica.versions()), ("a=3@3", (0, 4)));
    assert_eq!(replica.told(), [""; 0]);
}

#[test]
fn a_delta_that_does_not_follow_on_the_copy_is_ignored_whole() {
    let mut replica = Replica::with(&[set("a", "1", 1)], 1);
    let applied = replica.apply(whole(2, 3), &[set("c", "3", 3)]);
    assert_eq!(applied, Applied { ignored: true, ..Applied::default() });
    assert_eq!((replica.reads().as_str(), replica.versions()), ("a=1@1", (0, 1)));
}

#[test]
fn a_delta_cut_short_moves_the_prefix_to_its_end_and_the_rest_comes_after() {
    let mut replica = Replica::default();
    replica.apply(Claim { as_of: 9, ..whole(0, 2) }, &[set("a", "1", 2)]);
    assert_eq!(replica.versions(), (0, 2));
    replica.apply(whole(2, 9), &[set("b", "2", 9)]);
    assert_eq!((replica.reads().as_str(), replica.versions()), ("a=1@2 b=2@9", (0, 9)));
}

#[test]
fn empty_news_moves_the_prefix_and_deletes_what_the_owner_no_longer_lists() {
    let mut replica = Replica::with(&[set("a", "1", 1)], 1);
    replica.apply(whole(1, 7), &[]);
    assert_eq!((replica.reads().as_str(), replica.versions()), ("a=1@1", (0, 7)));
    let applied = replica.apply(collected(0, 9, 9), &[]);
    assert!(applied.reset);
    assert_eq!((replica.reads().as_str(), replica.versions()), ("", (9, 9)));
    assert_eq!(replica.told(), ["-a"]);
}

#[test]
fn an_older_value_does_not_undo_a_deletion() {
    let mut replica = Replica::with(&[set("a", "1", 1)], 1);
    replica.apply(whole(1, 2), &[deleted("a", 2)]);
    replica.apply(whole(0, 2), &[set("a", "1", 1)]);
    replica.apply(RELAY, &[set("a", "1", 1)]);
    assert_eq!((replica.reads().as_str(), replica.told()), ("", vec!["-a".to_string()]));
}

#[test]
fn collected_tombstones_go_and_live_keys_below_them_stay() {
    let mut replica = Replica::with(&[set("a", "1", 1), deleted("b", 2), fading("c", "3", 3), deleted("d", 4)], 4);
    replica.follow_gc(3);
    assert_eq!((replica.reads().as_str(), replica.versions()), ("a=1@1", (3, 4)));
    assert_eq!(replica.told(), ["-c"], "its owner has deleted it");
    assert!(replica.state.get_versioned("d").is_some(), "not collected yet");
    replica.follow_gc(2);
    assert_eq!(replica.versions(), (3, 4), "never back");
    replica.follow_gc(5);
    assert_eq!(replica.versions(), (3, 4), "this copy has not seen all tombstones up to 5");
}

#[test]
fn a_whole_reset_leaves_what_it_lists_and_nothing_else() {
    let mut replica = Replica::with(&[set("a", "1", 1), set("b", "2", 2), deleted("c", 3)], 3);
    let applied = replica.apply(collected(0, 12, 10), &[set("b", "2", 2), set("d", "4", 12)]);
    assert!(applied.reset);
    assert_eq!((replica.reads().as_str(), replica.versions()), ("b=2@2 d=4@12", (10, 12)));
    assert_eq!(replica.told(), ["-a", "d=4"], "b is as it was, and c was deleted before");
}

#[test]
fn a_reset_cut_short_decides_only_up_to_its_end() {
    let mut replica = Replica::with(&[set("a", "1", 1), set("b", "2", 2), set("c", "3", 3)], 3);
    let cut = Claim { as_of: 20, ..collected(0, 2, 10) };
    replica.apply(cut, &[set("b", "2", 2)]);
    assert_eq!((replica.reads().as_str(), replica.versions()), ("b=2@2 c=3@3", (10, 2)));
    assert_eq!(replica.told(), ["-a"], "of c nothing was said yet");
    replica.apply(collected(2, 20, 10), &[set("a", "5", 20)]);
    assert_eq!((replica.reads().as_str(), replica.versions()), ("a=5@20 b=2@2", (10, 20)));
    assert_eq!(replica.told(), ["a=5", "-c"]);
}

#[test]
fn what_a_newer_copy_knew_to_be_gone_stays_gone_whoever_starts_again() {
    let mut replica = Replica::with(&[set("a", "1", 1), set("b", "2", 2)], 2);
    let newer = |claim| Claim { as_of: 64, ..claim };
    assert!(replica.apply(newer(collected(0, 32, 23)), &[set("c", "3", 30)]).reset);
    assert_eq!(replica.told(), ["-a", "-b", "c=3"], "at 64 the owner had them no more, or anew");

    let older = |claim| Claim { as_of: 50, ..claim };
    assert!(!replica.apply(older(collected(0, 1, 34)), &[set("a", "1", 1)]).reset);
    assert_eq!((replica.reads().as_str(), replica.versions()), ("c=3@30", (34, 32)));
    replica.apply(older(collected(32, 40, 34)), &[set("d", "4", 40)]);
    assert_eq!((replica.reads().as_str(), replica.versions()), ("c=3@30 d=4@40", (34, 40)));

    // d is as of 50, so that what was deleted since and collected up to 55 is not known; but of what there was up to 40,
    // what is missing is gone.
    let between = |claim| Claim { as_of: 60, ..claim };
    assert!(replica.apply(between(collected(0, 30, 55)), &[set("a", "1", 1), set("c", "3", 30)]).reset);
    assert_eq!((replica.reads().as_str(), replica.versions()), ("c=3@30 d=4@40", (55, 30)));
}

#[test]
fn a_reset_opens_no_way_back_for_a_value_that_was_overwritten_before_it() {
    let mut replica = Replica::with(&[set("a", "1", 1), set("b", "2", 4)], 4);
    // At 29 the owner had b anew, beyond the end of this delta.
    replica.apply(Claim { as_of: 29, ..whole(4, 16) }, &[set("c", "3", 16)]);
    replica.apply(Claim { as_of: 29, ..collected(0, 16, 20) }, &[set("a", "1", 1), set("c", "3", 16)]);
    assert_eq!(replica.told(), ["c=3", "-b"]);
    // A reset ends after one key, and what goes on from there is a copy as of 28, where b had its first value still.
    replica.apply(Claim { as_of: 30, ..collected(0, 1, 30) }, &[set("a", "1", 1)]);
    replica.apply(Claim { as_of: 30, ..collected(1, 4, 28) }, &[set("b", "2", 4)]);
    assert_eq!((replica.reads().as_str(), replica.versions()), ("a=1@1 c=3@16", (30, 4)));
    assert!(replica.told().is_empty());
}

#[test]
fn in_the_midst_of_a_reset_older_copies_say_nothing_and_newer_ones_go_on() {
    let mut replica = Replica::with(&[set("a", "1", 1)], 1);
    replica.apply(Claim { as_of: 20, ..collected(0, 2, 10) }, &[set("b", "2", 2)]);
    // Complete up to 9, and so without what was deleted at 10.
    assert!(replica.apply(collected(2, 9, 0), &[set("d", "4", 4)]).ignored);
    // Has not collected so far as the copy, but knows all up to 15, the tombstones from 6 on among it.
    let applied = replica.apply(collected(2, 15, 5), &[deleted("d", 10), set("e", "5", 15)]);
    assert!(!applied.ignored && !applied.reset);
    assert_eq!((replica.reads().as_str(), replica.versions()), ("b=2@2 e=5@15", (10, 15)));
    assert_eq!(replica.state.get_versioned("d"), None, "collected already");
}

#[test]
fn no_reset_from_a_sender_that_collected_no_more_than_this_copy_knows() {
    let mut replica = Replica::with(&[set("a", "1", 1), deleted("b", 8)], 8);
    let applied = replica.apply(collected(0, 9, 8), &[set("a", "1", 1), set("c", "3", 9)]);
    assert!(!applied.reset && !applied.ignored);
    assert_eq!((replica.reads().as_str(), replica.versions()), ("a=1@1 c=3@9", (8, 9)));
    assert_eq!(replica.told(), ["c=3"]);
}

#[test]
fn news_beyond_tombstones_this_copy_never_saw_are_ignored_unless_they_start_again() {
    let mut replica = Replica::with(&[set("a", "1", 1)], 1);
    assert!(replica.apply(collected(1, 9, 5), &[set("c", "3", 9)]).ignored);
    assert_eq!((replica.reads().as_str(), replica.versions()), ("a=1@1", (0, 1)));
}

#[test]
fn a_reset_by_an_unmarked_owner_deletes_whatever_it_does_not_list() {
    let mut replica = Replica::with(&[set("a", "1", 1), set("b", "2", 2), set("c", "3", 3)], 3);
    // It may have been cut short after b, and does not say so; c comes again if it is still there.
    let applied = replica.apply(unmarked_owner(0, 2, 10), &[set("b", "2", 2)]);
    assert!(applied.reset);
    assert_eq!((replica.reads().as_str(), replica.versions()), ("b=2@2", (10, 2)));
    assert_eq!(replica.told(), ["-a", "-c"]);
    replica.apply(unmarked_owner(2, 3, 10), &[set("c", "3", 3)]);
    assert_eq!((replica.reads().as_str(), replica.versions()), ("b=2@2 c=3@3", (10, 3)));
}

#[test]
fn a_fading_value_that_its_owner_collected_does_not_come_back_from_an_older_copy() {
    // The owner had "a" fade at 4 and collected it with the tombstone at 10. A reset, cut short, says so.
    let mut replica = Replica::default();
    replica.apply(Claim { as_of: 20, ..collected(0, 2, 10) }, &[set("b", "2", 2)]);
    // This sender has collected only up to 3, and still holds it.
    replica.apply(collected(2, 15, 3), &[fading("a", "1", 4), deleted("d", 10), set("e", "5", 15)]);
    assert_eq!((replica.reads().as_str(), replica.versions()), ("b=2@2 e=5@15", (10, 15)));
    assert_eq!(replica.told(), ["b=2", "e=5"]);
}

#[test]
fn a_reset_ends_the_fading_values_at_or_below_the_collected_tombstones() {
    let mut replica = Replica::with(&[set("b", "2", 2), fading("a", "1", 4)], 4);
    replica.apply(Claim { as_of: 20, ..collected(0, 2, 10) }, &[set("b", "2", 2)]);
    assert_eq!((replica.reads().as_str(), replica.told()), ("b=2@2", vec!["-a".to_string()]));
}

#[test]
fn a_relay_with_holes_gives_keys_but_does_not_move_the_prefix() {
    let mut replica = Replica::with(&[set("a", "1", 1)], 1);
    let applied = replica.apply(RELAY, &[set("b", "2", 50), deleted("c", 60)]);
    assert_eq!((applied.taken, applied.ignored), (2, false));
    assert_eq!((replica.reads().as_str(), replica.versions()), ("a=1@1 b=2@50", (0, 1)));
    replica.apply(RELAY, &[set("c", "3", 55)]);
    assert_eq!(replica.state.get("c"), None, "deleted later");
    // The owner fills the hole; what it no longer lists is gone, what it lists stays, what is beyond is not decided.
    replica.apply(whole(1, 52), &[set("d", "4", 2)]);
    assert_eq!((replica.reads().as_str(), replica.versions()), ("a=1@1 d=4@2", (0, 52)));
    assert_eq!(replica.told(), ["b=2", "d=4", "-b"]);
    assert_eq!(replica.state.get_versioned("c").unwrap().version, 60);
}

#[test]
fn a_relay_with_holes_cannot_bring_back_what_was_deleted_and_collected() {
    let mut replica = Replica::with(&[deleted("a", 9)], 9);
    replica.follow_gc(9);
    assert_eq!(replica.state.entries(), 0);
    replica.apply(RELAY, &[set("a", "1", 5)]);
    assert_eq!(replica.state.entries(), 0);

    // Likewise in the midst of a reset, when the prefix is below the deletion.
    let mut replica = Replica::default();
    replica.apply(Claim { as_of: 20, ..collected(0, 2, 10) }, &[set("b", "2", 2)]);
    replica.apply(RELAY, &[set("a", "1", 5), set("c", "3", 11)]);
    assert_eq!(replica.reads(), "b=2@2 c=3@11");
}

#[test]
fn a_relay_with_holes_resets_nothing_and_collects_nothing() {
    let mut replica = Replica::with(&[set("a", "1", 1), deleted("b", 2)], 2);
    let applied = replica.apply(Claim { last_gc: 90, ..RELAY }, &[set("c", "3", 95)]);
    assert!(!applied.reset);
    assert_eq!((replica.reads().as_str(), replica.versions()), ("a=1@1 c=3@95", (0, 2)));
}

#[test]
fn of_two_keys_with_one_version_the_later_word_stands() {
    let mut replica = Replica::default();
    replica.apply(RELAY, &[set("a", "1", 5)]);
    replica.apply(RELAY, &[set("b", "2", 5)]);
    assert_eq!((replica.reads().as_str(), replica.told()), ("b=2@5", vec!["a=1".into(), "-a".into(), "b=2".into()]));
}

#[test]
fn a_value_to_be_deleted_is_read_until_its_grace_period_is_over() {
    let mut owner = NodeState::default();
    write(&mut owner, secs(0), "a", "1", ValueStatus::DeleteAfterTtl);
    write(&mut owner, secs(60), "b", "2", ValueStatus::Set);
    let mut changes = Vec::new();
    assert!(!owner.has_expired(secs(3599), HOUR));
    owner.expire(secs(3599), HOUR, &mut changes);
    assert_eq!(owner.collectable(secs(3599), HOUR), None);
    assert_eq!((owner.get("a"), changes.len()), (Some("1"), 0));

    assert!(owner.has_expired(secs(3600), HOUR));
    owner.expire(secs(3600), HOUR, &mut changes);
    assert_eq!(owner.collectable(secs(3600), HOUR), Some(1));
    assert_eq!((owner.get("a"), owner.get("b"), changes.len()), (None, Some("2"), 1));
    assert_eq!(changes[0].new.status, ValueStatus::Deleted);
    assert_eq!(owner.get_versioned("a").unwrap().version, 1, "a replica expires the same version by itself");
    assert!(!owner.has_expired(secs(9999), HOUR), "nothing more to do");
    owner.check().unwrap();
}

#[test]
fn tombstones_are_collected_up_to_the_first_that_has_not_had_its_grace_period() {
    let mut owner = NodeState::default();
    write(&mut owner, secs(0), "a", "", ValueStatus::Deleted);
    write(&mut owner, secs(900), "b", "", ValueStatus::Deleted);
    write(&mut owner, secs(0), "c", "", ValueStatus::Deleted);
    owner.expire(secs(3600), HOUR, &mut Vec::new());
    assert_eq!(owner.collectable(secs(3600), HOUR), Some(1), "c has to wait for b");
    assert!(!owner.has_expired(secs(4499), HOUR));
    assert!(owner.has_expired(secs(4500), HOUR));
    owner.expire(secs(4500), HOUR, &mut Vec::new());
    assert_eq!(owner.collectable(secs(4500), HOUR), Some(3));
}

#[test]
fn a_new_version_of_a_live_key_changes_nothing_that_a_user_can_see() {
    let mut owner = NodeState::default();
    write(&mut owner, secs(0), "a", "1", ValueStatus::Set);
    write(&mut owner, secs(0), "b", "", ValueStatus::Deleted);
    write(&mut owner, secs(0), "c", "3", ValueStatus::DeleteAfterTtl);
    write(&mut owner, secs(0), "d", "4", ValueStatus::Set);
    assert_eq!(owner.reversion(3), 2);
    assert_eq!(reads(&owner), "a=1@5 c=3@6 d=4@4");
    assert_eq!(owner.get_versioned("c").unwrap().status, ValueStatus::DeleteAfterTtl);
    assert_eq!((owner.get_versioned("b").unwrap().version, owner.max_version()), (2, 6));
    owner.check().unwrap();

    let mut replica = Replica::with(&[set("a", "1", 1)], 1);
    replica.apply(whole(1, 5), &[set("a", "1", 5)]);
    assert_eq!((replica.reads().as_str(), replica.told()), ("a=1@5", vec![]));
}

#[test]
fn an_owner_that_moves_past_a_version_starts_every_replica_again() {
    let mut owner = NodeState::default();
    write(&mut owner, secs(0), "a", "new", ValueStatus::Set);
    write(&mut owner, secs(0), "gone", "", ValueStatus::Deleted);
    owner.move_past(500);
    assert_eq!(reads(&owner), "a=new@502");
    assert_eq!((owner.last_gc_version(), owner.max_version(), owner.entries()), (501, 502, 1));
    owner.check().unwrap();

    // A replica that holds an earlier run up to there.
    let mut replica = Replica::with(&[set("a", "old", 300), set("stale", "x", 500)], 500);
    let applied = replica.apply(collected(0, 502, 501), &[set("a", "new", 502)]);
    assert!(applied.reset);
    assert_eq!((replica.reads().as_str(), replica.versions()), ("a=new@502", (501, 502)));
    assert_eq!(replica.told(), ["a=new", "-stale"], "a was not deleted in between");

    // One that held the same value has nothing to tell of it.
    let mut replica = Replica::with(&[set("a", "new", 1)], 1);
    replica.apply(collected(0, 502, 501), &[set("a", "new", 502)]);
    assert_eq!((replica.reads().as_str(), replica.told()), ("a=new@502", vec![]));
}

#[test]
fn at_the_limit_of_keys_one_more_stays_out_and_stops_the_prefix() {
    let mut replica = Replica::default();
    replica.limits.max_keys_per_node = 2;
    replica.apply(whole(0, 2), &[set("a", "1", 1), set("b", "2", 2)]);
    let applied = replica.apply(whole(2, 5), &[set("c", "3", 3), set("a", "4", 4), set("d", "5", 5)]);
    assert_eq!((applied.over_limit, applied.taken), (2, 1));
    assert_eq!((replica.reads().as_str(), replica.versions()), ("a=4@4 b=2@2", (0, 2)));
    // When the owner has collected a key there is room, and what did not fit comes again.
    replica.apply(collected(0, 8, 7), &[set("c", "3", 3), set("a", "4", 4)]);
    assert_eq!((replica.reads().as_str(), replica.versions()), ("a=4@4 c=3@3", (7, 8)));
}

#[test]
fn at_the_limit_of_bytes_one_more_stays_out() {
    let mut replica = Replica::default();
    replica.limits.max_state_bytes_per_node = 10 + 2 * ENTRY_OVERHEAD;
    replica.apply(whole(0, 2), &[set("a", "1234", 1), set("b", "1234", 2)]);
    assert_eq!((replica.state.bytes(), replica.versions()), (10 + 2 * ENTRY_OVERHEAD, (0, 2)));
    assert_eq!(replica.apply(whole(2, 3), &[set("a", "12345", 3)]).over_limit, 1);
    assert_eq!(replica.apply(whole(2, 3), &[set("c", "", 3)]).over_limit, 1);
    assert_eq!(replica.versions(), (0, 2));
    replica.limits.max_state_bytes_per_node = 10 + 3 * ENTRY_OVERHEAD;
    assert_eq!(replica.apply(whole(2, 4), &[set("a", "123", 3), set("c", "", 4)]).over_limit, 0);
    assert_eq!((replica.state.bytes(), replica.versions()), (10 + 3 * ENTRY_OVERHEAD, (0, 4)));
}

#[test]
fn news_are_read_in_order_of_version_between_two_versions() {
    let replica = Replica::with(&[set("z", "1", 1), set("m", "2", 2), set("a", "3", 3)], 3);
    let keys = |from, up_to| replica.state.news(from, up_to).map(|entry| &*entry.key).collect::<Vec<_>>();
    assert_eq!(keys(0, u64::MAX), ["z", "m", "a"]);
    assert_eq!(keys(1, 2), ["m"]);
    assert_eq!(keys(2, 2), [""; 0]);
    assert_eq!(keys(9, 2), [""; 0]);
}

#[test]
fn the_farewell_of_a_node_that_is_full_is_heard() {
    let mut replica = Replica::default();
    replica.limits.max_keys_per_node = 1;
    replica.apply(whole(0, 2), &[set("a", "1", 1), set(LEFT_KEY, "1", 2)]);
    assert_eq!((replica.state.get(LEFT_KEY), replica.versions()), (Some("1"), (0, 2)));
}

#[test]
fn a_farewell_hides_no_more_than_a_few_bytes() {
    for (len, is_taken) in [(LONGEST_FAREWELL, true), (LONGEST_FAREWELL + 1, false), (6 << 20, false)] {
        let mut replica = Replica::default();
        replica.limits.max_state_bytes_per_node = 100 + ENTRY_OVERHEAD;
        replica.apply(whole(0, 2), &[set("a", "1", 1), set(LEFT_KEY, &"v".repeat(len), 2)]);
        assert_eq!(replica.state.get(LEFT_KEY).is_some(), is_taken, "{len} bytes");
        assert!(replica.state.bytes() <= 100 + LEFT_KEY.len() + LONGEST_FAREWELL + 2 * ENTRY_OVERHEAD);
        // What is left out is not told as if it were held.
        assert_eq!(replica.state.max_version(), 1 + u64::from(is_taken));
    }
}
