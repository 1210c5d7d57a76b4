//! What became of calls whose clients never heard.
//!
//! A judge that sees only what clients saw must search for the place of each write of unknown
//! outcome, and where many overlap it gives up. The simulator knows better: a call has a request
//! id, and the log shows whether it was applied and what the store answered. So an undecided
//! history is judged once more with these outcomes told, as if each answer had come at the very
//! end. That hides nothing: an answer that nobody waited for must fit like any other.

use std::collections::{BTreeMap, BTreeSet};

use quorate_checks::history::{Operation, Outcome, Refusal, Request};
use quorate_core::actors::Answer;
use quorate_core::types::RequestId;

use super::clients::Reply;
use crate::clock::Micros;
use crate::record;

/// Request ids by the number of the call, and answers by request id.
#[derive(Debug, Default)]
pub struct Ledger {
    asked: BTreeMap<u32, RequestId>,
    told: BTreeMap<RequestId, Reply>,
    /// All requests that a client asked for.
    known: BTreeSet<RequestId>,
}

impl Ledger {
    /// A call became a request.
    pub fn asked(&mut self, number: u32, id: RequestId) {
        self.asked.insert(number, id);
        self.known.insert(id);
    }

    /// Whether some client asked for a request.
    pub fn knows(&self, id: RequestId) -> bool {
        self.known.contains(&id)
    }

    /// Some store answered requests. The first answer of any member is kept: they are equal.
    pub fn told(&mut self, answers: &[(RequestId, Answer)]) {
        for (id, answer) in answers {
            if !self.told.contains_key(id) {
                self.told.extend(reply(answer).map(|reply| (*id, reply)));
            }
        }
    }

    /// The record with the outcomes of writes told, as of the end of the run.
    pub fn reveal(&self, record: &[Operation], end: Micros) -> Vec<Operation> {
        let mut record = record.to_vec();
        for operation in &mut record {
            let unknown = matches!(operation.outcome, Outcome::Unknown { .. });
            if unknown && is_logged(&operation.request) {
                operation.outcome = self.outcome(operation.number.0, end);
            }
        }
        record
    }

    fn outcome(&self, number: u64, end: Micros) -> Outcome {
        let id = u32::try_from(number).ok().and_then(|number| self.asked.get(&number));
        match id.and_then(|id| self.told.get(id)) {
            Some(reply) => {
                let outcome = record::outcome(reply, end);
                outcome.expect("what the log knows is part of the history")
            }
            None => {
                let (code, message) = ("Unknown".to_owned(), "never applied".to_owned());
                let returned = quorate_checks::history::Micros(end);
                Outcome::Refused { returned, refusal: Refusal { code, message } }
            }
        }
    }
}

fn reply(answer: &Answer) -> Option<Reply> {
    match answer {
        Answer::Applied(Ok(response)) => Reply::of(response.clone()),
        Answer::Applied(Err(refusal)) => Some(Reply::Failed((*refusal).into())),
        Answer::Readable | Answer::Lease(_) | Answer::Moved | Answer::Failed(_) => None,
    }
}

/// Whether a request leaves its mark in the log.
fn is_logged(request: &Request) -> bool {
    match request {
        Request::Put(_)
        | Request::DeleteRange(_)
        | Request::Compact(_)
        | Request::LeaseGrant(_)
        | Request::LeaseRevoke(_) => true,
        Request::Txn(txn) => !txn.is_read_only(),
        Request::Range(_)
        | Request::LeaseKeepAlive(_)
        | Request::LeaseTimeToLive(_)
        | Request::LeaseLeases(_) => false,
    }
}
