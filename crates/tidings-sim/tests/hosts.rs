//! Hosts of a world: certificates, second processes, strangers, and hosts that are taken away.

use std::sync::Arc;
use std::time::Duration;

use tidings_core::{CertificateNames, Config, Instant, Liveness, NodeId, PeerIdentity};
use tidings_sim::{Holding, LinkConfig, Listens, Process, Stranger, World, address};

fn config(index: usize, tls_name: Option<&str>) -> Config {
    let tls_name = tls_name.map(str::to_string);
    let mut config = Config::new(NodeId::with_tls_name(format!("node{index}"), 1, address(index), tls_name));
    config.seeds = vec![address(0)];
    config
}

fn certificate(name: &str) -> PeerIdentity {
    PeerIdentity::Demanded(Arc::new(CertificateNames::new(vec![name.to_string()], Vec::new())))
}

fn live(world: &World, index: usize) -> usize {
    world.node(index).map_or(0, |node| node.live_nodes().len())
}

#[test]
fn who_has_no_certificate_or_one_of_another_name_stays_out() {
    let mut world = World::new(1, LinkConfig::default());
    for (index, (tls_name, proves)) in [
        (Some("n0.example"), Some("n0.example")),
        (Some("n1.example"), Some("n1.example")),
        (Some("n2.example"), Some("n3.example")),
        (None, None),
    ]
    .into_iter()
    .enumerate()
    {
        let host = world.add(config(index, tls_name)).expect("a valid config");
        if let Some(name) = proves {
            world.prove(host, certificate(name));
        }
    }
    world.run_until(Instant::from_secs(20));
    assert_eq!([0, 1, 2, 3].map(|index| live(&world, index)), [2, 2, 1, 1]);
}

#[test]
fn a_second_process_with_one_id_is_reached_or_not_as_was_asked() {
    let received = |listens| {
        let mut world = World::new(1, LinkConfig::default());
        for index in 0..3 {
            world.add(config(index, None)).expect("a valid config");
        }
        world.run_until(Instant::from_secs(10));
        let before = world.node(1).map_or(0, |node| node.stats().exchanges_accepted);
        let clone = world.add_clone(1, listens).expect("a valid config").expect("it runs");
        world.run_until(Instant::from_secs(40));
        let accepted = |index| world.node(index).map_or(0, |node| node.stats().exchanges_accepted);
        (accepted(1) - before > 5, accepted(clone) > 5)
    };
    assert_eq!(received(Listens::Shares), (true, true));
    assert_eq!(received(Listens::TakesOver), (false, true));
    assert_eq!(received(Listens::Elsewhere), (true, false));
}

#[test]
fn a_stranger_without_lies_is_a_member_until_its_time_is_over() {
    let mut world = World::new(1, LinkConfig::default());
    for index in 0..3 {
        world.add(config(index, None)).expect("a valid config");
    }
    let id = NodeId::new("guest", 1, address(9));
    let mut guest = Stranger::new(id.clone(), (0..3).map(address).collect());
    (guest.holding, guest.until) = (Holding::Taken, Instant::from_secs(30));
    let guest = world.add_stranger(guest);
    world.set(0, "role", "first", tidings_core::Lifetime::Forever).expect("it runs").expect("a valid key");
    let liveness = |world: &World| {
        let node = world.node(2).expect("it runs");
        node.snapshot(world.local_now(2)).member(&id).map(|member| member.liveness)
    };
    world.run_until(Instant::from_secs(29));
    assert_eq!(liveness(&world), Some(Liveness::Live));
    let owner = world.node(0).expect("it runs").id().clone();
    assert_eq!((world.keys_taken(guest, &owner), world.lies_told(guest)), (1, 0));
    world.retire(guest);
    world.run_until(Instant::from_secs(60));
    assert_eq!(liveness(&world), Some(Liveness::Dead));
}

#[test]
fn a_host_that_is_taken_away_leaves_an_index_and_nothing_else() {
    let mut world = World::new(1, LinkConfig::default());
    for index in 0..3 {
        world.add(config(index, None)).expect("a valid config");
    }
    world.run_until(Instant::from_secs(10));
    world.retire(1);
    assert!(world.node_or_remains(1).is_none());
    assert_eq!((world.process(1), world.len(), world.running().count()), (Some(Process::Gone), 3, 2));
    world.restart(1, 7).expect("a valid config");
    world.run_until(Instant::from_secs(10) + Duration::from_secs(60));
    assert_eq!([live(&world, 0), live(&world, 2)], [2, 2]);
    assert!(world.node(1).is_none(), "nothing runs on it any more");
}
