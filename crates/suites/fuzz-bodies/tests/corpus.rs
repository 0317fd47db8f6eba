//! The corpus of every fuzz target is replayed, on stable Rust.

use std::fs;
use std::panic;
use std::path::Path;

use tidings_core::record::{FORMAT, ReadError, Recording};
use tidings_fuzz_bodies::{dearest_packet, frame_decode, packet_decode, recording, recordings, seeds};

#[test]
fn packet_decode_holds_for_its_corpus_and_for_the_recorded_packets() {
    replay(&seeds::corpus("packet_decode"), packet_decode);
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../proto/vectors");
    replay(&vectors, packet_decode);
}

#[test]
fn frame_decode_holds_for_its_corpus() {
    replay(&seeds::corpus("frame_decode"), frame_decode);
}

#[test]
fn dearest_packet_holds_for_its_corpus() {
    replay(&seeds::corpus("dearest_packet"), |data| {
        dearest_packet(data);
    });
    let work = |name| dearest_packet(&fs::read(seeds::corpus("dearest_packet").join(name)).expect("the seed is there"));
    // They get behind the decoder.
    assert!(work("short_syn").is_some_and(|work| work.visited > 500), "{:?}", work("short_syn"));
    assert!(work("generations").is_some_and(|work| work.visited > 1_200), "{:?}", work("generations"));
    assert!(work("short_synack").is_some_and(|work| work.visited > 0), "{:?}", work("short_synack"));
}

#[test]
fn recording_holds_for_its_corpus() {
    replay(&seeds::corpus("recording"), recording);
}

/// So that nobody's recordings are taken for what they are not, as they would be by a version that has changed them.
#[test]
fn a_changed_encoding_of_recordings_has_another_number() {
    for name in ["from_its_start", "from_later_on"] {
        let checked_in = fs::read(seeds::corpus("recording").join(name)).expect("the seed is there");
        let read = || {
            let mut recording = Recording::new(&checked_in)?;
            while recording.next_step()?.is_some() {}
            Ok(())
        };
        let read: Result<(), ReadError> = read();
        assert!(
            matches!(read, Ok(()) | Err(ReadError::OtherFormat { .. })),
            "what is recorded has changed its shape, for {name} of format {FORMAT} cannot be read: {read:?}; raise \
             tidings_core::record::FORMAT unless that was done since the last release, then run `cargo run -p tidings-fuzz-bodies` and commit the result",
        );
    }
}

#[test]
fn recordings_are_framed_as_is_written() {
    for name in ["from_its_start", "from_later_on"] {
        let input = fs::read(seeds::corpus("recording").join(name)).expect("the seed is there");
        assert_eq!(recordings::repaired(&input), input, "{name}: nothing is to be put right");
        let mut wrong = input.clone();
        wrong[20] ^= 1;
        assert_eq!(recordings::repaired(&wrong), input, "{name}: the checksum is");
        let replayed = tidings_core::record::replay(&input).expect("the seed can be played");
        assert!(replayed.steps > 50, "{name}: {}", replayed.steps);
    }
}

#[test]
fn the_seeds_are_in_the_corpus() {
    for (target, name, input) in seeds::all() {
        let path = seeds::corpus(target).join(name);
        let up_to_date = fs::read(&path).is_ok_and(|checked_in| checked_in == input);
        assert!(
            up_to_date,
            "{} is not the seed of that name; run `cargo run -p tidings-fuzz-bodies` and commit the result",
            path.display(),
        );
    }
}

fn replay(folder: &Path, body: fn(&[u8])) {
    let mut replayed = 0;
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("the corpus can be listed").path();
        let input = fs::read(&path).expect("an input can be read");
        assert!(panic::catch_unwind(|| body(&input)).is_ok(), "with {}", path.display());
        replayed += 1;
    }
    assert!(replayed > 0, "{} holds nothing to replay", folder.display());
}
