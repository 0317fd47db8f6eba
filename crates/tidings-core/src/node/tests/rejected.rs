//! One test for each reason to reject a packet: it changes nothing but counters, and the exchange is over.

use super::*;
use crate::CertificateNames;
use crate::stats::PacketCounts;
use crate::stats::RejectedCounts;
use crate::wire::DecodeError;
use crate::wire::aiocluster::{NodeDigest, decode};

const OURS: &str = "default-cluster";

/// A node that knows "b", and what of it must stay as it is.
struct Victim {
    node: Node,
    /// What the connections of the next packets prove.
    peer: PeerIdentity,
    before: (Stats, String),
}

impl Victim {
    fn new() -> Victim {
        let mut config = config("a");
        config.seeds = vec![address("b")];
        let mut node = node_with(config);
        node.set(secs(1), "k", "v", Lifetime::Forever).unwrap();
        let exchange = node.accept(secs(1), PEER).unwrap();
        let syn = syn_from("b");
        node.handle_packet(secs(1), Via::Accepted(exchange), &syn, &PeerIdentity::Plaintext);
        node.handle_closed(secs(1), exchange, Outcome::Failed);
        events(&mut node);
        Victim { before: (*node.stats(), inside(&node)), peer: PeerIdentity::Plaintext, node }
    }

    fn accept(&mut self) -> Via {
        let via = Via::Accepted(self.node.accept(secs(1), PEER).unwrap());
        self.note();
        via
    }

    /// Opens an exchange with "b".
    fn dial(&mut self) -> Via {
        self.node.handle_timeout(secs(1));
        let transmit = self.node.poll_transmit().unwrap();
        assert_eq!(transmit.to, address("b"));
        self.note();
        Via::Dialled(transmit.exchange)
    }

    /// What was done so far was as it should be.
    fn note(&mut self) {
        self.before = (*self.node.stats(), inside(&self.node));
    }

    fn handle(&mut self, via: Via, packet: &[u8]) -> Reply {
        self.node.handle_packet(secs(1), via, packet, &self.peer)
    }

    /// Hands in a packet that has to be rejected, once; gives the reason, and the answer if there is one.
    #[track_caller]
    fn rejects(&mut self, via: Via, packet: &[u8]) -> (Rejected, Option<Bytes>) {
        let reply = self.handle(via, packet);
        assert_eq!(reply.next, Next::Close);
        let rejected = reply.rejected.expect("a reason");
        let (before, after) = (self.before.0, *self.node.stats());
        assert_eq!(inside(&self.node), self.before.1, "changed by what was rejected: {rejected}");
        let expected = Stats {
            bytes_received: before.bytes_received + packet.len() as u64,
            rejected: RejectedCounts::default(),
            packets_sent: PacketCounts::default(),
            ..before
        };
        let ignored = Stats {
            rejected: RejectedCounts::default(),
            packets_sent: PacketCounts::default(),
            bytes_sent: before.bytes_sent,
            max_packet_bytes_sent: before.max_packet_bytes_sent,
            events: before.events,
            work: before.work,
            ..after
        };
        assert_eq!(ignored, expected);
        assert_eq!(after.rejected.total(), before.rejected.total() + 1);
        self.note();
        (rejected, reply.packet)
    }

    fn counts(&self) -> RejectedCounts {
        self.node.stats().rejected
    }
}

/// All that a packet could change, as text: state, members, what is to be dialled and when.
fn inside(node: &Node) -> String {
    let Knowledge { own, members, .. } = &node.knowledge;
    format!("{own:?} {members:?} {:?} {:?}", node.transmits, node.next_round)
}

fn syn_from(name: &str) -> Bytes {
    packet(OURS, Message::Syn { digest: digest_from(name) })
}

/// A Syn of the process itself.
fn syn_of_its_own() -> Bytes {
    let own = NodeDigest { run: None, ..entry(&id("a", 1), 1) };
    packet(OURS, Message::Syn { digest: Digest { entries: vec![own], partial: false } })
}

fn syn_ack_from(name: &str) -> Bytes {
    packet(OURS, Message::SynAck { digest: digest_from(name), delta: Delta::default() })
}

fn ack() -> Bytes {
    packet(OURS, Message::Ack { delta: Delta::default() })
}

#[test]
fn what_is_no_packet_is_malformed() {
    let mut victim = Victim::new();
    let cut_off = syn_from("b");
    let too_long = vec![0; victim.node.config().limits.decode.max_packet_bytes + 1];
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[], &cut_off[..cut_off.len() - 1], &too_long] {
        let via = victim.accept();
        let (rejected, answer) = victim.rejects(via, bytes);
        assert!(matches!(rejected, Rejected::Malformed(_)) && answer.is_none(), "{rejected:?}");
    }
    let via = victim.accept();
    let nobody = packet(OURS, Message::Syn { digest: Digest::default() });
    assert_eq!(victim.rejects(via, &nobody).0, Rejected::Malformed(DecodeError::NoSender));
    assert_eq!(victim.counts(), RejectedCounts { malformed: 5, ..RejectedCounts::default() });
}

#[test]
fn another_clusters_syn_is_answered_with_bad_cluster() {
    let mut victim = Victim::new();
    let via = victim.accept();
    let syn = packet("theirs", Message::Syn { digest: digest_from("b") });
    let (rejected, answer) = victim.rejects(via, &syn);
    assert_eq!(rejected, Rejected::OtherCluster { cluster_id: "theirs".into() });
    let answer = decode(&answer.unwrap(), &victim.node.config().limits.decode).unwrap().packet;
    assert_eq!((&*answer.cluster_id, answer.message), (OURS, Message::BadCluster));
    assert_eq!(victim.node.stats().packets_sent.bad_cluster, 1);
    assert_eq!(victim.counts(), RejectedCounts { other_cluster: 1, ..RejectedCounts::default() });
    let told = events(&mut victim.node);
    assert_eq!(told, ["b-1-b:7000 belongs to another cluster, \"theirs\"; see cluster_id and seeds of both"]);
    // An empty one is another one too.
    let via = victim.accept();
    let syn = packet("", Message::Syn { digest: digest_from("b") });
    assert_eq!(victim.rejects(via, &syn).0, Rejected::OtherCluster { cluster_id: "".into() });
}

#[test]
fn another_clusters_syn_ack_ack_and_bad_cluster_are_not_answered() {
    let mut victim = Victim::new();
    let via = victim.dial();
    let syn_ack = packet("theirs", Message::SynAck { digest: digest_from("b"), delta: forged() });
    let (rejected, answer) = victim.rejects(via, &syn_ack);
    assert_eq!((rejected, answer), (Rejected::OtherCluster { cluster_id: "theirs".into() }, None));

    let via = victim.accept();
    assert_eq!(victim.handle(via, &syn_from("b")).next, Next::Read);
    victim.note();
    let (rejected, answer) = victim.rejects(via, &packet("theirs", Message::Ack { delta: forged() }));
    assert_eq!((rejected, answer), (Rejected::OtherCluster { cluster_id: "theirs".into() }, None));

    let mut victim = Victim::new();
    let via = victim.dial();
    let (rejected, answer) = victim.rejects(via, &packet("theirs", Message::BadCluster));
    assert_eq!((rejected, answer), (Rejected::OtherCluster { cluster_id: "theirs".into() }, None));
    assert_eq!(victim.counts().other_cluster, 1);
    assert_eq!(events(&mut victim.node), ["another cluster, \"theirs\", was heard; see cluster_id and seeds of both"]);
}

/// A delta that would be taken if its packet were.
fn forged() -> Delta {
    let key_values = vec![crate::testing::set("k", "forged", 1)];
    Delta {
        node_deltas: vec![crate::reconcile::NodeDelta {
            node_id: id("b", 1),
            from_version_excluded: 0,
            last_gc_version: 0,
            key_values,
            max_version: Some(1),
            sender_complete_version: Some(1),
            run: None,
        }],
    }
}

#[test]
fn a_message_out_of_turn_is_unexpected() {
    let mut victim = Victim::new();
    let mut rejects = |stage: fn(&mut Victim) -> Via, bytes: Bytes, name: &'static str| {
        let via = stage(&mut victim);
        let (rejected, answer) = victim.rejects(via, &bytes);
        assert_eq!((rejected, answer), (Rejected::UnexpectedMessage { got: name }, None));
    };
    let accepted: fn(&mut Victim) -> Via = Victim::accept;
    let after_syn: fn(&mut Victim) -> Via = |victim| {
        let via = victim.accept();
        assert_eq!(victim.handle(via, &syn_from("b")).next, Next::Read);
        victim.note();
        via
    };
    let after_ack: fn(&mut Victim) -> Via = |victim| {
        let via = victim.accept();
        victim.handle(via, &syn_from("b"));
        assert_eq!(victim.handle(via, &ack()).next, Next::Close);
        victim.note();
        via
    };
    rejects(accepted, packet(OURS, Message::Ack { delta: forged() }), "Ack");
    rejects(accepted, syn_ack_from("b"), "SynAck");
    rejects(accepted, packet(OURS, Message::BadCluster), "BadCluster");
    rejects(after_syn, syn_from("b"), "Syn");
    rejects(after_syn, syn_ack_from("b"), "SynAck");
    rejects(after_ack, packet(OURS, Message::Ack { delta: forged() }), "Ack");
    let dialled = victim.dial();
    let (rejected, _) = victim.rejects(dialled, &syn_from("b"));
    assert_eq!(rejected, Rejected::UnexpectedMessage { got: "Syn" });
    // And what was rejected once is over: not even the right packet is taken then.
    let (rejected, _) = victim.rejects(dialled, &syn_ack_from("b"));
    assert_eq!(rejected, Rejected::UnexpectedMessage { got: "SynAck" });
    assert_eq!(victim.counts(), RejectedCounts { unexpected_message: 8, ..RejectedCounts::default() });
}

#[test]
fn an_exchange_that_nobody_opened_is_unknown() {
    let mut victim = Victim::new();
    let Via::Accepted(accepted) = victim.accept() else { panic!() };
    let Via::Dialled(dialled) = victim.dial() else { panic!() };
    // In the other role it is as unknown.
    for (via, bytes) in [(Via::Dialled(accepted), syn_ack_from("b")), (Via::Accepted(dialled), syn_from("b"))] {
        assert_eq!(victim.rejects(via, &bytes).0, Rejected::UnknownExchange);
    }
    victim.node.handle_closed(secs(1), accepted, Outcome::Failed);
    victim.note();
    assert_eq!(victim.rejects(Via::Accepted(accepted), &syn_from("b")).0, Rejected::UnknownExchange);
    assert_eq!(victim.counts(), RejectedCounts { unknown_exchange: 3, ..RejectedCounts::default() });
    let reply = victim.handle(Via::Dialled(dialled), &syn_ack_from("b"));
    assert_eq!((reply.next, reply.rejected), (Next::Close, None), "the right one still counts");
}

#[test]
fn an_answer_from_another_than_the_dialled_node_is_from_the_wrong_peer() {
    let mut victim = Victim::new();
    let via = victim.dial();
    let (rejected, answer) = victim.rejects(via, &syn_ack_from("c"));
    assert_eq!((rejected, answer), (Rejected::WrongPeer { dialled: address("b"), got: id("c", 1) }, None));
    assert_eq!(victim.counts(), RejectedCounts { wrong_peer: 1, ..RejectedCounts::default() });
}

#[test]
fn another_run_of_the_dialled_node_and_whoever_is_behind_a_seed_are_no_wrong_peers() {
    let moved = NodeId::new("b", 2, Address::new("new-place", 7000));
    let another_at_its_address = NodeId::new("c", 1, address("b"));
    for successor in [id("b", 2), moved, another_at_its_address] {
        let mut victim = Victim::new();
        let via = victim.dial();
        let digest = Digest { entries: vec![entry(&successor, 1)], partial: false };
        let reply = victim.handle(via, &packet(OURS, Message::SynAck { digest, delta: Delta::default() }));
        assert_eq!((reply.next, reply.rejected), (Next::Close, None), "{successor}");
    }

    let mut config = config("a");
    config.seeds = vec![Address::new("dns-name-of-many", 7000)];
    let mut node = node_with(config);
    node.handle_timeout(secs(1));
    let via = Via::Dialled(node.poll_transmit().unwrap().exchange);
    let reply = node.handle_packet(secs(1), via, &syn_ack_from("b"), &PeerIdentity::Plaintext);
    assert_eq!(reply.rejected, None);
}

/// A node whose only seed is `host`, and the exchange by which it reaches itself there.
fn reaches_itself(host: &str) -> Node {
    let mut config = config("a");
    config.seeds = vec![Address::new(host, 7000)];
    let mut node = node_with(config);
    node.handle_timeout(secs(1));
    let dialled = node.poll_transmit().unwrap();
    let accepted = node.accept(secs(1), PEER).unwrap();
    let reply = node.handle_packet(secs(1), Via::Accepted(accepted), &dialled.packet, &PeerIdentity::Plaintext);
    assert_eq!((reply.next, reply.rejected), (Next::Close, Some(Rejected::OwnPacket)));
    let answer = reply.packet.expect("the dialling side must hear of it");
    let reply = node.handle_packet(secs(1), Via::Dialled(dialled.exchange), &answer, &PeerIdentity::Plaintext);
    assert_eq!((reply.next, reply.rejected, reply.packet), (Next::Close, Some(Rejected::OwnPacket), None));
    assert_eq!(node.stats().rejected, RejectedCounts { own_packet: 2, ..RejectedCounts::default() });
    node.handle_closed(secs(1), accepted, Outcome::Failed);
    node.handle_closed(secs(1), dialled.exchange, Outcome::Failed);
    node
}

#[test]
fn a_node_that_reaches_itself_at_its_only_seed_tries_again_a_round_later() {
    for host in ["10.0.0.7", "fd00::7"] {
        let mut node = reaches_itself(host);
        node.handle_timeout(secs(2));
        assert_eq!(node.poll_transmit(), None);
        node.handle_timeout(secs(3));
        let dialled = node.poll_transmit().expect("others may be reached there too");
        let via = Via::Dialled(dialled.exchange);
        let reply = node.handle_packet(secs(3), via, &syn_ack_from("b"), &PeerIdentity::Plaintext);
        assert_eq!((reply.next, reply.rejected), (Next::Close, None));
    }
}

/// Of a headless service the first node finds only itself, until others are there.
#[test]
fn a_name_that_leads_to_the_node_itself_may_lead_to_others_later() {
    let mut node = reaches_itself("all-nodes.example");
    node.handle_timeout(secs(2));
    let dialled = node.poll_transmit().expect("the name is tried again");
    let via = Via::Dialled(dialled.exchange);
    let reply = node.handle_packet(secs(2), via, &syn_ack_from("b"), &PeerIdentity::Plaintext);
    assert_eq!((reply.next, reply.rejected), (Next::Close, None));
}

#[test]
fn the_answer_to_an_own_syn_tells_nothing_but_who_it_is() {
    let mut victim = Victim::new();
    let via = victim.accept();
    let (rejected, answer) = victim.rejects(via, &syn_of_its_own());
    assert_eq!(rejected, Rejected::OwnPacket);
    let answer = decode(&answer.unwrap(), &victim.node.config().limits.decode).unwrap().packet;
    let Message::SynAck { digest, delta } = answer.message else { panic!("no SynAck: {answer:?}") };
    assert_eq!((digest.entries.len(), digest.partial, delta), (1, true, Delta::default()));
}

/// A Syn or SynAck of "b" with this `tls_name`.
fn greeting(cluster_id: &str, via: Via, tls_name: Option<&str>) -> Bytes {
    let sender = NodeId::with_tls_name("b", 1, address("b"), tls_name.map(String::from));
    let digest = Digest { entries: vec![entry(&sender, 1)], partial: false };
    let message = match via {
        Via::Accepted(_) => Message::Syn { digest },
        Via::Dialled(_) => Message::SynAck { digest, delta: Delta::default() },
    };
    packet(cluster_id, message)
}

#[test]
fn nobody_speaks_as_a_node_whose_tls_name_its_certificate_does_not_hold() {
    let held = Arc::new(CertificateNames::new(vec!["b.example".into()], Vec::new()));
    let shown = PeerIdentity::Shown(held.clone());
    let demanded = PeerIdentity::Demanded(held.clone());
    let other = Some("c.example");
    for (peer, tls_name) in [(&demanded, other), (&demanded, None), (&shown, other)] {
        for open in [Victim::accept, Victim::dial] {
            let mut victim = Victim::new();
            let via = open(&mut victim);
            victim.peer = peer.clone();
            // To a Syn of another cluster there would be an answer.
            let cluster_id = if matches!(via, Via::Accepted(_)) { "another" } else { OURS };
            let (rejected, answer) = victim.rejects(via, &greeting(cluster_id, via, tls_name));
            let speaks_as = NodeId::with_tls_name("b", 1, address("b"), tls_name.map(String::from));
            assert_eq!((&rejected, answer), (&Rejected::WrongName { speaks_as, held: held.clone() }, None));
            let line = rejected.to_string();
            assert!(
                line.contains("b-1-b:7000") && line.contains("\"b.example\"") && line.contains("tls_name"),
                "{line}"
            );
            assert_eq!(victim.counts(), RejectedCounts { wrong_name: 1, ..RejectedCounts::default() });
        }
    }
    for (peer, tls_name) in [(&demanded, Some("B.example")), (&shown, Some("b.example")), (&shown, None)] {
        for open in [Victim::accept, Victim::dial] {
            let mut victim = Victim::new();
            let via = open(&mut victim);
            victim.peer = peer.clone();
            let reply = victim.handle(via, &greeting(OURS, via, tls_name));
            assert!(reply.packet.is_some() && reply.rejected.is_none(), "{peer:?} {tls_name:?} {reply:?}");
        }
    }
}
