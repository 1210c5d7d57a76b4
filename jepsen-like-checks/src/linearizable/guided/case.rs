//! The history sorted out for the judge: who wrote which revision, who looked at which.
//!
//! ```text
//! writes    answered, changed something      one per revision, sorted by it
//! looks     answered, claims what was there  sorted by the revision whose state they show
//! maybes    writes without an answer         they fill the revisions that no answered write made
//! terms     grants and revokes of leases     sorted by the revision behind which they stand
//! ```
//!
//! A revoke does not say whether it removed keys, and so whether it made the revision in its header
//! or found it. It is a term in any case; where no other answered write has that revision, it is
//! also the first candidate for having made it.
//!
//! Invariants:
//! - C1. Writes have revisions from 2, no two the same.
//! - C2. A look's revision is not above the revision in its header, nor that above `newest`.
//!
//! Not here: roles (`role.rs`), keys as numbers (`keys.rs`), order in time (`order.rs`), which maybe
//! fills which revision (`gaps.rs`).

use super::super::tenure::{self, Tenure};
use super::super::{OrderFault, Rejection, Witness};
use super::keys::{KeyId, Keys, Span};
use super::role::{Role, possible};
use super::stops::Stops;
use crate::history::{
    ByteString, DeleteRangeRequest, DeleteRangeResponse, Exchange, History, Lease, LeaseEnd,
    Micros, Operation, PutRequest, RangeRequest, RangeResponse, Request, TxnOperation, TxnRequest,
    TxnResponse, TxnResult,
};
use crate::model::kv::Refused;

/// What a write does to the store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Change<'h> {
    Put {
        key: KeyId,
        value: &'h ByteString,
        lease: Option<Lease>,
    },
    Delete(Span),
    /// What it does depends on the state.
    Txn(&'h TxnRequest),
    /// A put that keeps the old value or lease.
    Keep(&'h PutRequest),
    /// The end of a lease, asked for or not.
    End(Lease),
}

/// Who did something. Operations and lease ends are named by their place in the history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum By {
    Operation(usize),
    /// The log told of it.
    Told(usize),
    /// Nobody told of it: the judge reckons with it.
    Expiry(Lease),
}

/// A write that changed something, of which the revision is known.
pub(super) struct Write<'h> {
    pub(super) revision: i64,
    pub(super) by: By,
    pub(super) change: Change<'h>,
    pub(super) span: Span,
}

/// An answer that shows the state of a revision.
pub(super) struct Look<'h> {
    pub(super) at: i64,
    pub(super) op: usize,
    pub(super) span: Span,
    pub(super) claim: Claim<'h>,
}

/// What is shown.
#[derive(Clone, Copy)]
pub(super) enum Claim<'h> {
    Range(&'h RangeRequest, &'h RangeResponse),
    Delete(&'h DeleteRangeRequest, &'h DeleteRangeResponse),
    Txn(&'h TxnRequest, &'h TxnResponse),
}

/// A write of unknown outcome.
pub(super) struct Maybe<'h> {
    pub(super) op: usize,
    pub(super) change: Change<'h>,
    pub(super) span: Span,
}

/// A lease that begins or ends by a request.
#[derive(Clone, Copy)]
pub(super) struct Term {
    pub(super) at: i64,
    pub(super) lease: Lease,
    pub(super) op: usize,
    pub(super) begins: bool,
}

/// A history, sorted out.
pub(super) struct Case<'h> {
    pub(super) operations: &'h [Operation],
    pub(super) ends: &'h [LeaseEnd],
    pub(super) tenure: Tenure,
    pub(super) keys: Keys<'h>,
    pub(super) stops: Stops,
    pub(super) writes: Vec<Write<'h>>,
    pub(super) looks: Vec<Look<'h>>,
    pub(super) maybes: Vec<Maybe<'h>>,
    pub(super) terms: Vec<Term>,
    /// The role of each operation.
    pub(super) roles: Vec<Role>,
    /// The refusals that say something of the state: operations, and what they say.
    pub(super) refused: Vec<(usize, Refused)>,
    /// Operations that ask for a compaction.
    pub(super) compactions: Vec<usize>,
    /// Operations that ask for a lease, or need one.
    pub(super) leasing: Vec<usize>,
    /// The highest revision in any header; 1 if there is none.
    pub(super) newest: i64,
}

impl<'h> Case<'h> {
    /// Sorts the operations out, and refuses answers that no state can give.
    pub(super) fn new(history: &'h History) -> Result<Self, Box<Rejection>> {
        let mut case = Self {
            operations: history.operations(),
            ends: history.lease_ends(),
            tenure: Tenure::of(history),
            keys: Keys::new(history.operations()),
            stops: Stops::with_capacity(history.operations().len()),
            writes: Vec::with_capacity(history.operations().len()),
            looks: Vec::with_capacity(history.operations().len()),
            maybes: Vec::new(),
            terms: Vec::new(),
            roles: Vec::with_capacity(history.operations().len()),
            refused: Vec::new(),
            compactions: Vec::new(),
            leasing: Vec::new(),
            newest: 1,
        };
        for (op, operation) in case.operations.iter().enumerate() {
            case.add(op, operation)?;
        }
        for (number, end) in case.ends.iter().enumerate() {
            case.tell(number, end)?;
        }
        case.writes.sort_by_key(|write| write.revision);
        case.looks.sort_unstable_by_key(|look| (look.at, look.op));
        case.terms.sort_unstable_by_key(|term| (term.at, term.lease, term.op));
        match case.writes.windows(2).find(|pair| pair[0].revision == pair[1].revision) {
            Some(pair) => {
                let (first, second) = (case.witness(pair[0].by), case.witness(pair[1].by));
                Err(OrderFault::DuplicateRevision(first, second).into())
            }
            None => Ok(case),
        }
    }

    pub(super) fn witness(&self, by: By) -> Witness {
        match by {
            By::Operation(op) => Witness::from(&self.operations[op]),
            By::Told(number) => Witness::from(&self.ends[number]),
            By::Expiry(lease) => {
                let granted = self.tenure.granted.iter().find(|(granted, _)| *granted == lease);
                Witness {
                    number: None,
                    client: None,
                    asked: format!("the end of lease {lease}, of which nobody told"),
                    invoked: granted.map_or(Micros(0), |(_, at)| *at),
                    returned: None,
                    revision: None,
                }
            }
        }
    }

    /// Whether a revision has a write that says so.
    pub(super) fn is_written(&self, revision: i64) -> bool {
        self.writes.binary_search_by_key(&revision, |write| write.revision).is_ok()
    }

    fn tell(&mut self, number: usize, end: &'h LeaseEnd) -> Result<(), Box<Rejection>> {
        let Some(revision) = end.revision else { return Ok(()) };
        let by = By::Told(number);
        if revision.0 < 2 {
            let least = crate::history::Revision(2);
            return Err(OrderFault::RevisionOutOfRange(self.witness(by), least).into());
        }
        self.newest = self.newest.max(revision.0);
        let change = Change::End(end.lease);
        self.writes.push(Write { revision: revision.0, by, change, span: Span::ALL });
        Ok(())
    }

    fn add(&mut self, op: usize, operation: &'h Operation) -> Result<(), Box<Rejection>> {
        let reason = self.tenure.telling(operation);
        let role = Role::of(operation, reason);
        self.roles.push(role);
        self.refused.extend(reason.map(|reason| (op, reason)));
        self.sort(op, &operation.request);
        if let Some(revision) = role.revision() {
            possible(operation, role)?;
            self.newest = self.newest.max(revision);
        }
        self.stops.begin();
        if let Some(Exchange::Txn(asked, told)) = operation.exchange() {
            self.stops.add(&self.keys, asked, told.succeeded, &told.responses);
        }
        match role {
            Role::Write(revision) => {
                let change = match &operation.request {
                    Request::Txn(txn) => Some((Change::Txn(txn), self.stops.hull())),
                    request => self.change(request),
                };
                let by = By::Operation(op);
                self.writes.extend(change.map(|(change, span)| Write {
                    revision,
                    by,
                    change,
                    span,
                }));
                self.look(op, operation, revision - 1);
            }
            Role::Read(revision) | Role::Stale(revision) => {
                self.look(op, operation, revision);
                self.term(op, operation);
            }
            Role::Maybe => {
                let change = self.change(&operation.request);
                self.maybes.extend(change.map(|(change, span)| Maybe { op, change, span }));
            }
            Role::Future(_) | Role::Silent => {}
        }
        Ok(())
    }

    /// Notes what a request asks for, for those who look at few kinds of requests.
    fn sort(&mut self, op: usize, request: &Request) {
        if matches!(request, Request::Compact(_)) {
            self.compactions.push(op);
        }
        if matches!(request, Request::LeaseGrant(_)) || tenure::uses(request) {
            self.leasing.push(op);
        }
    }

    fn term(&mut self, op: usize, operation: &Operation) {
        let (lease, begins) = match operation.exchange() {
            Some(Exchange::LeaseGrant(_, told)) => (told.lease, true),
            Some(Exchange::LeaseRevoke(asked, _)) => (asked.lease, false),
            Some(_) | None => return,
        };
        let at = operation.response().map_or(1, |response| response.revision().0);
        self.terms.push(Term { at, lease, op, begins });
    }

    /// Notes the states that an answer shows; `present` is the one that it does not name.
    fn look(&mut self, op: usize, operation: &'h Operation, present: i64) {
        let wrote = matches!(self.roles[op], Role::Write(_));
        let mut look = |at: i64, span, claim| self.looks.push(Look { at, op, span, claim });
        let Some(exchange) = operation.exchange() else { return };
        match exchange {
            Exchange::Range(asked, told) => {
                let at = asked.revision.map_or(present, |revision| revision.0);
                look(at, self.keys.span(asked.keys()), Claim::Range(asked, told));
            }
            Exchange::DeleteRange(asked, told) if !wrote => {
                look(present, self.keys.span(asked.keys()), Claim::Delete(asked, told));
            }
            Exchange::Txn(asked, told) => {
                if !wrote {
                    look(present, self.stops.hull(), Claim::Txn(asked, told));
                }
                let branch = asked.branch(told.succeeded);
                old_ranges(branch, &told.responses, &mut |at, asked, told| {
                    look(at, self.keys.span(asked.keys()), Claim::Range(asked, told));
                });
            }
            Exchange::Put(..)
            | Exchange::DeleteRange(..)
            | Exchange::Compact(..)
            | Exchange::LeaseGrant(..)
            | Exchange::LeaseRevoke(..)
            | Exchange::LeaseKeepAlive(..)
            | Exchange::LeaseTimeToLive(..)
            | Exchange::LeaseLeases(..) => {}
        }
    }

    /// What a write does if it takes effect, and to which keys. None if it cannot have an effect.
    fn change(&self, request: &'h Request) -> Option<(Change<'h>, Span)> {
        match request {
            Request::Put(put) => {
                let key = self.keys.number(&put.key)?;
                let change = match put {
                    PutRequest { ignore_value: false, ignore_lease: false, .. } => {
                        Change::Put { key, value: &put.value, lease: put.lease }
                    }
                    PutRequest { .. } => Change::Keep(put),
                };
                Some((change, Span::one(key)))
            }
            Request::DeleteRange(delete) if delete.key.is_empty() => None,
            Request::DeleteRange(delete) => {
                let span = self.keys.span(delete.keys());
                Some((Change::Delete(span), span))
            }
            Request::Txn(txn) => Some((Change::Txn(txn), self.keys.hull(txn))),
            Request::Range(_)
            | Request::Compact(_)
            | Request::LeaseGrant(_)
            | Request::LeaseRevoke(_)
            | Request::LeaseKeepAlive(_)
            | Request::LeaseTimeToLive(_)
            | Request::LeaseLeases(_) => None,
        }
    }
}

/// Visits the ranges of a branch that ask for a revision of the past.
fn old_ranges<'h>(
    branch: &'h [TxnOperation],
    told: &'h [TxnResult],
    see: &mut impl FnMut(i64, &'h RangeRequest, &'h RangeResponse),
) {
    for (asked, told) in branch.iter().zip(told) {
        match (asked, told) {
            (TxnOperation::Range(asked), TxnResult::Range(told)) => {
                if let Some(revision) = asked.revision {
                    see(revision.0, asked, told);
                }
            }
            (TxnOperation::Txn(asked), TxnResult::Txn(told)) => {
                old_ranges(asked.branch(told.succeeded), &told.responses, see);
            }
            (
                TxnOperation::Put(_)
                | TxnOperation::Range(_)
                | TxnOperation::DeleteRange(_)
                | TxnOperation::Txn(_),
                _,
            ) => {}
        }
    }
}
