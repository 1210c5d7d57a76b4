//! The core of Quorate: what could be wrong in a distributed way, as pure state machines.
//!
//! No file, socket, clock, thread or ambient randomness: `#![no_std]` sees to it. Inputs are
//! values, outputs are values, and the same inputs in the same order give the same outputs on
//! every platform. The server (`node/`) and the simulator (`sim/`) drive the very same code.
//!
//! ```text
//!   Input --> Member --> Persist --> Wal    --> file operations --> receipt --> Member
//!               |                                                      (Input::Persisted)
//!               +------> Apply   --> Store  --> replies, rows   --> Input::Applied
//!               |                      +-----> changes --> Hub --> messages to watchers
//!               +------> Send    --> another member's Input::Receive
//! ```
//!
//! Reading order: [`types`] (a newtype per quantity), [`random`], [`mod@planted`]; [`api`] (the
//! wire messages and what a client may be refused), [`request`] (the life of a request); [`raft`]
//! (consensus), [`member`] (consensus with its clients); [`wal`] (the log on disk), [`snap`]
//! (received snapshots on disk); [`store`] (the key space and its leases), [`watch`] (who is told
//! of its changes); [`actors`] and [`courier`] (how a driver strings them together).
//!
//! Not here: users.

#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::std_instead_of_core, clippy::std_instead_of_alloc, clippy::alloc_instead_of_core)]

extern crate alloc;

pub mod actors;
pub mod api;
pub mod courier;
pub mod member;
pub mod planted;
pub mod raft;
pub mod random;
pub mod request;
pub mod snap;
pub mod store;
pub mod types;
pub mod wal;
pub mod watch;
