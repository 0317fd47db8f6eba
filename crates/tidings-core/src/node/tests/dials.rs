//! Whom a node dials, and what it tells of others there.

use super::*;
use crate::testing::hear_from;
use crate::wire::aiocluster::decode;

/// Lets "a" hear of a node by hearsay that beats.
fn hear_of(node: &mut Node, at: Moment, of: &NodeId, heartbeat: u64) {
    let (members, mut env) = node.knowledge.members(at);
    let relay = id("b", 1);
    hear_from(members, &mut env, &entry(of, heartbeat), crate::testing::sender(&relay, 1));
}

fn syn_entries(transmit: &Transmit, node: &Node) -> Vec<String> {
    let decoded = decode(&transmit.packet, &node.config().limits.decode).unwrap();
    let Message::Syn { digest } = decoded.packet.message else { panic!("a Syn") };
    assert!(digest.partial || digest.entries.len() > 2);
    digest.entries.iter().map(|entry| entry.node_id.name().to_string()).collect()
}

#[test]
fn the_first_packet_to_an_address_of_hearsay_tells_of_nobody_else() {
    let mut net = Net::new(&["a", "b", "c"], |_| {});
    net.run(10);
    let at = Moment { now: net.now, active: net.now };
    let node = net.node("a");
    hear_of(node, at, &id("x", 1), 5);
    for (name, told) in [("x", vec!["a", "x"]), ("b", vec!["a", "b", "c", "x"])] {
        assert!(node.dial(at, address(name), false), "{name}");
        let mut entries = syn_entries(&node.poll_transmit().unwrap(), node);
        entries.sort();
        assert_eq!(entries, told, "to {name}");
    }
    assert_eq!(node.stats().dials_unproven, 2 + 1, "b and c before they answered, and x");
}

#[test]
fn a_node_that_dials_from_the_address_it_advertises_is_proven() {
    let mut a = node("a");
    let at_its_ip = NodeId::new("p", 1, Address::new(PEER.to_string(), 7000));
    let elsewhere = NodeId::new("q", 1, Address::new("10.0.0.10", 7000));
    for id in [&at_its_ip, &elsewhere] {
        let accepted = a.accept(secs(1), PEER).unwrap();
        let digest = Digest { entries: vec![entry(id, 1)], partial: false };
        let syn = packet("default-cluster", Message::Syn { digest });
        let reply = a.handle_packet(secs(1), Via::Accepted(accepted), &syn, &PeerIdentity::Plaintext);
        assert_eq!(reply.rejected, None);
    }
    let is_proven = |id: &NodeId| a.dials.is_proven(id.gossip_advertise_addr());
    assert_eq!((is_proven(&at_its_ip), is_proven(&elsewhere)), (true, false));
}

#[test]
fn a_former_members_certificate_is_not_demanded_for_ever_and_its_successor_is_let_in() {
    let former = NodeId::with_tls_name("former", 1, Address::new("x", 7000), Some("former.example".into()));
    let mut a = node("a");
    let at = |second| Moment { now: secs(second), active: secs(second) };
    for second in 1..4 {
        hear_of(&mut a, at(second), &former, second);
    }
    assert_eq!(a.live_nodes().len(), 2);
    let dial = |a: &mut Node, second| {
        assert!(a.dial(at(second), former.gossip_advertise_addr().clone(), false));
        a.poll_transmit().unwrap()
    };
    let demanded = Some("former.example".to_string());
    for second in 4..8 {
        let transmit = dial(&mut a, second);
        assert_eq!(transmit.tls_name, demanded, "it is live");
        a.handle_closed(secs(second), transmit.exchange, Outcome::Failed);
    }
    // A node that goes by another name and advertises another address answers instead of a live one.
    let successor = NodeId::new("successor", 1, Address::new("y", 7000));
    let answer = |a: &mut Node, second, transmit: Transmit| {
        let digest = Digest { entries: vec![entry(&successor, 1)], partial: false };
        let syn_ack = packet("default-cluster", Message::SynAck { digest, delta: Delta::default() });
        let via = Via::Dialled(transmit.exchange);
        let reply = a.handle_packet(secs(second), via, &syn_ack, &PeerIdentity::Plaintext);
        a.handle_closed(secs(second), transmit.exchange, Outcome::Done);
        reply.rejected
    };
    let transmit = dial(&mut a, 8);
    assert!(matches!(answer(&mut a, 8, transmit), Some(Rejected::WrongPeer { .. })));

    while a.live_nodes().len() > 1 {
        a.handle_timeout(a.poll_timeout().unwrap());
        while let Some(transmit) = a.poll_transmit() {
            a.handle_closed(a.now, transmit.exchange, Outcome::Failed);
        }
    }
    let names: BTreeSet<Option<String>> = (60..62)
        .map(|second| {
            let transmit = dial(&mut a, second);
            a.handle_closed(secs(second), transmit.exchange, Outcome::Failed);
            transmit.tls_name
        })
        .collect();
    assert_eq!(names, BTreeSet::from([None, demanded]), "in turns, since either may be there");
    let transmit = dial(&mut a, 62);
    assert_eq!(answer(&mut a, 62, transmit), None);
    assert!(a.knowledge.members.get(&successor).is_some());
}
