//! One record of the replicated log (Raft §5.3).

use core::fmt;

use bytes::Bytes;

use crate::types::{Index, LogId, Term};

/// A log record. Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its place in the log.
    pub index: Index,
    /// Term of the leader that created it.
    pub term: Term,
    /// An encoded [`crate::api::wire::Command`], right-sized; empty for a new leader's no-op.
    pub command: Bytes,
}

impl Entry {
    /// Its identity.
    #[must_use]
    pub fn id(&self) -> LogId {
        LogId { index: self.index, term: self.term }
    }
}

/// Writes where a run of entries begins and ends.
pub fn write_span(f: &mut fmt::Formatter<'_>, entries: &[Entry]) -> fmt::Result {
    match entries {
        [] => f.write_str("nothing"),
        [only] => write!(f, "{}", only.id()),
        [first, .., last] => write!(f, "{}..{}", first.id(), last.id()),
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match crate::request::requester_of(&self.command) {
            Some(id) => write!(f, "{} {id}", self.id()),
            None if self.command.is_empty() => write!(f, "{} no-op", self.id()),
            None => write!(f, "{} founding", self.id()),
        }
    }
}
