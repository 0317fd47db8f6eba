//! One stranger lies, and the cluster stays right: what a node says of itself, on an exchange with it, is believed of it.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::*;
use tidings_core::{CertificateNames, Config, NodeId, PeerIdentity};
use tidings_sim::{ForgedAddress, ForgedGeneration, Holding, Lie, LinkConfig, Stranger, World, address};

/// Where the stranger answers.
const STRANGER: usize = 900;
/// Of the others, so many may be taken for dead or unknown at a time while one stranger lies.
const MOST_SUSPECTS: usize = 3;
/// When the stranger is silent, all is right again after so long.
const SOON: Duration = Duration::from_secs(30);
/// What a peer believes more of, and an owner does not follow: 1.5 times 2^31.
const BEYOND: u64 = 3 << 30;

/// A stranger that lies about `about`, once, to the nodes `tells`.
fn liar(about: &[usize], lie: Lie, tells: &[usize]) -> Stranger {
    let id = NodeId::new("stranger", 1, address(STRANGER));
    let mut stranger = Stranger::new(id, tells.iter().map(|index| address(*index)).collect());
    stranger.about = about.iter().map(|index| format!("node{index}")).collect();
    stranger.lies = vec![lie];
    stranger.most = 1;
    stranger
}

/// Lets a stranger lie for a minute, and be gone then. Gives what was wrong meanwhile, and what is after
/// half a minute.
fn suffers(world: &mut World, nodes: usize, stranger: Stranger) -> Vec<String> {
    let all: Vec<usize> = (0..nodes).collect();
    let mut wrongs = Vec::new();
    let stranger = world.add_stranger(stranger);
    let mut most = 0;
    let end = world.now() + Duration::from_secs(60);
    while world.now() < end {
        world.run_until(world.now() + Duration::from_millis(100));
        most = most.max(most_missing(world, &all));
    }
    assert!(world.lies_told(stranger) > 0, "it has had the occasion to lie");
    world.retire(stranger);
    if most > MOST_SUSPECTS {
        wrongs.push(format!("up to {most} of {nodes} were not live at some node"));
    }
    let ended = obituaries(world);
    if let Some((index, first)) = ended.first() {
        wrongs.push(format!("{} were told dead or replaced, the first by node {index}: {first}", ended.len()));
    }
    // Whether it stays right is seen a while later.
    world.run_until(world.now() + SOON * 2);
    if !agree(world, &all) {
        let missing = most_missing(world, &all);
        wrongs
            .push(format!("a minute after it is gone, {missing} of {nodes} are not live at some node, or others are"));
    }
    wrongs.extend(wrong_values(world, &all));
    wrongs
}

/// Where a node shows other key-values of another than that one has.
fn wrong_values(world: &World, nodes: &[usize]) -> Option<String> {
    for owner in nodes.iter().filter_map(|index| world.node(*index)) {
        let own: Vec<(&str, Arc<str>)> = values(owner, owner.id());
        for index in nodes {
            let Some(observer) = world.node(*index) else { continue };
            if values(observer, owner.id()) != own {
                return Some(format!("node {index} shows {:?} of {}", values(observer, owner.id()), owner.id()));
            }
        }
    }
    None
}

fn values<'a>(node: &'a tidings_core::Node, of: &NodeId) -> Vec<(&'a str, Arc<str>)> {
    let state = node.node_state(of).into_iter().flat_map(|state| state.iter());
    state.map(|(key, value)| (key, value.value.clone())).collect()
}

fn five() -> World {
    let mut world = cluster(1, 5, |_| ());
    for index in 0..5 {
        set(&mut world, index, "role", &format!("role of {index}"));
    }
    world.run_until(secs(20));
    world
}

#[test]
fn a_heartbeat_raised_beyond_what_its_owner_follows_kills_nobody() {
    let mut world = five();
    let wrongs = suffers(&mut world, 5, liar(&[1], Lie::Raise { heartbeat: BEYOND, version: 0 }, &[2]));
    assert_eq!(wrongs, [""; 0]);
}

#[test]
fn a_version_raised_beyond_what_its_owner_follows_freezes_nobody() {
    let mut world = five();
    let stranger = world.add_stranger(liar(&[1], Lie::Keys { above: BEYOND }, &[2]));
    world.run_until(secs(30));
    assert!(world.lies_told(stranger) > 0);
    world.retire(stranger);
    set(&mut world, 1, "role", "another");
    world.run_until(secs(90));
    let after: Vec<_> = (0..5).map(|index| value(&world, index, &id_of(&world, 1), "role")).collect();
    assert_eq!(after, vec![Some("another".to_string()); 5]);
}

fn id_of(world: &World, index: usize) -> NodeId {
    world.node(index).expect("it runs").id().clone()
}

#[test]
fn the_limit_cannot_be_walked_up_to_towards_the_owner() {
    let mut world = five();
    let by = (1 << 31) - 5_000;
    let mut walker = liar(&[1], Lie::Raise { heartbeat: by, version: by }, &[1]);
    (walker.to_owner, walker.most) = (true, 3);
    // Three packets, the next as soon as one is answered.
    walker.every = Duration::from_millis(100);
    let mut wrongs = suffers(&mut world, 5, walker);
    set(&mut world, 1, "role", "another");
    world.run_until(world.now() + SOON);
    wrongs.extend(wrong_values(&world, &[0, 1, 2, 3, 4]));
    assert_eq!(wrongs, [""; 0]);
}

#[test]
fn what_an_unmarked_stranger_adds_to_anothers_keys_does_not_stay() {
    let mut world = five();
    let mut stranger = liar(&[1], Lie::Keys { above: 7 }, &[2]);
    stranger.is_marked = false;
    assert_eq!(suffers(&mut world, 5, stranger), [""; 0]);
}

#[test]
fn what_a_marked_stranger_adds_to_anothers_keys_does_not_stay() {
    let mut world = five();
    assert_eq!(suffers(&mut world, 5, liar(&[1], Lie::Keys { above: 7 }, &[2])), [""; 0]);
}

#[test]
fn a_farewell_in_anothers_name_sends_nobody_away() {
    for is_marked in [true, false] {
        let mut world = five();
        let mut stranger = liar_about_all(Lie::Farewell {});
        (stranger.is_marked, stranger.most, stranger.every) = (is_marked, u64::MAX, Duration::from_millis(500));
        assert_eq!(suffers(&mut world, 5, stranger), [""; 0], "marked: {is_marked}");
    }
}

#[test]
fn who_dials_in_and_speaks_as_another_is_not_that_other() {
    for is_marked in [true, false] {
        for lie in [
            Lie::Raise { heartbeat: BEYOND, version: 0 },
            Lie::Raise { heartbeat: 1, version: BEYOND },
            Lie::Keys { above: BEYOND },
            Lie::Farewell {},
        ] {
            let mut world = five();
            let what = format!("{lie:?}, marked: {is_marked}");
            let mut stranger = liar(&[1], lie, &[0, 2, 3, 4]);
            // A digest in its name comes with each of these.
            stranger.lies.push(Lie::Beat {});
            (stranger.as_owner, stranger.is_marked, stranger.most) = (true, is_marked, 8);
            assert_eq!(suffers(&mut world, 5, stranger), [""; 0], "{what}");
        }
    }
}

#[test]
fn one_packet_with_higher_generations_takes_nobody_down() {
    for at in [ForgedAddress::Owner, ForgedAddress::Nobody, ForgedAddress::Stranger] {
        let mut world = five();
        let lie = Lie::Run { generation: ForgedGeneration::Higher, at };
        assert_eq!(suffers(&mut world, 5, liar_about_all(lie)), [""; 0], "{at:?}");
    }
}

/// It speaks of all five nodes in turn, and tells all of them.
fn liar_about_all(lie: Lie) -> Stranger {
    let mut stranger = liar(&[0, 1, 2, 3, 4], lie, &[0, 1, 2, 3, 4]);
    (stranger.most, stranger.every) = (5, Duration::from_millis(100));
    stranger
}

#[test]
fn higher_generations_again_and_again_take_nobody_down() {
    for at in [ForgedAddress::Owner, ForgedAddress::Nobody, ForgedAddress::Stranger] {
        let mut world = five();
        let mut stranger = liar_about_all(Lie::Run { generation: ForgedGeneration::Newer, at });
        // Of each of five nodes every eight seconds.
        (stranger.most, stranger.every) = (u64::MAX, Duration::from_millis(1_600));
        assert_eq!(suffers(&mut world, 5, stranger), [""; 0], "{at:?}");
    }
}

#[test]
fn a_forged_run_that_beats_by_hearsay_alone_takes_nobodys_place() {
    for at in [ForgedAddress::Owner, ForgedAddress::Nobody] {
        let mut world = five();
        let mut stranger = liar(&[1], Lie::Run { generation: ForgedGeneration::Higher, at }, &[0, 2, 3, 4]);
        (stranger.most, stranger.every) = (u64::MAX, Duration::from_millis(500));
        assert_eq!(suffers(&mut world, 5, stranger), [""; 0], "{at:?}");
    }
}

/// Five nodes with certificates, whose connections are all over TLS.
fn five_with_certificates() -> World {
    let mut world = World::new(1, LinkConfig::default());
    for index in 0..5 {
        let tls_name = format!("n{index}.example");
        let name = format!("node{index}");
        let generation = wall_clock(&world);
        let mut config = Config::new(NodeId::with_tls_name(name, generation, address(index), Some(tls_name.clone())));
        config.seeds = vec![address(0), address(1)];
        let index = world.add(config).expect("a valid config");
        world.prove(index, certificate(&tls_name));
        set(&mut world, index, "role", &format!("role of {index}"));
    }
    world.run_until(secs(20));
    assert!(agree(&world, &[0, 1, 2, 3, 4]));
    world.take_news();
    world
}

fn certificate(tls_name: &str) -> PeerIdentity {
    PeerIdentity::Demanded(Arc::new(CertificateNames::new(vec![tls_name.to_string()], Vec::new())))
}

#[test]
fn a_certificate_of_another_name_does_not_take_a_bound_name() {
    let mut world = five_with_certificates();
    let own = Some("evil.example".to_string());
    let lie = Lie::Run { generation: ForgedGeneration::Higher, at: ForgedAddress::Stranger };
    let mut stranger = liar(&[1], lie, &[0, 1, 2, 3, 4]);
    stranger.id = NodeId::with_tls_name("evil", 1, address(STRANGER), own);
    (stranger.as_owner, stranger.most, stranger.every) = (true, u64::MAX, Duration::from_millis(500));
    let index = world.len();
    let wrongs = {
        let stranger = world.add_stranger(stranger);
        assert_eq!(stranger, index);
        world.prove(stranger, certificate("evil.example"));
        world.run_until(secs(60));
        assert!(world.lies_told(stranger) > 0);
        let name = |index: usize| live(&world, index).into_iter().find(|id| id.name() == "node1");
        let held: Vec<_> = (0..5).map(|index| name(index).and_then(|id| id.tls_name().map(String::from))).collect();
        held
    };
    assert_eq!(wrongs, vec![Some("n1.example".to_string()); 5], "who is live as node1, as each node sees it");
    assert_eq!(obituaries(&mut world), []);
}

/// A peer of another make, as aiocluster is: unmarked, honest, live.
fn unmarked(name: &str, index: usize, holding: Holding) -> Stranger {
    let mut peer = Stranger::new(NodeId::new(name, 1, address(index)), (0..3).map(address).collect());
    (peer.is_marked, peer.holding) = (false, holding);
    peer.every = Duration::from_millis(500);
    peer
}

#[test]
fn that_a_python_peer_is_marked_is_not_believed_of_hearsay() {
    let mut world = cluster(1, 3, |_| ());
    set(&mut world, 0, "role", "owner");
    let python = world.add_stranger(unmarked("python", 800, Holding::Taken));
    world.run_until(secs(30));
    let owner = id_of(&world, 0);
    let bound = |world: &World| world.heard(python, &owner).and_then(|entry| entry.released_version);
    assert!(bound(&world).is_some(), "the owner paces its news for the Python peer");

    let mut stranger = liar(&[], Lie::Revision { revision: 1 }, &[0, 1, 2]);
    (stranger.about, stranger.most) = (vec!["python".into()], 3);
    let stranger = world.add_stranger(stranger);
    world.run_until(secs(60));
    assert!(world.lies_told(stranger) > 0);
    world.retire(stranger);
    world.run_until(secs(120));
    assert!(bound(&world).is_some(), "it is still what protects the Python peer");
}

#[test]
fn a_python_peer_that_takes_nothing_holds_up_no_other() {
    let mut world = cluster(1, 3, |_| ());
    for key in 0..900 {
        set(&mut world, 0, &format!("key{key}"), "value");
    }
    world.add_stranger(unmarked("stuck", 801, Holding::Nothing));
    let python = world.add_stranger(unmarked("python", 800, Holding::Taken));
    let owner = id_of(&world, 0);
    world.run_until(secs(300));
    assert_eq!(world.keys_taken(python, &owner), 900, "of 900 keys");
}

#[test]
fn invented_nodes_are_gone_soon_after_the_last_that_was_heard_of_them() {
    let mut world = five();
    let mut stranger = liar(&[], Lie::Invent { nodes: 40, beat: false }, &[0, 1, 2, 3, 4]);
    stranger.most = u64::MAX;
    let stranger = world.add_stranger(stranger);
    world.run_until(secs(40));
    assert!(world.lies_told(stranger) > 0);
    world.retire(stranger);
    world.run_until(secs(40) + Duration::from_secs(120));
    let known: Vec<usize> = (0..5).map(|index| known(&world, index)).collect();
    // The stranger itself was seen beating, and is dead for its grace period.
    assert!(known.iter().all(|known| *known <= 6), "{known:?}");
}

#[test]
fn a_dead_node_that_somebody_let_beat_on_is_dead_again_soon() {
    let mut world = five();
    let dead = id_of(&world, 4);
    world.crash(4);
    world.run_until(secs(40));
    let mut stranger = liar(&[4], Lie::Beat {}, &[0, 1, 2, 3]);
    (stranger.most, stranger.every) = (u64::MAX, Duration::from_millis(500));
    let stranger = world.add_stranger(stranger);
    world.run_until(secs(100));
    assert!(world.lies_told(stranger) > 0);
    world.retire(stranger);
    world.run_until(world.now() + SOON);
    assert_eq!((0..4).filter(|index| live(&world, *index).contains(&dead)).count(), 0);
}
