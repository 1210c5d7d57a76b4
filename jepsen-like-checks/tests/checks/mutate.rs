//! Corrupts a history in one place, the way a broken store or a broken recorder might.
//!
//! The result may still be legal (a version that was off by one may belong to a read that nobody
//! can contradict); what counts is that the judges agree on it.

use std::collections::{BTreeMap, BTreeSet};

use quorate_checks::history::{
    ByteString, History, KeyValue, Micros, Operation, Outcome, Record, Refusal, Request, Response,
    Revision, TxnResult,
};

use crate::generate::Rng;

/// A copy of the history with up to so many corruptions.
pub fn corrupted(history: &History, seed: u64, most: u64) -> History {
    let mut rng = Rng(seed);
    let mut operations = history.operations().to_vec();
    for _ in 0..=rng.below(most) {
        if !operations.is_empty() {
            corrupt(&mut operations, &mut rng);
        }
    }
    let ends = history.lease_ends().iter().filter(|_| !rng.chance(50)).cloned();
    let records = operations.into_iter().map(Record::Operation).chain(ends.map(Record::LeaseEnd));
    History::of(records).expect("corrupted, yet well formed")
}

/// A copy of the history in which one read, late in it, shows an older pair than the newest
/// acknowledged put: the store has forgotten that one.
pub fn forgetful(history: &History) -> History {
    let mut operations = history.operations().to_vec();
    let puts: BTreeSet<Revision> = operations.iter().filter_map(acknowledged_put).collect();
    let mut shown: BTreeMap<ByteString, KeyValue> = BTreeMap::new();
    let mut stale: Vec<(usize, KeyValue)> = Vec::new();
    for (at, operation) in operations.iter().enumerate() {
        let Some(pair) = current_pair(operation) else { continue };
        let older = shown.insert(pair.key.clone(), pair.clone());
        let older = older.filter(|older| older.mod_revision < pair.mod_revision);
        stale.extend(older.filter(|_| puts.contains(&pair.mod_revision)).map(|older| (at, older)));
    }
    let (at, older) = stale.swap_remove(stale.len() * 2 / 3);
    pairs(&mut operations[at]).into_iter().for_each(|pair| *pair = older.clone());
    History::new(operations).expect("corrupted, yet well formed")
}

fn acknowledged_put(operation: &Operation) -> Option<Revision> {
    match operation.response()? {
        Response::Put(put) => Some(put.revision),
        _ => None,
    }
}

/// The pair that an up-to-date read of one key shows.
fn current_pair(operation: &Operation) -> Option<&KeyValue> {
    let (Request::Range(asked), Response::Range(told)) =
        (&operation.request, operation.response()?)
    else {
        return None;
    };
    let plain = !asked.serializable && !asked.keys_only && asked.revision.is_none();
    told.kvs.first().filter(|_| plain && asked.range_end.is_empty())
}

fn corrupt(operations: &mut Vec<Operation>, rng: &mut Rng) {
    let (at, other) =
        (rng.below(operations.len() as u64) as usize, rng.below(operations.len() as u64) as usize);
    match rng.below(12) {
        0 => {
            operations.remove(at);
        }
        1 => refuse(&mut operations[at]),
        2 => forget(&mut operations[at]),
        3 => shift(&mut operations[at], rng),
        4 => swap_revisions(operations, at, other),
        5 => swap_responses(operations, at, other),
        6 => strengthen(&mut operations[at]),
        7 => *revision(&mut operations[at]).unwrap_or(&mut Revision(0)) = Revision(rng.signed(30)),
        8 => change_list(&mut operations[at], rng),
        9 => change_number(&mut operations[at], rng),
        _ => change_pair(operations, at, other, rng),
    }
}

fn refuse(operation: &mut Operation) {
    let returned = operation.returned().unwrap_or(Micros(operation.invoked.0 + 50));
    let refusal = Refusal { code: "Any".to_owned(), message: "no".to_owned() };
    operation.outcome = Outcome::Refused { returned, refusal };
}

fn forget(operation: &mut Operation) {
    operation.outcome = Outcome::Unknown { why: "cut".to_owned() };
}

/// Moves an operation in time.
fn shift(operation: &mut Operation, rng: &mut Rng) {
    let by = rng.below(300);
    operation.invoked = Micros((operation.invoked.0 + by).saturating_sub(150));
    if let Outcome::Ok { returned, .. } | Outcome::Refused { returned, .. } = &mut operation.outcome
    {
        *returned = Micros((returned.0 + by).saturating_sub(150)).max(operation.invoked);
    }
}

fn strengthen(operation: &mut Operation) {
    if let Request::Range(range) = &mut operation.request {
        range.serializable = false;
    }
}

fn response(operation: &mut Operation) -> Option<&mut Response> {
    match &mut operation.outcome {
        Outcome::Ok { response, .. } => Some(response),
        Outcome::Refused { .. } | Outcome::Unknown { .. } => None,
    }
}

fn revision(operation: &mut Operation) -> Option<&mut Revision> {
    Some(match response(operation)? {
        Response::Put(put) => &mut put.revision,
        Response::Range(range) => &mut range.revision,
        Response::DeleteRange(delete) => &mut delete.revision,
        Response::Txn(txn) => &mut txn.revision,
        Response::Compact(compact) => &mut compact.revision,
        Response::LeaseGrant(grant) => &mut grant.revision,
        Response::LeaseRevoke(revoke) => &mut revoke.revision,
        _ => return None,
    })
}

fn swap_revisions(operations: &mut [Operation], at: usize, other: usize) {
    let Some(one) = revision(&mut operations[at]).copied() else { return };
    let Some(theirs) = revision(&mut operations[other]) else { return };
    let two = std::mem::replace(theirs, one);
    revision(&mut operations[at]).into_iter().for_each(|ours| *ours = two);
}

fn swap_responses(operations: &mut [Operation], at: usize, other: usize) {
    let Some(one) = response(&mut operations[at]).cloned() else { return };
    let Some(theirs) = response(&mut operations[other]) else { return };
    if theirs.kind() == one.kind() {
        let two = std::mem::replace(theirs, one);
        response(&mut operations[at]).into_iter().for_each(|ours| *ours = two.clone());
    }
}

fn pairs(operation: &mut Operation) -> Vec<&mut KeyValue> {
    match response(operation) {
        Some(Response::Put(put)) => put.prev_kv.iter_mut().collect(),
        Some(Response::Range(range)) => range.kvs.iter_mut().collect(),
        Some(Response::DeleteRange(delete)) => delete.prev_kvs.iter_mut().collect(),
        Some(Response::Txn(txn)) => inner(&mut txn.responses),
        _ => Vec::new(),
    }
}

fn inner(responses: &mut [TxnResult]) -> Vec<&mut KeyValue> {
    let mut all = Vec::new();
    for response in responses {
        match response {
            TxnResult::Put(put) => all.extend(put.prev_kv.iter_mut()),
            TxnResult::Range(range) => all.extend(range.kvs.iter_mut()),
            TxnResult::DeleteRange(delete) => all.extend(delete.prev_kvs.iter_mut()),
            TxnResult::Txn(nested) => all.extend(inner(&mut nested.responses)),
        }
    }
    all
}

fn change_list(operation: &mut Operation, rng: &mut Rng) {
    match response(operation) {
        Some(Response::Put(put)) => put.prev_kv = None,
        Some(Response::Range(range)) if rng.chance(500) => {
            range.kvs.pop();
        }
        Some(Response::Range(range)) => {
            let copies = range.kvs.clone();
            range.kvs.extend(copies);
            range.kvs.reverse();
        }
        Some(Response::DeleteRange(delete)) => {
            delete.prev_kvs.pop();
        }
        Some(Response::Txn(txn)) if rng.chance(500) => {
            txn.responses.pop();
        }
        Some(Response::Txn(txn)) => txn.succeeded = !txn.succeeded,
        _ => {}
    }
}

fn change_number(operation: &mut Operation, rng: &mut Rng) {
    let by = if rng.chance(500) { 1 } else { -1 };
    match response(operation) {
        Some(Response::Range(range)) if rng.chance(500) => range.more = !range.more,
        Some(Response::Range(range)) => range.count += by,
        Some(Response::DeleteRange(delete)) => delete.deleted += by,
        Some(Response::Put(put)) => put.revision.0 += by,
        Some(Response::Txn(txn)) => match txn.responses.first_mut() {
            Some(TxnResult::Put(put)) => put.revision.0 += by,
            Some(TxnResult::Range(range)) => range.count += by,
            Some(TxnResult::DeleteRange(delete)) => delete.deleted += by,
            Some(TxnResult::Txn(nested)) => nested.succeeded = !nested.succeeded,
            None => txn.succeeded = !txn.succeeded,
        },
        Some(Response::LeaseGrant(grant)) => grant.ttl += by,
        _ => {}
    }
}

fn change_pair(operations: &mut [Operation], at: usize, other: usize, rng: &mut Rng) {
    let theirs = pairs(&mut operations[other]).first().map(|pair| (*pair).clone());
    let choice = rng.below(7);
    let by = if rng.chance(500) { 1 } else { -1 };
    let mut pairs = pairs(&mut operations[at]);
    let place = rng.below(pairs.len() as u64) as usize;
    let Some(pair) = pairs.get_mut(place) else { return };
    match (choice, theirs) {
        (0, _) => pair.version += by,
        (1, _) => pair.create_revision.0 += by,
        (2, _) => pair.mod_revision.0 += by,
        (3, _) => pair.lease = None,
        (4, Some(theirs)) => pair.value = theirs.value,
        (_, Some(theirs)) => **pair = theirs,
        (_, None) => pair.version = 0,
    }
}
