//! One binary for all fuzz targets: `CONNECT_FUZZ_TARGET` says which one it is, so that everything is linked once.
#![no_main]

mod daemon;
mod files;
mod pure;
mod relay;
mod seeds;
mod stories;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

type Target = fn(&[u8]);

static TARGET: OnceLock<Target> = OnceLock::new();

fn named(name: &str) -> Target {
    match name {
        "frames" => pure::frames,
        "envelopes" => pure::envelopes,
        "inner" => pure::inner,
        "header" => pure::header,
        "bundle" => pure::bundle,
        "code" => pure::code,
        "address" => pure::address,
        "pin" => pure::pin,
        "command" => pure::command,
        "sealed" => files::sealed,
        "backup" => files::backup,
        "attempts" => files::attempts,
        "config" => files::config,
        "socket" => daemon::socket,
        "relay" => relay::relay,
        other => panic!("no such target: {other}"),
    }
}

fn begin() {
    if let Some(into) = std::env::var_os("CONNECT_FUZZ_SEEDS") {
        seeds::write(into.as_ref());
        std::process::exit(0);
    }
    let name = std::env::var("CONNECT_FUZZ_TARGET").expect("CONNECT_FUZZ_TARGET names a target");
    TARGET.set(named(&name)).expect("once");
}

fuzz_target!(init: begin(), |data: &[u8]| {
    let target = TARGET.get().expect("begun");
    target(data);
});
