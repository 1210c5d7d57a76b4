//! The history sorted out for the judge: who wrote which revision, who looked at which.
//!
//! ```text
//! writes    answered, changed something      one per revision, sorted by it
//! looks     answered, claims what was there  sorted by the revision whose state they show
//! maybes    writes without an answer         they fill the revisions that no answered write made
//! ```
//!
//! Invariants:
//! - C1. Writes have revisions from 2, no two the same.
//! - C2. A look's revision is not above the revision in its header, nor that above `newest`.
//!
//! Not here: keys as numbers (`keys.rs`), order in time (`order.rs`), which maybe fills which
//! revision (`gaps.rs`).

use super::super::{OrderFault, Rejection, Witness, refused_as_future};
use super::keys::{KeyId, Keys, Span};
use crate::history::{
    ByteString, DeleteRangeResponse, Lease, Operation, Outcome, RangeRequest, Request, Response,
    Revision,
};
use crate::model::kv::Refused;

/// What a write does to the store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Change<'h> {
    Put { key: KeyId, value: &'h ByteString, lease: Option<Lease> },
    Delete(Span),
}

impl Change<'_> {
    pub(super) fn span(self) -> Span {
        match self {
            Self::Put { key, .. } => Span::one(key),
            Self::Delete(span) => span,
        }
    }
}

/// An answered write that changed something. Operations are named by their place in the history.
pub(super) struct Write<'h> {
    pub(super) revision: i64,
    pub(super) op: usize,
    pub(super) change: Change<'h>,
}

/// An answer that shows the state of a revision.
pub(super) struct Look {
    pub(super) at: i64,
    pub(super) op: usize,
    pub(super) span: Span,
}

/// A write of unknown outcome.
pub(super) struct Maybe<'h> {
    pub(super) op: usize,
    pub(super) change: Change<'h>,
}

/// What an operation has to say to the judge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// It made this revision.
    Write(i64),
    /// It was answered from this revision, which was the newest at that moment.
    Read(i64),
    /// It was answered from this revision, the newest or an older one.
    Stale(i64),
    /// It was refused because this revision did not exist.
    Future(i64),
    /// It may have written something.
    Maybe,
    /// Nothing.
    Silent,
}

impl Role {
    pub(super) fn of(operation: &Operation) -> Self {
        match (&operation.request, &operation.outcome) {
            (_, Outcome::Ok { response: Response::Put(put), .. }) => Self::Write(put.revision.0),
            (_, Outcome::Ok { response: Response::DeleteRange(delete), .. }) => {
                Self::of_delete(delete)
            }
            (request, Outcome::Ok { response: Response::Range(range), .. }) => {
                if request.is_serializable() {
                    Self::Stale(range.revision.0)
                } else {
                    Self::Read(range.revision.0)
                }
            }
            (
                Request::Range(RangeRequest { revision: Some(asked), .. }),
                Outcome::Refused { .. },
            ) if refused_as_future(operation) => Self::Future(asked.0),
            (Request::Put(_) | Request::DeleteRange(_), Outcome::Unknown { .. }) => Self::Maybe,
            _ => Self::Silent,
        }
    }

    fn of_delete(delete: &DeleteRangeResponse) -> Self {
        let revision = delete.revision.0;
        if delete.deleted > 0 { Self::Write(revision) } else { Self::Read(revision) }
    }

    /// The revision in the header, if an answer has one.
    pub(super) fn revision(self) -> Option<i64> {
        match self {
            Self::Write(revision) | Self::Read(revision) | Self::Stale(revision) => Some(revision),
            Self::Future(_) | Self::Maybe | Self::Silent => None,
        }
    }
}

/// A history, sorted out.
pub(super) struct Case<'h> {
    pub(super) operations: &'h [Operation],
    pub(super) keys: Keys<'h>,
    pub(super) writes: Vec<Write<'h>>,
    pub(super) looks: Vec<Look>,
    pub(super) maybes: Vec<Maybe<'h>>,
    /// The highest revision in any header; 1 if there is none.
    pub(super) newest: i64,
}

impl<'h> Case<'h> {
    /// Sorts the operations out, and refuses answers that no state can give.
    pub(super) fn new(operations: &'h [Operation]) -> Result<Self, Box<Rejection>> {
        let mut case = Self {
            operations,
            keys: Keys::new(operations),
            writes: Vec::new(),
            looks: Vec::new(),
            maybes: Vec::new(),
            newest: 1,
        };
        for (op, operation) in operations.iter().enumerate() {
            case.add(op, operation)?;
        }
        case.writes.sort_unstable_by_key(|write| (write.revision, write.op));
        case.looks.sort_unstable_by_key(|look| (look.at, look.op));
        match case.writes.windows(2).find(|pair| pair[0].revision == pair[1].revision) {
            Some(pair) => {
                let (first, second) = (case.witness(pair[0].op), case.witness(pair[1].op));
                Err(OrderFault::DuplicateRevision(first, second).into())
            }
            None => Ok(case),
        }
    }

    pub(super) fn witness(&self, op: usize) -> Witness {
        Witness::from(&self.operations[op])
    }

    fn add(&mut self, op: usize, operation: &'h Operation) -> Result<(), Box<Rejection>> {
        let role = Role::of(operation);
        if let Some(revision) = role.revision() {
            possible(operation, role)?;
            self.newest = self.newest.max(revision);
        }
        match role {
            Role::Write(revision) => {
                let change = self.change(&operation.request);
                self.writes.extend(change.map(|change| Write { revision, op, change }));
            }
            Role::Read(revision) | Role::Stale(revision) => {
                let span = operation.request.keys().map_or(Span::NONE, |keys| self.keys.span(keys));
                self.looks.push(Look {
                    at: asked(&operation.request).unwrap_or(revision),
                    op,
                    span,
                });
            }
            Role::Maybe => {
                let change = self.change(&operation.request);
                self.maybes.extend(change.map(|change| Maybe { op, change }));
            }
            Role::Future(_) | Role::Silent => {}
        }
        Ok(())
    }

    /// What a write does if it takes effect. None if it cannot have one.
    fn change(&self, request: &'h Request) -> Option<Change<'h>> {
        match request {
            Request::Put(put) if put.key.is_empty() => None,
            Request::Put(put) => {
                let key = self.keys.number(&put.key)?;
                Some(Change::Put { key, value: &put.value, lease: put.lease })
            }
            Request::DeleteRange(delete) if delete.key.is_empty() => None,
            Request::DeleteRange(delete) => Some(Change::Delete(self.keys.span(delete.keys()))),
            _ => None,
        }
    }
}

/// The old revision that a read asks for.
fn asked(request: &Request) -> Option<i64> {
    match request {
        Request::Range(range) => range.revision.map(|revision| revision.0),
        _ => None,
    }
}

/// Whether any state at all can give this answer.
fn possible(operation: &Operation, role: Role) -> Result<(), Box<Rejection>> {
    let (revision, least) = match role {
        Role::Write(revision) => (revision, 2),
        Role::Read(revision) | Role::Stale(revision) => (revision, 1),
        Role::Future(_) | Role::Maybe | Role::Silent => return Ok(()),
    };
    let refused = |reason| Err(OrderFault::MustBeRefused(Witness::from(operation), reason).into());
    if revision < least {
        let witness = Witness::from(operation);
        return Err(OrderFault::RevisionOutOfRange(witness, Revision(least)).into());
    }
    if operation.request.keys().is_some_and(|keys| keys.first().is_empty()) {
        return refused(Refused::EmptyKey);
    }
    if asked(&operation.request).is_some_and(|asked| asked > revision) {
        return refused(Refused::FutureRevision);
    }
    Ok(())
}
