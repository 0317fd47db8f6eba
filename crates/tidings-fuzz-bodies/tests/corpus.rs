//! The corpus of every fuzz target is replayed, on stable Rust.

use std::fs;
use std::panic;
use std::path::Path;

use tidings_fuzz_bodies::{frame_decode, packet_decode, seeds};

#[test]
fn packet_decode_holds_for_its_corpus_and_for_the_recorded_packets() {
    replay(&seeds::corpus("packet_decode"), packet_decode);
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/vectors");
    replay(&vectors, packet_decode);
}

#[test]
fn frame_decode_holds_for_its_corpus() {
    replay(&seeds::corpus("frame_decode"), frame_decode);
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
