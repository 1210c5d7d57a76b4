//! Sequential specifications: what a store would answer if it served one request at a time.
//!
//! A specification is the plainest program that is right. It knows no time, no members and no
//! failures; a judge asks whether the answers on record could have come from it.
//!
//! Not here: the search for an order of the requests (`linearizable/`).

pub mod kv;
mod map;
