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
mod tenure;
pub mod wgl;
mod words;

pub use rejection::{ContentFault, Flaw, OrderFault, Rejection, Scope, Witness};

use crate::history::{History, Operation, Outcome, Request, Response, changed};
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
    /// Answered transactions; they count as writes or reads too.
    pub txns: usize,
    /// Answered compactions.
    pub compactions: usize,
    /// Answered grants and revokes of leases.
    pub leases: usize,
    /// Refused operations.
    pub refused: usize,
    /// Operations of unknown outcome.
    pub unknown: usize,
    /// Writes of unknown outcome, and ends of leases, that took effect in the order found.
    pub took_effect: usize,
    /// Steps of the judge.
    pub steps: u64,
}

impl Counters {
    /// Counts what is on record; a judge adds what it found out.
    fn of(history: &History) -> Self {
        let mut counters = Self { operations: history.operations().len(), ..Self::default() };
        for operation in history.operations() {
            let Some(counter) = counters.counter(operation) else { continue };
            *counter += 1;
        }
        counters
    }

    /// The number that an operation adds to. A transaction adds to a second one at once.
    fn counter(&mut self, operation: &Operation) -> Option<&mut usize> {
        let response = match &operation.outcome {
            Outcome::Refused { .. } => return Some(&mut self.refused),
            Outcome::Unknown { .. } => return Some(&mut self.unknown),
            Outcome::Ok { response, .. } => response,
        };
        self.txns += usize::from(matches!(response, Response::Txn(_)));
        let wrote = match response {
            Response::Compact(_) => return Some(&mut self.compactions),
            Response::LeaseGrant(_) | Response::LeaseRevoke(_) => return Some(&mut self.leases),
            Response::LeaseKeepAlive(_)
            | Response::LeaseTimeToLive(_)
            | Response::LeaseLeases(_) => return None,
            Response::Put(_) => true,
            Response::Range(_) => false,
            Response::DeleteRange(delete) => delete.deleted > 0,
            Response::Txn(txn) => changed(&txn.responses),
        };
        Some(match wrote {
            true => &mut self.writes,
            false if operation.request.is_serializable() => &mut self.serializable,
            false => &mut self.reads,
        })
    }
}

/// The reason of a refusal that says something about the state. Others have reasons outside of it,
/// or more than one.
fn telling(operation: &Operation) -> Option<Refused> {
    let Outcome::Refused { refusal, .. } = &operation.outcome else { return None };
    let reason = Refused::of(&refusal.message)?;
    let telling = match &operation.request {
        Request::Range(range) => {
            !range.serializable
                && range.revision.is_some()
                && matches!(reason, Refused::FutureRevision | Refused::Compacted)
        }
        Request::Compact(_) => matches!(reason, Refused::FutureRevision | Refused::Compacted),
        Request::Put(put) => match reason {
            Refused::LeaseNotFound => put.lease.is_some(),
            Refused::KeyNotFound => put.ignore_value || put.ignore_lease,
            Refused::EmptyKey
            | Refused::FutureRevision
            | Refused::Compacted
            | Refused::ValueProvided
            | Refused::LeaseProvided
            | Refused::LeaseExists
            | Refused::TtlTooLarge
            | Refused::DuplicateKey => false,
        },
        Request::LeaseGrant(grant) => reason == Refused::LeaseExists && grant.lease.is_some(),
        Request::LeaseRevoke(_) => reason == Refused::LeaseNotFound,
        Request::DeleteRange(_)
        | Request::Txn(_)
        | Request::LeaseKeepAlive(_)
        | Request::LeaseTimeToLive(_)
        | Request::LeaseLeases(_) => false,
    };
    telling.then_some(reason)
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
        }
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} operations: {} writes, {} reads, {} serializable reads ({} transactions among \
             these), {} compactions, {} grants and revokes of leases, {} refused, {} of unknown \
             outcome ({} writes of unknown origin took effect); {} steps",
            self.operations,
            self.writes,
            self.reads,
            self.serializable,
            self.txns,
            self.compactions,
            self.leases,
            self.refused,
            self.unknown,
            self.took_effect,
            self.steps,
        )
    }
}
