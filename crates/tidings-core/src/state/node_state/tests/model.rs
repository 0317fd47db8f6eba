//! Many replicas of one owner against its whole history, whatever becomes of the deltas between them.

use alloc::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::dialect::aiocluster::unmarked::claim_of;
use crate::id::NodeId;
use crate::reconcile::{self, Known, NodeDelta, news_of};
use crate::state::OwnState;
use crate::state::own::Lifetime;
use crate::testing::{id, random, sender};
use crate::wire::aiocluster::size::Sizes;

const REPLICAS: usize = 3;
const GRACE: Duration = Duration::from_secs(6);

#[derive(Clone, Debug)]
enum Step {
    Set {
        key: u8,
        value: u8,
    },
    Delete {
        key: u8,
    },
    DeleteAfterTtl {
        key: u8,
    },
    Wait {
        secs: u64,
    },
    Reversion,
    Restart {
        past: u64,
    },
    /// One replica packs for another what it lacks; the delta is on its way.
    Send {
        from: usize,
        to: usize,
        budget: usize,
    },
    /// The same, and it arrives at once.
    Exchange {
        from: usize,
        to: usize,
        budget: usize,
    },
    /// A delta on its way arrives; `again`: and stays, to arrive a second time.
    Arrive {
        which: prop::sample::Index,
        again: bool,
    },
    Lose {
        which: prop::sample::Index,
    },
    /// A replica reads in a digest how far another has collected.
    Hear {
        from: usize,
        to: usize,
    },
    /// A relay that knows no rule of ours takes some of what a replica (or the owner) has, and gives all it has.
    RelayTakes {
        from: usize,
        mask: u8,
    },
    RelayGives {
        to: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    // 0 is the owner.
    let (any, replica) = (0..=REPLICAS, 1..=REPLICAS);
    // One to four key-values, or all there is.
    let budget = prop_oneof![3 => 46..80_usize, 1 => Just(5_000)];
    prop_oneof![
        6 => (0..8_u8, 0..3_u8).prop_map(|(key, value)| Step::Set { key, value }),
        5 => (0..8_u8).prop_map(|key| Step::Delete { key }),
        4 => (0..8_u8).prop_map(|key| Step::DeleteAfterTtl { key }),
        3 => (1..9_u64).prop_map(|secs| Step::Wait { secs }),
        2 => Just(Step::Reversion),
        1 => (0..40_u64).prop_map(|past| Step::Restart { past }),
        8 => (any.clone(), replica.clone(), budget.clone()).prop_map(|(from, to, budget)| Step::Send { from, to, budget }),
        16 => (any.clone(), replica.clone(), budget).prop_map(|(from, to, budget)| Step::Exchange { from, to, budget }),
        8 => (any_index(), prop::bool::weighted(0.2)).prop_map(|(which, again)| Step::Arrive { which, again }),
        2 => any_index().prop_map(|which| Step::Lose { which }),
        3 => (any.clone(), replica.clone()).prop_map(|(from, to)| Step::Hear { from, to }),
        3 => (any, 0..=255_u8).prop_map(|(from, mask)| Step::RelayTakes { from, mask }),
        3 => replica.prop_map(|to| Step::RelayGives { to }),
    ]
}

fn any_index() -> impl Strategy<Value = prop::sample::Index> {
    any::<prop::sample::Index>()
}

/// What the owner ever wrote, kept apart from how it keeps it.
#[derive(Default)]
struct History {
    /// By key: its writes by version.
    writes: BTreeMap<Arc<str>, BTreeMap<u64, VersionedValue>>,
}

impl History {
    fn note(&mut self, owner: &NodeState) {
        for (key, value) in owner.iter_all() {
            let writes = self.writes.entry(Arc::from(key)).or_default();
            // The owner ends a fading value in place: the version is the same.
            writes.entry(value.version).or_insert_with(|| value.clone());
        }
    }

    /// The last write of `key` at or below `version`.
    fn at(&self, key: &str, version: u64) -> Option<&VersionedValue> {
        self.writes.get(key)?.range(..=version).next_back().map(|(_, value)| value)
    }
}

struct World {
    now: Instant,
    node: NodeId,
    owner: OwnState,
    history: History,
    replicas: Vec<NodeState>,
    /// By replica and key: the highest version it ever held.
    highest: Vec<BTreeMap<Arc<str>, u64>>,
    versions: Vec<(u64, u64)>,
    /// Deltas on their way, each to one replica.
    under_way: Vec<(usize, NodeDelta)>,
    relay: BTreeMap<Arc<str>, KeyValueUpdate>,
    limits: Limits,
}

impl World {
    fn new() -> World {
        World {
            now: secs(1),
            node: id("owner", 1),
            owner: OwnState::default(),
            history: History::default(),
            replicas: vec![NodeState::default(); REPLICAS],
            highest: vec![BTreeMap::new(); REPLICAS],
            versions: vec![(0, 0); REPLICAS],
            under_way: Vec::new(),
            relay: BTreeMap::new(),
            limits: Limits::default(),
        }
    }

    fn state(&self, index: usize) -> &NodeState {
        if index == 0 { self.owner.state() } else { &self.replicas[index - 1] }
    }

    fn take(&mut self, step: &Step) {
        let (now, mut changes) = (self.now, Vec::new());
        match *step {
            Step::Set { key, value } => {
                self.owner.set(now, &name(key), &name(value), Lifetime::Forever, &mut changes);
            }
            Step::Delete { key } => {
                self.owner.delete(now, &name(key), &mut changes);
            }
            Step::DeleteAfterTtl { key } => {
                self.owner.delete_after_ttl(now, &name(key), &mut changes);
            }
            Step::Wait { secs } => {
                self.now += Duration::from_secs(secs);
                self.owner.collect(self.now, GRACE, &mut changes);
                for replica in &mut self.replicas {
                    replica.expire(self.now, GRACE, &mut changes);
                }
            }
            Step::Reversion => {
                self.owner.reversion_below_gc();
            }
            Step::Restart { past } => self.owner.move_past(self.owner.state().max_version() + past),
            Step::Send { from, to, budget } if from != to => {
                let delta = self.delta(from, to, budget);
                self.under_way.extend(delta.map(|delta| (to, delta)));
            }
            Step::Exchange { from, to, budget } if from != to => {
                if let Some(delta) = self.delta(from, to, budget) {
                    self.apply(to, &delta, true);
                }
            }
            Step::Arrive { ref which, again } if !self.under_way.is_empty() => {
                let index = which.index(self.under_way.len());
                let (to, delta) = self.under_way[index].clone();
                if !again {
                    self.under_way.swap_remove(index);
                }
                self.apply(to, &delta, true);
            }
            Step::Lose { ref which } if !self.under_way.is_empty() => {
                self.under_way.swap_remove(which.index(self.under_way.len()));
            }
            Step::Hear { from, to } if from != to => {
                let last_gc = self.state(from).last_gc_version();
                self.replicas[to - 1].follow_gc(now, last_gc, &mut changes);
            }
            Step::RelayTakes { from, mask } => self.relay_takes(from, mask),
            Step::RelayGives { to } => {
                let mut key_values: Vec<KeyValueUpdate> = self.relay.values().cloned().collect();
                key_values.sort_by_key(|update| update.version);
                // Two keys may stand at one version here only if the relay mixed them up; it does not.
                let max_version = key_values.last().map_or(0, |last| last.version);
                let delta = NodeDelta {
                    node_id: self.node.clone(),
                    from_version_excluded: 0,
                    last_gc_version: max_version,
                    key_values,
                    max_version: Some(max_version + 7),
                    sender_complete_version: None,
                    run: None,
                };
                self.apply(to, &delta, false);
            }
            // Of a node with itself, or of nothing under way.
            Step::Send { .. } | Step::Exchange { .. } | Step::Arrive { .. } | Step::Lose { .. } | Step::Hear { .. } => {
            }
        }
        self.history.note(self.owner.state());
    }

    fn delta(&self, from: usize, to: usize, budget: usize) -> Option<NodeDelta> {
        let known = self.state(to);
        let known = Known { complete_version: known.max_version(), last_gc_version: known.last_gc_version() };
        let news = news_of(&self.node, None, self.state(from), Some(known))?;
        let packed = reconcile::pack(&[news], reconcile::Budget::of(budget), &Sizes, &mut random(1));
        assert!(packed.len <= budget);
        packed.delta.node_deltas.into_iter().next()
    }

    fn apply(&mut self, to: usize, delta: &NodeDelta, is_marked: bool) {
        let from = id("sender", 1);
        let claim = claim_of(delta, sender(&from, u32::from(is_marked)));
        self.replicas[to - 1].apply(self.now, claim, &delta.key_values, &self.limits, &mut Vec::new());
    }

    fn relay_takes(&mut self, from: usize, mask: u8) {
        let taken: Vec<KeyValueUpdate> = self
            .state(from)
            .news(0, u64::MAX)
            .filter(|entry| entry.key.bytes().all(|byte| mask & (1 << (byte % 8)) != 0))
            .map(|entry| KeyValueUpdate {
                key: entry.key.clone(),
                value: entry.value.value.clone(),
                version: entry.value.version,
                status: entry.value.status,
            })
            .collect();
        for update in taken {
            if self.relay.get(&update.key).is_none_or(|held| held.version < update.version) {
                self.relay.insert(update.key.clone(), update);
            }
        }
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        self.owner.state().check().map_err(TestCaseError::fail)?;
        for (index, replica) in self.replicas.iter().enumerate() {
            replica.check().map_err(TestCaseError::fail)?;
            self.check_prefix(replica)?;
            let versions = (replica.last_gc_version(), replica.max_version());
            prop_assert!(versions >= self.versions[index], "{versions:?} after {:?}", self.versions[index]);
            self.versions[index] = versions;
            for (key, value) in replica.iter_all() {
                let highest = self.highest[index].entry(Arc::from(key)).or_default();
                prop_assert!(value.version >= *highest, "{key} is back at {} after {highest}", value.version);
                *highest = value.version;
            }
        }
        Ok(())
    }

    /// Up to its prefix a replica holds what its owner had there, as far as the owner still has it, and nothing else.
    fn check_prefix(&self, replica: &NodeState) -> Result<(), TestCaseError> {
        let up_to = replica.max_version();
        for Entry { key, value: held } in replica.news(0, u64::MAX).map(|entry| &**entry) {
            let written = self.history.writes.get(key).and_then(|writes| writes.get(&held.version));
            let Some(written) = written else {
                return Err(TestCaseError::fail(format!("{key}@{} was never written", held.version)));
            };
            prop_assert!(!held.is_readable() || held.value == written.value, "{key}@{}", held.version);
            if held.version <= up_to {
                // An older one may stand there while the owner's next word on the key is beyond the prefix.
                let last = self.history.at(key, up_to).map(|last| last.version);
                let has_next = self.history.at(key, u64::MAX).is_some_and(|newest| newest.version > up_to);
                prop_assert!(last == Some(held.version) || has_next, "an older {key} below the prefix {up_to}");
            }
        }
        for Entry { key, value: owned } in self.owner.state().news(0, up_to).map(|entry| &**entry) {
            let held = replica.get_versioned(key);
            if owned.is_readable() || owned.version > replica.last_gc_version() {
                prop_assert_eq!(held.map(|held| held.version), Some(owned.version), "{} below {}", key, up_to);
            }
            prop_assert!(owned.is_readable() || held.is_none_or(|held| !held.is_readable()), "{} is deleted", key);
        }
        Ok(())
    }

    /// Everything on its way is lost, and each replica speaks with the owner until there is nothing more to say.
    fn settle(&mut self) -> Result<(), TestCaseError> {
        self.under_way.clear();
        for to in 1..=REPLICAS {
            for _ in 0..200 {
                let Some(delta) = self.delta(0, to, 150) else { break };
                self.apply(to, &delta, true);
            }
            let last_gc = self.owner.state().last_gc_version();
            self.replicas[to - 1].follow_gc(self.now, last_gc, &mut Vec::new());
            self.check()?;
            let replica = &self.replicas[to - 1];
            prop_assert_eq!(replica.max_version(), self.owner.state().max_version());
            prop_assert_eq!(replica.last_gc_version(), last_gc);
            let version = |entry: &Arc<Entry>| (entry.value.version, entry.key.clone());
            let versions = |state: &NodeState| state.by_version.iter().map(version).collect::<Vec<_>>();
            prop_assert_eq!(versions(replica), versions(self.owner.state()));
        }
        Ok(())
    }
}

fn name(number: u8) -> String {
    String::from(char::from(b'a' + number))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn replicas_hold_what_their_owner_has_up_to_their_prefix(steps in prop::collection::vec(step(), 1..160)) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
            world.check()?;
        }
        world.settle()?;
    }
}
