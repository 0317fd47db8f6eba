//! Writes the seeds of `fuzz/corpus` anew, beside what fuzzing found.

use std::fs;
use std::io;

use tidings_fuzz_bodies::seeds;

fn main() -> io::Result<()> {
    for (target, name, input) in seeds::all() {
        let folder = seeds::corpus(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), input)?;
    }
    Ok(())
}
