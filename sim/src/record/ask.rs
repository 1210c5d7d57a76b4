//! What clients ask, in the words of the judges.

use std::num::NonZeroU64;

use quorate_checks::history as said;
use quorate_core::api::etcdserverpb as api;
use quorate_core::api::etcdserverpb::compare::{CompareResult, TargetUnion};
use quorate_core::api::etcdserverpb::request_op::Request as Inner;
use said::{Request, Revision};

use super::bytes;
use crate::world::Call;

/// What was asked. None: it is no part of a history.
#[must_use]
pub fn request(call: &Call) -> Option<Request> {
    Some(match call {
        Call::Put(ask) => Request::Put(put(ask)),
        Call::DeleteRange(ask) => Request::DeleteRange(delete(ask)),
        Call::Range(ask) => Request::Range(range(ask)),
        Call::Txn(ask) => Request::Txn(txn(ask)),
        Call::Compact(ask) => Request::Compact(said::CompactRequest {
            revision: Revision(ask.revision),
            physical: ask.physical,
        }),
        Call::LeaseGrant(ask) => Request::LeaseGrant(said::LeaseGrantRequest {
            ttl: ask.ttl,
            lease: said::Lease::new(ask.id),
        }),
        Call::LeaseRevoke(ask) => {
            Request::LeaseRevoke(said::LeaseRevokeRequest { lease: lease(ask.id) })
        }
        Call::KeepAlive(ask) => {
            Request::LeaseKeepAlive(said::LeaseKeepAliveRequest { lease: lease(ask.id) })
        }
        Call::TimeToLive(ask) => Request::LeaseTimeToLive(said::LeaseTimeToLiveRequest {
            lease: lease(ask.id),
            keys: ask.keys,
        }),
        Call::Leases(_) => Request::LeaseLeases(said::LeaseLeasesRequest {}),
        Call::MoveLeader(_) => return None,
    })
}

fn put(ask: &api::PutRequest) -> said::PutRequest {
    said::PutRequest {
        key: bytes(&ask.key),
        value: bytes(&ask.value),
        lease: said::Lease::new(ask.lease),
        prev_kv: ask.prev_kv,
        ignore_value: ask.ignore_value,
        ignore_lease: ask.ignore_lease,
    }
}

fn delete(ask: &api::DeleteRangeRequest) -> said::DeleteRangeRequest {
    said::DeleteRangeRequest {
        key: bytes(&ask.key),
        range_end: bytes(&ask.range_end),
        prev_kv: ask.prev_kv,
    }
}

fn range(ask: &api::RangeRequest) -> said::RangeRequest {
    said::RangeRequest {
        key: bytes(&ask.key),
        range_end: bytes(&ask.range_end),
        limit: u64::try_from(ask.limit).ok().and_then(NonZeroU64::new),
        revision: (ask.revision > 0).then_some(Revision(ask.revision)),
        serializable: ask.serializable,
        count_only: ask.count_only,
        keys_only: ask.keys_only,
        ..Default::default()
    }
}

fn txn(ask: &api::TxnRequest) -> said::TxnRequest {
    let operations = |list: &[api::RequestOp]| list.iter().map(operation).collect();
    said::TxnRequest {
        compare: ask.compare.iter().map(compare).collect(),
        success: operations(&ask.success),
        failure: operations(&ask.failure),
    }
}

fn operation(op: &api::RequestOp) -> said::TxnOperation {
    match op.request.as_ref().expect("a plan's operations are all of some kind") {
        Inner::RequestPut(ask) => said::TxnOperation::Put(put(ask)),
        Inner::RequestRange(ask) => said::TxnOperation::Range(range(ask)),
        Inner::RequestDeleteRange(ask) => said::TxnOperation::DeleteRange(delete(ask)),
        Inner::RequestTxn(ask) => said::TxnOperation::Txn(txn(ask)),
    }
}

fn compare(ask: &api::Compare) -> said::Compare {
    let target = match ask.target_union.as_ref().expect("a plan's compares are all with something")
    {
        TargetUnion::Version(version) => said::Target::Version(*version),
        TargetUnion::CreateRevision(at) => said::Target::CreateRevision(Revision(*at)),
        TargetUnion::ModRevision(at) => said::Target::ModRevision(Revision(*at)),
        TargetUnion::Value(value) => said::Target::Value(bytes(value)),
        TargetUnion::Lease(lease) => said::Target::Lease(*lease),
    };
    let result = match ask.result() {
        CompareResult::Equal => said::Comparison::Equal,
        CompareResult::Greater => said::Comparison::Greater,
        CompareResult::Less => said::Comparison::Less,
        CompareResult::NotEqual => said::Comparison::NotEqual,
    };
    said::Compare { key: bytes(&ask.key), range_end: bytes(&ask.range_end), result, target }
}

/// The id of a lease that a call names.
pub(super) fn lease(id: i64) -> said::Lease {
    said::Lease::new(id).expect("only a grant leaves the id open")
}
