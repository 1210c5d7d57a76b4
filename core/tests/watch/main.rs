//! The hub against everything that a watcher is promised (semantics WA-1 to WA-21).
//!
//! `ledger.rs` is a history that knows what it should be told; `rig.rs` puts a hub beside it, with
//! clients that read when they like; `judge.rs` checks each message as a client would, knowing the
//! truth. `model.rs` runs all of it at random, `rules.rs` one rule at a time, `store.rs`
//! with the real store, `planted.rs` the bugs of the past (in a planted build), `speed.rs` what it
//! costs (ignored).

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic as the test may")]

mod judge;
mod ledger;
mod model;
#[cfg(planted)]
mod planted;
mod rig;
mod rules;
mod speed;
mod store;
