//! Recordings to begin with, and the second opinion on how they are framed.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tidings_core::reconcile::{Delta, NodeDelta};
use tidings_core::record::{FORMAT, Recorder};
use tidings_core::wire::aiocluster::{Digest, Message, NodeDigest, Packet, encode};
use tidings_core::{
    Address, CertificateNames, Config, Instant, KeyValueUpdate, Lifetime, Node, NodeId, Outcome, PeerIdentity,
    ValueStatus, Via,
};
use xxhash_rust::xxh3::xxh3_64_with_seed;

const MAGIC: &[u8] = b"TIDINGS\n";
const HEADER_LEN: usize = 16;

/// The records in `data` with the beginning, lengths and checksums that they would have to have.
#[must_use]
pub fn repaired(data: &[u8]) -> Vec<u8> {
    let preamble = [MAGIC, &FORMAT.to_le_bytes()].concat();
    let mut rest = data.get(preamble.len()..).unwrap_or_default();
    let mut repaired = preamble;
    for number in 0.. {
        let Some((header, behind)) = rest.split_first_chunk::<HEADER_LEN>() else { break };
        let [a, b, c, d, ..] = *header;
        let len = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX).min(behind.len());
        let (payload, behind) = behind.split_at(len);
        rest = behind;
        let len = u32::try_from(payload.len()).expect("inputs are short");
        repaired.extend([len, !len].iter().flat_map(|len| len.to_le_bytes()));
        repaired.extend(xxh3_64_with_seed(payload, number).to_le_bytes());
        repaired.extend(payload);
    }
    repaired
}

/// A name and a recording each.
pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut recorder = node();
    let mut begun = begin(&mut recorder);
    live(&mut recorder);
    begun.extend(recorder.take().bytes);
    let mut late = begin(&mut recorder);
    live(&mut recorder);
    late.extend(recorder.take().bytes);
    let fresh = begin(&mut node());
    vec![
        ("cut_off", begun[..begun.len() * 3 / 4].to_vec()),
        ("from_its_start", begun),
        ("from_later_on", late),
        ("no_step", fresh),
        ("other_format", [MAGIC, &u32::MAX.to_le_bytes()].concat()),
        ("empty", vec![]),
    ]
}

fn begin(recorder: &mut Recorder) -> Vec<u8> {
    recorder.begin(usize::MAX).encode().expect("a small state")
}

fn node() -> Recorder {
    let mut config = Config::new(id("a"));
    config.seeds = vec![Address::new("seed", 1), Address::new("10.0.0.1", 2)];
    config.marked_for_deletion_grace_period = Duration::from_secs(1);
    config.failure_detector.dead_node_grace_period = Duration::from_secs(9);
    let node = Node::new(config, Instant::ZERO, &mut ChaCha8Rng::seed_from_u64(1)).expect("a valid config");
    Recorder::new(node)
}

fn id(name: &str) -> NodeId {
    NodeId::new(name, 1, Address::new(name, 7_000))
}

/// Hands the node some of everything: two peers, of which one falls silent, connections that time out, and its user's
/// commands.
fn live(recorder: &mut Recorder) {
    let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let names = CertificateNames::new(vec!["b.example".into()], vec![from]);
    let peers = [PeerIdentity::Plaintext, PeerIdentity::Anonymous, PeerIdentity::Shown(Arc::new(names))];
    let start = recorder.poll_timeout().expect("a next round");
    for (second, peer) in (0..12).zip(peers.iter().cycle()) {
        let now = start + Duration::from_secs(second);
        recorder.handle_timeout(now);
        let dialled: Vec<_> = std::iter::from_fn(|| recorder.poll_transmit()).collect();
        while recorder.poll_abort().is_some() || recorder.poll_event().is_some() {}
        for (transmit, heard) in dialled.iter().zip([None, Some("b"), Some("c")]) {
            if let Some(name) = heard.filter(|_| second < 4) {
                recorder.handle_connected(now, transmit.exchange);
                let via = Via::Dialled(transmit.exchange);
                let answer = Message::SynAck { digest: digest(name, second + 1), delta: delta(name, second + 1) };
                recorder.handle_packet(now, via, &packet(answer), peer);
            }
            let outcome = if heard.is_some() { Outcome::Done } else { Outcome::Refused };
            recorder.handle_closed(now, transmit.exchange, outcome);
        }
        if let Some(exchange) = recorder.accept(now, from) {
            let via = Via::Accepted(exchange);
            recorder.handle_packet(now, via, &packet(Message::Syn { digest: digest("b", second + 1) }), peer);
            recorder.handle_packet(now, via, &packet(Message::Ack { delta: delta("b", second + 2) }), peer);
            recorder.handle_closed(now, exchange, Outcome::Done);
        }
        // Another peer connects and says nothing, until it is cut off.
        recorder.accept(now, from);
        command(recorder, second, now);
    }
}

fn command(recorder: &mut Recorder, second: u64, now: Instant) {
    match second {
        5 => {
            recorder.republish(now);
        }
        8 => {
            recorder.set_advertise_addr(now, Address::new("moved", 4)).expect("a valid address");
        }
        6 => recorder.set_seeds(vec![Address::new("seed", 3)]),
        11 => recorder.leave(now),
        _ => {}
    }
    let done = match second {
        0 => recorder.set(now, "key", "value", Lifetime::Forever).map(Some),
        1 => recorder.set(now, "short", "lived", Lifetime::For(Duration::from_secs(2))).map(Some),
        2 => recorder.set(now, "fading", "away", Lifetime::Grace).map(Some),
        3 => recorder.delete(now, "key"),
        4 => recorder.delete_after_ttl(now, "short"),
        _ => Ok(None),
    };
    done.expect("short keys");
}

fn packet(message: Message) -> Vec<u8> {
    encode(&Packet { cluster_id: Arc::from("default-cluster"), protocol_revision: 1, message }).to_vec()
}

fn digest(sender: &str, heartbeat: u64) -> Digest {
    let entry = |name| NodeDigest {
        node_id: id(name),
        heartbeat,
        last_gc_version: 0,
        max_version: 2,
        complete_version: None,
        run: tidings_core::Run::new(7),
        released_version: None,
        silence_ms: None,
    };
    let third = if sender == "b" { "c" } else { "b" };
    Digest { entries: [sender, third, "d"].map(entry).to_vec(), partial: false }
}

fn delta(owner: &str, version: u64) -> Delta {
    let key_value = KeyValueUpdate {
        key: Arc::from("colour"),
        value: Arc::from("green"),
        version,
        status: if version.is_multiple_of(3) { ValueStatus::DeleteAfterTtl } else { ValueStatus::Set },
    };
    let node_delta = NodeDelta {
        node_id: id(owner),
        from_version_excluded: version - 1,
        last_gc_version: 0,
        key_values: vec![key_value],
        max_version: Some(version),
        sender_complete_version: Some(version),
        run: tidings_core::Run::new(7),
    };
    Delta { node_deltas: vec![node_delta] }
}
