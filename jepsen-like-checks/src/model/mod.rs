//! Sequential specifications: what a store would answer if it served one request at a time.
//!
//! A specification is the plainest program that is right. It knows no time, no members and no
//! failures; a judge asks whether the answers on record could have come from it.
//!
//! ```text
//! kv      the state with its past; puts, reads, deletes, compactions
//! txn     compares and branches, many changes in one revision
//! lease   what is alive, and what goes with it
//! ```
//!
//! Not here: the search for an order of the requests (`linearizable/`).

mod digest;
pub mod kv;
mod lease;
mod map;
mod refused;
pub mod txn;
