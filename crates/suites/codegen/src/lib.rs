//! Turns `proto/tidings.proto` into the Rust of `tidings-core`'s `wire/aiocluster/generated.rs`, without `protoc`.
//!
//! The output is checked in, so that nobody who uses tidings pays for a build script. This crate's tests compare it
//! with what the schema gives, and the schema with the wire that aiocluster speaks.

use std::path::{Path, PathBuf};

use protox::prost_reflect::prost_types::FileDescriptorSet;

/// The command that writes [`generated_path`] anew; test failures name it.
pub const COMMAND: &str = "cargo run -p tidings-codegen";

/// What can go wrong: the schema does not parse, or the generator does not take it.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The checked-in file that [`generate`] gives the content of.
#[must_use]
pub fn generated_path() -> PathBuf {
    workspace().join("crates/tidings-core/src/wire/aiocluster/generated.rs")
}

/// Parses `proto/tidings.proto`.
pub fn schema() -> Result<FileDescriptorSet, Error> {
    let folder = workspace().join("proto");
    let mut compiler = protox::Compiler::new([&folder])?;
    compiler.include_source_info(true).open_file(folder.join("tidings.proto"))?;
    Ok(compiler.file_descriptor_set())
}

/// The Rust for the whole schema.
pub fn generate() -> Result<String, Error> {
    let module = prost_build::Module::from_protobuf_package_name("");
    let files = schema()?.file.into_iter().map(|file| (module.clone(), file)).collect();
    let mut modules = prost_build::Config::new().generate(files)?;
    let code = modules.remove(&module).ok_or("the schema gave no code; it must have no package")?;
    Ok(format!("// Made from proto/tidings.proto by `{COMMAND}`; edit the schema, not this file.\n\n{code}"))
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}
