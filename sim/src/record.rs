//! Calls and answers in the words of the judges.
//!
//! Not here: what they are judged by (`judge.rs`).

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;

use quorate_checks::history as said;
use quorate_core::api::etcdserverpb::ResponseHeader;
use quorate_core::api::mvccpb::KeyValue;
use quorate_core::api::{Code, Failure};
use said::{ByteString, ClientId, OpNumber, Outcome, Request, Response, Revision};

use crate::clock::Micros;
use crate::world::{Call, Reply};

/// A call, as long as its outcome is open.
#[derive(Debug)]
pub struct Asked {
    /// The number of the operation.
    pub number: u32,
    /// The connection that it went over.
    pub session: u64,
    /// When.
    pub invoked: Micros,
    /// What was asked.
    pub request: Request,
}

impl Asked {
    /// The whole operation. `endpoint` is the member and its life.
    #[must_use]
    pub fn over(self, outcome: Outcome, endpoint: Option<(usize, u64)>) -> said::Operation {
        let name = |(member, boot): (usize, u64)| Arc::from(format!("n{}.{boot}", member + 1));
        said::Operation {
            number: OpNumber(u64::from(self.number)),
            client: ClientId(self.session),
            endpoint: endpoint.map(name),
            invoked: said::Micros(self.invoked),
            request: self.request,
            outcome,
        }
    }
}

/// What was asked.
#[must_use]
pub fn request(call: &Call) -> Request {
    match call {
        Call::Put(put) => Request::Put(said::PutRequest {
            key: bytes(&put.key),
            value: bytes(&put.value),
            lease: said::Lease::new(put.lease),
            prev_kv: put.prev_kv,
            ignore_value: put.ignore_value,
            ignore_lease: put.ignore_lease,
        }),
        Call::DeleteRange(delete) => Request::DeleteRange(said::DeleteRangeRequest {
            key: bytes(&delete.key),
            range_end: bytes(&delete.range_end),
            prev_kv: delete.prev_kv,
        }),
        Call::Range(range) => Request::Range(said::RangeRequest {
            key: bytes(&range.key),
            range_end: bytes(&range.range_end),
            limit: u64::try_from(range.limit).ok().and_then(NonZeroU64::new),
            revision: (range.revision > 0).then_some(Revision(range.revision)),
            serializable: range.serializable,
            count_only: range.count_only,
            keys_only: range.keys_only,
            ..Default::default()
        }),
    }
}

/// What came of it at `now`.
#[must_use]
pub fn outcome(reply: Reply, now: Micros) -> Outcome {
    let response = match reply {
        Reply::Put(put) => Response::Put(said::PutResponse {
            revision: revision(put.header.as_ref()),
            prev_kv: put.prev_kv.as_ref().map(pair),
        }),
        Reply::DeleteRange(delete) => Response::DeleteRange(said::DeleteRangeResponse {
            revision: revision(delete.header.as_ref()),
            deleted: delete.deleted,
            prev_kvs: delete.prev_kvs.iter().map(pair).collect(),
        }),
        Reply::Range(range) => Response::Range(said::RangeResponse {
            revision: revision(range.header.as_ref()),
            kvs: range.kvs.iter().map(pair).collect(),
            more: range.more,
            count: range.count,
        }),
        Reply::Failed(failure) => return failed(failure, now),
        Reply::Lost => return Outcome::Unknown { why: "connection lost".to_owned() },
        Reply::NoMember => return refused(Code::Unavailable, "connection refused", now),
    };
    Outcome::Ok { returned: said::Micros(now), response }
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

fn revision(header: Option<&ResponseHeader>) -> Revision {
    let header = header.expect("every answer of the store has a header");
    Revision(header.revision)
}

fn pair(kv: &KeyValue) -> said::KeyValue {
    said::KeyValue {
        key: bytes(&kv.key),
        value: bytes(&kv.value),
        create_revision: Revision(kv.create_revision),
        mod_revision: Revision(kv.mod_revision),
        version: kv.version,
        lease: said::Lease::new(kv.lease),
    }
}

fn bytes(bytes: &[u8]) -> ByteString {
    ByteString::from(bytes)
}

/// An outcome in a few words.
pub struct Shown<'a>(pub &'a Outcome);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Outcome::Ok { response: Response::Range(range), .. } => {
                write!(f, "ok at revision {} with {} pairs", range.revision.0, range.kvs.len())
            }
            Outcome::Ok { response, .. } => write!(f, "ok at revision {}", response.revision().0),
            Outcome::Refused { refusal, .. } => write!(f, "refused: {}", refusal.message),
            Outcome::Unknown { why } => write!(f, "unknown: {why}"),
        }
    }
}
