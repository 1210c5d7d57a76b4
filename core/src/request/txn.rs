//! What a transaction must keep to before it is proposed, and which ones need not be.
//!
//! ```text
//!   compares, success, failure        at most 128 each; a nested one has what its parent leaves
//!   within one list                   no key may change twice, whatever is taken inside
//!
//!     [ put a ]  [ delete b..d ]  [ txn: success [ put e ]          failure [ put e, delete f ] ]
//!     |<- unit ->|<--- unit --->|<- unit: one of the two lists is taken, so they may overlap ->|
//! ```
//! A list is a row of units; the keys that two units may put or delete must not meet (TX-8). Two
//! deletes may: the second finds nothing. So a key changes at most once in a main revision (KV-6).
//!
//! **Departure**: etcd misses two cases of its own rule: a put in a nested transaction with a later
//! sibling's delete of that key, and a put with a delete that has no end. Both are refused here.
//!
//! Not here: what depends on the store (`store/txn.rs`).

use alloc::collections::{BTreeMap, BTreeSet};
use core::ops::Bound;

use super::{check_put, check_range};
use crate::api::etcdserverpb::request_op::Request as Op;
use crate::api::etcdserverpb::{RequestOp, TxnRequest};
use crate::api::{KeyRange, Refusal};

/// The most compares, and operations of one list: etcd's default for `max-txn-ops`.
pub const MAX_TXN_OPS: usize = 128;
/// How deep transactions may nest. **Departure**: etcd has no such limit besides the one above. The
/// decoder of messages has one at 100 levels, and a nested transaction takes two.
pub const MAX_TXN_DEPTH: usize = 45;

/// How a transaction is carried out (KV-23).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TxnKind {
    /// It may change something, or holds another transaction: it goes through the log.
    Write,
    /// It only reads, and must see all that was acknowledged before.
    LinearizableRead,
    /// It only reads, and each read of it is content with the local store.
    SerializableRead,
}

/// How a transaction is to be carried out. One without operations is content with anything.
#[must_use]
pub fn txn_kind(txn: &TxnRequest) -> TxnKind {
    let mut kind = TxnKind::SerializableRead;
    for operation in txn.success.iter().chain(&txn.failure) {
        let Some(Op::RequestRange(range)) = &operation.request else { return TxnKind::Write };
        if !range.serializable {
            kind = TxnKind::LinearizableRead;
        }
    }
    kind
}

/// Checks a transaction at the border. What depends on the store is checked when it is applied.
pub fn check_txn(txn: &TxnRequest) -> Result<(), Refusal> {
    check_parts(txn, MAX_TXN_OPS, MAX_TXN_DEPTH)?;
    Touched::by_list(&txn.success)?;
    Touched::by_list(&txn.failure)?;
    Ok(())
}

fn check_parts(txn: &TxnRequest, most: usize, depth: usize) -> Result<(), Refusal> {
    let used = txn.compare.len().max(txn.success.len()).max(txn.failure.len());
    let left = most.checked_sub(used).ok_or(Refusal::TooManyOps)?;
    if txn.compare.iter().any(|compare| compare.key.is_empty()) {
        return Err(Refusal::EmptyKey);
    }
    for operation in txn.success.iter().chain(&txn.failure) {
        check_operation(operation, left, depth)?;
    }
    Ok(())
}

fn check_operation(operation: &RequestOp, most: usize, depth: usize) -> Result<(), Refusal> {
    match &operation.request {
        Some(Op::RequestRange(range)) => check_range(range),
        Some(Op::RequestPut(put)) => check_put(put),
        Some(Op::RequestDeleteRange(delete)) if delete.key.is_empty() => Err(Refusal::EmptyKey),
        Some(Op::RequestDeleteRange(_)) => Ok(()),
        Some(Op::RequestTxn(nested)) => {
            let depth = depth.checked_sub(1).ok_or(Refusal::TooManyOps)?;
            check_parts(nested, most, depth)
        }
        None => Err(Refusal::KeyNotFound), // etcd's answer to an operation that is not set.
    }
}

/// The keys that a part of a transaction may change.
#[derive(Default)]
struct Touched<'a> {
    puts: BTreeSet<&'a [u8]>,
    deletes: Spans<'a>,
}

impl<'a> Touched<'a> {
    /// By a whole list, whose units must not meet.
    fn by_list(list: &'a [RequestOp]) -> Result<Self, Refusal> {
        let mut all = Self::default();
        for operation in list {
            let unit = Self::by_operation(operation)?;
            if all.meets(&unit) {
                return Err(Refusal::DuplicateKey);
            }
            all.join(unit);
        }
        Ok(all)
    }

    fn by_operation(operation: &'a RequestOp) -> Result<Self, Refusal> {
        let mut unit = Self::default();
        match &operation.request {
            Some(Op::RequestRange(_)) | None => {}
            Some(Op::RequestPut(put)) => drop(unit.puts.insert(&put.key)),
            Some(Op::RequestDeleteRange(delete)) => {
                unit.deletes.insert(KeyRange::new(&delete.key, &delete.range_end));
            }
            Some(Op::RequestTxn(nested)) => {
                unit = Self::by_list(&nested.success)?;
                unit.join(Self::by_list(&nested.failure)?);
            }
        }
        Ok(unit)
    }

    fn meets(&self, other: &Self) -> bool {
        other.puts.iter().any(|key| self.puts.contains(key) || self.deletes.cover(key))
            || other.deletes.cover_any(&self.puts)
    }

    fn join(&mut self, other: Self) {
        self.puts.extend(other.puts);
        for (first, end) in other.deletes.0 {
            self.deletes.join(first, end);
        }
    }
}

/// Keys as a set of spans that do not overlap: the first key of each, and its end.
#[derive(Default)]
struct Spans<'a>(BTreeMap<&'a [u8], End<'a>>);

/// Where a span ends, in rising order for one key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End<'a> {
    /// Before this key, or with it.
    At(&'a [u8], With),
    Never,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum With {
    Without,
    Included,
}

impl End<'_> {
    fn covers(&self, key: &[u8]) -> bool {
        match self {
            Self::At(end, With::Without) => key < *end,
            Self::At(end, With::Included) => key <= *end,
            Self::Never => true,
        }
    }
}

impl<'a> Spans<'a> {
    fn insert(&mut self, range: KeyRange<'a>) {
        match range {
            KeyRange::One(key) => self.join(key, End::At(key, With::Included)),
            KeyRange::Span(..) if range.is_empty() => {}
            KeyRange::Span(first, end) => self.join(first, End::At(end, With::Without)),
            KeyRange::From(first) => self.join(first, End::Never),
        }
    }

    /// Adds a span; those that it overlaps become one with it.
    fn join(&mut self, mut first: &'a [u8], mut end: End<'a>) {
        if let Some((before, other)) = self.0.range(..=first).next_back()
            && other.covers(first)
        {
            (first, end) = (before, end.max(*other));
        }
        while let Some((overlapped, other)) = self.0.range(first..).next()
            && end.covers(overlapped)
        {
            let overlapped = *overlapped;
            end = end.max(*other);
            self.0.remove(overlapped);
        }
        self.0.insert(first, end);
    }

    fn cover(&self, key: &[u8]) -> bool {
        self.0.range(..=key).next_back().is_some_and(|(_, end)| end.covers(key))
    }

    fn cover_any(&self, keys: &BTreeSet<&[u8]>) -> bool {
        self.0.iter().any(|(first, end)| {
            let next = keys.range::<[u8], _>((Bound::Included(*first), Bound::Unbounded)).next();
            next.is_some_and(|key| end.covers(key))
        })
    }
}
