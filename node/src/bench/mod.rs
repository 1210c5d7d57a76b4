//! The load generator.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs `quorate bench`.
pub fn run(_args: &[OsString]) -> ExitCode {
    eprintln!("quorate bench: not built into this binary yet");
    ExitCode::FAILURE
}
