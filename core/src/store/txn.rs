//! A transaction: all of it or nothing, in one main revision (TX).
//!
//! ```text
//!   state before ---> compares of all levels ---> which lists are taken     (TX-2)
//!                \--> checks of every operation taken ---> refusal, or none (TX-11)
//!   then, in order:   range  put  delete  [ range  put ]  range
//!   main revision     7      8    8         8      8      8                 (TX-12)
//! ```
//! Nothing is written before everything is checked, so a refused transaction leaves no trace. A
//! range sees what the transaction has written before it (TX-13). What it reads with a revision of
//! its own is checked against the compaction mark, which is equal on all members; how far removal
//! has come is not (TX-14).
//!
//! All of it happens in one step of the applier, so a transaction over huge ranges holds up the
//! entries behind it. Consensus has a thread of its own and is not held up.
//!
//! Invariants:
//! - X1. A refused transaction changes nothing.
//! - X2. A transaction takes one main revision if it changes something, and none otherwise.
//!
//! Not here: what a transaction must keep to before it is proposed (`request/txn.rs`), compares
//! (`mvcc/compare.rs`), transactions that only read (`mvcc/read_txn.rs`).

use alloc::vec::Vec;

use super::Store;
use super::apply::{Effect, Outcome};
use super::mvcc::Step;
use crate::api::etcdserverpb::request_op::Request as Op;
use crate::api::etcdserverpb::response_op::Response as Answer;
use crate::api::etcdserverpb::{
    DeleteRangeRequest, PutRequest, RangeRequest, RangeResponse, RequestOp, ResponseOp, TxnRequest,
    TxnResponse,
};
use crate::api::{Refusal, Response};
use crate::planted;
use crate::planted::Bug;
use crate::request::check_txn;

/// The operations that a transaction comes down to.
struct Taken<'a> {
    succeeded: bool,
    steps: Vec<Do<'a>>,
}

enum Do<'a> {
    Range(&'a RangeRequest),
    Put(&'a PutRequest),
    Delete(&'a DeleteRangeRequest),
    Txn(Taken<'a>),
}

impl Store {
    pub(super) fn txn(&mut self, txn: &TxnRequest, effect: &mut Effect) -> Outcome {
        assert!(check_txn(txn).is_ok(), "the border lets no malformed transaction through");
        let taken = self.taken(txn);
        if !planted!(self.planted, Bug::TxnCheckedAsItGoes) {
            self.check(&taken)?;
        }
        let before = self.revision();
        let mut response = self.run(&taken, effect)?;
        let changed = i64::from(!effect.events.is_empty());
        assert_eq!(self.revision(), before + changed, "X2: a transaction takes one revision");
        response.header = self.header();
        Ok(Response::Txn(response))
    }

    /// Decides on every list before anything is written.
    fn taken<'a>(&self, txn: &'a TxnRequest) -> Taken<'a> {
        let succeeded = self.space.holds(&txn.compare);
        let list = if succeeded { &txn.success } else { &txn.failure };
        Taken { succeeded, steps: list.iter().map(|operation| self.step(operation)).collect() }
    }

    fn step<'a>(&self, operation: &'a RequestOp) -> Do<'a> {
        match &operation.request {
            Some(Op::RequestRange(range)) => Do::Range(range),
            Some(Op::RequestPut(put)) => Do::Put(put),
            Some(Op::RequestDeleteRange(delete)) => Do::Delete(delete),
            Some(Op::RequestTxn(nested)) => Do::Txn(self.taken(nested)),
            None => panic!("the border lets no empty operation through"),
        }
    }

    /// Checks what can be refused, in order: the first refusal counts (X1).
    fn check(&self, taken: &Taken<'_>) -> Result<(), Refusal> {
        taken.steps.iter().try_for_each(|step| match step {
            Do::Range(range) => self.check_range_of_txn(range),
            Do::Put(put) => self.check_put_of_txn(put),
            Do::Delete(_) => Ok(()),
            Do::Txn(nested) => self.check(nested),
        })
    }

    fn check_range_of_txn(&self, range: &RangeRequest) -> Result<(), Refusal> {
        self.space.window_of_txn().check(range.revision)
    }

    /// As in etcd, a missing key comes before a missing lease, other than in a lone put.
    fn check_put_of_txn(&self, put: &PutRequest) -> Result<(), Refusal> {
        self.check_kept(put)?;
        self.check_lease(put)
    }

    fn run(&mut self, taken: &Taken<'_>, effect: &mut Effect) -> Result<TxnResponse, Refusal> {
        let mut responses = Vec::with_capacity(taken.steps.len());
        for step in &taken.steps {
            let response = Some(self.run_step(step, effect)?);
            responses.push(ResponseOp { response });
        }
        // As in etcd, the header of a nested answer is there and empty (TX-10).
        let header = Some(Default::default());
        Ok(TxnResponse { header, succeeded: taken.succeeded, responses })
    }

    fn run_step(&mut self, step: &Do<'_>, effect: &mut Effect) -> Result<Answer, Refusal> {
        if planted!(self.planted, Bug::TxnCheckedAsItGoes) {
            match step {
                Do::Range(range) => self.check_range_of_txn(range)?,
                Do::Put(put) => self.check_put_of_txn(put)?,
                Do::Delete(_) | Do::Txn(_) => {}
            }
        }
        Ok(match step {
            Do::Range(range) => Answer::ResponseRange(self.range_of_txn(range)),
            Do::Put(put) => Answer::ResponsePut(self.write_put(put, effect)),
            Do::Delete(delete) => Answer::ResponseDeleteRange(self.write_delete(delete, effect)),
            Do::Txn(nested) => Answer::ResponseTxn(self.run(nested, effect)?),
        })
    }

    /// Reads in one step: what comes behind it in the log must wait for it anyway.
    fn range_of_txn(&self, range: &RangeRequest) -> RangeResponse {
        let window = self.space.window_of_txn();
        match self.space.range_in(range, window, None, &mut { usize::MAX }) {
            Ok(Step::Done(response)) => response,
            Ok(Step::More(_)) => unreachable!("a budget without end has ended"),
            Err(refusal) => panic!("X1: a checked range is refused: {refusal}"),
        }
    }
}
