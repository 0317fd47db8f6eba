//! Packets of every shape that the wire can carry, for tests.

use alloc::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::id::Run;
use crate::wire::aiocluster::arbitrary::{delta, node_id, version};
use crate::wire::tidings::*;

pub(super) fn packet() -> impl Strategy<Value = Packet> {
    (message(), select(&["", "c", "a cluster"][..]))
        .prop_map(|(message, cluster_id)| Packet { cluster_id: Arc::from(cluster_id), message })
}

fn message() -> impl Strategy<Value = Message> {
    let kind = select(&[Kind::Open, Kind::Probe, Kind::Answer, Kind::More][..]);
    let numbers = (hash(), run(), version(), any::<u64>(), any::<u32>(), any::<u32>(), any::<bool>());
    let own = option::of((node_id(), entry()).prop_map(|(id, entry)| Entry { node: Named::Id(id), ..entry }));
    let lists = (own, vec(entry(), 0..6), option::of(vec(any::<u32>(), BUCKETS..=BUCKETS)), vec(range(), 0..4));
    let more = (vec(hash(), 0..9), delta(), option::of(hash()), option::of(report()), option::of(hash()));
    (kind, numbers, lists, more, option::of(hash())).prop_map(|(kind, numbers, lists, more, next)| {
        let (sender, run, counter, fingerprint, void_after_ms, known, who) = numbers;
        let (own, rumours, sums, ranges) = lists;
        let (wants, delta, ask, report, cursor) = more;
        Message {
            kind,
            revision: REVISION,
            lowest_revision: LOWEST_REVISION,
            sender,
            run,
            counter,
            fingerprint,
            void_after_ms,
            known,
            who,
            own,
            rumours,
            sums: sums.unwrap_or_default(),
            ranges,
            wants,
            delta,
            ask,
            report,
            cursor,
            next,
            more: counter % 2 == 1,
        }
    })
}

fn entry() -> impl Strategy<Value = Entry> {
    let node = prop_oneof![node_id().prop_map(Named::Id), hash().prop_map(Named::Hash)];
    (node, run(), version(), status(), version(), version()).prop_map(
        |(node, run, life, status, max_version, last_gc_version)| Entry {
            node,
            run,
            life,
            status,
            max_version,
            last_gc_version,
        },
    )
}

fn status() -> impl Strategy<Value = Status> {
    (0..4, any::<u64>(), any::<u64>()).prop_map(|(kind, first, failed_ms)| match kind {
        0 => Status::Live { seen_ms: first },
        1 => Status::Suspect { silent_ms: first, failed_ms },
        2 => Status::Dead { silent_ms: first, failed_ms },
        _ => Status::Left { seen_ms: first },
    })
}

fn range() -> impl Strategy<Value = Range> {
    (hash(), hash(), vec(entry(), 0..5)).prop_map(|(a, b, entries)| Range { from: a.min(b), to: a.max(b), entries })
}

fn report() -> impl Strategy<Value = Report> {
    (hash(), any::<bool>(), any::<u64>()).prop_map(|(target, is_alive, age_ms)| {
        let outcome = if is_alive { ProbeOutcome::Alive { age_ms } } else { ProbeOutcome::Failed { age_ms } };
        Report { target, outcome }
    })
}

fn hash() -> impl Strategy<Value = NodeHash> {
    any::<u64>().prop_map(NodeHash)
}

fn run() -> impl Strategy<Value = Run> {
    (1_u32..1 << 28).prop_map(|number| Run::new(number).unwrap_or(Run::FIRST))
}
