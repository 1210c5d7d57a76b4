//! The write-ahead log on a disk that tears, forgets and rots.
//!
//! `disk.rs` is the disk, `model.rs` what the log must remember; the other files hold the tests:
//! `plan.rs` (which operations), `crash.rs` (power loss anywhere), `rot.rs` (every bit flipped),
//! `foreign.rs` (garbage and forgery), `format.rs` (the bytes on disk), `planted.rs` (the planted
//! bug, in a planted build), `speed.rs` (ignored).

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic as the test may")]

mod crash;
mod disk;
mod foreign;
mod format;
mod model;
mod plan;
#[cfg(planted)]
mod planted;
mod rot;
mod speed;
