//! Consensus.

mod entry;
mod message;

pub use entry::Entry;
pub use message::{Envelope, Message};
