//! The command-line client.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs `quorate ctl`.
pub fn run(_args: &[OsString]) -> ExitCode {
    eprintln!("quorate ctl: not built into this binary yet; etcdctl works");
    ExitCode::FAILURE
}
