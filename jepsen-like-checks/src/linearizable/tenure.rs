//! Which leases a history knows, and what may happen to them without anybody saying so.
//!
//! ```text
//! somebody granted it                  it may end at any moment of its life: a write that nobody sent
//! nobody is known to have granted it,
//!   but a grant went unanswered that   that grant may have made it
//!   left the id to the store
//! nobody granted it                    no request may be served that needs it
//! no grant, revoke or end on record    the history does not record leases: they are mere labels
//! ```
//!
//! Not here: what a lease's end does (`model/lease.rs`), whether it came too early (`lease.rs` of
//! this crate).

use std::collections::BTreeSet;

use super::telling;
use crate::history::{
    History, Lease, LeaseGrantRequest, Micros, Operation, Outcome, Request, Response, TxnOperation,
    TxnRequest, TxnResult,
};
use crate::model::kv::Refused;

/// What is known of the leases of a history.
#[derive(Debug, Default)]
pub(super) struct Tenure {
    /// Leases that are alive from the start, because the history does not say where they are from.
    pub(super) labels: BTreeSet<Lease>,
    /// Leases that an unanswered grant may have made, and when it was invoked.
    pub(super) stray: Vec<(Lease, Micros)>,
    /// Grants of leases with a name, answered or not, by lease: as often it may end unseen.
    pub(super) granted: Vec<(Lease, Micros)>,
}

impl Tenure {
    pub(super) fn of(history: &History) -> Self {
        let operations = history.operations();
        let mut tenure = Self { granted: granted(operations), ..Self::default() };
        let named: BTreeSet<Lease> = tenure.granted.iter().map(|(lease, _)| *lease).collect();
        let unnamed = || -> BTreeSet<Lease> {
            let mut unnamed = BTreeSet::new();
            for operation in operations {
                each_used(&operation.request, &mut |lease| {
                    if !named.contains(&lease) {
                        unnamed.insert(lease);
                    }
                });
            }
            unnamed
        };
        let recorded = operations.iter().any(|operation| {
            matches!(operation.request, Request::LeaseGrant(_) | Request::LeaseRevoke(_))
        });
        if !recorded && history.lease_ends().is_empty() {
            tenure.labels = unnamed();
        } else if let Some(invoked) = nameless(operations) {
            tenure.stray = unnamed().into_iter().map(|lease| (lease, invoked)).collect();
            tenure.granted.extend(&tenure.stray);
        }
        tenure
    }

    /// The reason of a refusal that says something about the state (see [`telling`]). What a store
    /// says of leases that are mere labels says nothing.
    pub(super) fn telling(&self, operation: &Operation) -> Option<Refused> {
        let reason = telling(operation)?;
        if reason != Refused::LeaseNotFound || self.labels.is_empty() {
            return Some(reason);
        }
        let label = used(&operation.request).iter().any(|lease| self.labels.contains(lease));
        (!label).then_some(reason)
    }
}

/// The lease that an operation may have granted, and names.
pub(super) fn grants(operation: &Operation) -> Option<Lease> {
    match (&operation.request, &operation.outcome) {
        (_, Outcome::Ok { response: Response::LeaseGrant(told), .. }) => Some(told.lease),
        (Request::LeaseGrant(asked), Outcome::Unknown { .. }) => asked.lease,
        (_, Outcome::Ok { .. } | Outcome::Refused { .. } | Outcome::Unknown { .. }) => None,
    }
}

fn granted(operations: &[Operation]) -> Vec<(Lease, Micros)> {
    let grant = |operation: &Operation| Some((grants(operation)?, operation.invoked));
    operations.iter().filter_map(grant).collect()
}

/// When the first unanswered grant without an id was invoked.
fn nameless(operations: &[Operation]) -> Option<Micros> {
    let nameless = operations.iter().filter(|operation| {
        matches!(operation.request, Request::LeaseGrant(LeaseGrantRequest { lease: None, .. }))
            && matches!(operation.outcome, Outcome::Unknown { .. })
    });
    nameless.map(|operation| operation.invoked).min()
}

/// Whether a request needs a lease.
pub(super) fn uses(request: &Request) -> bool {
    let mut uses = false;
    each_used(request, &mut |_| uses = true);
    uses
}

/// The leases that a request needs.
pub(super) fn used(request: &Request) -> Vec<Lease> {
    let mut leases = Vec::new();
    each_used(request, &mut |lease| leases.push(lease));
    leases
}

fn each_used(request: &Request, see: &mut impl FnMut(Lease)) {
    match request {
        Request::Put(put) => put.lease.into_iter().for_each(see),
        Request::Txn(txn) => txn.operations().for_each(|operation| match operation {
            TxnOperation::Put(put) => put.lease.into_iter().for_each(&mut *see),
            TxnOperation::Range(_) | TxnOperation::DeleteRange(_) | TxnOperation::Txn(_) => {}
        }),
        Request::LeaseRevoke(revoke) => see(revoke.lease),
        Request::Range(_)
        | Request::DeleteRange(_)
        | Request::Compact(_)
        | Request::LeaseGrant(_)
        | Request::LeaseKeepAlive(_)
        | Request::LeaseTimeToLive(_)
        | Request::LeaseLeases(_) => {}
    }
}

/// The leases that a transaction needed, by its answer.
pub(super) fn used_by(txn: &TxnRequest, response: &Response) -> Vec<Lease> {
    let mut leases = Vec::new();
    if let Response::Txn(told) = response {
        used_in(txn.branch(told.succeeded), &told.responses, &mut leases);
    }
    leases
}

fn used_in(branch: &[TxnOperation], told: &[TxnResult], leases: &mut Vec<Lease>) {
    for (asked, told) in branch.iter().zip(told) {
        match (asked, told) {
            (TxnOperation::Put(put), _) => leases.extend(put.lease),
            (TxnOperation::Txn(nested), TxnResult::Txn(told)) => {
                used_in(nested.branch(told.succeeded), &told.responses, leases);
            }
            (TxnOperation::Range(_) | TxnOperation::DeleteRange(_) | TxnOperation::Txn(_), _) => {}
        }
    }
}
