//! Exchanges between nodes of ours, and with what a Python peer would say.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use core::time::Duration;

use super::refute::MOST_UNHEARD_VERSIONS;
use super::*;
use crate::DecodeLimits;
use crate::config::Config;
use crate::limits::{FARTHEST_CLAIM, HEARSAY_STEP, HEARSAY_STEP_PER_SEC, OWN_STEP};
use crate::members::{Proof, Word};
use crate::reconcile::Known;
use crate::reconcile::NodeDelta;
use crate::state::{Claim, ENTRY_OVERHEAD, KeyValueUpdate, LEFT_KEY, Lifetime};
use crate::testing::{config, entry, fading, id, random, run, sender, set, subjects};
use crate::time::Instant;
use crate::wire::aiocluster::{self as wire, Message};

mod budget;
mod python;

const fn at(secs: u64) -> Moment {
    Moment { now: Instant::from_secs(secs), active: Instant::from_secs(secs) }
}

/// A node as far as it gossips: what it knows, and how it tells it.
struct Gossip {
    knowledge: Knowledge,
    dialect: Aiocluster,
}

impl core::ops::Deref for Gossip {
    type Target = Knowledge;

    fn deref(&self) -> &Knowledge {
        &self.knowledge
    }
}

impl core::ops::DerefMut for Gossip {
    fn deref_mut(&mut self) -> &mut Knowledge {
        &mut self.knowledge
    }
}

impl Gossip {
    fn syn(&mut self, at: Moment, to: &Address) -> Bytes {
        self.dialect.syn(&mut self.knowledge, at, to, true)
    }

    fn apply(&mut self, at: Moment, delta: &Delta, sender: Sender<'_>) {
        self.dialect.take_ack(&mut self.knowledge, at, delta, sender);
    }

    fn maintain(&mut self, at: Moment) {
        self.dialect.maintain(&mut self.knowledge, at);
    }

    fn republish(&mut self, at: Moment) -> usize {
        self.dialect.republish(&mut self.knowledge, at)
    }

    fn tell_other_cluster(&mut self, cluster_id: &Arc<str>) {
        self.dialect.tell_other_cluster(&mut self.knowledge, cluster_id, None);
    }
}

fn gossip(config: Config) -> Gossip {
    let mut gossip = Gossip { knowledge: Knowledge::new(config, random(1)), dialect: Aiocluster::default() };
    // That of the entries that tests make of it.
    gossip.knowledge.run = run(1);
    gossip.own.heartbeat = 1;
    gossip
}

fn node(name: &str) -> Gossip {
    gossip(config(name))
}

fn own_set(gossip: &mut Gossip, key: &str, value: &str) {
    gossip.own.set(Instant::from_secs(1), key, value, Lifetime::Forever, &mut Vec::new());
}

fn ours(id: &NodeId) -> Sender<'_> {
    sender(id, PROTOCOL_REVISION)
}

fn python(id: &NodeId) -> Sender<'_> {
    sender(id, 0)
}

fn hear(gossip: &mut Gossip, at: Moment, digest: &Digest, sender: Sender<'_>) {
    let mut subjects = subjects(&gossip.members, digest);
    let sender = Sender { written: at.now, ..sender };
    gossip.dialect.hear(&mut gossip.knowledge, at, digest, &mut subjects, sender);
}

fn answer_syn(gossip: &mut Gossip, at: Moment, digest: &Digest, sender: Sender<'_>) -> Bytes {
    let subjects = subjects(&gossip.members, digest);
    let sender = Sender { written: at.now, ..sender };
    gossip.dialect.answer_syn(&mut gossip.knowledge, at, digest, subjects, sender)
}

fn answer_syn_ack(
    gossip: &mut Gossip,
    at: Moment,
    dialled: &Address,
    digest: &Digest,
    delta: &Delta,
    sender: Sender<'_>,
) -> (Bytes, Option<u64>) {
    let subjects = subjects(&gossip.members, digest);
    let proof = if sender.id.gossip_advertise_addr() == dialled { Proof::Address } else { Proof::Presence };
    let sender = Sender { proof, written: at.now, ..sender };
    gossip.dialect.answer_syn_ack(&mut gossip.knowledge, at, dialled, (digest, subjects), delta, sender)
}

/// The packet as the other side reads it; its length is within the sender's limit.
#[track_caller]
fn sent(sender: &Gossip, packet: &[u8]) -> Message {
    let limit = sender.config.max_payload_size;
    assert!(packet.len() <= limit, "a packet of {} bytes, the limit is {limit}", packet.len());
    read(packet)
}

#[track_caller]
fn read(packet: &[u8]) -> Message {
    let decoded = wire::decode(packet, &DecodeLimits::default()).unwrap();
    assert_eq!(decoded.skipped_entries, 0);
    decoded.packet.message
}

/// One whole exchange. `revision`: what both take each other for.
#[track_caller]
fn exchange_as(revision: u32, now: u64, a: &mut Gossip, b: &mut Gossip) {
    let (a_id, b_id) = (a.config.node_id.clone(), b.config.node_id.clone());
    let sender = |id| sender(id, revision);
    a.own.heartbeat += 1;
    b.own.heartbeat += 1;
    let syn = a.syn(at(now), b_id.gossip_advertise_addr());
    let Message::Syn { digest } = sent(a, &syn) else { panic!("{syn:?}") };
    let syn_ack = answer_syn(b, at(now), &digest, sender(&a_id));
    let Message::SynAck { digest, delta } = sent(b, &syn_ack) else { panic!("{syn_ack:?}") };
    let (ack, _) = answer_syn_ack(a, at(now), b_id.gossip_advertise_addr(), &digest, &delta, sender(&b_id));
    let Message::Ack { delta } = sent(a, &ack) else { panic!("{ack:?}") };
    b.apply(at(now), &delta, sender(&a_id));
    for gossip in [a, b] {
        gossip.members.check().unwrap();
        gossip.own.state().check().unwrap();
    }
}

#[track_caller]
fn exchange(now: u64, a: &mut Gossip, b: &mut Gossip) {
    exchange_as(PROTOCOL_REVISION, now, a, b);
}

fn digest_of(entries: impl IntoIterator<Item = NodeDigest>) -> Digest {
    Digest { entries: entries.into_iter().collect(), partial: false }
}

fn of_synack(packet: Bytes) -> (Digest, Delta) {
    let Message::SynAck { digest, delta } = read(&packet) else { panic!("{packet:?}") };
    (digest, delta)
}

fn keys(gossip: &Gossip, id: &NodeId) -> String {
    let state = if *id == gossip.config.node_id {
        gossip.own.state()
    } else {
        let Some(peer) = gossip.members.get(id) else { return "unknown".into() };
        &peer.state
    };
    let texts: Vec<String> = state.iter().map(|(key, v)| format!("{key}={}", v.value)).collect();
    texts.join(" ")
}

fn events(gossip: &mut Gossip) -> Vec<String> {
    core::iter::from_fn(|| gossip.events.pop()).map(|event| event.kind.to_string()).collect()
}

/// A delta of one node's whole state, with no tombstones collected.
fn whole(node_id: &NodeId, key_values: Vec<KeyValueUpdate>) -> Delta {
    let max_version = key_values.last().map(|last| last.version);
    let (node_id, from_version_excluded, last_gc_version) = (node_id.clone(), 0, 0);
    let node_delta = NodeDelta {
        node_id,
        from_version_excluded,
        last_gc_version,
        key_values,
        max_version,
        sender_complete_version: None,
        run: None,
    };
    Delta { node_deltas: vec![node_delta] }
}

#[test]
fn one_exchange_tells_both_sides_all_they_lack() {
    let (mut a, mut b) = (node("a"), node("b"));
    own_set(&mut a, "k", "of a");
    own_set(&mut b, "k", "of b");
    exchange(1, &mut a, &mut b);
    assert_eq!((keys(&a, &id("b", 1)), keys(&b, &id("a", 1))), ("k=of b".into(), "k=of a".into()));
    // What a third says of it is passed on.
    let mut c = node("c");
    exchange(2, &mut c, &mut b);
    assert_eq!(keys(&c, &id("a", 1)), "k=of a");
}

#[test]
fn what_is_new_to_a_node_is_not_sent_back_to_whom_it_came_from() {
    let (mut a, mut b) = (node("a"), node("b"));
    b.apply_known(&id("x", 1));
    let Message::Syn { digest } = read(&a.syn(at(1), id("b", 1).gossip_advertise_addr())) else { panic!() };
    let (digest, delta) = of_synack(answer_syn(&mut b, at(1), &digest, ours(&id("a", 1))));
    let to = id("b", 1).gossip_advertise_addr().clone();
    let (ack, _) = answer_syn_ack(&mut a, at(1), &to, &digest, &delta, ours(&id("b", 1)));
    assert_eq!((keys(&a, &id("x", 1)), read(&ack)), ("k=v".into(), Message::Ack { delta: Delta::default() }));
}

#[test]
fn a_copy_in_the_midst_of_a_reset_starts_a_peer_of_a_higher_version_again() {
    let (mut a, owner, asker) = (node("a"), id("owner", 1), id("asker", 1));
    hear(
        &mut a,
        at(1),
        &digest_of([entry(&asker, 1), NodeDigest { max_version: 9, ..entry(&owner, 1) }]),
        ours(&asker),
    );
    let claim = Claim { from: 0, complete_to: Some(3), as_of: 9, last_gc: 7, says_if_cut: true };
    a.apply_claim(at(1), &owner, None, claim, &[set("k", "v", 3)], Word::Relay);
    let sent = |a: &mut Gossip, max_version, last_gc_version| {
        let known = NodeDigest { max_version, last_gc_version, ..entry(&owner, 1) };
        let (_, delta) = of_synack(answer_syn(a, at(2), &digest_of([entry(&asker, 1), known]), ours(&asker)));
        delta.node_deltas.iter().any(|sent| sent.node_id == owner && sent.last_gc_version == 7)
    };
    assert!(sent(&mut a, 5, 0), "it has not seen all tombstones up to 7");
    assert!(!sent(&mut a, 7, 0) && !sent(&mut a, 5, 7), "it has");
}

#[test]
fn an_exchange_with_nothing_new_carries_no_delta() {
    let (mut a, mut b) = (node("a"), node("b"));
    own_set(&mut a, "k", "v");
    exchange(1, &mut a, &mut b);
    let Message::Syn { digest } = read(&a.syn(at(2), id("b", 1).gossip_advertise_addr())) else { panic!() };
    let (digest, delta) = of_synack(answer_syn(&mut b, at(2), &digest, ours(&id("a", 1))));
    assert_eq!(delta, Delta::default());
    let (ack, told_version) =
        answer_syn_ack(&mut a, at(2), id("b", 1).gossip_advertise_addr(), &digest, &delta, ours(&id("b", 1)));
    assert_eq!((read(&ack), told_version), (Message::Ack { delta: Delta::default() }, Some(1)));
}

#[test]
fn a_node_that_a_partial_digest_leaves_out_is_not_asked_about() {
    let (mut a, asker) = (node("a"), id("asker", 1));
    own_set(&mut a, "k", "v");
    a.apply_known(&id("x", 1));
    a.apply_known(&id("y", 1));
    let names = |delta: &Delta| delta.node_deltas.iter().map(|d| d.node_id.name().to_string()).collect::<BTreeSet<_>>();
    let all: BTreeSet<String> = ["a", "x", "y"].map(String::from).into();

    let whole = digest_of([entry(&asker, 1), entry(&id("x", 1), 1)]);
    let (_, delta) = of_synack(answer_syn(&mut a, at(1), &whole, ours(&asker)));
    assert_eq!(names(&delta), all, "an absent node is unknown to it");
    let partial = Digest { partial: true, ..whole };
    let (_, delta) = of_synack(answer_syn(&mut a, at(1), &partial, ours(&asker)));
    assert_eq!(names(&delta), ["x".to_string()].into());

    // Nor does it say then that it holds nothing of this very node.
    let of_a = NodeDigest { max_version: 1, ..entry(&id("a", 1), 1) };
    hear(&mut a, at(2), &digest_of([entry(&asker, 2), of_a]), ours(&asker));
    hear(&mut a, at(3), &partial, ours(&asker));
    assert_eq!(
        a.members.get(&asker).unwrap().holding.map(|held| (held.said_at, held.version)),
        Some((at(2).active, 1))
    );
}

impl Gossip {
    /// Lets it know a node with one key.
    fn apply_known(&mut self, node_id: &NodeId) {
        hear(self, at(0), &digest_of([NodeDigest { max_version: 1, ..entry(node_id, 1) }]), ours(node_id));
        self.apply(at(0), &whole(node_id, vec![set("k", "v", 1)]), ours(node_id));
    }
}

#[test]
fn what_others_say_of_this_nodes_values_is_never_taken() {
    let (mut a, b) = (node("a"), id("b", 1));
    own_set(&mut a, "k", "mine");
    for sender in [ours(&b), python(&b)] {
        a.apply(at(1), &whole(&id("a", 1), vec![set("k", "forged", 9), set("l", "forged", 10)]), sender);
    }
    assert_eq!((keys(&a, &id("a", 1)), a.stats.own_deltas_rejected), ("k=mine".into(), 2));
    assert_eq!((a.own.state().max_version(), events(&mut a)), (1, vec![]));
}

#[test]
fn a_node_that_restarts_with_the_same_generation_moves_past_what_its_peers_hold() {
    let (mut a, mut b, mut c) = (node("a"), node("b"), node("c"));
    for (key, value) in [("k", "1"), ("k", "2"), ("old", "3")] {
        own_set(&mut a, key, value);
    }
    a.own.heartbeat = 500;
    exchange(1, &mut a, &mut b);
    exchange(1, &mut b, &mut c);
    events(&mut b);

    let mut a = node("a");
    own_set(&mut a, "k", "new");
    exchange(2, &mut a, &mut b);
    assert_eq!(keys(&b, &id("a", 1)), "k=new");
    assert_eq!((a.stats.republished, b.stats.resets), (1, 1));
    assert!(a.own.heartbeat > 500, "{}", a.own.heartbeat);
    let told: Vec<String> = events(&mut b);
    assert_eq!(told.len(), 2, "k changed, and what is not there any more is deleted: {told:?}");
    // And over a relay that only knows the earlier run.
    exchange(3, &mut b, &mut c);
    assert_eq!(keys(&c, &id("a", 1)), "k=new");
    exchange(4, &mut a, &mut c);
    assert_eq!((keys(&c, &id("a", 1)), a.stats.republished), ("k=new".into(), 1), "once is enough");
}

#[test]
fn a_restart_shows_by_the_heartbeat_where_the_versions_are_no_higher() {
    for keys_of_the_second_run in [1, 3, 5] {
        let (mut a, mut b) = (node("a"), node("b"));
        ["k", "l", "m"].iter().for_each(|key| own_set(&mut a, key, "first run"));
        a.own.heartbeat = 500;
        exchange(1, &mut a, &mut b);
        let mut a = node("a");
        ["k", "x", "y", "z", "m"][..keys_of_the_second_run].iter().for_each(|key| own_set(&mut a, key, "second run"));
        exchange_as(0, 2, &mut a, &mut b);
        exchange_as(0, 3, &mut a, &mut b);
        assert_eq!(keys(&b, &id("a", 1)), keys(&a, &id("a", 1)));
        assert_eq!(a.stats.republished, 1);
    }
}

#[test]
fn a_restart_shows_by_the_run_whatever_the_numbers_are() {
    for keys_of_the_second_run in [1, 3, 5] {
        let (mut a, mut b) = (node("a"), node("b"));
        ["k", "l", "m"].iter().for_each(|key| own_set(&mut a, key, "first run"));
        a.own.heartbeat = 500;
        exchange(1, &mut a, &mut b);
        let mut a = node("a");
        a.knowledge.run = run(2);
        ["k", "x", "y", "z", "m"][..keys_of_the_second_run].iter().for_each(|key| own_set(&mut a, key, "second run"));
        // It dials, and may be anybody; then it is dialled.
        exchange(2, &mut a, &mut b);
        assert_eq!(keys(&b, &id("a", 1)), "k=first run l=first run m=first run");
        exchange(3, &mut b, &mut a);
        exchange(4, &mut b, &mut a);
        assert_eq!(keys(&b, &id("a", 1)), keys(&a, &id("a", 1)));
        assert_eq!(a.stats.republished, 0);
    }
}

#[test]
fn one_more_is_more_and_as_much_is_not() {
    let (mut a, b) = (node("a"), id("b", 1));
    own_set(&mut a, "k", "v");
    hear(&mut a, at(1), &said_of_a(1, 0, 1), ours(&b));
    assert_eq!((a.own.heartbeat, a.own.state().max_version(), a.stats.republished), (1, 1, 0));
    hear(&mut a, at(1), &said_of_a(1, 0, 2), ours(&b));
    assert_eq!((a.own.heartbeat, a.stats.republished), (1, 1));
    assert_eq!(a.own.state().max_version(), 2 + MOST_UNHEARD_VERSIONS + 2, "the floor, and one key above it");
    hear(&mut a, at(1), &said_of_a(2, 0, 0), ours(&b));
    assert_eq!((a.own.heartbeat, a.stats.republished), (3, 1));
}

#[test]
fn a_peer_that_holds_a_corrupt_higher_version_is_corrected() {
    let (mut a, mut b) = (node("a"), node("b"));
    own_set(&mut a, "k", "mine");
    exchange(1, &mut a, &mut b);
    // Somebody forged the owner's word.
    let forged = id("a", 1);
    b.apply(at(2), &whole(&forged, vec![set("k", "forged", 70)]), ours(&forged));
    assert_eq!(keys(&b, &forged), "k=forged");
    exchange(3, &mut b, &mut a);
    exchange(4, &mut a, &mut b);
    assert_eq!((keys(&a, &forged), keys(&b, &forged)), ("k=mine".into(), "k=mine".into()));
    assert!(a.own.state().last_gc_version() > 70);
}

/// What a peer's digest says of node `a`.
fn said_of_a(heartbeat: u64, last_gc_version: u64, max_version: u64) -> Digest {
    let of_a = NodeDigest { last_gc_version, max_version, ..entry(&id("a", 1), heartbeat) };
    digest_of([entry(&id("b", 1), 1), of_a])
}

#[test]
fn a_version_that_nobody_believes_is_refused_and_told_and_one_that_others_may_believe_is_moved_past() {
    let (mut a, b) = (node("a"), id("b", 1));
    own_set(&mut a, "k", "v");
    let state = a.own.state().clone();
    for said in [said_of_a(1, 0, 1 + FARTHEST_CLAIM + 1), said_of_a(1, 1 + FARTHEST_CLAIM + 1, 1)] {
        hear(&mut a, at(1), &said, ours(&b));
        assert_eq!(a.own.state(), &state, "{said:?}");
    }
    assert_eq!((a.stats.jumps_refused, a.stats.republished), (2, 0));
    let told = events(&mut a);
    assert!(told.len() == 1 && told[0].contains("refused"), "{told:?}");

    hear(&mut a, at(1), &said_of_a(1, 0, 1 + FARTHEST_CLAIM), ours(&b));
    assert_eq!(a.own.state().last_gc_version(), 2 + FARTHEST_CLAIM + MOST_UNHEARD_VERSIONS);
    assert_eq!(keys(&a, &id("a", 1)), "k=v");
}

#[test]
fn however_high_a_heartbeat_is_claimed_the_own_one_moves_past_it_so_slowly_that_all_follow() {
    let (mut a, liar) = (node("a"), id("liar", 1));
    let start = a.own.heartbeat;
    for second in 1..=20 {
        for _ in 0..50 {
            let claim = said_of_a(u64::MAX >> 1, 0, 0);
            hear(&mut a, at(second), &claim, ours(&liar));
        }
        assert_eq!(a.own.heartbeat, start + second * OWN_STEP);
    }
    assert_eq!(events(&mut a).len(), 1);
    let next = a.own.heartbeat + 7;
    hear(&mut a, at(30), &said_of_a(next, 0, 0), ours(&liar));
    assert_eq!(a.own.heartbeat, next + 1);
}

#[test]
fn a_lie_that_is_believed_reaches_its_node_and_is_believed_no_more() {
    let (mut a, mut b, liar) = (node("a"), node("b"), id("liar", 1));
    own_set(&mut a, "k", "v");
    (1..6).for_each(|now| exchange(now, &mut a, &mut b));
    let step = HEARSAY_STEP;
    let (heartbeat, version) = (a.own.heartbeat + step, a.own.state().max_version() + step);
    let of_a = NodeDigest { max_version: version, run: Some(a.run), ..entry(&id("a", 1), heartbeat) };
    hear(&mut b, at(6), &digest_of([entry(&liar, 1), of_a]), ours(&liar));
    assert_eq!(b.members.get(&id("a", 1)).unwrap().pulse.heartbeat(), heartbeat, "it is believed");
    (6..12).for_each(|now| exchange(now, &mut a, &mut b));
    let peer = b.members.get(&id("a", 1)).unwrap();
    assert_eq!((peer.pulse.heartbeat(), peer.liveness(), b.stats.jumps_refused), (a.own.heartbeat, Liveness::Live, 0));
    assert_eq!((peer.state.max_version(), keys(&b, &id("a", 1)).as_str()), (a.own.state().max_version(), "k=v"));
    assert!(a.own.state().max_version() > version);
}

#[test]
fn who_claims_again_and_again_makes_a_node_publish_all_it_has_once_in_some_rounds() {
    let (mut a, liar) = (node("a"), id("liar", 1));
    own_set(&mut a, "k", "v");
    for second in 1..=40 {
        for _ in 0..5 {
            let version = a.own.state().max_version() + 1;
            hear(&mut a, at(second), &said_of_a(1, 0, version), ours(&liar));
        }
    }
    assert_eq!(a.stats.republished, 10);
}

#[test]
fn a_python_peer_that_knows_a_higher_heartbeat_knows_an_earlier_run_and_a_node_of_ours_does_not() {
    let (mut a, b) = (node("a"), id("b", 1));
    own_set(&mut a, "k", "v");
    let own_run = a.run;
    let said = |run| {
        let of_a = NodeDigest { max_version: 1, run, ..entry(&id("a", 1), 10) };
        digest_of([entry(&b, 1), of_a])
    };
    hear(&mut a, at(1), &said(Some(own_run)), ours(&b));
    assert_eq!((a.own.heartbeat, a.stats.republished), (11, 0));
    let mut a = node("a");
    own_set(&mut a, "k", "v");
    hear(&mut a, at(1), &said(None), python(&b));
    assert_eq!((a.own.heartbeat, a.stats.republished), (11, 1));
}

#[test]
fn key_values_of_another_process_under_one_id_are_neither_sent_nor_taken() {
    let (mut a, owner, asker) = (node("a"), id("owner", 1), id("asker", 1));
    a.apply_known(&owner);
    let known = NodeDigest { run: Some(run(2)), ..entry(&owner, 1) };
    let (_, delta) = of_synack(answer_syn(&mut a, at(1), &digest_of([entry(&asker, 1), known]), ours(&asker)));
    assert!(delta.node_deltas.iter().all(|sent| sent.node_id != owner), "{delta:?}");
    let mut other = whole(&owner, vec![set("k", "other", 2)]);
    other.node_deltas[0].run = Some(run(2));
    a.apply(at(2), &other, ours(&asker));
    assert_eq!((keys(&a, &owner).as_str(), a.stats.deltas_ignored), ("k=v", 1));
}

#[test]
fn a_stranger_that_is_no_node_of_ours_sets_nothing_that_its_owner_does_not_hear_of() {
    let (mut a, owner, stranger) = (node("a"), id("owner", 1), id("stranger", 1));
    a.apply_known(&owner);
    // Its digest shows nothing of what its delta holds.
    hear(&mut a, at(1), &digest_of([NodeDigest { run: None, ..entry(&stranger, 1) }]), python(&stranger));
    a.apply(at(1), &whole(&owner, vec![set("k", "forged", 900)]), python(&stranger));
    assert_eq!(keys(&a, &owner), "k=v");
    // What it shows is shown to the owner.
    let of_owner = NodeDigest { max_version: 900, ..entry(&owner, 1) };
    let digest = digest_of([NodeDigest { run: None, ..entry(&stranger, 1) }, of_owner]);
    hear(&mut a, at(2), &digest, python(&stranger));
    let Message::Syn { digest } = read(&a.syn(at(2), owner.gossip_advertise_addr())) else { panic!() };
    let shown = digest.entries.iter().find(|entry| entry.node_id == owner).unwrap();
    assert_eq!((shown.max_version, shown.complete_version), (900, Some(1)));
}

#[test]
fn news_of_a_node_not_known_are_ignored() {
    let mut a = node("a");
    let stranger = id("stranger", 1);
    a.apply(at(1), &whole(&stranger, vec![set("k", "v", 1)]), ours(&id("b", 1)));
    assert_eq!((a.stats.deltas_ignored, keys(&a, &stranger).as_str()), (1, "unknown"));
}

#[test]
fn nobody_is_told_of_a_node_that_is_long_dead() {
    let mut a = node("a");
    let gone = id("gone", 1);
    a.apply_known(&gone);
    // It was live.
    for heartbeat in 2..5 {
        let digest = digest_of([NodeDigest { max_version: 1, ..entry(&gone, heartbeat) }]);
        hear(&mut a, at(heartbeat - 2), &digest, ours(&gone));
    }
    let half = a.config.failure_detector.dead_node_grace_period.as_secs() / 2 + 2;
    let told = |a: &mut Gossip, now: u64| {
        let asker = id("asker", 1);
        let (digest, delta) = of_synack(answer_syn(a, at(now), &digest_of([entry(&asker, 1)]), ours(&asker)));
        let names = digest.entries.iter().map(|entry| &entry.node_id);
        let names = names.chain(delta.node_deltas.iter().map(|node_delta| &node_delta.node_id));
        names.filter(|node_id| node_id.name() == "gone").count()
    };
    assert_eq!(told(&mut a, half - 1), 2, "in the digest and in the delta");
    a.maintain(at(half));
    assert_eq!(told(&mut a, half), 0, "from the next round on");

    // But the node itself, started again with its generation, is: else its first words could pass for those of before.
    let (digest, _) = of_synack(answer_syn(&mut a, at(half), &digest_of([entry(&gone, 0)]), ours(&gone)));
    assert!(digest.entries.iter().any(|entry| entry.node_id == gone && entry.max_version > 0));
}

#[test]
fn a_copy_older_than_what_a_peer_collected_has_nothing_to_tell_it() {
    let owner = id("owner", 1);
    let mut a = node("a");
    a.apply_known(&owner);
    let known = |complete_version, last_gc_version| Known { complete_version, last_gc_version };
    let state = &a.members.get(&owner).unwrap().state;
    assert!(news_of(&owner, None, state, None).is_some());
    assert!(news_of(&owner, None, state, Some(known(0, 1))).is_some(), "as far as it knows itself");
    assert!(news_of(&owner, None, state, Some(known(0, 2))).is_none());
    assert!(news_of(&owner, None, state, Some(known(1, 0))).is_none(), "nothing new");
}

#[test]
fn lifetimes_and_grace_periods_end_in_a_round() {
    let mut a = node("a");
    let moment = at(10);
    a.own.set(moment.now, "short", "v", Lifetime::For(Duration::from_secs(5)), &mut Vec::new());
    a.own.set(moment.now, "grace", "v", Lifetime::Grace, &mut Vec::new());
    a.apply_known(&id("b", 1));
    a.apply(at(10), &whole(&id("b", 1), vec![set("k", "v", 1), fading("f", "v", 2)]), ours(&id("b", 1)));
    events(&mut a);
    a.maintain(at(15));
    assert_eq!(events(&mut a), ["a-1-a:7000 deleted \"short\" (version 3)"]);
    a.maintain(at(10 + 7_200));
    // A replica ends the value by itself, lest it outlive an owner that is gone.
    let told = events(&mut a);
    assert!(told.contains(&"a-1-a:7000 deleted \"grace\" (version 2)".to_string()), "{told:?}");
    assert!(told.contains(&"b-1-b:7000 deleted \"f\" (version 2)".to_string()), "{told:?}");
    assert_eq!(a.own.state().last_gc_version(), 2, "the tombstone of the first came later");
}

#[test]
fn a_tombstone_travels_and_is_collected_everywhere_without_a_word_to_the_user() {
    let (mut a, mut b) = (node("a"), node("b"));
    own_set(&mut a, "k", "v");
    exchange(1, &mut a, &mut b);
    a.own.delete(Instant::from_secs(2), "k", &mut Vec::new());
    exchange(2, &mut a, &mut b);
    events(&mut b);
    let of_a = |b: &Gossip| b.members.get(&id("a", 1)).unwrap().state.clone();
    assert_eq!(of_a(&b).entries(), 1);
    a.maintain(at(2 + 7_200));
    assert_eq!((a.own.state().entries(), a.own.state().last_gc_version()), (0, 2));
    exchange(3 + 7_200, &mut a, &mut b);
    assert_eq!((of_a(&b).entries(), of_a(&b).last_gc_version()), (0, 2));
    // One that was away meanwhile starts again.
    let mut c = node("c");
    c.apply_known(&id("a", 1));
    hear(&mut c, at(1), &digest_of([entry(&id("b", 1), 1)]), ours(&id("b", 1)));
    exchange(4 + 7_200, &mut b, &mut c);
    assert_eq!((keys(&c, &id("a", 1)).as_str(), c.stats.resets), ("", 1));
}

#[test]
fn of_other_clusters_each_is_told_once_and_only_so_many() {
    let mut a = node("a");
    for number in 0..100 {
        let cluster_id: Arc<str> = Arc::from(format!("c{number}"));
        a.tell_other_cluster(&cluster_id);
        a.tell_other_cluster(&cluster_id);
    }
    a.tell_other_cluster(&a.cluster_id.clone());
    assert_eq!(events(&mut a).len(), MAX_OTHER_CLUSTERS);
}

#[test]
fn a_delta_may_jump_so_far_beyond_what_was_heard_and_no_further() {
    let (mut a, owner) = (node("a"), id("owner", 1));
    a.apply_known(&owner);
    let jump =
        |a: &mut Gossip, version: u64| a.apply(at(1), &whole(&owner, vec![set("k", "new", version)]), ours(&owner));
    // The owner was heard of a second ago.
    let furthest = FARTHEST_CLAIM + HEARSAY_STEP + HEARSAY_STEP_PER_SEC;
    jump(&mut a, 1 + furthest + 1);
    assert_eq!((keys(&a, &owner).as_str(), a.stats.jumps_refused), ("k=v", 1));
    jump(&mut a, 1 + furthest);
    assert_eq!((keys(&a, &owner).as_str(), a.stats.jumps_refused), ("k=new", 1));
}

#[test]
fn all_other_nodes_state_together_is_bounded_and_room_comes_back_with_a_round() {
    let (b, c) = (id("b", 1), id("c", 1));
    let mut config = config("a");
    config.limits.max_state_bytes = 40 + 2 * ENTRY_OVERHEAD;
    let mut a = gossip(config);
    a.apply_known(&b);
    a.apply_known(&c);
    let tell = |a: &mut Gossip, node_id: &NodeId, len: usize, version: u64| {
        a.apply(at(1), &whole(node_id, vec![set("k", &"v".repeat(len), version)]), ours(node_id));
        let (bytes, all) = (a.members.get(node_id).unwrap().state.bytes(), a.members.state_bytes());
        (bytes - ENTRY_OVERHEAD, all - 2 * ENTRY_OVERHEAD)
    };
    // 2 bytes each so far.
    assert_eq!(tell(&mut a, &b, 30, 2), (31, 33));
    assert_eq!(tell(&mut a, &c, 9, 2), (2, 33), "one too many");
    assert_eq!(a.stats.entries_skipped, 1);
    assert_eq!(tell(&mut a, &c, 8, 2), (9, 40));
    assert_eq!(tell(&mut a, &b, 1, 3), (2, 11));
    assert_eq!(tell(&mut a, &c, 9, 3), (9, 11), "counted as full until the next round");
    a.maintain(at(2));
    assert_eq!(tell(&mut a, &c, 37, 3), (38, 40));
}

#[test]
fn republishing_sends_every_live_key_again_and_no_user_sees_it() {
    let (mut a, mut b) = (node("a"), node("b"));
    own_set(&mut a, "k", "v");
    own_set(&mut a, "l", "v");
    a.own.delete(Instant::from_secs(1), "l", &mut Vec::new());
    exchange(1, &mut a, &mut b);
    events(&mut b);
    assert_eq!(a.republish(at(2)), 1);
    assert_eq!(a.own.state().get_versioned("k").unwrap().version, 4);
    exchange(2, &mut a, &mut b);
    assert_eq!(b.members.get(&id("a", 1)).unwrap().state.get_versioned("k").unwrap().version, 4);
    assert_eq!(events(&mut b), [""; 0]);
}
