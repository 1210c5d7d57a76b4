//! Compiles the `.proto` files with protox, so that no `protoc` is needed on any machine.

const FILES: [&str; 4] = ["kv.proto", "auth.proto", "rpc.proto", "log.proto"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    // BTreeMap and Bytes: the core is no_std, and iteration order must not leak.
    prost_build::Config::new().btree_map(["."]).bytes(["."]).compile_fds(descriptors)?;
    Ok(())
}
