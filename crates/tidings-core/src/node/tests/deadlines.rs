//! Exchanges that take too long, as the node's caller sees them.

use super::*;
use crate::exchange::Deadline;

fn aborts(node: &mut Node) -> Vec<(ExchangeId, Deadline)> {
    core::iter::from_fn(|| node.poll_abort()).map(|abort| (abort.exchange, abort.deadline)).collect()
}

/// A node that dials `b` in its only round for an hour, and when that was.
fn dialler() -> (Node, Instant, Transmit) {
    let mut config = config("a");
    config.seeds = vec![address("b")];
    config.gossip_interval = Duration::from_secs(3_600);
    let mut node = node_with(config);
    let begin = node.poll_timeout().unwrap();
    node.handle_timeout(begin);
    let transmit = node.poll_transmit().unwrap();
    (node, begin, transmit)
}

fn syn(from: &str) -> Bytes {
    packet("default-cluster", Message::Syn { digest: digest_from(from) })
}

const A_MOMENT: Duration = Duration::from_nanos(1);

#[test]
fn a_dial_that_does_not_connect_is_cut_at_its_deadline_and_not_before() {
    let (mut node, begin, transmit) = dialler();
    let due = begin + node.config().exchange_timeouts.connect;
    assert_eq!(node.poll_timeout(), Some(due));
    node.handle_timeout(due - A_MOMENT);
    assert_eq!((aborts(&mut node), node.poll_timeout()), (vec![], Some(due)));
    node.handle_timeout(due);
    assert_eq!(aborts(&mut node), [(transmit.exchange, Deadline::Connect)]);
    assert_eq!((node.exchanges().dialled(), node.stats().exchanges_failed), (0, 1));
    assert!(node.poll_timeout().unwrap() > due);
}

#[test]
fn one_that_connects_has_new_time_for_the_answer() {
    let (mut node, begin, transmit) = dialler();
    let connected = begin + Duration::from_secs(2);
    node.handle_connected(connected, transmit.exchange);
    let due = connected + node.config().exchange_timeouts.packet;
    assert_eq!(node.poll_timeout(), Some(due));
    node.handle_timeout(due - A_MOMENT);
    assert_eq!(aborts(&mut node), []);
    node.handle_timeout(due);
    assert_eq!(aborts(&mut node), [(transmit.exchange, Deadline::Packet)]);
}

#[test]
fn each_packet_of_an_accepted_exchange_has_its_time_and_the_whole_has_an_end() {
    let (mut node, begin, transmit) = dialler();
    node.handle_closed(begin, transmit.exchange, Outcome::Refused);
    let exchange = node.accept(begin, PEER).unwrap();
    assert_eq!(node.poll_timeout(), Some(begin + Duration::from_secs(3)));
    // It says nothing new of a dialled exchange.
    node.handle_connected(begin + Duration::from_secs(1), exchange);
    assert_eq!(node.poll_timeout(), Some(begin + Duration::from_secs(3)));
    let answered = begin + Duration::from_secs(2);
    let reply = node.handle_packet(answered, Via::Accepted(exchange), &syn("b"), &PeerIdentity::Plaintext);
    assert_eq!(reply.next, Next::Read);
    assert_eq!(node.poll_timeout(), Some(answered + Duration::from_secs(3)));
    // Of the other role's packets, none counts.
    node.handle_packet(begin + Duration::from_secs(4), Via::Dialled(exchange), &syn("b"), &PeerIdentity::Plaintext);
    assert_eq!(node.poll_timeout(), Some(answered + Duration::from_secs(3)));
    node.handle_timeout(answered + Duration::from_secs(3));
    let abort = node.poll_abort().unwrap();
    assert_eq!((abort.exchange, abort.deadline, abort.peer), (exchange, Deadline::Packet, Some(id("b", 1))));

    let mut config = config("a");
    config.gossip_interval = Duration::from_secs(3_600);
    config.exchange_timeouts.whole = Duration::from_secs(4);
    let mut node = node_with(config);
    node.handle_timeout(begin);
    let exchange = node.accept(begin, PEER).unwrap();
    node.handle_packet(answered, Via::Accepted(exchange), &syn("b"), &PeerIdentity::Plaintext);
    node.handle_timeout(begin + Duration::from_secs(4) - A_MOMENT);
    assert_eq!(aborts(&mut node), []);
    node.handle_timeout(begin + Duration::from_secs(4));
    assert_eq!(aborts(&mut node), [(exchange, Deadline::Whole)]);
}

#[test]
fn after_an_abort_nothing_more_is_taken_and_a_close_does_nothing() {
    let (mut node, begin, _) = dialler();
    let exchange = node.accept(begin, PEER).unwrap();
    let late = begin + Duration::from_secs(3);
    node.handle_timeout(late);
    assert_eq!((node.exchanges().accepted(), node.stats().exchanges_failed), (0, 2));
    let reply = node.handle_packet(late, Via::Accepted(exchange), &syn("b"), &PeerIdentity::Plaintext);
    assert_eq!((reply.rejected, reply.next, reply.packet), (Some(Rejected::UnknownExchange), Next::Close, None));
    let before = (*node.stats(), node.poll_timeout());
    node.handle_closed(late, exchange, Outcome::Done);
    node.handle_connected(late, exchange);
    assert_eq!((*node.stats(), node.poll_timeout()), before);
}

#[test]
fn what_was_closed_in_time_is_not_cut() {
    let (mut node, begin, transmit) = dialler();
    node.handle_closed(begin + Duration::from_secs(1), transmit.exchange, Outcome::Refused);
    node.handle_timeout(begin + Duration::from_secs(60));
    assert_eq!((aborts(&mut node), node.stats().exchanges_failed), (vec![], 1));
}

#[test]
fn a_pause_of_this_process_times_nothing_out_that_can_still_be_read() {
    let mut config = config("a");
    config.seeds = vec![address("b")];
    let mut node = node_with(config);
    let begin = node.poll_timeout().unwrap();
    node.handle_timeout(begin);
    let dialled = node.poll_transmit().unwrap().exchange;
    // Just before its deadline the process is stopped; the deadline is what it waits for.
    let due = begin + Duration::from_secs(3);
    for second in 1..3 {
        node.handle_timeout(begin + Duration::from_secs(second));
        let other = node.poll_transmit();
        assert_eq!(other, None, "b is being dialled");
    }
    node.handle_timeout(due - A_MOMENT);
    assert_eq!(node.poll_timeout(), Some(due));

    let awake = due + Duration::from_secs(60);
    node.handle_timeout(awake);
    assert_eq!((aborts(&mut node), node.stats().pauses), (vec![], 1));
    // The answer had come meanwhile: it is read now.
    let answer = Message::SynAck { digest: digest_from("b"), delta: Delta::default() };
    let reply =
        node.handle_packet(awake, Via::Dialled(dialled), &packet("default-cluster", answer), &PeerIdentity::Plaintext);
    assert_eq!(reply.rejected, None);
    node.handle_closed(awake, dialled, Outcome::Done);
    assert_eq!(node.stats().exchanges_completed, 1);
}

#[test]
fn after_a_pause_what_does_not_come_is_cut_all_the_same() {
    let (mut node, begin, transmit) = dialler();
    // Longer than the rounds are apart, so that it is taken for a pause.
    let awake = begin + Duration::from_secs(3 + 3_601);
    node.handle_timeout(awake);
    assert_eq!((aborts(&mut node), node.stats().pauses), (vec![], 1));
    let due = node.poll_timeout().unwrap();
    assert_eq!(due, awake + MIN_PAUSE);
    while node.poll_transmit().is_some() {}
    node.handle_timeout(due);
    assert_eq!(aborts(&mut node), [(transmit.exchange, Deadline::Connect)]);
}

#[test]
fn a_transmit_that_nobody_takes_is_withdrawn_so_that_few_wait() {
    let mut config = config("a");
    config.seeds = vec![address("b"), address("c")];
    config.max_concurrent_gossip = 2;
    let mut node = node_with(config);
    for _ in 0..100 {
        let due = node.poll_timeout().unwrap();
        node.handle_timeout(due);
        assert!(node.transmits.len() <= 2);
    }
    assert!(node.stats().exchanges_failed > 20);
    assert_eq!(aborts(&mut node), [], "nothing was connected");
    crate::invariants::check(&node).unwrap();
}

#[test]
fn aborts_that_nobody_takes_are_no_more_than_exchanges_may_be_open() {
    let mut config = config("a");
    config.seeds = vec![address("b"), address("c")];
    config.max_concurrent_gossip = 2;
    config.limits.max_accepted_exchanges = 5;
    let mut node = node_with(config);
    let mut now = Instant::ZERO;
    for _ in 0..100 {
        now = node.poll_timeout().unwrap();
        node.handle_timeout(now);
        while node.poll_transmit().is_some() {}
        node.accept(now, PEER);
        crate::invariants::check(&node).unwrap();
    }
    let waiting = aborts(&mut node).len();
    assert!((2..=7).contains(&waiting), "{waiting}");
    assert!(node.accept(now, PEER).is_some(), "drained, there is room");
}

#[test]
fn of_many_exchanges_only_those_that_are_due_are_cut() {
    let mut config = config("a");
    config.gossip_interval = Duration::from_secs(3_600);
    config.limits.max_accepted_exchanges = 1_000;
    config.limits.max_accepted_exchanges_per_ip = 1_000;
    let mut node = node_with(config);
    let begin = node.poll_timeout().unwrap();
    node.handle_timeout(begin);
    let later = begin + Duration::from_millis(1);
    let first = node.accept(begin, PEER).unwrap();
    for _ in 1..1_000 {
        node.accept(later, PEER).unwrap();
    }
    node.handle_timeout(begin + Duration::from_secs(3));
    assert_eq!(aborts(&mut node), [(first, Deadline::Packet)]);
    node.handle_timeout(later + Duration::from_secs(3));
    assert_eq!((aborts(&mut node).len(), node.exchanges().accepted()), (999, 0));
}

#[test]
fn exchanges_that_time_out_make_this_node_patient_and_a_farewell_go_on() {
    let mut net = Net::new(&["a", "b", "c", "d", "e", "f"], |_| {});
    net.run(10);
    let now = net.now;
    let before = net.node("a").failed_share();
    let node = net.node("a");
    node.leave(now);
    let told: Vec<Transmit> = core::iter::from_fn(|| node.poll_transmit()).collect();
    assert_eq!(told.len(), 3);
    for second in 1..=3 {
        node.handle_timeout(now + Duration::from_secs(second));
    }
    let cut: BTreeSet<ExchangeId> = aborts(node).into_iter().map(|(exchange, _)| exchange).collect();
    assert!(told.iter().all(|transmit| cut.contains(&transmit.exchange)), "{cut:?}");
    assert!(node.failed_share() > before);
    assert!(node.poll_transmit().is_some(), "it turns to others");
}
