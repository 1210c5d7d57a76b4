//! The keys of answered transactions as numbers, in the order in which the transaction comes to
//! them.
//!
//! A transaction's keys are asked for again and again: by the outlook, by its compares, by each of
//! its operations. So they are looked up once, along the path that the answer tells:
//!
//! ```text
//! if a = 1   then  put b   if c = 2  then ...  else  get d..f      get g
//!    a             b          c                      d..f           g       one span after the other
//! ```
//!
//! Whoever walks the same path takes the next span at each stop: at each compare, before the
//! operations that it guards, and at each operation but nested transactions, which have stops of
//! their own.
//!
//! Invariants:
//! - S1. A walk along the told path meets exactly the stops on record.
//!
//! Not here: transactions without an answer, of which nobody tells the path (`script.rs`).

use super::keys::{Keys, Span};
use crate::history::{Compare, TxnOperation, TxnRequest, TxnResult};

/// What is left of a transaction's stops.
pub(super) struct Walk<'s>(std::slice::Iter<'s, Span>);

impl Walk<'_> {
    /// The keys of the next stop.
    pub(super) fn step(&mut self) -> Span {
        *self.0.next().expect("S1: the walk keeps to the told path")
    }

    /// Passes by the compares of a transaction.
    pub(super) fn pass(&mut self, compares: &[Compare]) {
        compares.iter().for_each(|_| {
            self.step();
        });
    }
}

/// The stops of all answered transactions.
#[derive(Default)]
pub(super) struct Stops {
    spans: Vec<Span>,
    /// Where those of each operation begin; other operations have none.
    first: Vec<usize>,
}

impl Stops {
    pub(super) fn with_capacity(operations: usize) -> Self {
        Self { spans: Vec::new(), first: Vec::with_capacity(operations) }
    }

    /// Adds the stops of the operations that come next.
    pub(super) fn append(&mut self, mut next: Self) {
        let before = self.spans.len();
        self.first.extend(next.first.iter().map(|first| before + first));
        self.spans.append(&mut next.spans);
    }

    /// Begins with the stops of the next operation.
    pub(super) fn begin(&mut self) {
        self.first.push(self.spans.len());
    }

    /// Looks up the keys of an answered transaction. An answer of another shape than the request
    /// has no path.
    pub(super) fn add(
        &mut self,
        keys: &Keys<'_>,
        asked: &TxnRequest,
        succeeded: bool,
        told: &[TxnResult],
    ) {
        self.spans.extend(asked.compare.iter().map(|compare| keys.span(compare.keys())));
        for (asked, told) in asked.branch(succeeded).iter().zip(told) {
            if let (TxnOperation::Txn(asked), TxnResult::Txn(told)) = (asked, told) {
                self.add(keys, asked, told.succeeded, &told.responses);
            } else {
                self.spans.extend(asked.keys().map(|range| keys.span(range)));
            }
        }
    }

    /// A walk along the path of an operation, which was answered.
    pub(super) fn of(&self, op: usize) -> Walk<'_> {
        Walk(self.spans[self.first[op]..].iter())
    }

    /// The least span that holds all stops of the newest operation.
    pub(super) fn hull(&self) -> Span {
        let newest = self.first.last().map_or(&[][..], |first| &self.spans[*first..]);
        newest.iter().fold(Span::NONE, |hull, keys| hull.with(*keys))
    }
}
