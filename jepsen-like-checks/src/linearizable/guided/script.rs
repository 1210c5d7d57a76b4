//! Writes whose effect depends on the state: transactions, and puts that keep the old value or
//! lease.
//!
//! ```text
//! 1. compares choose the branches, nested ones too, all on the state before     TX-2
//! 2. the operations on that path change the state one after the other           TX-3
//! ```
//!
//! Not here: what an answer claims about them (`claims.rs`).

use super::case::{Case, Change};
use super::keys::{KeyId, Span};
use super::present::{Pair, Present};
use crate::history::{Compare, Comparison, Lease, PutRequest, Target, TxnOperation, TxnRequest};

/// What a put does to a key that holds this. None if it keeps what is not there.
pub(super) fn put<'h>(
    key: KeyId,
    held: Option<Pair<'h>>,
    asked: &'h PutRequest,
) -> Option<Change<'h>> {
    let value = if asked.ignore_value { held?.value } else { &asked.value };
    let lease = if asked.ignore_lease { held?.lease } else { asked.lease };
    Some(Change::Put { key, value, lease })
}

/// Which branches a transaction takes, in the order in which it comes to them.
fn path(case: &Case<'_>, present: &Present<'_>, txn: &TxnRequest) -> Vec<bool> {
    let mut path = Vec::with_capacity(1);
    extend(case, present, txn, &mut path);
    path
}

fn extend(case: &Case<'_>, present: &Present<'_>, txn: &TxnRequest, path: &mut Vec<bool>) {
    let span = |compare: &Compare| case.keys.span(compare.keys());
    let succeeded = txn.compare.iter().all(|compare| holds(present, compare, span(compare)));
    path.push(succeeded);
    for operation in txn.branch(succeeded) {
        if let TxnOperation::Txn(nested) = operation {
            extend(case, present, nested, path);
        }
    }
}

/// Whether a compare of these keys holds.
pub(super) fn holds(present: &Present<'_>, compare: &Compare, keys: Span) -> bool {
    let mut pairs = present.list(keys).peekable();
    match pairs.peek() {
        None => of_pair(compare, None),
        Some(_) => pairs.all(|(_, pair)| of_pair(compare, Some(pair))),
    }
}

/// A compare of one pair, or of the lack of one. A missing pair counts as zeros, but has no value
/// that could be compared (TX-5).
fn of_pair(compare: &Compare, pair: Option<Pair<'_>>) -> bool {
    let (left, right) = match (&compare.target, pair) {
        (Target::Value(value), Some(pair)) => {
            return related(compare.result, pair.value.cmp(value));
        }
        (Target::Value(_), None) => return false,
        (Target::Version(given), pair) => (pair.map_or(0, |pair| pair.version), *given),
        (Target::CreateRevision(given), pair) => (pair.map_or(0, |pair| pair.created), given.0),
        (Target::ModRevision(given), pair) => (pair.map_or(0, |pair| pair.modified), given.0),
        (Target::Lease(given), pair) => {
            (pair.and_then(|pair| pair.lease).map_or(0, Lease::id), *given)
        }
    };
    related(compare.result, left.cmp(&right))
}

fn related(result: Comparison, order: std::cmp::Ordering) -> bool {
    match result {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Greater => order.is_gt(),
        Comparison::Less => order.is_lt(),
    }
}

/// Makes a write without an answer, whatever it depends on. None if it cannot make a revision; else
/// the leases that it needs.
pub(super) fn attempt<'h>(
    case: &Case<'h>,
    present: &mut Present<'h>,
    revision: i64,
    change: Change<'h>,
) -> Option<Vec<Lease>> {
    let leases = match change {
        Change::Txn(txn) => make(case, present, revision, txn)?,
        Change::Keep(asked) => {
            let key = case.keys.number(&asked.key)?;
            present.apply(revision, put(key, present.get(key), asked)?);
            asked.lease.into_iter().collect()
        }
        Change::Put { lease, .. } => {
            present.apply(revision, change);
            lease.into_iter().collect()
        }
        Change::Delete(_) | Change::End(_) => {
            present.apply(revision, change);
            Vec::new()
        }
    };
    present.has_changed(revision).then_some(leases)
}

/// What a transaction without an answer would change, in order; each change on what those before
/// it left. None if the store would have refused it.
pub(super) fn make<'h>(
    case: &Case<'h>,
    present: &mut Present<'h>,
    revision: i64,
    txn: &'h TxnRequest,
) -> Option<Vec<Lease>> {
    let path = path(case, present, txn);
    let mut leases = Vec::new();
    let mut path = &path[..];
    run(case, present, revision, txn, &mut path, &mut leases).then_some(leases)
}

fn run<'h>(
    case: &Case<'h>,
    present: &mut Present<'h>,
    revision: i64,
    txn: &'h TxnRequest,
    path: &mut &[bool],
    leases: &mut Vec<Lease>,
) -> bool {
    let (taken, rest) = path.split_first().expect("the path has each branch");
    *path = rest;
    txn.branch(*taken).iter().all(|operation| match operation {
        TxnOperation::Put(asked) => {
            let key = case.keys.number(&asked.key).expect("keys of unanswered puts have numbers");
            leases.extend(asked.lease);
            let change = put(key, present.get(key), asked);
            change.is_some_and(|change| present.apply(revision, change) > 0)
        }
        TxnOperation::DeleteRange(delete) => {
            present.apply(revision, Change::Delete(case.keys.span(delete.keys())));
            true
        }
        TxnOperation::Range(range) => range.revision.is_none_or(|asked| asked.0 < revision),
        TxnOperation::Txn(nested) => run(case, present, revision, nested, path, leases),
    })
}
