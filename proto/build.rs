//! Compiles the schema with protox, so that no `protoc` is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=schema/connect.proto");
    let descriptors = protox::compile(["connect.proto"], ["schema"])?;
    // Generated `Debug` would print message text and keys: none is generated, `wire` writes its own.
    prost_build::Config::new()
        .skip_debug(["."])
        .compile_fds(descriptors)?;
    Ok(())
}
