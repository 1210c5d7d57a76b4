//! What clients are told, in the words of the judges.

use quorate_checks::history as said;
use quorate_core::api::etcdserverpb as api;
use quorate_core::api::etcdserverpb::ResponseHeader;
use quorate_core::api::etcdserverpb::response_op::Response as Inner;
use quorate_core::api::mvccpb::KeyValue;
use quorate_core::api::{Code, Failure};
use said::{Outcome, Response, Revision};

use super::ask::lease;
use super::bytes;
use crate::clock::Micros;
use crate::world::Reply;

/// What came of a call at `now`. None: it is no part of a history.
#[must_use]
pub fn outcome(reply: &Reply, now: Micros) -> Option<Outcome> {
    let response = match reply {
        Reply::Put(said) => Response::Put(put(said)),
        Reply::DeleteRange(said) => Response::DeleteRange(delete(said)),
        Reply::Range(said) => Response::Range(range(said)),
        Reply::Txn(said) => Response::Txn(said::TxnResponse {
            revision: revision(said.header.as_ref()),
            succeeded: said.succeeded,
            responses: said.responses.iter().map(result).collect(),
        }),
        Reply::Compact(said) => {
            Response::Compact(said::CompactResponse { revision: revision(said.header.as_ref()) })
        }
        Reply::LeaseGrant(said) => Response::LeaseGrant(said::LeaseGrantResponse {
            revision: revision(said.header.as_ref()),
            lease: lease(said.id),
            ttl: said.ttl,
        }),
        Reply::LeaseRevoke(said) => Response::LeaseRevoke(said::LeaseRevokeResponse {
            revision: revision(said.header.as_ref()),
        }),
        Reply::KeepAlive(said) => Response::LeaseKeepAlive(said::LeaseKeepAliveResponse {
            revision: revision(said.header.as_ref()),
            ttl: said.ttl,
        }),
        Reply::TimeToLive(said) => Response::LeaseTimeToLive(said::LeaseTimeToLiveResponse {
            revision: revision(said.header.as_ref()),
            ttl: said.ttl,
            granted_ttl: said.granted_ttl,
            keys: said.keys.iter().map(|key| bytes(key)).collect(),
        }),
        Reply::Leases(said) => Response::LeaseLeases(said::LeaseLeasesResponse {
            revision: revision(said.header.as_ref()),
            leases: said.leases.iter().map(|status| lease(status.id)).collect(),
        }),
        Reply::Moved => return None,
        Reply::Failed(failure) => return Some(failed(*failure, now)),
        Reply::Lost => return Some(Outcome::Unknown { why: "connection lost".to_owned() }),
        Reply::NoMember => return Some(refused(Code::Unavailable, "connection refused", now)),
    };
    Some(Outcome::Ok { returned: said::Micros(now), response })
}

fn failed(failure: Failure, now: Micros) -> Outcome {
    let (code, message) = failure.status();
    let without_effect = match failure {
        Failure::Refused(_) => true,
        Failure::Unavailable(why) => why.surely_without_effect(),
    };
    if without_effect {
        refused(code, message, now)
    } else {
        Outcome::Unknown { why: message.to_owned() }
    }
}

fn refused(code: Code, message: &str, now: Micros) -> Outcome {
    let refusal = said::Refusal { code: format!("{code:?}"), message: message.to_owned() };
    Outcome::Refused { returned: said::Micros(now), refusal }
}

fn put(said: &api::PutResponse) -> said::PutResponse {
    said::PutResponse {
        revision: revision(said.header.as_ref()),
        prev_kv: said.prev_kv.as_ref().map(pair),
    }
}

fn delete(said: &api::DeleteRangeResponse) -> said::DeleteRangeResponse {
    said::DeleteRangeResponse {
        revision: revision(said.header.as_ref()),
        deleted: said.deleted,
        prev_kvs: said.prev_kvs.iter().map(pair).collect(),
    }
}

fn range(said: &api::RangeResponse) -> said::RangeResponse {
    said::RangeResponse {
        revision: revision(said.header.as_ref()),
        kvs: said.kvs.iter().map(pair).collect(),
        more: said.more,
        count: said.count,
    }
}

fn result(op: &api::ResponseOp) -> said::TxnResult {
    match op.response.as_ref().expect("every operation has an answer") {
        Inner::ResponsePut(said) => said::TxnResult::Put(put(said)),
        Inner::ResponseRange(said) => said::TxnResult::Range(range(said)),
        Inner::ResponseDeleteRange(said) => said::TxnResult::DeleteRange(delete(said)),
        Inner::ResponseTxn(said) => said::TxnResult::Txn(said::NestedResponse {
            succeeded: said.succeeded,
            responses: said.responses.iter().map(result).collect(),
        }),
    }
}

fn revision(header: Option<&ResponseHeader>) -> Revision {
    let header = header.expect("every answer of the store has a header");
    Revision(header.revision)
}

/// A pair.
#[must_use]
pub fn pair(kv: &KeyValue) -> said::KeyValue {
    said::KeyValue {
        key: bytes(&kv.key),
        value: bytes(&kv.value),
        create_revision: Revision(kv.create_revision),
        mod_revision: Revision(kv.mod_revision),
        version: kv.version,
        lease: said::Lease::new(kv.lease),
    }
}
