//! The checked-in code is what the schema gives.

use tidings_codegen::{COMMAND, generate, generated_path};

#[test]
fn the_checked_in_code_is_up_to_date() {
    let path = generated_path();
    let checked_in = std::fs::read_to_string(&path).unwrap();
    let generated = generate().unwrap();
    let differing = generated.lines().zip(checked_in.lines()).position(|(now, then)| now != then);
    assert!(
        generated == checked_in,
        "{} is not what proto/tidings.proto gives (first difference in line {}); run `{COMMAND}` and commit the result",
        path.display(),
        differing.unwrap_or_else(|| generated.lines().count().min(checked_in.lines().count())) + 1,
    );
}
