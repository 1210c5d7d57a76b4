//! The sequential specification of transactions.
//!
//! ```text
//! 1. all compares on the way, nested ones too, on the state before       TX-2
//! 2. all operations on the way are checked before one of them writes     TX-11
//! 3. the operations in order, each on what those before it left          TX-3, TX-13
//! 4. all writes have one revision, the next; no write, no revision       TX-12
//! ```
//!
//! The rules on duplicate keys hold for all that is written down, whether it is run or not (TX-8).
//! How many operations a store takes is a matter of its configuration and not held against it.
//!
//! Not here: single operations (`kv.rs`).

use super::kv::{Refused, State, View, check_key, check_put};
use crate::history::{
    Compare, Comparison, KeyRange, KeyValue, Lease, NestedResponse, Revision, Target, TxnOperation,
    TxnRequest, TxnResponse, TxnResult,
};

impl State {
    pub(super) fn txn(&self, txn: &TxnRequest) -> Result<(Self, TxnResponse), Refused> {
        check(txn)?;
        self.admit_all(txn)?;
        let (after, told) = self.run(&self.now(), self.next(), txn);
        let NestedResponse { succeeded, responses } = told;
        Ok((after.clone(), TxnResponse { revision: after.revision(), succeeded, responses }))
    }

    /// Checks all that will be run, on the state before it.
    fn admit_all(&self, txn: &TxnRequest) -> Result<(), Refused> {
        let now = self.now();
        for operation in txn.branch(now.hold(&txn.compare)) {
            match operation {
                TxnOperation::Put(put) => self.admit(put)?,
                TxnOperation::Range(range) => now.admit(range)?,
                TxnOperation::DeleteRange(_) => {}
                TxnOperation::Txn(nested) => self.admit_all(nested)?,
            }
        }
        Ok(())
    }

    /// Runs what was checked. Compares look at the state before the whole transaction.
    fn run(&self, before: &View<'_>, main: Revision, txn: &TxnRequest) -> (Self, NestedResponse) {
        let succeeded = before.hold(&txn.compare);
        let mut state = self.clone();
        let mut responses = Vec::new();
        for operation in txn.branch(succeeded) {
            let (after, response) = match operation {
                TxnOperation::Put(put) => {
                    let (after, told) = state.put(main, put);
                    (after, TxnResult::Put(told))
                }
                TxnOperation::Range(range) => {
                    let told = state.now().range(range).expect("checked before anything was run");
                    (state, TxnResult::Range(told))
                }
                TxnOperation::DeleteRange(delete) => {
                    let (after, told) = state.delete_range(main, delete);
                    (after, TxnResult::DeleteRange(told))
                }
                TxnOperation::Txn(nested) => {
                    let (after, told) = state.run(before, main, nested);
                    (after, TxnResult::Txn(told))
                }
            };
            state = after;
            responses.push(response);
        }
        (state, NestedResponse { succeeded, responses })
    }
}

impl View<'_> {
    /// A transaction that only reads, on whatever state is in view.
    pub(super) fn read_only(&self, txn: &TxnRequest) -> Result<(bool, Vec<TxnResult>), Refused> {
        check(txn)?;
        let succeeded = self.hold(&txn.compare);
        let ranges = txn.branch(succeeded).iter().filter_map(|operation| match operation {
            TxnOperation::Range(range) => Some(range),
            TxnOperation::Put(_) | TxnOperation::DeleteRange(_) | TxnOperation::Txn(_) => None,
        });
        let told: Result<Vec<_>, _> =
            ranges.map(|range| self.range(range).map(TxnResult::Range)).collect();
        Ok((succeeded, told?))
    }

    /// Whether all compares hold.
    fn hold(&self, compares: &[Compare]) -> bool {
        compares.iter().all(|compare| {
            let found = self.state.pairs(compare.keys(), self.at);
            if found.is_empty() {
                return holds(compare, None);
            }
            found.into_iter().all(|pair| holds(compare, Some(pair)))
        })
    }
}

/// Whether a compare holds for a pair, or for the lack of one (TX-4, TX-5).
#[must_use]
pub fn holds(compare: &Compare, pair: Option<&KeyValue>) -> bool {
    let number = |of: fn(&KeyValue) -> i64| pair.map_or(0, of);
    let order = match &compare.target {
        Target::Version(given) => number(|pair| pair.version).cmp(given),
        Target::CreateRevision(given) => number(|pair| pair.create_revision.0).cmp(&given.0),
        Target::ModRevision(given) => number(|pair| pair.mod_revision.0).cmp(&given.0),
        Target::Lease(given) => number(|pair| pair.lease.map_or(0, Lease::id)).cmp(given),
        Target::Value(given) => match pair {
            Some(pair) => (*pair.value).cmp(given),
            None => return false,
        },
    };
    match compare.result {
        Comparison::Equal => order.is_eq(),
        Comparison::Greater => order.is_gt(),
        Comparison::Less => order.is_lt(),
        Comparison::NotEqual => order.is_ne(),
    }
}

/// What can be told about a transaction without a state.
///
/// # Errors
/// Every state must refuse it.
pub fn check(txn: &TxnRequest) -> Result<(), Refused> {
    for compare in txn.compares() {
        check_key(&compare.key)?;
    }
    for operation in txn.operations() {
        match operation {
            TxnOperation::Put(put) => check_put(put)?,
            TxnOperation::Range(range) => check_key(&range.key)?,
            TxnOperation::DeleteRange(delete) => check_key(&delete.key)?,
            TxnOperation::Txn(_) => {}
        }
    }
    check_duplicates(&txn.success)?;
    check_duplicates(&txn.failure)
}

/// What one list writes, the nested transactions in it included.
#[derive(Default)]
struct Written<'t> {
    puts: Vec<&'t [u8]>,
    deletes: Vec<KeyRange<'t>>,
}

/// TX-8: what a nested transaction writes clashes with its surroundings, but its two lists do not
/// clash with each other.
fn check_duplicates(list: &[TxnOperation]) -> Result<(), Refused> {
    written(list).map(|_| ())
}

fn written(list: &[TxnOperation]) -> Result<Written<'_>, Refused> {
    let mut all = Written::default();
    for operation in list {
        match operation {
            TxnOperation::Put(put) => all.add(&[&put.key], &[])?,
            TxnOperation::DeleteRange(delete) => all.add(&[], &[delete.keys()])?,
            TxnOperation::Range(_) => {}
            TxnOperation::Txn(nested) => {
                let (mut one, mut other) = (written(&nested.success)?, written(&nested.failure)?);
                one.puts.append(&mut other.puts);
                one.deletes.append(&mut other.deletes);
                all.add(&one.puts, &one.deletes)?;
            }
        }
    }
    Ok(all)
}

impl<'t> Written<'t> {
    fn add(&mut self, puts: &[&'t [u8]], deletes: &[KeyRange<'t>]) -> Result<(), Refused> {
        let clash = |puts: &[&[u8]], deletes: &[KeyRange<'_>]| {
            puts.iter().any(|key| deletes.iter().any(|keys| keys.contains(key)))
        };
        let twice = puts.iter().any(|key| self.puts.contains(key));
        if twice || clash(&self.puts, deletes) || clash(puts, &self.deletes) {
            return Err(Refused::DuplicateKey);
        }
        self.puts.extend(puts);
        self.deletes.extend(deletes);
        Ok(())
    }
}
