//! Writes `crates/tidings-core/src/wire/aiocluster/generated.rs` from `proto/tidings.proto`.

fn main() -> Result<(), tidings_codegen::Error> {
    Ok(std::fs::write(tidings_codegen::generated_path(), tidings_codegen::generate()?)?)
}
