//! `quorate`: one binary, its subcommands, its names.
//!
//! ```text
//! quorate [flags]        one member of a cluster (`serve/`)
//! quorate ctl ...        the command-line client (`ctl/`), also when called as `etcdctl`
//! quorate bench ...      the load generator (`bench/`)
//! ```
//!
//! Not here: anything that could be wrong in a distributed way. That is the core's.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

mod answer;
mod bench;
mod codec;
mod ctl;
mod http;
mod listener;
mod opening;
mod peer;
mod ports;
mod rpc;
mod serve;
mod service;
mod wire;

/// Requests are many small allocations on one thread that are freed on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let (program, rest) = match arguments.split_first() {
        Some((program, rest)) => (program.as_os_str(), rest),
        None => (OsStr::new("quorate"), [].as_slice()),
    };
    if Path::new(program).file_name() == Some(OsStr::new("etcdctl")) {
        return ctl::run(rest);
    }
    match rest.split_first() {
        Some((word, rest)) if word == "ctl" => ctl::run(rest),
        Some((word, rest)) if word == "bench" => bench::run(rest),
        _ => serve::run(rest),
    }
}
