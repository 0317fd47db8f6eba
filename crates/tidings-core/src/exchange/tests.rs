//! Exchanges by themselves: limits, stages and deadlines.

use core::net::Ipv4Addr;
use core::time::Duration;

use super::*;
use crate::testing::{NOW, id};

const A: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const B: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

const TIMEOUTS: ExchangeTimeouts = ExchangeTimeouts {
    connect: Duration::from_secs(3),
    packet: Duration::from_secs(2),
    whole: Duration::from_secs(10),
};

fn at(secs: u64) -> Patience<'static> {
    Patience { now: Instant::from_secs(secs), active: Instant::from_secs(secs), timeouts: &TIMEOUTS }
}

fn secs(secs: u64) -> Option<Instant> {
    Some(Instant::from_secs(secs))
}

/// What is overdue at `now`, and which deadline of it has passed.
fn aborted(exchanges: &mut Exchanges, now: Instant) -> Vec<(ExchangeId, Deadline)> {
    for exchange in exchanges.overdue(now) {
        exchanges.abort(exchange);
        exchanges.close(exchange).unwrap();
        exchanges.check().unwrap();
    }
    core::iter::from_fn(|| exchanges.next_abort()).map(|abort| (abort.exchange, abort.deadline)).collect()
}

#[test]
fn accepted_exchanges_are_bounded_in_all_and_by_peer_and_a_close_makes_room() {
    let mut exchanges = Exchanges::default();
    let first = exchanges.accept(at(0), Duration::ZERO, A, 3, 2).unwrap();
    exchanges.accept(at(0), Duration::ZERO, A, 3, 2).unwrap();
    assert_eq!(exchanges.accept(at(0), Duration::ZERO, A, 3, 2), None, "two of one address");
    exchanges.accept(at(0), Duration::ZERO, B, 3, 2).unwrap();
    assert_eq!(exchanges.accept(at(0), Duration::ZERO, B, 3, 2), None, "three in all");
    exchanges.close(first).unwrap();
    assert!(exchanges.accept(at(0), Duration::ZERO, A, 3, 2).is_some());
    assert!(exchanges.close(first).is_none(), "closed already");
}

#[test]
fn a_stage_is_given_only_to_its_own_role_and_only_once() {
    let mut exchanges = Exchanges::default();
    let dialled = exchanges.dial(at(0), Address::new("h", 1), false, false);
    assert!(exchanges.take_stage(Via::Accepted(dialled)).is_none());
    assert!(matches!(exchanges.take_stage(Via::Dialled(dialled)), Some(Stage::SynAck { .. })));
    assert!(matches!(exchanges.take_stage(Via::Dialled(dialled)), Some(Stage::Close { .. })));
    assert_eq!((exchanges.dialled(), exchanges.accepted()), (1, 0));
}

#[test]
fn what_an_exchange_waits_for_is_what_it_is_when_it_is_closed() {
    let mut exchanges = Exchanges::default();
    let accepted = exchanges.accept(at(0), Duration::ZERO, A, 9, 9).unwrap();
    assert!(matches!(exchanges.take_stage(Via::Accepted(accepted)), Some(Stage::Syn { .. })));
    let from = id("a", 1);
    exchanges.introduce(Via::Accepted(accepted), &from);
    assert_eq!(exchanges.peer(accepted), Some(&from));
    exchanges.wait_for(
        Via::Accepted(accepted),
        Stage::Ack { from, protocol_revision: 1, proof: Proof::Presence, asked_at: NOW },
    );
    let closed = exchanges.close(accepted).unwrap();
    assert_eq!(exchanges.peer(accepted), None);
    assert!(matches!(closed, Closed { stage: Stage::Ack { .. }, tells_farewell: false, to_live: false, .. }));

    let dialled = exchanges.dial(at(0), Address::new("h", 1), true, true);
    assert!(exchanges.close(dialled).is_some_and(|closed| closed.tells_farewell && closed.to_live));
    assert_eq!((exchanges.dialled(), exchanges.accepted()), (0, 0));
    // Of what is closed nothing is expected, and nothing is kept.
    exchanges.wait_for(Via::Dialled(dialled), Stage::Syn { accepted_at: NOW, may_have_waited: Duration::ZERO });
    assert!(exchanges.take_stage(Via::Dialled(dialled)).is_none() && exchanges.close(dialled).is_none());
}

#[test]
fn an_address_is_being_dialled_until_its_answer_is_in() {
    let mut exchanges = Exchanges::default();
    let (here, there) = (Address::new("h", 1), Address::new("h", 2));
    let dialled = exchanges.dial(at(0), here.clone(), false, false);
    assert!(exchanges.is_dialling(&here) && !exchanges.is_dialling(&there));
    exchanges.take_stage(Via::Dialled(dialled)).unwrap();
    assert!(!exchanges.is_dialling(&here));
}

#[test]
fn a_dialled_exchange_has_its_time_to_connect_and_then_for_each_packet() {
    let mut exchanges = Exchanges::default();
    assert_eq!(exchanges.next_due(), None);
    let slow = exchanges.dial(at(0), Address::new("slow", 1), false, false);
    let silent = exchanges.dial(at(0), Address::new("silent", 1), false, false);
    assert_eq!(exchanges.next_due(), secs(3));
    exchanges.connected(at(2), silent);
    exchanges.check().unwrap();
    exchanges.connected(at(3), silent);
    assert_eq!(aborted(&mut exchanges, Instant::from_nanos(2_999_999_999)), []);
    assert_eq!(aborted(&mut exchanges, Instant::from_secs(3)), [(slow, Deadline::Connect)]);
    assert_eq!(exchanges.next_due(), secs(4), "connected once");
    exchanges.begin_step(at(3), silent);
    assert_eq!(exchanges.next_due(), secs(5));
    assert_eq!(aborted(&mut exchanges, Instant::from_nanos(4_999_999_999)), []);
    assert_eq!(aborted(&mut exchanges, Instant::from_secs(5)), [(silent, Deadline::Packet)]);
    assert_eq!(exchanges.next_due(), None);
}

#[test]
fn all_steps_of_an_exchange_have_their_time_together() {
    let mut exchanges = Exchanges::default();
    let accepted = exchanges.accept(at(0), Duration::ZERO, A, 9, 9).unwrap();
    assert_eq!(exchanges.next_due(), secs(2));
    for now in 1..10 {
        exchanges.begin_step(at(now), accepted);
        exchanges.check().unwrap();
    }
    assert_eq!(exchanges.next_due(), secs(10), "not at 11");
    assert_eq!(aborted(&mut exchanges, Instant::from_secs(10)), [(accepted, Deadline::Whole)]);

    // Also where connecting alone could take longer.
    let hasty = ExchangeTimeouts { whole: Duration::from_secs(1), ..TIMEOUTS };
    let now = Patience { now: Instant::from_secs(20), active: Instant::from_secs(20), timeouts: &hasty };
    let dialled = exchanges.dial(now, Address::new("h", 1), false, false);
    exchanges.connected(now, dialled);
    assert_eq!(aborted(&mut exchanges, Instant::from_secs(21)), [(dialled, Deadline::Whole)]);
}

#[test]
fn what_is_overdue_comes_soonest_first_and_what_is_closed_has_no_deadline() {
    let mut exchanges = Exchanges::default();
    let accept = |exchanges: &mut Exchanges, now| exchanges.accept(at(now), Duration::ZERO, A, 9, 9).unwrap();
    let [first, second, third] = [4, 2, 3].map(|now| accept(&mut exchanges, now));
    exchanges.close(third).unwrap();
    assert_eq!(exchanges.overdue(Instant::from_secs(9)), [second, first]);
    exchanges.begin_step(at(9), third);
    exchanges.connected(at(9), third);
    exchanges.abort(third);
    exchanges.check().unwrap();
    assert_eq!((exchanges.next_due(), exchanges.aborts().len()), (secs(4), 0));
}

#[test]
fn nothing_is_overdue_while_it_is_spared() {
    let mut exchanges = Exchanges::default();
    let accepted = exchanges.accept(at(0), Duration::ZERO, A, 9, 9).unwrap();
    exchanges.spare_until(Instant::from_secs(5));
    assert_eq!((exchanges.next_due(), exchanges.overdue(Instant::from_nanos(4_999_999_999))), (secs(5), Vec::new()));
    assert_eq!(exchanges.overdue(Instant::from_secs(5)), [accepted]);
}

#[test]
fn an_abort_that_is_not_drained_takes_the_place_of_an_exchange() {
    let mut exchanges = Exchanges::default();
    let accepted = exchanges.accept(at(0), Duration::ZERO, A, 1, 1).unwrap();
    exchanges.introduce(Via::Accepted(accepted), &id("a", 1));
    exchanges.abort(accepted);
    exchanges.close(accepted).unwrap();
    assert_eq!(exchanges.accept(at(0), Duration::ZERO, B, 1, 1), None);
    assert_eq!(exchanges.next_abort().and_then(|abort| abort.peer), Some(id("a", 1)));
    assert!(exchanges.accept(at(0), Duration::ZERO, B, 1, 1).is_some());
}
