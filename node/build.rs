//! Generates the gRPC services. Their messages are core's, so nothing is translated on the way.

use std::path::PathBuf;

use tonic_prost_build::Builder;

const PROTO: &str = "../core/proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed={PROTO}");
    let clients = protox::compile(["rpc.proto"], [PROTO])?;
    // The client side keeps the library's codec: it is also compiled into the tests.
    messages_of_core().build_server(false).compile_fds(clients.clone())?;
    let server = PathBuf::from(std::env::var("OUT_DIR")?).join("server");
    std::fs::create_dir_all(&server)?;
    messages_of_core()
        .out_dir(server)
        .build_client(false)
        .codec_path("crate::codec::Codec")
        // Encoded from the store's records, not by way of a message.
        .extern_path(".etcdserverpb.RangeResponse", "crate::answer::RangeAnswer")
        // A method that is not written yet answers Unimplemented.
        .generate_default_stubs(true)
        .compile_fds(clients)?;
    Ok(())
}

fn messages_of_core() -> Builder {
    tonic_prost_build::configure()
        .extern_path(".etcdserverpb", "::quorate_core::api::etcdserverpb")
        .extern_path(".mvccpb", "::quorate_core::api::mvccpb")
        .extern_path(".authpb", "::quorate_core::api::authpb")
        .bytes(".")
}
