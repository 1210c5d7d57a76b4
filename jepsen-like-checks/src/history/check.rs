//! What makes a record no part of a history.
//!
//! Invariants: H1 to H6, as listed in `history.rs` and `history/watch.rs`.
//!
//! Not here: whether what a store said is right. A history holds nonsense as it was said.

use std::fmt;

use super::message::{RangeRequest, Request, Response, Revision};
use super::record::{Record, Revealed};
use super::txn::TxnOperation;
use super::watch::{Watch, WatchNumber};
use super::{Micros, OpNumber, Operation};

/// What makes a record no part of a history (H1 to H6).
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
    /// H4.
    WatchUsedTwice(WatchNumber),
    /// H5: a moment, and the one that it must not come before.
    WatchOutOfTime(WatchNumber, Micros, Micros),
    /// A span that ends before it begins.
    EndsBeforeItBegins(Micros, Micros),
    /// H6: a revision that is revealed twice.
    RevealedTwice(Revision),
    /// H6: a revealed revision, and the one that its event names.
    RevealsAnother(Revision, Revision),
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
            Self::WatchUsedTwice(WatchNumber(watch)) => {
                write!(f, "watch {watch} is on record twice; each needs a number of its own")
            }
            Self::WatchOutOfTime(WatchNumber(watch), Micros(at), Micros(least)) => write!(
                f,
                "something of watch {watch} happened at {at}, before what came first, at {least}; \
                 its request, its messages and its end must be in the order of time",
            ),
            Self::EndsBeforeItBegins(Micros(from), Micros(until)) => {
                write!(
                    f,
                    "a span from {from} that ends at {until}; `until` must be at least {from}"
                )
            }
            Self::RevealedTwice(Revision(revision)) => {
                write!(
                    f,
                    "revision {revision} is revealed twice; all its events go into one record"
                )
            }
            Self::RevealsAnother(Revision(revision), Revision(other)) => write!(
                f,
                "revision {revision} is revealed with an event of revision {other}; \
                 `mod_revision` must be {revision}",
            ),
        }
    }
}

impl std::error::Error for Malformed {}

/// Checks what can be told from one record alone.
pub(super) fn record(record: &Record) -> Result<(), Malformed> {
    match record {
        Record::Operation(operation) => self::operation(operation),
        Record::Watch(watch) => self::watch(watch),
        Record::LeaseEnd(_) => Ok(()),
        Record::Healthy(span) if span.until < span.from => {
            Err(Malformed::EndsBeforeItBegins(span.from, span.until))
        }
        Record::Healthy(_) => Ok(()),
        Record::Revealed(Revealed { revision, events }) => {
            match events.iter().find(|event| event.revision() != *revision) {
                Some(event) => Err(Malformed::RevealsAnother(*revision, event.revision())),
                None => Ok(()),
            }
        }
    }
}

pub(super) fn operation(operation: &Operation) -> Result<(), Malformed> {
    let Operation { number, invoked, .. } = *operation;
    if let Some(returned) = operation.returned().filter(|returned| *returned < invoked) {
        return Err(Malformed::ReturnedBeforeInvoked(number, invoked, returned));
    }
    let asked = operation.request.kind();
    if let Some(answered) = operation.response().map(Response::kind).filter(|kind| *kind != asked) {
        return Err(Malformed::WrongResponse(number, asked, answered));
    }
    match impossible(&operation.request) {
        Some(revision) => Err(Malformed::NoSuchRevision(number, revision)),
        None => Ok(()),
    }
}

/// A revision that a range asks for and that the wire cannot ask for.
fn impossible(request: &Request) -> Option<Revision> {
    let of = |range: &RangeRequest| range.revision.filter(|revision| revision.0 < 1);
    match request {
        Request::Range(range) => of(range),
        Request::Txn(txn) => txn.operations().find_map(|operation| match operation {
            TxnOperation::Range(range) => of(range),
            TxnOperation::Put(_) | TxnOperation::DeleteRange(_) | TxnOperation::Txn(_) => None,
        }),
        Request::Put(_)
        | Request::DeleteRange(_)
        | Request::Compact(_)
        | Request::LeaseGrant(_)
        | Request::LeaseRevoke(_)
        | Request::LeaseKeepAlive(_)
        | Request::LeaseTimeToLive(_)
        | Request::LeaseLeases(_) => None,
    }
}

fn watch(watch: &Watch) -> Result<(), Malformed> {
    let mut moments = watch.messages.iter().map(|message| message.at).chain(watch.end.at());
    moments
        .try_fold(watch.invoked, |before, at| {
            if at < before {
                Err(Malformed::WatchOutOfTime(watch.number, at, before))
            } else {
                Ok(at)
            }
        })
        .map(|_| ())
}
