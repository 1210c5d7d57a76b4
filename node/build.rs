//! Generates the gRPC services. Their messages are core's, so nothing is translated on the way.

const FILES: [&str; 2] = ["rpc.proto", "peer.proto"];
const INCLUDES: [&str; 2] = ["../core/proto", "proto"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for include in INCLUDES {
        println!("cargo::rerun-if-changed={include}");
    }
    let descriptors = protox::compile(FILES, INCLUDES)?;
    tonic_prost_build::configure()
        .extern_path(".etcdserverpb", "::quorate_core::api::etcdserverpb")
        .extern_path(".mvccpb", "::quorate_core::api::mvccpb")
        .extern_path(".authpb", "::quorate_core::api::authpb")
        .bytes(".")
        // A method that is not written yet answers Unimplemented.
        .generate_default_stubs(true)
        .compile_fds(descriptors)?;
    Ok(())
}
