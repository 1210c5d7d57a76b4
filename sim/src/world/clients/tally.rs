//! What clients were answered, counted.

use quorate_core::api::etcdserverpb::TxnRequest;
use quorate_core::api::etcdserverpb::request_op::Request as Inner;

use super::super::Call;
use super::Reply;
use crate::counters::{Counter, Counters};

/// Counts an answer. `newest` is the newest revision that anybody had seen when the call was made.
pub fn count_reply(counters: &mut Counters, call: &Call, reply: &Reply, newest: i64) {
    match reply {
        Reply::LeaseGrant(_) => counters.count(Counter::LeasesGranted),
        Reply::KeepAlive(renewed) => counters.count(if renewed.ttl > 0 {
            Counter::LeasesRenewed
        } else {
            Counter::LeasesGone
        }),
        Reply::TimeToLive(left) => counters.add(Counter::LeasesGone, u64::from(left.ttl < 0)),
        Reply::Txn(txn) => {
            counters.count(Counter::Txns);
            let taken = txn.succeeded;
            counters.count(if taken { Counter::TxnsTaken } else { Counter::TxnsNotTaken });
            let nested = matches!(call, Call::Txn(txn) if nests(txn));
            counters.add(Counter::TxnsNested, u64::from(nested));
        }
        Reply::Range(_) => {
            let local = matches!(call, Call::Range(range) if range.serializable);
            let older = reply.revision().is_some_and(|shown| shown < newest);
            counters.add(Counter::StaleReads, u64::from(local && older));
        }
        Reply::Moved => counters.count(Counter::Transfers),
        Reply::Put(_)
        | Reply::DeleteRange(_)
        | Reply::Compact(_)
        | Reply::LeaseRevoke(_)
        | Reply::Leases(_)
        | Reply::Failed(_)
        | Reply::Lost
        | Reply::NoMember => {}
    }
}

fn nests(txn: &TxnRequest) -> bool {
    let mut all = txn.success.iter().chain(&txn.failure);
    all.any(|operation| matches!(operation.request, Some(Inner::RequestTxn(_))))
}
