//! Requests of a plan in the messages of the API.
//!
//! Not here: what a client knows when it asks (`sight.rs`).

use bytes::Bytes;
use quorate_core::api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use quorate_core::api::etcdserverpb::request_op::Request as Inner;
use quorate_core::api::etcdserverpb::watch_create_request::FilterType;
use quorate_core::api::etcdserverpb::{
    self as api, CompactionRequest, DeleteRangeRequest, LeaseGrantRequest, LeaseKeepAliveRequest,
    LeaseLeasesRequest, LeaseRevokeRequest, LeaseTimeToLiveRequest, PutRequest, RangeRequest,
    RequestOp, TxnRequest, WatchCreateRequest,
};

use quorate_core::types::NodeId;

use super::super::Call;
use super::sight::{Rumours, Sight};
use crate::plan::{
    Aspect, Compare, Delete, Filter, Keys, Lease, Only, Operand, Point, Put, Range, Relation,
    Request, Step, Tie, Txn, Watch,
};

/// A lease that nobody was granted.
const NO_LEASE: i64 = 0x6e6f_6e65;

/// Turns what a plan says into what a client sends.
pub struct Asking<'a> {
    /// The number of the operation.
    pub number: u32,
    /// What the client saw.
    pub sight: &'a Sight,
    /// What goes round.
    pub rumours: &'a Rumours,
    /// Counts the writes of the operation, so that each writes another value.
    pub writes: u32,
}

impl Asking<'_> {
    /// A request that is a call; none if no member serves it.
    pub fn call(mut self, request: &Request) -> Option<Call> {
        Some(match request {
            Request::Put(put) => Call::Put(self.put(put)),
            Request::Delete(delete) => Call::DeleteRange(delete_range(delete)),
            Request::Range(range) => Call::Range(self.range(range)),
            Request::Txn(txn) => Call::Txn(self.txn(txn)),
            Request::Compact { at, physical } => Call::Compact(CompactionRequest {
                revision: self.revision(*at),
                physical: *physical,
            }),
            Request::Grant { lease, ttl } => {
                Call::LeaseGrant(LeaseGrantRequest { id: new_lease(*lease), ttl: *ttl })
            }
            Request::Revoke(lease) => {
                Call::LeaseRevoke(LeaseRevokeRequest { id: self.lease(*lease) })
            }
            Request::KeepAlive(lease) => {
                Call::KeepAlive(LeaseKeepAliveRequest { id: self.lease(*lease) })
            }
            Request::TimeToLive { lease, keys } => {
                Call::TimeToLive(LeaseTimeToLiveRequest { id: self.lease(*lease), keys: *keys })
            }
            Request::Leases => Call::Leases(LeaseLeasesRequest {}),
            Request::MoveLeader(member) => Call::MoveLeader(NodeId(u64::from(*member))),
            Request::Keep { .. }
            | Request::Watch(_)
            | Request::Cancel(_)
            | Request::Progress(_)
            | Request::Pace(..)
            | Request::Close(_) => return None,
        })
    }

    fn put(&mut self, put: &Put) -> PutRequest {
        let value = put.size.map(|size| value(self.number, self.writes, size));
        self.writes += 1;
        let lease = match put.tie {
            Tie::Loose | Tie::Kept => 0,
            Tie::To(lease) => self.lease(lease),
        };
        PutRequest {
            key: key_name(put.key),
            ignore_value: value.is_none(),
            value: value.unwrap_or_default(),
            lease,
            ignore_lease: put.tie == Tie::Kept,
            prev_kv: put.prev,
        }
    }

    fn range(&self, range: &Range) -> RangeRequest {
        let (key, range_end) = bounds(range.keys);
        RangeRequest {
            key,
            range_end,
            limit: i64::from(range.limit),
            revision: range.at.map_or(0, |point| self.revision(point)),
            serializable: range.serializable,
            keys_only: range.only == Some(Only::Keys),
            count_only: range.only == Some(Only::Count),
            ..Default::default()
        }
    }

    fn txn(&mut self, txn: &Txn) -> TxnRequest {
        TxnRequest {
            compare: txn.compares.iter().map(|compare| self.compare(compare)).collect(),
            success: txn.success.iter().map(|step| self.step(step)).collect(),
            failure: txn.failure.iter().map(|step| self.step(step)).collect(),
        }
    }

    fn lease(&self, lease: Lease) -> i64 {
        match lease {
            Lease::Id(id) => id,
            Lease::Own => self.sight.own.unwrap_or(NO_LEASE),
        }
    }

    fn revision(&self, point: Point) -> i64 {
        self.sight.revision(point, self.rumours)
    }

    fn step(&mut self, step: &Step) -> RequestOp {
        let request = match step {
            Step::Put(put) => Inner::RequestPut(self.put(put)),
            Step::Delete(delete) => Inner::RequestDeleteRange(delete_range(delete)),
            Step::Range(range) => Inner::RequestRange(self.range(range)),
            Step::Txn(txn) => Inner::RequestTxn(self.txn(txn)),
        };
        RequestOp { request: Some(request) }
    }

    fn compare(&self, compare: &Compare) -> api::Compare {
        let (key, range_end) = bounds(compare.keys);
        let seen = self.sight.pair(&key);
        let number = |seen: i64| match compare.operand {
            Operand::Number(number) => number,
            Operand::Seen(more) => seen + more,
        };
        let (target, operand) = match compare.aspect {
            Aspect::Version => (CompareTarget::Version, TargetUnion::Version(number(seen.version))),
            Aspect::Create => {
                (CompareTarget::Create, TargetUnion::CreateRevision(number(seen.create_revision)))
            }
            Aspect::Mod => {
                (CompareTarget::Mod, TargetUnion::ModRevision(number(seen.mod_revision)))
            }
            Aspect::Lease => (CompareTarget::Lease, TargetUnion::Lease(number(seen.lease))),
            Aspect::Value => {
                (CompareTarget::Value, TargetUnion::Value(operand_value(compare, seen.value)))
            }
        };
        api::Compare {
            result: relation(compare.relation).into(),
            target: target.into(),
            key,
            range_end,
            target_union: Some(operand),
        }
    }
}

fn delete_range(delete: &Delete) -> DeleteRangeRequest {
    let (key, range_end) = bounds(delete.keys);
    DeleteRangeRequest { key, range_end, prev_kv: delete.prev }
}

/// The id of a lease to be granted: 0 lets the member choose.
fn new_lease(lease: Lease) -> i64 {
    match lease {
        Lease::Id(id) => id,
        Lease::Own => 0,
    }
}

fn operand_value(compare: &Compare, seen: Bytes) -> Bytes {
    match compare.operand {
        Operand::Number(number) => Bytes::from(format!("{number}:")),
        Operand::Seen(_) => seen,
    }
}

fn relation(relation: Relation) -> CompareResult {
    match relation {
        Relation::Equal => CompareResult::Equal,
        Relation::Greater => CompareResult::Greater,
        Relation::Less => CompareResult::Less,
        Relation::NotEqual => CompareResult::NotEqual,
    }
}

/// A request for a watcher that begins at a revision; 0 is now.
pub fn watch_request(watch: &Watch, start_revision: i64) -> WatchCreateRequest {
    let (key, range_end) = bounds(watch.keys);
    let filters = match watch.without {
        None => Vec::new(),
        Some(Filter::Puts) => vec![FilterType::Noput.into()],
        Some(Filter::Deletes) => vec![FilterType::Nodelete.into()],
        Some(Filter::Both) => vec![FilterType::Noput.into(), FilterType::Nodelete.into()],
    };
    WatchCreateRequest {
        key,
        range_end,
        start_revision,
        progress_notify: watch.progress,
        filters,
        prev_kv: watch.prev,
        watch_id: watch.id.unwrap_or(0),
        fragment: watch.fragment,
    }
}

/// Keys as the wire has them: a key and an end.
fn bounds(keys: Keys) -> (Bytes, Bytes) {
    match keys {
        Keys::One(key) => (key_name(key), Bytes::new()),
        Keys::Span(first, end) => (key_name(first), key_name(end)),
        Keys::From(first) => (key_name(first), Bytes::from_static(&[0])),
    }
}

fn key_name(key: u8) -> Bytes {
    Bytes::from(format!("k{key:02}"))
}

/// What operation `number` writes: itself, and which of its writes it is, padded.
fn value(number: u32, write: u32, size: u32) -> Bytes {
    let name = if write == 0 { format!("{number}:") } else { format!("{number}.{write}:") };
    let mut value = name.into_bytes();
    value.resize(value.len().max(size as usize), b'.');
    Bytes::from(value)
}
