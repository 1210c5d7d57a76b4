//! Which keys can change without an answer that says so.
//!
//! Not here: what answers rule out (`outlook.rs`).

use super::case::{Case, Change};
use super::gaps::Gaps;
use super::keys::{KeyId, Span};
use crate::history::{KeyRange, Lease, PutRequest, Request, TxnOperation};

/// Visits the keys that an unknown write may put, and those that it may delete.
pub(super) fn each_written(case: &Case<'_>, change: Change<'_>, see: &mut impl FnMut(Span, bool)) {
    match change {
        Change::Put { key, .. } => see(Span::one(key), true),
        Change::Delete(span) => see(span, false),
        Change::Keep(put) => see(case.keys.span(KeyRange::One(&put.key)), true),
        Change::Txn(txn) => txn.operations().for_each(|operation| match operation {
            TxnOperation::Put(put) => see(case.keys.span(KeyRange::One(&put.key)), true),
            TxnOperation::DeleteRange(delete) => see(case.keys.span(delete.keys()), false),
            TxnOperation::Range(_) | TxnOperation::Txn(_) => {}
        }),
        Change::End(_) => {}
    }
}

/// The keys that an unknown write may change, span by span.
pub(super) fn written(case: &Case<'_>, change: Change<'_>) -> Vec<Span> {
    let mut spans = Vec::new();
    each_written(case, change, &mut |keys, _| spans.push(keys));
    spans
}

/// The leases that an unknown write may need.
pub(super) fn needed(change: Change<'_>) -> Vec<Lease> {
    match change {
        Change::Put { lease, .. } => lease.into_iter().collect(),
        Change::Keep(put) => put.lease.into_iter().collect(),
        Change::Txn(txn) => txn.operations().filter_map(put_lease).collect(),
        Change::Delete(_) | Change::End(_) => Vec::new(),
    }
}

fn put_lease(operation: &TxnOperation) -> Option<Lease> {
    match operation {
        TxnOperation::Put(put) => put.lease,
        TxnOperation::Range(_) | TxnOperation::DeleteRange(_) | TxnOperation::Txn(_) => None,
    }
}

/// The keys that change where nobody told of it: those that unknown writes may change, and those
/// that may end with a lease. Sorted.
pub(super) fn touched(case: &Case<'_>, gaps: &Gaps<'_>) -> Vec<KeyId> {
    let mut touched = vec![false; case.keys.len()];
    for class in &gaps.classes {
        each_written(case, class.change, &mut |span, _| {
            span.keys().for_each(|key| touched[key] = true);
        });
    }
    if !case.tenure.granted.is_empty() {
        for op in &case.leasing {
            each_leased(case, &case.operations[*op].request, &mut |key| touched[key] = true);
        }
    }
    let marked = touched.iter().enumerate().filter(|(_, touched)| **touched);
    marked.map(|(key, _)| key).collect()
}

/// Visits the keys that a request may attach to a lease.
fn each_leased(case: &Case<'_>, request: &Request, see: &mut impl FnMut(KeyId)) {
    let mut put = |put: &PutRequest| {
        if put.lease.is_some() {
            case.keys.number(&put.key).into_iter().for_each(&mut *see);
        }
    };
    match request {
        Request::Put(asked) => put(asked),
        Request::Txn(txn) => txn.operations().for_each(|operation| match operation {
            TxnOperation::Put(asked) => put(asked),
            TxnOperation::Range(_) | TxnOperation::DeleteRange(_) | TxnOperation::Txn(_) => {}
        }),
        Request::Range(_)
        | Request::DeleteRange(_)
        | Request::Compact(_)
        | Request::LeaseGrant(_)
        | Request::LeaseRevoke(_)
        | Request::LeaseKeepAlive(_)
        | Request::LeaseTimeToLive(_)
        | Request::LeaseLeases(_) => {}
    }
}
