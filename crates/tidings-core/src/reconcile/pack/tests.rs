//! What fits a packet when not everything does, and who goes first.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use core::cell::Cell;

use proptest::prelude::*;

use super::*;
use crate::id::NodeId;
use crate::state::NodeState;
use crate::testing::{id, random, secs};
use crate::wire::aiocluster::size::{self, Sizes};
use crate::wire::aiocluster::{Message, Packet};

std::thread_local! {
    static SIZED: Cell<usize> = const { Cell::new(0) };
}

/// The wire's lengths; key-values whose length was taken are counted.
struct Counted;

impl Lengths for Counted {
    fn key_value_len(&self, key: &str, value: &str, version: u64, status: ValueStatus) -> usize {
        SIZED.set(SIZED.get() + 1);
        Sizes.key_value_len(key, value, version, status)
    }

    fn node_delta_header_len(&self, node_delta: &NodeDelta) -> usize {
        Sizes.node_delta_header_len(node_delta)
    }

    fn node_delta_len(&self, header_len: usize, key_values_len: usize) -> usize {
        Sizes.node_delta_len(header_len, key_values_len)
    }
}

fn pack(news: &[News<'_>], budget: usize, random: &mut Random) -> Packed {
    super::pack(news, Budget::of(budget), &Counted, random)
}

/// One owner with values of these lengths, in order of version.
#[derive(Debug)]
struct Owner {
    id: NodeId,
    state: NodeState,
}

impl Owner {
    fn new(name: &str, value_lens: impl IntoIterator<Item = usize>) -> Owner {
        let mut state = NodeState::default();
        for (number, len) in value_lens.into_iter().enumerate() {
            let (key, value) = (Arc::from(format!("key{number}")), Arc::from("v".repeat(len)));
            state.write(secs(1), key, value, ValueStatus::Set, &mut Vec::new());
        }
        Owner { id: id(name, 1), state }
    }

    /// All of it, for a peer that knows nothing.
    fn news(&self) -> News<'_> {
        self.news_since(0)
    }

    fn news_since(&self, from: u64) -> News<'_> {
        let (up_to, last_gc) = (self.state.max_version(), self.state.last_gc_version());
        News { node_id: &self.id, run: None, state: &self.state, from, up_to, last_gc }
    }
}

/// The length of the delta's body as it is on the wire.
fn encoded_len(delta: &Delta) -> usize {
    let packet =
        |delta: Delta| Packet { cluster_id: "c".into(), protocol_revision: 1, message: Message::Ack { delta } };
    let body = size::delta_len_of(delta);
    let packet = packet(delta.clone());
    assert_eq!(crate::wire::aiocluster::encode(&packet).len(), packet.encoded_len());
    body
}

fn key_values_of(delta: &Delta) -> BTreeMap<&str, usize> {
    delta.node_deltas.iter().map(|node| (node.node_id.name(), node.key_values.len())).collect()
}

#[test]
fn everything_goes_where_everything_fits_and_not_with_one_byte_less() {
    let owners = [Owner::new("a", [1; 5]), Owner::new("b", [200; 2])];
    let news = owners.each_ref().map(Owner::news);
    let all = pack(&news, 10_000, &mut random(1));
    assert_eq!((key_values_of(&all.delta), all.truncated), (BTreeMap::from([("a", 5), ("b", 2)]), 0));
    assert_eq!(all.len, encoded_len(&all.delta));

    let exact = pack(&news, all.len, &mut random(1));
    assert_eq!((exact.delta, exact.truncated), (all.delta, 0));
    let less = pack(&news, all.len - 1, &mut random(1));
    assert_eq!((key_values_of(&less.delta), less.truncated), (BTreeMap::from([("a", 5), ("b", 1)]), 1));
}

#[test]
fn no_news_and_no_room_give_an_empty_delta() {
    assert_eq!(pack(&[], 1_000, &mut random(1)).delta, Delta::default());
    let owner = Owner::new("a", [1; 5]);
    let packed = pack(&[owner.news()], 0, &mut random(1));
    assert_eq!((packed.delta, packed.len, packed.truncated), (Delta::default(), 0, 1));
}

#[test]
fn a_delta_cut_short_ends_at_its_last_key_value() {
    let owner = Owner::new("a", [10; 100]);
    let packed = pack(&[owner.news_since(40)], 500, &mut random(1));
    let [node_delta] = packed.delta.node_deltas.as_slice() else { panic!("one node") };
    let versions: Vec<u64> = node_delta.key_values.iter().map(|update| update.version).collect();
    assert!((41..41 + versions.len() as u64).eq(versions.iter().copied()) && versions.len() > 10, "{versions:?}");
    assert_eq!(node_delta.max_version, versions.last().copied());
    assert_eq!((node_delta.from_version_excluded, node_delta.sender_complete_version), (40, Some(100)));
}

#[test]
fn a_bound_ends_the_news_as_if_there_were_no_more() {
    let owner = Owner::new("a", [10; 9]);
    let packed = pack(&[News { up_to: 6, ..owner.news_since(4) }], 5_000, &mut random(1));
    let node_delta = &packed.delta.node_deltas[0];
    assert_eq!((node_delta.key_values.len(), node_delta.max_version, packed.truncated), (2, Some(6), 0));
}

#[test]
fn news_without_a_key_value_still_tell_how_far_they_go() {
    // Everything the owner ever had was deleted and collected.
    let mut owner = Owner::new("a", [1; 3]);
    owner.state.move_past(10);
    for number in 0..3 {
        let key = Arc::from(format!("key{number}"));
        owner.state.write(secs(1), key, Arc::from(""), ValueStatus::Deleted, &mut Vec::new());
    }
    let max_version = owner.state.max_version();
    owner.state.follow_gc(secs(1), max_version, &mut Vec::new());
    assert_eq!(owner.state.entries(), 0);
    let packed = pack(&[owner.news()], 1_000, &mut random(1));
    let node_delta = &packed.delta.node_deltas[0];
    assert_eq!((node_delta.key_values.len(), node_delta.max_version), (0, Some(max_version)));
    assert_eq!((node_delta.last_gc_version, packed.truncated), (max_version, 0));
}

#[test]
fn a_node_with_thousands_of_keys_starves_nobody() {
    let large = Owner::new("large", [20; 5_000]);
    let small: Vec<Owner> = (0..20).map(|n| Owner::new(&format!("small{n}"), [20; 5])).collect();
    let news: Vec<News<'_>> = core::iter::once(&large).chain(&small).map(Owner::news).collect();
    for seed in 0..10 {
        let packed = pack(&news, 8_000, &mut random(seed));
        let key_values = key_values_of(&packed.delta);
        assert!(small.iter().all(|owner| key_values[owner.id.name()] == 5), "{key_values:?}");
        // And what they leave is not wasted.
        assert!(key_values["large"] > 50 && packed.len > 7_950, "{} bytes: {key_values:?}", packed.len);
        assert_eq!(packed.truncated, 1);
    }
}

#[test]
fn the_smallest_news_goes_first_and_equals_share() {
    let (small, medium, large) = (Owner::new("s", [10]), Owner::new("m", [10; 30]), Owner::new("l", [10; 90]));
    let packed = pack(&[large.news(), medium.news(), small.news()], 1_000, &mut random(1));
    let order: Vec<&str> = packed.delta.node_deltas.iter().map(|node| node.node_id.name()).collect();
    assert_eq!(order, ["s", "m", "l"]);
    let key_values = key_values_of(&packed.delta);
    assert!(key_values["s"] == 1 && key_values["m"].abs_diff(key_values["l"]) <= 1, "{key_values:?}");
}

#[test]
fn a_value_larger_than_any_share_gets_its_turn() {
    let owners: Vec<Owner> = (0..9).map(|n| Owner::new(&format!("n{n}"), [10; 50])).collect();
    let big = Owner::new("big", [900]);
    let news: Vec<News<'_>> = owners.iter().chain([&big]).map(Owner::news).collect();
    let mut random = random(1);
    let came = (0..200).filter(|_| key_values_of(&pack(&news, 1_000, &mut random).delta).contains_key("big")).count();
    // One of ten nodes at random goes before all others.
    assert!((5..50).contains(&came), "{came} of 200");
}

#[test]
fn a_value_that_fits_no_packet_takes_no_room_from_the_others() {
    let (huge, small) = (Owner::new("huge", [5_000]), Owner::new("small", [10; 5]));
    let news = [huge.news(), small.news()];
    for seed in 0..20 {
        let packed = pack(&news, 1_000, &mut random(seed));
        assert_eq!(key_values_of(&packed.delta), BTreeMap::from([("small", 5)]), "seed {seed}");
        assert_eq!(packed.truncated, 1);
    }
}

#[test]
fn packing_looks_no_further_than_the_room_goes() {
    let sized_for = |keys: usize, nodes: usize| {
        let owners: Vec<Owner> = (0..nodes).map(|n| Owner::new(&format!("n{n:03}"), vec![10; keys])).collect();
        let news: Vec<News<'_>> = owners.iter().map(Owner::news).collect();
        SIZED.set(0);
        let packed = pack(&news, 20_000, &mut random(1));
        assert!(packed.len > 19_000);
        SIZED.get()
    };
    // A key-value takes 24 bytes or more, so that 20,000 bytes hold no more than 830: all news together are measured that
    // far once, and the packing itself looks at no more than fits, and at few further ones for each node.
    let fits = 830;
    assert!(sized_for(1_000, 1) <= 2 * fits + 3);
    assert!(sized_for(20_000, 1) <= 2 * fits + 3, "the keys that stay behind cost nothing");
    for nodes in [30, 300] {
        let sized = sized_for(1_000, nodes);
        assert!(sized <= 3 * fits + 3 * nodes, "{sized} for {nodes} nodes");
    }
}

#[test]
fn where_there_is_not_enough_for_one_key_value_of_each_the_short_go_first() {
    let short: Vec<Owner> = (0..51).map(|n| Owner::new(&format!("short{n}"), [10])).collect();
    let long: Vec<Owner> = (0..3_000).map(|n| Owner::new(&format!("long{n}"), [90; 2])).collect();
    let news: Vec<News<'_>> = long.iter().chain(&short).map(Owner::news).collect();
    for seed in 0..5 {
        SIZED.set(0);
        let packed = pack(&news, 10_000, &mut random(seed));
        let came = key_values_of(&packed.delta);
        assert!(short.iter().all(|owner| came.contains_key(owner.id.name())), "{} of 51", came.len());
        // What is left goes to as many long ones as have room for something.
        assert!(came.len() > 51 + 40 && packed.len > 9_800, "{} nodes, {} bytes", came.len(), packed.len);
        assert!(SIZED.get() <= 3 * 3_051 + 3 * 400, "{}", SIZED.get());
    }
}

fn owners() -> impl Strategy<Value = Vec<Owner>> {
    let value_lens = prop::collection::vec(prop_oneof![4 => 0..30_usize, 1 => 100..400_usize], 0..30);
    prop::collection::vec((value_lens, 0..40_u64), 0..8).prop_map(|owners| {
        let owner = |(number, (value_lens, past)): (usize, (Vec<usize>, u64))| {
            let mut owner = Owner::new(&format!("n{number}"), value_lens);
            if past > 30 {
                // Versions that take more bytes, and news that start again.
                owner.state.move_past(past * 1_000_000);
            }
            owner
        };
        owners.into_iter().enumerate().map(owner).collect()
    })
}

proptest! {
    #[test]
    fn however_little_room_there_is_it_is_kept_to(owners in owners(), budget in 0..1_500_usize, seed: u64) {
        let news: Vec<News<'_>> = owners.iter().map(Owner::news).collect();
        let packed = pack(&news, budget, &mut random(seed));
        prop_assert!(packed.len <= budget);
        prop_assert_eq!(packed.len, encoded_len(&packed.delta));
        let mut nodes = BTreeSet::new();
        for node_delta in &packed.delta.node_deltas {
            let owner = owners.iter().find(|owner| owner.id == node_delta.node_id).unwrap();
            prop_assert!(nodes.insert(&node_delta.node_id), "twice");
            // A run of the owner's key-values from the first on, and where it ends is said.
            let all: Vec<KeyValueUpdate> = owner.news().updates().collect();
            prop_assert!(all.starts_with(&node_delta.key_values));
            let is_whole = node_delta.key_values.len() == all.len();
            let end = if is_whole { Some(owner.state.max_version()) } else { node_delta.key_values.last().map(|l| l.version) };
            prop_assert!(node_delta.max_version == end && end.is_some());
        }
        let whole = packed.delta.node_deltas.iter().filter(|node_delta| {
            owners.iter().any(|owner| owner.id == node_delta.node_id && node_delta.max_version == Some(owner.state.max_version()))
        });
        prop_assert_eq!(packed.truncated, (owners.len() - whole.count()) as u64);
    }

    #[test]
    fn if_anything_fits_something_goes(owners in owners(), budget in 0..1_500_usize) {
        let news: Vec<News<'_>> = owners.iter().map(Owner::news).collect();
        let smallest = news.iter().map(|news| Measure::new(news, news.lens(&Counted), &Counted).smallest).min().unwrap_or(usize::MAX);
        // In one round or another: chance may lead with another node.
        let mut random = random(1);
        let came = (0..200).any(|_| !pack(&news, budget, &mut random).delta.node_deltas.is_empty());
        prop_assert_eq!(came, smallest <= budget);
    }
}
