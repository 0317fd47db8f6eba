//! A node's own keys: how long they live, and what cannot be set.

use alloc::vec;
use core::fmt::Write as _;

use super::*;
use crate::testing::secs;

const GRACE: Duration = Duration::from_secs(3600);

/// The own state, and what the user was told of it.
#[derive(Default)]
struct Own {
    own: OwnState,
    limits: Limits,
    changes: Vec<KeyChange>,
}

impl Own {
    fn set(&mut self, now: u64, key: &str, value: &str, lifetime: Lifetime) -> u64 {
        let version = self.own.set(secs(now), key, value, lifetime, &mut self.changes);
        self.own.state().check().unwrap();
        version
    }

    fn delete(&mut self, now: u64, key: &str) -> Option<u64> {
        self.own.delete(secs(now), key, &mut self.changes)
    }

    /// What a round does.
    fn pass_to(&mut self, now: u64) -> bool {
        self.own.expire_lifetimes(secs(now), &mut self.changes);
        let collected = self.own.collect(secs(now), GRACE, &mut self.changes);
        self.own.state().check().unwrap();
        collected
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.own.state().get(key)
    }

    /// The changes since the last call: `key=value` or `-key`.
    fn told(&mut self) -> String {
        let mut text = String::new();
        for KeyChange { key, new, .. } in self.changes.drain(..) {
            match new.is_readable() {
                true => write!(text, "{key}={} ", new.value).unwrap(),
                false => write!(text, "-{key} ").unwrap(),
            }
        }
        text.trim_end().into()
    }

    fn check_set(&self, key: &str, value: &str, lifetime: Lifetime, packet_bytes: usize) -> Result<(), SetError> {
        self.own.check_set(key, value, lifetime, packet_bytes, 1_000, &self.limits)
    }

    fn error(&self, key: &str, value: &str) -> String {
        self.check_set(key, value, Lifetime::Forever, 10).unwrap_err().to_string()
    }
}

fn for_secs(secs: u64) -> Lifetime {
    Lifetime::For(Duration::from_secs(secs))
}

#[test]
fn a_key_set_for_ever_stays_and_setting_it_again_costs_no_version() {
    let mut own = Own::default();
    assert_eq!(own.set(0, "a", "1", Lifetime::Forever), 1);
    assert_eq!(own.set(1, "a", "1", Lifetime::Forever), 1);
    assert_eq!(own.set(2, "a", "2", Lifetime::Forever), 2);
    own.pass_to(1_000_000);
    assert_eq!((own.get("a"), own.own.next_deadline()), (Some("2"), None));
    assert_eq!(own.told(), "a=1 a=2");
}

#[test]
fn a_key_with_a_lifetime_is_a_plain_value_until_this_node_deletes_it() {
    let mut own = Own::default();
    own.set(0, "a", "1", for_secs(60));
    own.set(0, "b", "2", for_secs(30));
    assert_eq!(own.own.state().get_versioned("a").unwrap().status, ValueStatus::Set);
    assert_eq!(own.own.next_deadline(), Some(secs(30)));
    own.pass_to(29);
    assert_eq!(own.get("b"), Some("2"));
    own.pass_to(30);
    assert_eq!((own.get("a"), own.get("b"), own.own.next_deadline()), (Some("1"), None, Some(secs(60))));
    assert_eq!(own.own.state().get_versioned("b").unwrap().version, 3, "a tombstone, which peers see");
    own.pass_to(60);
    assert_eq!((own.own.next_deadline(), own.told().as_str()), (None, "a=1 b=2 -b -a"));
}

#[test]
fn setting_it_again_starts_the_lifetime_anew_and_costs_no_version() {
    let mut own = Own::default();
    assert_eq!(own.set(0, "a", "1", for_secs(60)), 1);
    assert_eq!(own.set(50, "a", "1", for_secs(60)), 1);
    own.pass_to(109);
    assert_eq!((own.get("a"), own.own.next_deadline()), (Some("1"), Some(secs(110))));
    assert_eq!(own.set(109, "a", "1", for_secs(5)), 1, "a shorter one counts too");
    own.pass_to(114);
    assert_eq!(own.get("a"), None);
}

#[test]
fn setting_for_ever_or_deleting_ends_the_lifetime() {
    let mut own = Own::default();
    own.set(0, "a", "1", for_secs(60));
    own.set(1, "a", "1", Lifetime::Forever);
    own.set(0, "b", "2", for_secs(60));
    assert_eq!(own.delete(1, "b"), Some(3));
    assert_eq!(own.own.next_deadline(), None);
    own.set(2, "b", "3", Lifetime::Forever);
    own.pass_to(100);
    assert_eq!((own.get("a"), own.get("b")), (Some("1"), Some("3")));
}

#[test]
fn a_grace_value_is_read_for_the_grace_period_and_setting_it_again_starts_it_anew() {
    let mut own = Own::default();
    assert_eq!(own.set(0, "a", "1", Lifetime::Grace), 1);
    assert_eq!(own.own.state().get_versioned("a").unwrap().status, ValueStatus::DeleteAfterTtl);
    assert_eq!(own.set(1_000, "a", "1", Lifetime::Grace), 2, "replicas learn of it by the version");
    own.pass_to(4_599);
    assert_eq!(own.get("a"), Some("1"));
    assert!(own.pass_to(4_600));
    assert_eq!((own.get("a"), own.own.state().last_gc_version()), (None, 2));
    assert_eq!(own.told(), "a=1 -a", "the second time was no change of the value");
}

#[test]
fn delete_after_ttl_keeps_the_value_for_the_grace_period_and_ends_a_lifetime() {
    let mut own = Own::default();
    own.set(0, "a", "1", for_secs(60));
    assert_eq!(own.own.delete_after_ttl(secs(10), "a", &mut own.changes), Some(2));
    assert_eq!(own.own.delete_after_ttl(secs(10), "none", &mut own.changes), None);
    own.pass_to(60);
    assert_eq!((own.get("a"), own.own.next_deadline()), (Some("1"), None));
    own.pass_to(3_610);
    assert_eq!(own.get("a"), None);
    assert_eq!(own.own.delete_after_ttl(secs(3_611), "a", &mut own.changes), None, "there is nothing left");
}

#[test]
fn deleting_what_is_not_there_costs_no_version() {
    let mut own = Own::default();
    assert_eq!(own.delete(0, "a"), None);
    own.set(0, "a", "1", Lifetime::Forever);
    assert_eq!((own.delete(1, "a"), own.delete(2, "a")), (Some(2), None));
    assert_eq!(own.own.state().max_version(), 2);
}

#[test]
fn a_tombstone_is_collected_after_its_grace_period() {
    let mut own = Own::default();
    own.set(0, "a", "1", Lifetime::Forever);
    own.set(0, "b", "1", Lifetime::Forever);
    own.delete(100, "a");
    assert!(!own.pass_to(3_699));
    assert_eq!(own.own.state().entries(), 2);
    assert!(own.pass_to(3_700));
    assert_eq!((own.own.state().entries(), own.own.state().last_gc_version()), (1, 3));
    assert!(!own.pass_to(3_701), "once");
    assert!(own.own.has_live_below_gc());
    assert_eq!((own.own.reversion_below_gc(), own.own.state().get_versioned("b").unwrap().version), (1, 4));
    assert!(!own.own.has_live_below_gc());
}

#[test]
fn what_belongs_to_the_protocol_cannot_be_set_and_is_not_seen() {
    let mut own = Own::default();
    own.own.mark_left(secs(0));
    assert_eq!((own.own.state().get(LEFT_KEY), own.own.state().len()), (Some("1"), 0));
    for key in [LEFT_KEY, RESERVED_PREFIX, "tidings.x"] {
        assert_eq!(own.check_set(key, "1", Lifetime::Forever, 10), Err(SetError::ReservedKey { key: key.into() }));
        assert!(check_key(key).is_err());
    }
    assert_eq!(own.check_set("tidings", "1", Lifetime::Forever, 10), Ok(()));
}

#[test]
fn a_lifetime_of_zero_is_an_error_and_the_shortest_is_none() {
    let own = Own::default();
    let error = own.check_set("k", "v", Lifetime::For(Duration::ZERO), 10).unwrap_err().to_string();
    assert!(["\"k\"", "lifetime of zero", "delete the key"].iter().all(|part| error.contains(part)), "{error}");
    assert_eq!(own.check_set("k", "v", Lifetime::For(Duration::from_nanos(1)), 10), Ok(()));
}

#[test]
fn at_each_limit_a_key_is_taken_and_past_it_the_error_names_field_value_and_way_out() {
    let mut own = Own::default();
    own.limits.decode.max_key_bytes = 4;
    own.limits.decode.max_value_bytes = 8;
    own.limits.max_keys_per_node = 2;
    own.limits.max_state_bytes_per_node = 20 + 2 * ENTRY_OVERHEAD;
    assert_eq!(own.check_set("4444", "88888888", Lifetime::Forever, 1_000), Ok(()));

    let names = |error: &str, parts: &[&str]| {
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    };
    names(&own.error("55555", ""), &["5 bytes", "shorten", "limits.decode.max_key_bytes from 4"]);
    names(&own.error("k", "999999999"), &["\"k\"", "9 bytes", "shorten", "limits.decode.max_value_bytes from 8"]);
    let too_large = own.check_set("k", "v", Lifetime::Forever, 1_001).unwrap_err().to_string();
    names(&too_large, &["\"k\"", "1001 bytes", "shorten", "max_payload_size from 1000"]);

    own.set(0, "a", "88888888", Lifetime::Forever);
    own.set(0, "b", "", Lifetime::Forever);
    names(&own.error("c", ""), &["\"c\"", "limits.max_keys_per_node", "(2,", "raise the limit"]);
    assert_eq!(own.check_set("b", "88888888", Lifetime::Forever, 10), Ok(()), "18 bytes in two keys");
    own.limits.max_state_bytes_per_node = 18 + 2 * ENTRY_OVERHEAD;
    assert_eq!(own.check_set("b", "88888888", Lifetime::Forever, 10), Ok(()));
    own.limits.max_state_bytes_per_node = 17 + 2 * ENTRY_OVERHEAD;
    names(&own.error("b", "88888888"), &["\"b\"", "465 bytes, 224 for each key", "limits.max_state_bytes_per_node"]);

    own.delete(1, "b");
    names(&own.error("c", ""), &["deleted keys included"]);
    own.pass_to(3_601);
    assert_eq!(own.check_set("c", "", Lifetime::Forever, 10), Ok(()), "its tombstone is collected");
}

#[test]
fn many_keys_of_many_lifetimes_end_each_at_its_time() {
    let mut own = Own::default();
    for number in (1..=100).rev() {
        own.set(0, &alloc::format!("{number:03}"), "v", for_secs(number));
    }
    let mut ended = vec![];
    while let Some(deadline) = own.own.next_deadline() {
        own.own.expire_lifetimes(deadline, &mut own.changes);
        ended.push((deadline, own.own.state().len()));
    }
    let each: Vec<(Instant, usize)> =
        (1..=100).zip((0..100).rev()).map(|(number, left)| (secs(number), left)).collect();
    assert_eq!(ended, each);
}
