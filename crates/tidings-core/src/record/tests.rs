//! Recordings of a node in a small cluster: played again, cut, damaged, and of other versions.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::net::Ipv4Addr;
use core::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::event::EventKind;
use crate::exchange::{Deadline, Next};
use crate::identity::CertificateNames;
use crate::testing::{config, id, secs};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const NO_LIMIT: usize = usize::MAX;
const PREAMBLE_LEN: usize = 12;
const HEADER_LEN: usize = 16;

/// Nodes that all dial the first, and the network between them: a function call. The first one can be recorded.
struct Net {
    now: Instant,
    nodes: Vec<Recorder>,
    peer: PeerIdentity,
}

impl Net {
    fn new(names: &[&str]) -> Net {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let nodes = names.iter().map(|name| {
            let mut config = config(name);
            config.seeds = alloc::vec![id(names[0], 1).gossip_advertise_addr().clone()];
            config.marked_for_deletion_grace_period = Duration::from_secs(5);
            Recorder::new(Node::new(config, Instant::ZERO, &mut rng).unwrap())
        });
        Net { now: Instant::ZERO, nodes: nodes.collect(), peer: PeerIdentity::Plaintext }
    }

    fn run(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        loop {
            let due = self.nodes.iter().enumerate().filter_map(|(index, node)| Some((node.poll_timeout()?, index)));
            let Some((deadline, index)) = due.min().filter(|(deadline, _)| *deadline <= end) else { break };
            self.now = self.now.max(deadline);
            self.nodes[index].handle_timeout(self.now);
            self.carry(index);
        }
        self.now = end;
    }

    /// Carries what a node has to send, and drains it.
    fn carry(&mut self, index: usize) {
        while let Some(syn) = self.nodes[index].poll_transmit() {
            self.exchange(index, syn);
        }
        while self.nodes[index].poll_abort().is_some() {}
        while self.nodes[index].poll_event().is_some() {}
    }

    fn exchange(&mut self, dialler: usize, syn: Transmit) {
        let (now, dialled) = (self.now, syn.exchange);
        let acceptor = self.nodes.iter().position(|node| *node.id().gossip_advertise_addr() == syn.to);
        let Some(acceptor) = acceptor else {
            return self.nodes[dialler].handle_closed(now, dialled, Outcome::Refused);
        };
        let accepted = self.nodes[acceptor].accept(now, LOCALHOST).unwrap();
        self.nodes[dialler].handle_connected(now, dialled);
        let sides = [(acceptor, Via::Accepted(accepted)), (dialler, Via::Dialled(dialled))];
        let mut packet = syn.packet;
        for (index, via) in sides.into_iter().cycle() {
            let reply = self.nodes[index].handle_packet(now, via, &packet, &self.peer);
            match (reply.packet, reply.next) {
                (Some(answer), _) => packet = answer,
                (None, Next::Read) => unreachable!("a side that reads on has said something"),
                (None, Next::Close) => break,
            }
        }
        self.nodes[dialler].handle_closed(now, dialled, Outcome::Done);
        self.nodes[acceptor].handle_closed(now, accepted, Outcome::Done);
    }

    /// Every command there is, with rounds between.
    fn use_all_commands(&mut self) {
        let now = self.now;
        let first = &mut self.nodes[0];
        first.set(now, "kept", "1", Lifetime::Forever).unwrap();
        first.set(now, "fading", "2", Lifetime::Grace).unwrap();
        first.set(now, "short", "3", Lifetime::For(Duration::from_millis(700))).unwrap();
        first.set(now, "tidings.no", "4", Lifetime::Forever).unwrap_err();
        first.set(now, "gone", "5", Lifetime::Forever).unwrap();
        self.run(3);
        let (now, first) = (self.now, &mut self.nodes[0]);
        first.delete(now, "gone").unwrap().unwrap();
        first.delete(now, "never").map(|version| assert_eq!(version, None)).unwrap();
        first.delete_after_ttl(now, "kept").unwrap();
        assert!(first.republish(now) > 0);
        first.forget(now, &id("b", 1)).unwrap_err();
        first.set_advertise_addr(now, Address::new("", 1)).unwrap_err();
        first.set_seeds(alloc::vec![id("c", 1).gossip_advertise_addr().clone(), Address::new("nobody", 1)]);
        self.run(12);
    }

    fn begin(&mut self) -> Vec<u8> {
        self.nodes[0].begin(NO_LIMIT).encode().unwrap()
    }

    fn take(&mut self, recording: &mut Vec<u8>) {
        let Taken { bytes, has_gap } = self.nodes[0].take();
        assert!(!has_gap);
        recording.extend(bytes);
    }
}

/// A node that meets two others and waits in vain for a third, recorded from its start.
fn recording() -> Vec<u8> {
    let mut net = Net::new(&["a", "b", "c"]);
    let mut recording = net.begin();
    net.nodes[0].accept(net.now, LOCALHOST).unwrap();
    net.run(4);
    net.take(&mut recording);
    recording
}

/// Where the records begin, and the step each belongs to; the end as well.
fn records(recording: &[u8]) -> Vec<usize> {
    let mut starts = alloc::vec![PREAMBLE_LEN];
    let mut at = PREAMBLE_LEN;
    while at < recording.len() {
        let len = u32::from_le_bytes(recording[at..at + 4].try_into().unwrap());
        at += HEADER_LEN + len as usize;
        starts.push(at);
    }
    assert_eq!(at, recording.len());
    starts
}

/// The step of the record with this number: input and output are one.
fn step_of(record: usize) -> u64 {
    (record as u64).div_ceil(2)
}

fn view(node: &Node, now: Instant) -> String {
    format!("{:?} {:?}", node.snapshot(now), node.poll_timeout())
}

#[test]
fn a_recorded_run_comes_out_the_same_wherever_it_begins() {
    for begins_after in [0, 1, 3, 7] {
        let mut net = Net::new(&["a", "b", "c"]);
        net.run(begins_after);
        let mut recording = net.begin();
        net.use_all_commands();
        net.take(&mut recording);
        let (now, node) = (net.now, &mut net.nodes[0]);
        node.leave(now);
        net.carry(0);
        net.take(&mut recording);

        let replayed = replay(&recording).unwrap();
        assert!(replayed.steps > 100, "{}", replayed.steps);
        assert_eq!((replayed.unchecked, replayed.end), (0, End::Whole));
        assert_eq!(view(&replayed.node, net.now), view(&net.nodes[0], net.now));
        if begins_after == 0 {
            // Nothing is drawn but by its generator, and counters count from the beginning.
            assert_eq!(replayed.node.stats(), net.nodes[0].stats());
        }
    }
}

#[test]
fn each_input_and_output_is_read_as_it_was() {
    let names = CertificateNames::new(alloc::vec!["a.example".into()], alloc::vec![LOCALHOST]);
    for peer in
        [PeerIdentity::Anonymous, PeerIdentity::Shown(Arc::new(names.clone())), PeerIdentity::Demanded(Arc::new(names))]
    {
        let mut net = Net::new(&["a", "b"]);
        net.peer = peer.clone();
        let mut bytes = net.begin();
        net.run(4);
        net.use_all_commands();
        let now = net.now;
        let accepted = net.nodes[0].accept(now, LOCALHOST).unwrap();
        net.nodes[0].handle_connected(now, accepted);
        net.nodes[0].leave(now);
        net.take(&mut bytes);

        let mut recording = Recording::new(&bytes).unwrap();
        let mut kinds = [false; 13];
        while let Some(step) = recording.next_step().unwrap() {
            kinds[match &step.input {
                Input::Accept { from } => {
                    assert_eq!(*from, LOCALHOST);
                    0
                }
                Input::Packet { peer: recorded, .. } => {
                    assert_eq!(**recorded, peer);
                    1
                }
                Input::Closed { .. } => 2,
                Input::Timeout => 3,
                Input::Set { key, value, .. } => {
                    assert!(["kept", "fading", "short", "tidings.no", "gone"].contains(key) && value.len() == 1);
                    4
                }
                Input::Delete { key } => {
                    assert!(["gone", "never"].contains(key));
                    5
                }
                Input::DeleteAfterTtl { key } => {
                    assert_eq!(*key, "kept");
                    6
                }
                Input::Republish => 7,
                Input::Leave => 8,
                Input::SetSeeds { seeds } => {
                    assert_eq!(seeds.len(), 2);
                    9
                }
                Input::Connected { .. } => 10,
                Input::SetAdvertiseAddr { address } => {
                    assert_eq!(**address, Address::new("", 1));
                    assert!(matches!(step.output.as_ref().unwrap().answer, Answer::Moved(Err(_))));
                    12
                }
                Input::Forget { node } => {
                    assert_eq!(**node, id("b", 1));
                    assert!(matches!(step.output.as_ref().unwrap().answer, Answer::Forgotten(Err(_))));
                    11
                }
            }] = true;
            assert!(step.output.is_some());
        }
        assert_eq!(kinds, [true; 13]);
    }
}

#[test]
fn an_exchange_that_times_out_does_so_again() {
    let mut net = Net::new(&["a", "b"]);
    let mut bytes = net.begin();
    let accepted = net.nodes[0].accept(net.now, LOCALHOST).unwrap();
    net.run(12);
    net.take(&mut bytes);
    let replayed = replay(&bytes).unwrap();
    assert_eq!(view(&replayed.node, net.now), view(&net.nodes[0], net.now));

    let mut recording = Recording::new(&bytes).unwrap();
    let mut aborts = Vec::new();
    while let Some(step) = recording.next_step().unwrap() {
        let output = step.output.unwrap();
        let text = output.to_string();
        assert_eq!(text.contains("cuts exchange 1: packet timeout\n"), !output.aborts.is_empty(), "{text}");
        aborts.extend(output.aborts.into_iter().map(|abort| (step.at, abort.exchange, abort.deadline)));
    }
    assert_eq!(aborts, [(secs(3), accepted, Deadline::Packet)]);
}

#[test]
fn one_bit_that_is_flipped_fails_at_its_step() {
    let recording = recording();
    let starts = records(&recording);
    assert!(starts.len() > 30);
    for at in 0..recording.len() {
        let mut flipped = recording.clone();
        flipped[at] ^= 1 << (at % 8);
        let record = starts.partition_point(|start| *start <= at);
        let error = replay(&flipped).expect_err("a bit is flipped");
        let ReplayError::Unreadable(error) = error else { panic!("at {at}: {error}") };
        match record.checked_sub(1) {
            None => assert!(matches!(error, ReadError::NotARecording | ReadError::OtherFormat { .. }), "{error}"),
            Some(record) => {
                let ReadError::Damaged { step, at_byte, .. } = error else { panic!("at {at}: {error}") };
                assert_eq!((step, at_byte), (step_of(record), starts[record]), "at {at}");
            }
        }
    }
}

#[test]
fn one_that_is_cut_off_is_played_to_its_last_whole_record() {
    let recording = recording();
    let starts = records(&recording);
    for cut in 0..recording.len() {
        let whole = starts.partition_point(|start| *start <= cut);
        match replay(&recording[..cut]) {
            Err(ReplayError::Unreadable(ReadError::NotARecording)) => assert!(cut < PREAMBLE_LEN),
            Err(ReplayError::Unreadable(ReadError::NoCheckpoint)) => assert_eq!(whole, 1),
            Err(error) => panic!("cut at {cut}: {error}"),
            Ok(replayed) => {
                let last = starts[whole - 1];
                let end = if last == cut { End::Whole } else { End::CutOff { at_byte: last } };
                // Of the whole records one is the checkpoint; an input alone is a step without outputs.
                let (inputs, is_alone) = (step_of(whole - 2), whole % 2 == 1);
                let expected = (inputs, u64::from(is_alone), end);
                assert_eq!((replayed.steps, replayed.unchecked, replayed.end), expected, "cut at {cut}");
            }
        }
    }
}

#[test]
fn zeros_at_the_end_are_the_trace_of_a_lost_power() {
    let mut recording = recording();
    let (len, steps) = (recording.len(), replay(&recording).unwrap().steps);
    recording.resize(len + 4_096, 0);
    let replayed = replay(&recording).unwrap();
    assert_eq!((replayed.steps, replayed.end), (steps, End::CutOff { at_byte: len }));
    recording[len + 4_000] = 1;
    assert!(
        matches!(replay(&recording), Err(ReplayError::Unreadable(ReadError::Damaged { at_byte, .. })) if at_byte == len)
    );
}

#[test]
fn records_that_are_left_out_or_change_places_are_noticed() {
    let recording = recording();
    let starts = records(&recording);
    let without = [&recording[..starts[5]], &recording[starts[7]..]].concat();
    let swapped = [
        &recording[..starts[5]],
        &recording[starts[7]..starts[9]],
        &recording[starts[5]..starts[7]],
        &recording[starts[9]..],
    ];
    for wrong in [without, swapped.concat()] {
        let error = replay(&wrong).expect_err("the records are not those written");
        assert!(matches!(error, ReplayError::Unreadable(ReadError::Damaged { step: 3, .. })), "{error}");
    }
}

/// Writes a recording anew, with each step changed.
fn rewrite(recording: &[u8], mut change: impl FnMut(&mut Step<'_>)) -> Vec<u8> {
    let mut bytes = recording[..records(recording)[1]].to_vec();
    let mut writer = Writer::after_checkpoint();
    let mut read = Recording::new(recording).unwrap();
    while let Some(mut step) = read.next_step().unwrap() {
        change(&mut step);
        writer.input(&mut bytes, step.at, &step.input).unwrap();
        if let Some(output) = &step.output {
            writer.output(&mut bytes, output).unwrap();
        }
    }
    bytes
}

#[test]
fn the_first_output_that_differs_is_shown_beside_what_was_recorded() {
    let recording = recording();
    assert_eq!(rewrite(&recording, |_| ()), recording);
    let mut changed = None;
    let wrong = rewrite(&recording, |step| {
        let event = step.output.as_mut().and_then(|output| output.events.first_mut());
        if let Some(event) = event {
            changed = changed.or(Some(step.number));
            event.kind = EventKind::LeaveFinished { told: 77 };
        }
    });
    let Err(ReplayError::Differs(difference)) = replay(&wrong) else { panic!("the events are others") };
    assert_eq!(Some(difference.step), changed);
    let text = difference.to_string();
    assert!(text.contains(&format!("step {} at", difference.step)), "{text}");
    assert!(text.contains("\n  - event 1: left; told 77 nodes"), "{text}");
    assert!(text.contains("\n  + event 1: b-1-b:7000 joined"), "{text}");
    assert!(text.contains("\n    waits until"), "what is the same is not marked: {text}");

    // Played to the end all the same: the first difference is told, and the node is what it is.
    let (played, same) = (play(&wrong).unwrap(), replay(&recording).unwrap());
    assert_eq!(played.difference, Some(difference));
    assert_eq!((played.steps, view(&played.node, secs(9))), (same.steps, view(&same.node, secs(9))));

    // Each part of an output counts.
    type Change = fn(&mut Output);
    let changes: [Change; 5] = [
        |output| output.timeout = None,
        |output| output.transmits.clear(),
        |output| output.aborts.clear(),
        |output| output.events.clear(),
        |output| {
            if let Answer::Reply { packet: Some(packet), .. } = &mut output.answer {
                packet.hash ^= 1;
            }
        },
    ];
    for change in changes {
        let wrong = rewrite(&recording, |step| step.output.iter_mut().for_each(change));
        assert!(matches!(replay(&wrong), Err(ReplayError::Differs(_))));
    }
}

#[test]
fn other_inputs_give_other_outputs() {
    let recording = recording();
    let wrong = rewrite(&recording, |step| {
        if step.number == 9 {
            step.at += Duration::from_secs(60);
        }
    });
    let Err(ReplayError::Differs(difference)) = replay(&wrong) else { panic!("the times are others") };
    assert!((9..12).contains(&difference.step), "{difference}");
}

#[test]
fn an_input_on_which_the_node_panicked_is_there() {
    let recording = recording();
    let panicked = rewrite(&recording, |step| {
        if step.number == 5 {
            step.output = None;
        }
    });
    let replayed = replay(&panicked).unwrap();
    assert_eq!(replayed.unchecked, 1);
    assert_eq!(replayed.steps, replay(&recording).unwrap().steps);
}

#[test]
fn what_is_no_recording_of_this_version_is_said_to_be_so() {
    assert_eq!(Recording::new(b"").unwrap_err(), ReadError::NotARecording);
    assert_eq!(Recording::new(&[7; 1_000]).unwrap_err(), ReadError::NotARecording);
    let mut later = recording();
    later[8] += 1;
    let error = Recording::new(&later).unwrap_err();
    assert_eq!(error, ReadError::OtherFormat { format: FORMAT + 1 });
    assert!(error.to_string().contains("tidings-core"), "{error}");

    // The checkpoint of another node type: one field more, or fewer.
    let mut other = later[..PREAMBLE_LEN].to_vec();
    other[8] = u8::try_from(FORMAT).unwrap();
    Writer { records: 0 }.append(&mut other, &(Net::new(&["a"]).nodes[0].node.clone(), 1_u8)).unwrap();
    assert_eq!(Recording::new(&other).unwrap_err(), ReadError::NotThisVersions);
    other.truncate(PREAMBLE_LEN);
    Writer { records: 0 }.append(&mut other, &1_u8).unwrap();
    assert_eq!(Recording::new(&other).unwrap_err(), ReadError::NotThisVersions);
}

#[test]
fn a_state_that_no_node_can_have_is_refused() {
    let mut net = Net::new(&["a", "b"]);
    net.run(4);
    let node = &net.nodes[0].node;
    let checkpoint = |break_it: fn(&mut Node)| {
        let mut node = node.clone();
        break_it(&mut node);
        Recording::new(&file::encode_checkpoint(&node).unwrap()).map(drop)
    };
    assert_eq!(checkpoint(|_| ()), Ok(()));
    let breaks: [fn(&mut Node); 4] = [
        |node| node.knowledge_mut().own.heartbeat = u64::MAX,
        |node| node.knowledge_mut().config.gossip_count = 0,
        |node| node.knowledge_mut().config.cluster_id.push('x'),
        |node| node.knowledge_mut().config.limits.max_queued_events = 7,
    ];
    for break_it in breaks {
        let refused = checkpoint(break_it);
        assert!(matches!(refused, Err(ReadError::Impossible { .. })), "{refused:?}");
    }
}

#[test]
fn a_full_buffer_leaves_a_gap_that_is_told_and_a_new_beginning_ends() {
    let mut net = Net::new(&["a", "b"]);
    let mut first = net.nodes[0].begin(2_000).encode().unwrap();
    net.run(10);
    let buffered = net.nodes[0].buffered().unwrap();
    assert!((2_000..3_000).contains(&buffered), "{buffered}");
    let Taken { bytes, has_gap } = net.nodes[0].take();
    assert!(has_gap && !bytes.is_empty());
    first.extend(bytes);
    let replayed = replay(&first).unwrap();
    assert!(replayed.steps > 0 && replayed.unchecked <= 1);
    net.run(1);
    assert_eq!(net.nodes[0].take(), Taken { bytes: Vec::new(), has_gap: true }, "what comes after a gap is of no use");

    let mut second = net.begin();
    net.run(3);
    net.take(&mut second);
    assert_eq!(view(&replay(&second).unwrap().node, net.now), view(&net.nodes[0], net.now));
}

#[test]
fn a_recorder_that_does_not_record_keeps_nothing_and_changes_nothing() {
    let run = |records: bool| {
        let mut net = Net::new(&["a", "b"]);
        if records {
            let _ = net.begin();
        }
        net.run(5);
        net.use_all_commands();
        net
    };
    let (mut without, with) = (run(false), run(true));
    assert_eq!((without.nodes[0].take(), without.nodes[0].buffered()), (Taken::default(), None));
    crate::invariants::determinism(secs(20), &without.nodes[0], &with.nodes[0]).unwrap();
    without.begin();
    without.nodes[0].stop();
    without.run(1);
    assert_eq!(without.nodes[0].buffered(), None);
}
