//! Key-values take at most 1.3 times the memory that the limits count.
//!
//! Measured as the system sees it, by the process's resident pages: the allocator's own overhead is in it. So this is the
//! only test of its binary. (A counting allocator would be unsafe code, which this workspace forbids.)
#![cfg(target_os = "linux")]

use std::time::Duration;

use tidings_core::{Address, Config, Instant, Lifetime, Node, NodeId};

const ENTRIES: usize = 100_000;

/// The bytes of this process that are in memory.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("resident pages");
    // Larger pages would make these tests stricter only.
    pages * 4_096
}

fn node() -> Node {
    let mut config = Config::new(NodeId::new("node", 1, Address::new("10.0.0.1", 7000)));
    config.limits.max_state_bytes_per_node = 1 << 30;
    Node::new(config, Instant::from_secs(1), &mut rng()).expect("a valid configuration")
}

fn rng() -> rand_chacha::ChaCha8Rng {
    rand_core::SeedableRng::seed_from_u64(1)
}

/// The keys of three bytes, in no order.
fn short_keys() -> impl Iterator<Item = String> {
    let letters = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let letter = |number: usize| char::from(letters[number % letters.len()]);
    // The factor has no divisor in common with the number of keys, 62 cubed.
    let mixed = |number: usize| number * 7_919 % letters.len().pow(3);
    (0..ENTRIES)
        .map(mixed)
        .map(move |number| [letter(number / 3_844), letter(number / 62), letter(number)].iter().collect())
}

fn write(node: &mut Node, keys: impl Iterator<Item = String>, value: &str, is_deleted: bool) {
    let now = Instant::from_secs(1) + Duration::from_millis(1);
    for key in keys {
        node.set(now, &key, value, Lifetime::Forever).expect("within the limits");
        if is_deleted {
            node.delete(now, &key).expect("no reserved key");
        }
        while node.poll_event().is_some() {}
    }
}

#[test]
fn what_is_allocated_is_at_most_1_3_times_what_is_counted() {
    let kilobyte = "v".repeat(1_000);
    let mut kept = Vec::new();
    for (what, value, is_deleted) in
        [("keys of 3 bytes", "", false), ("tombstones", "v", true), ("1 kB", &kilobyte, false)]
    {
        let before = resident_bytes();
        let mut node = node();
        write(&mut node, short_keys(), value, is_deleted);
        let taken = resident_bytes().saturating_sub(before);
        let state = node.node_state(node.id()).expect("its own");
        assert_eq!((state.entries(), state.len()), (ENTRIES, if is_deleted { 0 } else { ENTRIES }), "{what}");
        let share = taken as f64 / state.bytes() as f64;
        // Below a third something would be wrong with the measure.
        assert!((0.3..=1.3).contains(&share), "{what}: {taken} bytes, {} are counted", state.bytes());
        // What is freed would be used again unseen.
        kept.push(node);
    }
}
