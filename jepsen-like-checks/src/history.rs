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
//! Besides operations a history holds *watches*, which see many revisions and take effect at none,
//! and facts that no client asked for, like the end of a lease.
//!
//! Invariants (H4 and H5 are those of `history/watch.rs`):
//! - H1. Operation numbers are unique.
//! - H2. An operation does not return before it was invoked.
//! - H3. A response is of its request's kind.
//! - H6. A revision is revealed once, with its own events.
//!
//! Everything a store said is kept as it said it, negative counts included: nonsense is for the
//! judges to reject, not for the reader.
//!
//! Not here: the messages (`history/message.rs`), the text form (`history/json.rs`), what a
//! correct answer is (`model/`).

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

mod bytes;
mod check;
mod exchange;
mod json;
mod lease;
mod message;
mod range;
mod record;
mod txn;
mod watch;
mod words;

pub use bytes::ByteString;
pub use check::Malformed;
pub use exchange::Exchange;
pub use json::{Kind, LINE_LIMIT, Problem, ReadError, Reader, Writer};
pub use lease::{
    LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest, LeaseKeepAliveResponse,
    LeaseLeasesRequest, LeaseLeasesResponse, LeaseRevokeRequest, LeaseRevokeResponse,
    LeaseTimeToLiveRequest, LeaseTimeToLiveResponse,
};
pub use message::{
    CompactRequest, CompactResponse, DeleteRangeRequest, DeleteRangeResponse, KeyValue, Lease,
    PutRequest, PutResponse, RangeRequest, RangeResponse, Refusal, Request, Response, Revision,
};
pub use range::KeyRange;
pub use record::{Healthy, LeaseEnd, Record, Revealed};
pub use txn::{
    Compare, Comparison, NestedResponse, Target, TxnOperation, TxnRequest, TxnResponse, TxnResult,
    changed,
};
pub use watch::{
    EventKind, StreamId, Watch, WatchEnd, WatchEvent, WatchMessage, WatchNumber, WatchRequest,
};

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

/// Records that satisfy H1 to H6, each kind in the order in which it was recorded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct History {
    operations: Vec<Operation>,
    watches: Vec<Watch>,
    lease_ends: Vec<LeaseEnd>,
    healthy: Vec<Healthy>,
    revealed: Vec<Revealed>,
}

impl History {
    /// Checks operations one by one. In an error, the place of the first bad one.
    ///
    /// # Errors
    /// One of them is malformed, or a number is used twice.
    pub fn new(operations: Vec<Operation>) -> Result<Self, (usize, Malformed)> {
        Self::of(operations.into_iter().map(Record::Operation))
    }

    /// Checks records one by one. In an error, the place of the first bad one.
    ///
    /// # Errors
    /// One of them is malformed, or a number is used twice.
    pub fn of(records: impl IntoIterator<Item = Record>) -> Result<Self, (usize, Malformed)> {
        let mut history = Self::default();
        let mut used = Used::default();
        for (place, record) in records.into_iter().enumerate() {
            let checked = used.check(&record).and_then(|()| check::record(&record));
            checked.map_err(|malformed| (place, malformed))?;
            match record {
                Record::Operation(operation) => history.operations.push(operation),
                Record::Watch(watch) => history.watches.push(watch),
                Record::LeaseEnd(end) => history.lease_ends.push(end),
                Record::Healthy(span) => history.healthy.push(span),
                Record::Revealed(revealed) => history.revealed.push(revealed),
            }
        }
        Ok(history)
    }

    /// The operations, in the order in which they were recorded.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The watches, in the order in which they were recorded.
    #[must_use]
    pub fn watches(&self) -> &[Watch] {
        &self.watches
    }

    /// The ends of leases that are known from the store's own log.
    #[must_use]
    pub fn lease_ends(&self) -> &[LeaseEnd] {
        &self.lease_ends
    }

    /// The spans in which the cluster was well.
    #[must_use]
    pub fn healthy(&self) -> &[Healthy] {
        &self.healthy
    }

    /// What revisions changed, as far as it is known from the store's own log.
    #[must_use]
    pub fn revealed(&self) -> &[Revealed] {
        &self.revealed
    }

    /// Hands the operations back.
    #[must_use]
    pub fn into_operations(self) -> Vec<Operation> {
        self.operations
    }

    /// Hands all records back.
    #[must_use]
    pub fn into_records(self) -> Vec<Record> {
        let mut records: Vec<Record> = self.operations.into_iter().map(Record::Operation).collect();
        records.extend(self.watches.into_iter().map(Record::Watch));
        records.extend(self.lease_ends.into_iter().map(Record::LeaseEnd));
        records.extend(self.healthy.into_iter().map(Record::Healthy));
        records.extend(self.revealed.into_iter().map(Record::Revealed));
        records
    }
}

/// The names that records of a history have taken (H1, H4, H6).
#[derive(Default)]
struct Used {
    operations: HashSet<OpNumber>,
    watches: HashSet<WatchNumber>,
    revealed: HashSet<Revision>,
}

impl Used {
    fn check(&mut self, record: &Record) -> Result<(), Malformed> {
        match record {
            Record::Operation(Operation { number, .. }) if !self.operations.insert(*number) => {
                Err(Malformed::NumberUsedTwice(*number))
            }
            Record::Watch(Watch { number, .. }) if !self.watches.insert(*number) => {
                Err(Malformed::WatchUsedTwice(*number))
            }
            Record::Revealed(Revealed { revision, .. }) if !self.revealed.insert(*revision) => {
                Err(Malformed::RevealedTwice(*revision))
            }
            Record::Operation(_)
            | Record::Watch(_)
            | Record::Revealed(_)
            | Record::LeaseEnd(_)
            | Record::Healthy(_) => Ok(()),
        }
    }
}
