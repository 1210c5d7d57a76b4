//! Transactions: compares, and the operations of the branch that they choose.
//!
//! ```text
//! compare   all must hold, on the state before the transaction       TX-1, TX-2
//!    |
//!    +-- yes: success --+
//!    |                  +--> operations in order, each sees those before it    TX-3
//!    +-- no:  failure --+    all writes make one revision together             TX-12
//! ```
//!
//! An operation may itself be a transaction. The wire gives those an empty header, so their
//! response is a type without one.
//!
//! Not here: what a correct response is (`model/txn.rs`).

use serde::{Deserialize, Serialize};

use super::message::{
    DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, RangeRequest, RangeResponse,
    is_empty,
};
use super::{ByteString, KeyRange, Revision};

/// Compares, then runs one of two lists of operations.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TxnRequest {
    /// What must hold, all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compare: Vec<Compare>,
    /// What to do if it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub success: Vec<TxnOperation>,
    /// What to do otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failure: Vec<TxnOperation>,
}

/// A statement about every key of a range that holds a pair; about a missing pair if none does.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compare {
    /// The first key.
    pub key: ByteString,
    /// The end, in etcd's convention: see [`KeyRange`].
    #[serde(default, skip_serializing_if = "is_empty")]
    pub range_end: ByteString,
    /// How what is there must relate to what is given.
    pub result: Comparison,
    /// What is looked at, and what it is compared with.
    pub target: Target,
}

impl Compare {
    /// The keys that it speaks of.
    #[must_use]
    pub fn keys(&self) -> KeyRange<'_> {
        KeyRange::new(&self.key, &self.range_end)
    }
}

/// How one number, or one value, must relate to another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// What is there equals what is given.
    Equal,
    /// It is greater.
    Greater,
    /// It is less.
    Less,
    /// It differs.
    NotEqual,
}

/// What of a pair is compared, and with what.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The number of puts in the present life; 0 if there is no pair.
    Version(i64),
    /// The revision that began the life; 0 if there is no pair.
    CreateRevision(Revision),
    /// The revision of the newest put; 0 if there is no pair.
    ModRevision(Revision),
    /// The value. Without a pair, no comparison with a value holds (TX-5).
    Value(ByteString),
    /// The id of the lease; 0 if there is no pair, or none attached.
    Lease(i64),
}

/// One operation of a branch.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TxnOperation {
    /// Writes one pair.
    Put(PutRequest),
    /// Reads pairs.
    Range(RangeRequest),
    /// Removes pairs.
    DeleteRange(DeleteRangeRequest),
    /// Compares, then runs one of two lists of operations.
    Txn(TxnRequest),
}

/// The answer to a transaction.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TxnResponse {
    /// The revision in the header: that of its writes, or the present one if nothing was written.
    pub revision: Revision,
    /// Whether the compares held.
    pub succeeded: bool,
    /// One response per operation of the branch taken, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub responses: Vec<TxnResult>,
}

/// The answer to a transaction inside another.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NestedResponse {
    /// Whether the compares held.
    pub succeeded: bool,
    /// One response per operation of the branch taken, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub responses: Vec<TxnResult>,
}

/// The answer to one operation of a branch. The revisions in the headers are those of TX-12.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TxnResult {
    /// To a put.
    Put(PutResponse),
    /// To a range.
    Range(RangeResponse),
    /// To a delete range.
    DeleteRange(DeleteRangeResponse),
    /// To a transaction.
    Txn(NestedResponse),
}

impl TxnRequest {
    /// The list that the compares choose.
    #[must_use]
    pub fn branch(&self, succeeded: bool) -> &[TxnOperation] {
        if succeeded { &self.success } else { &self.failure }
    }

    /// All operations of both branches, at all depths, the transactions among them included.
    pub fn operations(&self) -> impl Iterator<Item = &TxnOperation> {
        let mut outer = self.success.iter().chain(&self.failure);
        let mut inner: Vec<&TxnOperation> = Vec::new();
        std::iter::from_fn(move || {
            let next = inner.pop().or_else(|| outer.next())?;
            if let TxnOperation::Txn(nested) = next {
                inner.extend(nested.failure.iter().rev());
                inner.extend(nested.success.iter().rev());
            }
            Some(next)
        })
    }

    /// All compares, at all depths.
    pub fn compares(&self) -> impl Iterator<Item = &Compare> {
        let nested = self.operations().filter_map(|operation| match operation {
            TxnOperation::Txn(nested) => Some(&nested.compare),
            TxnOperation::Put(_) | TxnOperation::Range(_) | TxnOperation::DeleteRange(_) => None,
        });
        self.compare.iter().chain(nested.flatten())
    }

    /// Whether it can change nothing: it goes through no log then (KV-23).
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        let reads = |operation: &TxnOperation| matches!(operation, TxnOperation::Range(_));
        self.success.iter().chain(&self.failure).all(reads)
    }

    /// Whether the answer may come from a member that lags behind (KV-23).
    #[must_use]
    pub fn is_serializable(&self) -> bool {
        self.success.iter().chain(&self.failure).all(|operation| match operation {
            TxnOperation::Range(range) => range.serializable,
            TxnOperation::Put(_) | TxnOperation::DeleteRange(_) | TxnOperation::Txn(_) => false,
        })
    }
}

impl TxnOperation {
    /// The keys that it speaks of. None for a transaction, which speaks of many.
    #[must_use]
    pub fn keys(&self) -> Option<KeyRange<'_>> {
        match self {
            Self::Put(put) => Some(KeyRange::One(&put.key)),
            Self::Range(range) => Some(range.keys()),
            Self::DeleteRange(delete) => Some(delete.keys()),
            Self::Txn(_) => None,
        }
    }
}

/// Whether responses say that something was changed.
#[must_use]
pub fn changed(responses: &[TxnResult]) -> bool {
    responses.iter().any(|response| match response {
        TxnResult::Put(_) => true,
        TxnResult::Range(_) => false,
        TxnResult::DeleteRange(delete) => delete.deleted > 0,
        TxnResult::Txn(nested) => changed(&nested.responses),
    })
}
