//! Passes over a history that need nothing of each other: in turn, or at once.
//!
//! ```text
//! in turn     [leases][keys]  [first half][second half]  [returns][begins]  [refusals][search.........]
//! at once     [leases]        [first half]               [returns]          [refusals][learn]
//!             [keys  ]        [second half]              [begins ]          [gaps...] [learn][replay..]
//! ```
//!
//! Invariants:
//! - P1. What two passes find, and which of two faults is told, is the same either way.
//!
//! Not here: the passes.

use super::super::Rejection;

/// How passes that need nothing of each other are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passes {
    /// One after the other, on the caller's thread.
    InTurn,
    /// Two at a time, one of them on a thread of its own.
    AtOnce,
}

/// The least number of operations that pays for threads. The simulator judges many histories, all
/// far smaller, inside a runtime that must not meet a second thread: its runs would not repeat.
const LARGE: usize = 100_000;

impl Passes {
    /// What suits so many operations.
    pub(super) fn suiting(operations: usize) -> Self {
        if operations < LARGE { Self::InTurn } else { Self::AtOnce }
    }

    /// Makes two passes. If both fail, the first's fault counts.
    pub(super) fn both<A: Send, B>(
        self,
        one: impl FnOnce() -> Result<A, Box<Rejection>> + Send,
        other: impl FnOnce() -> Result<B, Box<Rejection>>,
    ) -> Result<(A, B), Box<Rejection>> {
        match self {
            Self::InTurn => Ok((one()?, other()?)),
            Self::AtOnce => {
                let (one, other) = self.two(one, other);
                Ok((one?, other?))
            }
        }
    }

    /// Makes two passes that find no fault.
    pub(super) fn two<A: Send, B>(
        self,
        one: impl FnOnce() -> A + Send,
        other: impl FnOnce() -> B,
    ) -> (A, B) {
        match self {
            Self::InTurn => (one(), other()),
            Self::AtOnce => std::thread::scope(|scope| {
                let one = scope.spawn(one);
                let other = other();
                // A broken invariant ends the caller, too, with the same words.
                let one = one.join().unwrap_or_else(|broken| std::panic::resume_unwind(broken));
                (one, other)
            }),
        }
    }
}
