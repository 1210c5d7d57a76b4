//! Linearizability: does some order of the operations, each at one moment between its invocation
//! and its return, explain every answer?
//!
//! Two judges decide it, in ways that share nothing but the history:
//!
//! ```text
//! guided   each answer carries a revision, so the order of writes is given: replay it once   O(n log n)
//! wgl      tries orders until one fits, remembers what failed (Wing, Gong, Lowe)            exponential
//! ```
//!
//! The guided judge is the one to use. The other is the textbook's search: it is slow where many
//! operations overlap, but it is short and believes nothing, which makes it the judge of the judge.
//!
//! Reads that allow staleness (`serializable`) are held to less: they must show the state of the
//! revision that they name, and that revision must exist by the time they return.
//!
//! Not here: the reasons (`rejection.rs`), the rules that need no model (`revision.rs`).

use std::fmt;

pub mod guided;
mod rejection;
pub mod wgl;
mod words;

pub use rejection::{ContentFault, Flaw, OrderFault, Rejection, Scope, Witness};

use crate::history::{History, Operation, Outcome, Response};
use crate::model::kv::Refused;

/// What a judge found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Some order explains all answers.
    Linearizable(Counters),
    /// No order does.
    Illegal(Box<Rejection>),
    /// The judge gave up. It is no hint of either.
    Unknown(Undecided),
}

/// Why a judge gave up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Undecided {
    /// It took this many steps, all that its budget allowed.
    Steps(u64),
    /// It remembered this many states, all that its budget allowed.
    States(usize),
    /// It does not know this kind of request.
    Kind(&'static str),
}

/// How much a judge may spend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Attempts to place an operation.
    pub steps: u64,
    /// States to remember, of some 50 bytes each. The guided judge remembers none.
    pub states: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { steps: 100_000_000, states: 8_000_000 }
    }
}

/// What a judge looked at. A history of which half these numbers are zero proves little.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Operations in the history.
    pub operations: usize,
    /// Answered writes that changed something.
    pub writes: usize,
    /// Answered reads that must be up to date, with deletes that found nothing.
    pub reads: usize,
    /// Answered reads that may be stale.
    pub serializable: usize,
    /// Refused operations.
    pub refused: usize,
    /// Operations of unknown outcome.
    pub unknown: usize,
    /// Writes of unknown outcome that took effect in the order found.
    pub took_effect: usize,
    /// Steps of the judge.
    pub steps: u64,
}

impl Counters {
    /// Counts what is on record; a judge adds what it found out.
    fn of(history: &History) -> Self {
        let mut counters = Self { operations: history.operations().len(), ..Self::default() };
        for operation in history.operations() {
            let counter = match &operation.outcome {
                Outcome::Refused { .. } => &mut counters.refused,
                Outcome::Unknown { .. } => &mut counters.unknown,
                Outcome::Ok { .. } if operation.request.is_serializable() => {
                    &mut counters.serializable
                }
                Outcome::Ok { response: Response::Range(_), .. } => &mut counters.reads,
                Outcome::Ok { response: Response::Put(_), .. } => &mut counters.writes,
                Outcome::Ok { response: Response::DeleteRange(delete), .. } => {
                    if delete.deleted > 0 { &mut counters.writes } else { &mut counters.reads }
                }
                Outcome::Ok { .. } => &mut counters.writes,
            };
            *counter += 1;
        }
        counters
    }
}

/// A kind of request that a judge does not know.
fn foreign(history: &History) -> Option<&'static str> {
    let known = ["put", "range", "delete_range"];
    let kinds = history.operations().iter().map(|operation| operation.request.kind());
    kinds.into_iter().find(|kind| !known.contains(kind))
}

/// Whether this is a read of the newest state that was told that its revision does not exist yet.
/// That answer says something about the state; other refusals have reasons outside of it.
fn refused_as_future(operation: &Operation) -> bool {
    let Outcome::Refused { refusal, .. } = &operation.outcome else { return false };
    refusal.message == Refused::FutureRevision.text() && !operation.request.is_serializable()
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linearizable(counters) => write!(f, "linearizable: {counters}"),
            Self::Illegal(rejection) => write!(f, "illegal: {rejection}"),
            Self::Unknown(why) => write!(f, "unknown: {why}"),
        }
    }
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps(steps) => write!(f, "the judge gave up after {steps} steps"),
            Self::States(states) => write!(f, "the judge gave up holding {states} states"),
            Self::Kind(kind) => write!(f, "the judge does not know a {kind}"),
        }
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} operations: {} writes, {} reads, {} serializable reads, {} refused, \
             {} of unknown outcome ({} writes of these took effect); {} steps",
            self.operations,
            self.writes,
            self.reads,
            self.serializable,
            self.refused,
            self.unknown,
            self.took_effect,
            self.steps,
        )
    }
}
