use tidings_tokio::Address;
use tidings_tokio::core::Instant;
use tidings_tokio::{ValueStatus, VersionedValue};

use super::*;

fn key_changed(sequence: u64, key: &str, value: &str) -> Event {
    let node = NodeId::new("one", 7, Address::new("h", 1));
    let new =
        VersionedValue { value: value.into(), version: sequence, status: ValueStatus::Set, changed_at: Instant::ZERO };
    Event { sequence, kind: EventKind::KeyChanged { node, key: key.into(), old: None, new } }
}

/// A log of this many events after the third.
fn log(events: u64, value: &str) -> EventLog {
    let log = EventLog::new(7, 3);
    (4..4 + events).for_each(|sequence| log.push(&key_changed(sequence, "k", value), 0));
    log
}

fn text(frames: &Bytes) -> &str {
    str::from_utf8(frames).unwrap()
}

/// The numbers of the events in these frames.
fn sequences(frames: &Bytes) -> Vec<u64> {
    text(frames).lines().filter_map(|line| line.strip_prefix("id: 7-")?.parse().ok()).collect()
}

#[test]
fn what_follows_is_read_and_what_is_not_told_of_is_passed_over() {
    let log = log(2, "v");
    log.push(&Event { sequence: 6, kind: EventKind::LeaveFinished { told: 1 } }, 0);
    let Read::Frames { frames, sequence } = log.read(4, &Filter::default()) else { panic!("nothing") };
    assert_eq!((sequences(&frames), sequence), (vec![5], 6));
    let expected = "event: key-changed\nid: 7-5\ndata: {\"at_ms\":0,\"generation_id\":7,\"key\":\"k\",\"name\":\"one\",\"previous\":null,\
                    \"status\":\"set\",\"value\":\"v\",\"version\":5}\n\n";
    assert_eq!(text(&frames), expected);
    assert_eq!(log.read(6, &Filter::default()), Read::Nothing);
    // Its number may be known before it is here.
    assert_eq!(log.read(7, &Filter::default()), Read::Nothing);
    log.end();
    assert_eq!(log.read(6, &Filter::default()), Read::End);
    assert!(matches!(log.read(5, &Filter::default()), Read::Frames { .. }));
}

#[test]
fn a_filter_leaves_out_and_moves_on() {
    let log = log(2, "v");
    let nobody = Filter { member: Some("two".to_string()), key_prefix: None };
    assert_eq!(log.read(3, &nobody), Read::Frames { frames: Bytes::new(), sequence: 5 });
    let no_key = Filter { member: None, key_prefix: Some("kk".to_string()) };
    assert_eq!(log.read(3, &no_key), Read::Frames { frames: Bytes::new(), sequence: 5 });
}

#[test]
fn neither_more_events_nor_more_bytes_are_kept_than_agreed() {
    let many = log(MAX_EVENTS as u64 + 1, "v");
    assert_eq!(many.lock().entries.len(), MAX_EVENTS);
    assert_eq!(many.read(3, &Filter::default()), Read::Lagged { missed: 1, sequence: 4 });

    let long = log(300, &"x".repeat(65_000));
    let ring = long.lock();
    assert!(ring.bytes <= MAX_BYTES && ring.bytes > MAX_BYTES - 66_000, "{}", ring.bytes);
    assert_eq!(ring.bytes, ring.entries.iter().map(|entry| entry.frame.len()).sum::<usize>());
    assert_eq!(ring.entries.front().unwrap().sequence, ring.floor + 1);
}

#[test]
fn a_reader_gets_a_chunk_at_a_time_and_a_long_event_as_it_is() {
    let short = log(1_000, &"x".repeat(100));
    let (mut after, mut read) = (3, Vec::new());
    while let Read::Frames { frames, sequence } = short.read(after, &Filter::default()) {
        assert!(frames.len() <= CHUNK_BYTES);
        read.extend(sequences(&frames));
        after = sequence;
    }
    assert_eq!(read, (4..1_004).collect::<Vec<_>>());

    let long = log(2, &"x".repeat(60_000));
    let Read::Frames { frames, sequence } = long.read(3, &Filter::default()) else { panic!("nothing") };
    assert_eq!((sequences(&frames), sequence), (vec![4], 4));
    assert_eq!(frames.as_ptr(), long.lock().entries[0].frame.as_ptr(), "it is copied for no reader");
}

#[test]
fn events_that_were_lost_on_the_way_here_are_lost_for_all() {
    let log = log(2, "v");
    log.lose_all_before(10);
    log.push(&key_changed(10, "k", "v"), 0);
    assert_eq!(log.read(3, &Filter::default()), Read::Lagged { missed: 6, sequence: 9 });
    assert_eq!(log.read(5, &Filter::default()), Read::Lagged { missed: 4, sequence: 9 });
    let Read::Frames { frames, sequence } = log.read(9, &Filter::default()) else { panic!("nothing") };
    assert_eq!((sequences(&frames), sequence), (vec![10], 10));
}

#[test]
fn a_start_is_an_event_of_this_run_or_lost() {
    let log = log(2, "v");
    assert_eq!(log.start(None, 6), Some(Start::After(6)));
    assert_eq!(log.start(Some("7-4"), 6), Some(Start::After(4)));
    assert_eq!(log.start(Some("6"), 6), Some(Start::After(6)));
    for foreign in ["8-4", "7-7", "7"] {
        assert_eq!(log.start(Some(foreign), 6), Some(Start::Lost(6)), "{foreign}");
    }
    for bad in ["", "-", "7-", "-4", "7-4-1", "+4", " 4", "x", "18446744073709551616"] {
        assert_eq!(log.start(Some(bad), 6), None, "{bad:?}");
    }
}

#[test]
fn no_value_can_break_out_of_its_line() {
    let log = EventLog::new(7, 0);
    log.push(&key_changed(1, "k\n\nevent: fake", "v\r\ndata: fake\u{2028}"), 0);
    let Read::Frames { frames, .. } = log.read(0, &Filter::default()) else { panic!("nothing") };
    assert_eq!(text(&frames).lines().count(), 4, "{frames:?}");
    assert!(!text(&frames).contains('\r'));
}
