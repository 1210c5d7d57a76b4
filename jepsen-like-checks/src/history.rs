//! What clients asked of a store, when, and what they were told: the input of every judge.
//!
//! A history is a list of operations. Each has the moment it was invoked and, if an answer came,
//! the moment it returned, both on one clock that all clients share. Only these moments say
//! what happened before what:
//!
//! ```text
//! client 1   [--- put a=1 ---]                        1 returned before 3 was invoked: 3 must see it
//! client 2          [--- put a=2 ---]                 overlaps 1: either may come first
//! client 1                              [- get a -]   3
//! client 3     [--- put a=3 ............              no answer: it may take effect at any time
//! ```                                                 after its invocation, once, or never
//!
//! An operation ends in one of three ways. *Ok*: the answer is on record and is held against
//! the specification. *Refused*: the store said no and promised that nothing happened. *Unknown*:
//! a timeout or a broken connection; a client that calls this "failed" finds bugs that are none.
//!
//! Invariants:
//! - H1. Operation numbers are unique.
//! - H2. An operation does not return before it was invoked.
//! - H3. A response is of its request's kind.
//!
//! Everything a store said is kept as it said it, negative counts included: nonsense is for the
//! judges to reject, not for the reader.
//!
//! Not here: the messages (`history/message.rs`), the text form (`history/json.rs`), what a
//! correct answer is (`model/kv.rs`).

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

mod bytes;
mod json;
mod message;
mod range;

pub use bytes::ByteString;
pub use json::{LINE_LIMIT, Problem, ReadError, Reader, Writer};
pub use message::{
    DeleteRangeRequest, DeleteRangeResponse, KeyValue, Lease, PutRequest, PutResponse,
    RangeRequest, RangeResponse, Refusal, Request, Response, Revision,
};
pub use range::KeyRange;

/// The name of one operation. Numbers need not be dense or in order, only unique.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OpNumber(pub u64);

/// One session: a caller that waits for an answer before it asks again. A program with several
/// calls in flight is several clients.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(pub u64);

/// A moment, in microseconds on the clock that all clients share.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub u64);

/// One client operation, from its invocation to its outcome.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operation {
    /// Its name in every report.
    pub number: OpNumber,
    /// Who asked.
    pub client: ClientId,
    /// Which member was asked, if that is known.
    pub endpoint: Option<Arc<str>>,
    /// When the request left the client.
    pub invoked: Micros,
    /// What was asked.
    pub request: Request,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The store answered.
    Ok {
        /// When the answer reached the client.
        returned: Micros,
        /// What it said.
        response: Response,
    },
    /// The store said no: the request had no effect and never will.
    Refused {
        /// When the refusal reached the client.
        returned: Micros,
        /// The reason given.
        refusal: Refusal,
    },
    /// No answer, or one that promises nothing. It may take effect at any later time, at most
    /// once, or never.
    Unknown {
        /// What the client saw instead: a timeout, a broken connection.
        why: String,
    },
}

impl Operation {
    /// When an answer came, whether kind or not.
    #[must_use]
    pub fn returned(&self) -> Option<Micros> {
        match &self.outcome {
            Outcome::Ok { returned, .. } | Outcome::Refused { returned, .. } => Some(*returned),
            Outcome::Unknown { .. } => None,
        }
    }

    /// The response, if the store gave one.
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        match &self.outcome {
            Outcome::Ok { response, .. } => Some(response),
            Outcome::Refused { .. } | Outcome::Unknown { .. } => None,
        }
    }
}

/// What makes a record no part of a history (H1 to H3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// H1.
    NumberUsedTwice(OpNumber),
    /// H2.
    ReturnedBeforeInvoked(OpNumber, Micros, Micros),
    /// H3: the kinds of the request and of the response.
    WrongResponse(OpNumber, &'static str, &'static str),
    /// A range at revision 0 or below.
    NoSuchRevision(OpNumber, Revision),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NumberUsedTwice(OpNumber(op)) => {
                write!(f, "operation {op} is on record twice; each needs a number of its own")
            }
            Self::ReturnedBeforeInvoked(OpNumber(op), Micros(invoked), Micros(returned)) => write!(
                f,
                "operation {op} returned at {returned}, before its invocation at {invoked}; \
                 `returned` must be at least {invoked}",
            ),
            Self::WrongResponse(OpNumber(op), request, response) => write!(
                f,
                "operation {op} is a {request} with the response of a {response}; \
                 the outcome must be {{\"ok\":{{\"{request}\":...}}}}",
            ),
            Self::NoSuchRevision(OpNumber(op), Revision(revision)) => write!(
                f,
                "operation {op} reads at revision {revision}; \
                 it must be 1 or more, or left out for the present state",
            ),
        }
    }
}

impl std::error::Error for Malformed {}

/// Operations that satisfy H1 to H3, in the order in which they were recorded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct History {
    operations: Vec<Operation>,
}

impl History {
    /// Checks the operations one by one. In an error, the place of the first bad one.
    ///
    /// # Errors
    /// One of them is malformed, or a number is used twice.
    pub fn new(operations: Vec<Operation>) -> Result<Self, (usize, Malformed)> {
        let mut numbers = HashSet::with_capacity(operations.len());
        for (place, operation) in operations.iter().enumerate() {
            let fresh = numbers.insert(operation.number);
            let checked = if fresh { check(operation) } else { Err(twice(operation)) };
            checked.map_err(|malformed| (place, malformed))?;
        }
        Ok(Self { operations })
    }

    /// The operations, in the order in which they were recorded.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Hands the operations back.
    #[must_use]
    pub fn into_operations(self) -> Vec<Operation> {
        self.operations
    }
}

fn twice(operation: &Operation) -> Malformed {
    Malformed::NumberUsedTwice(operation.number)
}

fn check(operation: &Operation) -> Result<(), Malformed> {
    let Operation { number, invoked, .. } = *operation;
    if let Some(returned) = operation.returned().filter(|returned| *returned < invoked) {
        return Err(Malformed::ReturnedBeforeInvoked(number, invoked, returned));
    }
    let asked = operation.request.kind();
    if let Some(answered) = operation.response().map(Response::kind).filter(|kind| *kind != asked) {
        return Err(Malformed::WrongResponse(number, asked, answered));
    }
    match &operation.request {
        Request::Range(RangeRequest { revision: Some(revision), .. }) if revision.0 < 1 => {
            Err(Malformed::NoSuchRevision(number, *revision))
        }
        Request::Put(_) | Request::Range(_) | Request::DeleteRange(_) => Ok(()),
    }
}
