//! Keys as numbers, in key order, so that a range of keys is a range of numbers.
//!
//! Only keys that some put names have a number: no other can ever hold a pair.
//!
//! Invariants:
//! - K1. Numbers are in the order of the keys' bytes, without holes.
//!
//! Not here: what the keys hold (`present.rs`).

use std::ops::Range;

use super::fold::Table;
use crate::history::{Compare, KeyRange, Operation, Outcome, Request, TxnOperation, TxnRequest};

/// The place of a key among all keys of the history, in key order.
pub(super) type KeyId = usize;

/// Neighbouring keys: from the first to before the second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(super) struct Span {
    pub(super) from: KeyId,
    pub(super) to: KeyId,
}

impl Span {
    pub(super) const NONE: Self = Self { from: 0, to: 0 };
    pub(super) const ALL: Self = Self { from: 0, to: KeyId::MAX };

    pub(super) fn one(key: KeyId) -> Self {
        Self { from: key, to: key + 1 }
    }

    pub(super) fn is_one(self) -> bool {
        self.to == self.from + 1
    }

    pub(super) fn is_empty(self) -> bool {
        self.to <= self.from
    }

    pub(super) fn keys(self) -> Range<KeyId> {
        self.from..self.to
    }

    /// The least span that holds both.
    pub(super) fn with(self, other: Self) -> Self {
        match (self.is_empty(), other.is_empty()) {
            (true, _) => other,
            (_, true) => self,
            (false, false) => Self { from: self.from.min(other.from), to: self.to.max(other.to) },
        }
    }

    pub(super) fn meets(self, other: Self) -> bool {
        !self.is_empty() && !other.is_empty() && self.from < other.to && other.from < self.to
    }
}

/// The keys that puts name, by number.
pub(super) struct Keys<'h> {
    sorted: Vec<&'h [u8]>,
    numbers: Table<&'h [u8], KeyId>,
}

impl<'h> Keys<'h> {
    pub(super) fn new(operations: &'h [Operation]) -> Self {
        let mut numbers = Table::default();
        for operation in operations {
            if !matches!(operation.outcome, Outcome::Refused { .. }) {
                put_keys(&operation.request, &mut |key| {
                    numbers.insert(key, 0);
                });
            }
        }
        let mut sorted: Vec<&'h [u8]> = numbers.keys().copied().collect();
        sorted.sort_unstable();
        for (number, key) in sorted.iter().enumerate() {
            numbers.insert(key, number);
        }
        Self { sorted, numbers }
    }

    pub(super) fn len(&self) -> usize {
        self.sorted.len()
    }

    pub(super) fn bytes(&self, key: KeyId) -> &'h [u8] {
        self.sorted[key]
    }

    pub(super) fn number(&self, key: &[u8]) -> Option<KeyId> {
        self.numbers.get(key).copied()
    }

    pub(super) fn span(&self, range: KeyRange<'_>) -> Span {
        if let KeyRange::One(key) = range {
            return self.number(key).map_or(Span::NONE, Span::one);
        }
        Span {
            from: self.sorted.partition_point(|key| *key < range.first()),
            to: self.sorted.partition_point(|key| !range.ends_before(key)),
        }
    }

    /// A span that holds all keys that a transaction changes, reads or compares.
    pub(super) fn hull(&self, txn: &TxnRequest) -> Span {
        let operations = txn.operations().filter_map(|operation| operation.keys());
        let compares = txn.compares().map(Compare::keys);
        operations.chain(compares).fold(Span::NONE, |hull, keys| hull.with(self.span(keys)))
    }
}

/// Visits the keys that a request may put.
fn put_keys<'h>(request: &'h Request, see: &mut impl FnMut(&'h [u8])) {
    match request {
        Request::Put(put) if !put.key.is_empty() => see(&put.key),
        Request::Txn(txn) => txn.operations().for_each(|operation| match operation {
            TxnOperation::Put(put) => see(&put.key),
            TxnOperation::Range(_) | TxnOperation::DeleteRange(_) | TxnOperation::Txn(_) => {}
        }),
        Request::Put(_)
        | Request::Range(_)
        | Request::DeleteRange(_)
        | Request::Compact(_)
        | Request::LeaseGrant(_)
        | Request::LeaseRevoke(_)
        | Request::LeaseKeepAlive(_)
        | Request::LeaseTimeToLive(_)
        | Request::LeaseLeases(_) => {}
    }
}
