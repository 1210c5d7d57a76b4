//! A transaction that only reads, in bounded steps at one revision (KV-23).
//!
//! ```text
//!   compares, key by key --> all hold? --> the ranges of one list, one after the other --> answer
//!   |<------ step ------>|<------------------ step ------------------>|<---- step ...
//! ```
//! It sees one revision, as it would in the log, and is refused for the same reasons.
//!
//! Not here: transactions that write (`store/txn.rs`), whether one only reads (`request/txn.rs`).

use alloc::vec::Vec;

use super::compare::Compared;
use super::pins::Pin;
use super::range::{Cursor, Step};
use super::{KeySpace, Window};
use crate::api::Refusal;
use crate::api::etcdserverpb::request_op::Request as Op;
use crate::api::etcdserverpb::response_op::Response as Answer;
use crate::api::etcdserverpb::{
    RangeRequest, RequestOp, ResponseHeader, ResponseOp, TxnRequest, TxnResponse,
};

/// What a step of a transaction that only reads gives.
#[derive(Debug)]
pub enum TxnStep {
    /// The answer. Its headers hold the revision only.
    Done(TxnResponse),
    /// There is more to read: hand this in again, with the same request.
    More(TxnCursor),
}

/// A transaction between two steps.
#[derive(Debug)]
pub struct TxnCursor {
    window: Window,
    _pin: Pin,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// So many compares hold, and the next one so far.
    Comparing(usize, Compared),
    /// Which list is read, the answers so far, and how far the next range is.
    Reading(bool, Vec<ResponseOp>, Option<Cursor>),
}

impl KeySpace {
    /// Reads on from `cursor`, or from the beginning. Looks at no more than `budget` keys.
    pub fn read_txn(
        &self,
        txn: &TxnRequest,
        cursor: Option<TxnCursor>,
        budget: usize,
    ) -> Result<TxnStep, Refusal> {
        assert!(budget > 0, "a step without a budget gets nowhere");
        let mut cursor = cursor.unwrap_or_else(|| TxnCursor {
            window: self.window(),
            _pin: self.pin(),
            stage: Stage::Comparing(0, Compared::default()),
        });
        if !self.removal.keeps(cursor.window.newest) {
            return Err(Refusal::Compacted); // The store was replaced under it.
        }
        let mut budget = budget;
        loop {
            let stage = match cursor.stage {
                Stage::Comparing(held, compared) => {
                    self.go_on_comparing(txn, cursor.window, (held, compared), &mut budget)?
                }
                Stage::Reading(succeeded, answers, range) => {
                    let list = list(txn, succeeded);
                    if answers.len() == list.len() {
                        return Ok(TxnStep::Done(answer(cursor.window, succeeded, answers)));
                    }
                    let (answers, range) =
                        self.go_on_reading(list, cursor.window, answers, range, &mut budget)?;
                    Stage::Reading(succeeded, answers, range)
                }
            };
            cursor.stage = stage;
            if budget == 0 {
                return Ok(TxnStep::More(cursor));
            }
        }
    }

    fn go_on_comparing(
        &self,
        txn: &TxnRequest,
        window: Window,
        (held, mut compared): (usize, Compared),
        budget: &mut usize,
    ) -> Result<Stage, Refusal> {
        let verdict = match txn.compare.get(held) {
            Some(compare) => self.compare(compare, window.newest, &mut compared, budget),
            None => Some(true),
        };
        Ok(match verdict {
            None => Stage::Comparing(held, compared),
            Some(true) if held < txn.compare.len() => {
                Stage::Comparing(held + 1, Compared::default())
            }
            Some(succeeded) => {
                for range in list(txn, succeeded).iter().map(range_of) {
                    window.check(range.revision)?;
                }
                Stage::Reading(succeeded, Vec::new(), None)
            }
        })
    }

    fn go_on_reading(
        &self,
        list: &[RequestOp],
        window: Window,
        mut answers: Vec<ResponseOp>,
        cursor: Option<Cursor>,
        budget: &mut usize,
    ) -> Result<(Vec<ResponseOp>, Option<Cursor>), Refusal> {
        let range = range_of(&list[answers.len()]);
        match self.range_in(range, window, cursor, budget)? {
            Step::More(cursor) => Ok((answers, Some(cursor))),
            Step::Done(response) => {
                answers.push(ResponseOp { response: Some(Answer::ResponseRange(response)) });
                Ok((answers, None))
            }
        }
    }
}

fn list(txn: &TxnRequest, succeeded: bool) -> &[RequestOp] {
    if succeeded { &txn.success } else { &txn.failure }
}

fn range_of(operation: &RequestOp) -> &RangeRequest {
    match &operation.request {
        Some(Op::RequestRange(range)) => range,
        Some(Op::RequestPut(_) | Op::RequestDeleteRange(_) | Op::RequestTxn(_)) | None => {
            panic!("a transaction that may write goes through the log")
        }
    }
}

fn answer(window: Window, succeeded: bool, responses: Vec<ResponseOp>) -> TxnResponse {
    let header = Some(ResponseHeader { revision: window.newest, ..Default::default() });
    TxnResponse { header, succeeded, responses }
}
