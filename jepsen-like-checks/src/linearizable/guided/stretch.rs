//! Sorting operations out, one stretch of the history at a time.
//!
//! What an operation is for the judge hangs on nothing but itself and the names of keys and leases,
//! so stretches can be sorted out in any order, or at once, and put together afterwards.
//!
//! Not here: what the parts are for (`case.rs`), roles (`role.rs`).

use std::ops::Range;

use super::super::tenure::{self, Tenure};
use super::super::{OrderFault, Rejection, Witness};
use super::case::{By, Change, Claim, Look, Maybe, Term, Write};
use super::keys::{Keys, Span};
use super::role::{Role, possible};
use super::stops::Stops;
use crate::history::{
    Exchange, LeaseEnd, Operation, PutRequest, RangeRequest, RangeResponse, Request, Revision,
    TxnOperation, TxnResult,
};
use crate::model::kv::Refused;

/// The names that requests use.
#[derive(Clone, Copy)]
pub(super) struct Names<'n, 'h> {
    pub(super) tenure: &'n Tenure,
    pub(super) keys: &'n Keys<'h>,
}

/// A stretch of a history, sorted out: the fields are those of the case.
#[derive(Default)]
pub(super) struct Stretch<'h> {
    pub(super) stops: Stops,
    pub(super) writes: Vec<Write<'h>>,
    pub(super) looks: Vec<Look<'h>>,
    pub(super) maybes: Vec<Maybe<'h>>,
    pub(super) terms: Vec<Term>,
    pub(super) roles: Vec<Role>,
    pub(super) refused: Vec<(usize, Refused)>,
    pub(super) compactions: Vec<usize>,
    pub(super) leasing: Vec<usize>,
    pub(super) newest: i64,
}

impl<'h> Stretch<'h> {
    /// Sorts some of all operations out, and refuses answers that no state can give.
    pub(super) fn sort(
        operations: &'h [Operation],
        stretch: Range<usize>,
        names: Names<'_, 'h>,
    ) -> Result<Self, Box<Rejection>> {
        let size = stretch.len();
        let mut sorted = Self {
            stops: Stops::with_capacity(size),
            writes: Vec::with_capacity(size),
            looks: Vec::with_capacity(size),
            roles: Vec::with_capacity(size),
            newest: 1,
            ..Self::default()
        };
        for op in stretch {
            sorted.add(op, &operations[op], names)?;
        }
        sorted.arrange();
        Ok(sorted)
    }

    /// Adds the stretch that comes next.
    pub(super) fn append(&mut self, mut next: Self) {
        self.stops.append(next.stops);
        self.writes.append(&mut next.writes);
        self.looks.append(&mut next.looks);
        self.maybes.append(&mut next.maybes);
        self.terms.append(&mut next.terms);
        self.roles.append(&mut next.roles);
        self.refused.append(&mut next.refused);
        self.compactions.append(&mut next.compactions);
        self.leasing.append(&mut next.leasing);
        self.newest = self.newest.max(next.newest);
    }

    /// Puts everything in the order of revisions. Where that is the same, in the order of the
    /// history, which a stable sort keeps; and it is fast where two stretches are in order already.
    pub(super) fn arrange(&mut self) {
        self.writes.sort_by_key(|write| write.revision);
        self.looks.sort_by_key(|look| (look.at, look.op));
        self.terms.sort_by_key(|term| (term.at, term.lease, term.op));
    }

    /// Adds the end of a lease of which the log tells.
    pub(super) fn tell(&mut self, number: usize, end: &'h LeaseEnd) -> Result<(), Box<Rejection>> {
        let Some(revision) = end.revision else { return Ok(()) };
        let by = By::Told(number);
        if revision.0 < 2 {
            let witness = Witness::from(end);
            return Err(OrderFault::RevisionOutOfRange(witness, Revision(2)).into());
        }
        self.newest = self.newest.max(revision.0);
        let change = Change::End(end.lease);
        self.writes.push(Write { revision: revision.0, by, change, span: Span::ALL });
        Ok(())
    }

    fn add(
        &mut self,
        op: usize,
        operation: &'h Operation,
        names: Names<'_, 'h>,
    ) -> Result<(), Box<Rejection>> {
        let reason = names.tenure.telling(operation);
        let role = Role::of(operation, reason);
        self.roles.push(role);
        self.refused.extend(reason.map(|reason| (op, reason)));
        self.note(op, &operation.request);
        if let Some(revision) = role.revision() {
            possible(operation, role)?;
            self.newest = self.newest.max(revision);
        }
        self.stops.begin();
        if let Some(Exchange::Txn(asked, told)) = operation.exchange() {
            self.stops.add(names.keys, asked, told.succeeded, &told.responses);
        }
        match role {
            Role::Write(revision) => {
                let change = match &operation.request {
                    Request::Txn(txn) => Some((Change::Txn(txn), self.stops.hull())),
                    request => Self::change(names, request),
                };
                let by = By::Operation(op);
                self.writes.extend(change.map(|(change, span)| Write {
                    revision,
                    by,
                    change,
                    span,
                }));
                self.look((op, true), operation, revision - 1, names);
            }
            Role::Read(revision) | Role::Stale(revision) => {
                self.look((op, false), operation, revision, names);
                self.term(op, operation);
            }
            Role::Maybe => {
                let change = Self::change(names, &operation.request);
                self.maybes.extend(change.map(|(change, span)| Maybe { op, change, span }));
            }
            Role::Future(_) | Role::Silent => {}
        }
        Ok(())
    }

    /// Notes what a request asks for, for those who look at few kinds of requests.
    fn note(&mut self, op: usize, request: &Request) {
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
    fn look(
        &mut self,
        (op, wrote): (usize, bool),
        operation: &'h Operation,
        present: i64,
        names: Names<'_, 'h>,
    ) {
        let mut look = |at: i64, span, claim| self.looks.push(Look { at, op, span, claim });
        let Some(exchange) = operation.exchange() else { return };
        match exchange {
            Exchange::Range(asked, told) => {
                let at = asked.revision.map_or(present, |revision| revision.0);
                look(at, names.keys.span(asked.keys()), Claim::Range(asked, told));
            }
            Exchange::DeleteRange(asked, told) if !wrote => {
                look(present, names.keys.span(asked.keys()), Claim::Delete(asked, told));
            }
            Exchange::Txn(asked, told) => {
                if !wrote {
                    look(present, self.stops.hull(), Claim::Txn(asked, told));
                }
                let branch = asked.branch(told.succeeded);
                old_ranges(branch, &told.responses, &mut |at, asked, told| {
                    look(at, names.keys.span(asked.keys()), Claim::Range(asked, told));
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
    fn change(names: Names<'_, 'h>, request: &'h Request) -> Option<(Change<'h>, Span)> {
        match request {
            Request::Put(put) => {
                let key = names.keys.number(&put.key)?;
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
                let span = names.keys.span(delete.keys());
                Some((Change::Delete(span), span))
            }
            Request::Txn(txn) => Some((Change::Txn(txn), names.keys.hull(txn))),
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
