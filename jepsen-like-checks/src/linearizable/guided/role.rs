//! What an operation has to say to the judge, and whether any state at all can say it.
//!
//! Not here: what it says exactly (`case.rs`, `claims.rs`).

use super::super::{OrderFault, Rejection, Witness};
use crate::history::{
    Exchange, Operation, Outcome, PutRequest, Request, Response, Revision, TxnOperation, TxnResult,
    changed,
};
use crate::model::kv::{MOST_TTL, Refused};
use crate::model::txn;

/// What an operation has to say to the judge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// It made this revision.
    Write(i64),
    /// It was answered from this revision, which was the newest at that moment. A revoke may have
    /// made it.
    Read(i64),
    /// It was answered from this revision, the newest or an older one.
    Stale(i64),
    /// It was refused because this revision did not exist.
    Future(i64),
    /// It may have written something.
    Maybe,
    /// Nothing about revisions.
    Silent,
}

impl Role {
    /// The role of an operation, and what its refusal says of the state if it is refused.
    pub(super) fn of(operation: &Operation, reason: Option<Refused>) -> Self {
        let request = &operation.request;
        match &operation.outcome {
            Outcome::Ok { response, .. } => {
                let revision = response.revision().0;
                if wrote(response) {
                    Self::Write(revision)
                } else if request.is_serializable() {
                    Self::Stale(revision)
                } else {
                    Self::Read(revision)
                }
            }
            Outcome::Refused { .. } => match (reason, request) {
                (Some(Refused::FutureRevision), Request::Range(range)) => {
                    range.revision.map_or(Self::Silent, |asked| Self::Future(asked.0))
                }
                (Some(Refused::FutureRevision), Request::Compact(compact)) => {
                    Self::Future(compact.revision.0)
                }
                (Some(_) | None, _) => Self::Silent,
            },
            Outcome::Unknown { .. } => match request {
                Request::Put(_) | Request::DeleteRange(_) => Self::Maybe,
                Request::Txn(txn) if !txn.is_read_only() && txn::check(txn).is_ok() => Self::Maybe,
                // Grants and compactions make no revision; a revoke does what the lease's own end
                // does, which is reckoned with anyway.
                Request::Txn(_)
                | Request::Range(_)
                | Request::Compact(_)
                | Request::LeaseGrant(_)
                | Request::LeaseRevoke(_)
                | Request::LeaseKeepAlive(_)
                | Request::LeaseTimeToLive(_)
                | Request::LeaseLeases(_) => Self::Silent,
            },
        }
    }

    /// The revision in the header, if an answer has one.
    pub(super) fn revision(self) -> Option<i64> {
        match self {
            Self::Write(revision) | Self::Read(revision) | Self::Stale(revision) => Some(revision),
            Self::Future(_) | Self::Maybe | Self::Silent => None,
        }
    }
}

/// Whether an answer says that it made its revision.
fn wrote(response: &Response) -> bool {
    match response {
        Response::Put(_) => true,
        Response::DeleteRange(delete) => delete.deleted > 0,
        Response::Txn(txn) => changed(&txn.responses),
        Response::Range(_)
        | Response::Compact(_)
        | Response::LeaseGrant(_)
        | Response::LeaseRevoke(_)
        | Response::LeaseKeepAlive(_)
        | Response::LeaseTimeToLive(_)
        | Response::LeaseLeases(_) => false,
    }
}

/// Whether any state at all can give this answer.
pub(super) fn possible(operation: &Operation, role: Role) -> Result<(), Box<Rejection>> {
    let (revision, least) = match role {
        Role::Write(revision) => (revision, 2),
        Role::Read(revision) | Role::Stale(revision) => (revision, 1),
        Role::Future(_) | Role::Maybe | Role::Silent => return Ok(()),
    };
    if revision < least {
        let witness = Witness::from(operation);
        return Err(OrderFault::RevisionOutOfRange(witness, Revision(least)).into());
    }
    if let Some(reason) = forbidden(operation, revision) {
        return Err(OrderFault::MustBeRefused(Witness::from(operation), reason).into());
    }
    match operation.exchange() {
        Some(Exchange::Txn(asked, told))
            if !is_shaped(asked.branch(told.succeeded), &told.responses) =>
        {
            Err(OrderFault::WrongShape(Witness::from(operation)).into())
        }
        Some(Exchange::LeaseGrant(asked, told))
            if told.ttl < asked.ttl.max(1)
                || asked.lease.is_some_and(|lease| lease != told.lease) =>
        {
            Err(OrderFault::WrongGrant(Witness::from(operation), told.lease, told.ttl).into())
        }
        Some(_) | None => Ok(()),
    }
}

/// Why every state must refuse the request of an operation that was answered from a revision.
fn forbidden(operation: &Operation, revision: i64) -> Option<Refused> {
    let request = &operation.request;
    if request.keys().is_some_and(|keys| keys.first().is_empty()) {
        return Some(Refused::EmptyKey);
    }
    match request {
        Request::Put(PutRequest { ignore_value: true, value, .. }) if !value.is_empty() => {
            Some(Refused::ValueProvided)
        }
        Request::Put(PutRequest { ignore_lease: true, lease: Some(_), .. }) => {
            Some(Refused::LeaseProvided)
        }
        Request::Range(range) => range
            .revision
            .is_some_and(|asked| asked.0 > revision)
            .then_some(Refused::FutureRevision),
        Request::Compact(compact) if compact.revision.0 < 0 => Some(Refused::Compacted),
        Request::Compact(compact) if compact.revision.0 > revision => Some(Refused::FutureRevision),
        Request::LeaseGrant(grant) => (grant.ttl > MOST_TTL).then_some(Refused::TtlTooLarge),
        Request::Txn(txn) => match (txn::check(txn), operation.response()) {
            (Err(reason), _) => Some(reason),
            (Ok(()), Some(Response::Txn(told))) => {
                let before = revision - i64::from(changed(&told.responses));
                let branch = txn.branch(told.succeeded);
                is_ahead(branch, &told.responses, before).then_some(Refused::FutureRevision)
            }
            (Ok(()), _) => None,
        },
        Request::Put(_)
        | Request::DeleteRange(_)
        | Request::Compact(_)
        | Request::LeaseRevoke(_)
        | Request::LeaseKeepAlive(_)
        | Request::LeaseTimeToLive(_)
        | Request::LeaseLeases(_) => None,
    }
}

/// Whether some range of a branch asks for a revision above the one before the transaction.
fn is_ahead(branch: &[TxnOperation], told: &[TxnResult], before: i64) -> bool {
    branch.iter().zip(told).any(|(asked, told)| match (asked, told) {
        (TxnOperation::Range(range), _) => range.revision.is_some_and(|asked| asked.0 > before),
        (TxnOperation::Txn(asked), TxnResult::Txn(told)) => {
            is_ahead(asked.branch(told.succeeded), &told.responses, before)
        }
        (TxnOperation::Put(_) | TxnOperation::DeleteRange(_) | TxnOperation::Txn(_), _) => false,
    })
}

/// Whether there is one response for each operation of a branch, of its kind.
fn is_shaped(branch: &[TxnOperation], told: &[TxnResult]) -> bool {
    branch.len() == told.len()
        && branch.iter().zip(told).all(|(asked, told)| match (asked, told) {
            (TxnOperation::Put(_), TxnResult::Put(_))
            | (TxnOperation::Range(_), TxnResult::Range(_))
            | (TxnOperation::DeleteRange(_), TxnResult::DeleteRange(_)) => true,
            (TxnOperation::Txn(asked), TxnResult::Txn(told)) => {
                is_shaped(asked.branch(told.succeeded), &told.responses)
            }
            (
                TxnOperation::Put(_)
                | TxnOperation::Range(_)
                | TxnOperation::DeleteRange(_)
                | TxnOperation::Txn(_),
                _,
            ) => false,
        })
}
