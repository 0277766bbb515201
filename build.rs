//! Compiles `proto/` to Rust, without protoc. The server half exists for the tests of `src/temporal` only.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("proto");
    println!("cargo::rerun-if-changed={}", dir.display());
    println!("cargo::rerun-if-changed=build.rs");
    let files = ["adminservice.proto", "operatorservice.proto", "workflowservice.proto"];
    let descriptors = protox::compile(files, [&dir])?;
    tonic_prost_build::configure()
        .emit_rerun_if_changed(false)
        .server_mod_attribute(".", "#[cfg(test)]")
        .compile_fds(descriptors)?;
    Ok(())
}
