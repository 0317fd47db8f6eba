//! The README's code is that of an example, which is compiled with the tests.

const README: &str = include_str!("../../../README.md");
const EXAMPLE: &str = include_str!("../examples/simple.rs");

#[test]
fn the_readme_shows_the_example_as_it_is() {
    let (_, code) = EXAMPLE.split_once("\n\n").expect("a blank line after the example's attributes");
    assert!(
        README.contains(&format!("```rust\n{code}```\n")),
        "README.md and crates/tidings-tokio/examples/simple.rs differ; make them the same below the first blank line"
    );
}
