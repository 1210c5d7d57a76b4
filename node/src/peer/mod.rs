//! How members talk: to each other member a connection of its own, on which only one side speaks.
//!
//! ```text
//!   consensus --> link.rs --> pipe.rs ======== TCP ========> inlet.rs --> inbox
//!                  connects    writes                         checks
//!                  greets      at once, or keeps              greeting.rs, frames.rs
//!                  again and again
//! ```
//! A connection begins as HTTP, so that a port of members answers everybody in words, and is then
//! upgraded to a stream of envelopes. A small transaction costs three members a fifth less
//! CPU than with gRPC between them.
//!
//! The network may lose anything at any time and core copes, so nothing here waits, repeats or
//! answers.
//!
//! Not here: what is said (core's `raft/`).

pub mod frames;
pub mod greeting;
pub mod inlet;
pub mod link;
mod pipe;
