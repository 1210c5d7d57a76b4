//! Arbitrary records, for tests that must hold whatever a history says.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::sync::Arc;

use proptest::prelude::*;
use quorate_checks::history::{
    ByteString, ClientId, CompactRequest, CompactResponse, Compare, Comparison, DeleteRangeRequest,
    DeleteRangeResponse, EventKind, Healthy, History, KeyValue, Lease, LeaseEnd, LeaseGrantRequest,
    LeaseGrantResponse, LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseLeasesRequest,
    LeaseLeasesResponse, LeaseRevokeRequest, LeaseRevokeResponse, LeaseTimeToLiveRequest,
    LeaseTimeToLiveResponse, Micros, NestedResponse, OpNumber, Operation, Outcome, PutRequest,
    PutResponse, RangeRequest, RangeResponse, Record, Refusal, Request, Response, Revealed,
    Revision, StreamId, Target, TxnOperation, TxnRequest, TxnResponse, TxnResult, Watch, WatchEnd,
    WatchEvent, WatchMessage, WatchNumber, WatchRequest,
};

fn byte_string() -> impl Strategy<Value = ByteString> {
    prop_oneof![
        any::<Vec<u8>>().prop_map(ByteString::from),
        any::<String>().prop_map(ByteString::from),
        "[a-z/]{0,9}".prop_map(ByteString::from),
    ]
}

/// Any number, but often one that a small history might hold.
fn number() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), -1..5i64]
}

prop_compose! {
    fn key_value()(
        key in byte_string(),
        value in byte_string(),
        (create, modified, version) in (number(), number(), number()),
        lease in any::<i64>(),
    ) -> KeyValue {
        KeyValue {
            key,
            value,
            create_revision: Revision(create),
            mod_revision: Revision(modified),
            version,
            lease: Lease::new(lease % 3),
        }
    }
}

fn pairs() -> impl Strategy<Value = Vec<KeyValue>> {
    proptest::collection::vec(key_value(), 0..4)
}

prop_compose! {
    fn put()(
        key in byte_string(),
        value in byte_string(),
        lease in -1..2i64,
        (prev, ignore_value, ignore_lease) in any::<(bool, bool, bool)>(),
        revision in number(),
        prev_kv in proptest::option::of(key_value()),
    ) -> (PutRequest, PutResponse) {
        let lease = Lease::new(lease);
        let request = PutRequest { key, value, lease, prev_kv: prev, ignore_value, ignore_lease };
        (request, PutResponse { revision: Revision(revision), prev_kv })
    }
}

prop_compose! {
    fn range()(
        key in byte_string(),
        range_end in byte_string(),
        limit in any::<u64>(),
        revision in proptest::option::of(1..i64::MAX),
        (serializable, count_only, keys_only, more) in any::<(bool, bool, bool, bool)>(),
        (header, count) in (number(), number()),
        filters in any::<[Option<i64>; 4]>(),
        kvs in pairs(),
    ) -> (RangeRequest, RangeResponse) {
        let [min_mod_revision, max_mod_revision, min_create_revision, max_create_revision] =
            filters.map(|filter| filter.map(|filter| Revision(filter % 5)));
        let request = RangeRequest {
            key,
            range_end,
            limit: NonZeroU64::new(limit % 3),
            revision: revision.map(Revision),
            serializable,
            count_only,
            keys_only,
            min_mod_revision,
            max_mod_revision,
            min_create_revision,
            max_create_revision,
        };
        (request, RangeResponse { revision: Revision(header), kvs, more, count })
    }
}

prop_compose! {
    fn delete()(
        key in byte_string(),
        range_end in byte_string(),
        prev_kv in any::<bool>(),
        (header, deleted) in (number(), number()),
        prev_kvs in pairs(),
    ) -> (DeleteRangeRequest, DeleteRangeResponse) {
        let request = DeleteRangeRequest { key, range_end, prev_kv };
        (request, DeleteRangeResponse { revision: Revision(header), deleted, prev_kvs })
    }
}

fn compare() -> impl Strategy<Value = Compare> {
    let result = prop_oneof![
        Just(Comparison::Equal),
        Just(Comparison::Greater),
        Just(Comparison::Less),
        Just(Comparison::NotEqual),
    ];
    let target = prop_oneof![
        number().prop_map(Target::Version),
        number().prop_map(|revision| Target::CreateRevision(Revision(revision))),
        number().prop_map(|revision| Target::ModRevision(Revision(revision))),
        byte_string().prop_map(Target::Value),
        number().prop_map(Target::Lease),
    ];
    (byte_string(), byte_string(), result, target)
        .prop_map(|(key, range_end, result, target)| Compare { key, range_end, result, target })
}

/// An operation of a branch, with a response that may fit it.
fn inner() -> impl Strategy<Value = (TxnOperation, TxnResult)> {
    let leaf = prop_oneof![
        put().prop_map(|(asked, told)| (TxnOperation::Put(asked), TxnResult::Put(told))),
        range().prop_map(|(asked, told)| (TxnOperation::Range(asked), TxnResult::Range(told))),
        delete().prop_map(|(asked, told)| {
            (TxnOperation::DeleteRange(asked), TxnResult::DeleteRange(told))
        }),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        txn(inner.boxed()).prop_map(|(asked, told)| {
            let TxnResponse { succeeded, responses, .. } = told;
            (TxnOperation::Txn(asked), TxnResult::Txn(NestedResponse { succeeded, responses }))
        })
    })
}

prop_compose! {
    fn txn(inner: BoxedStrategy<(TxnOperation, TxnResult)>)(
        compare in proptest::collection::vec(compare(), 0..2),
        success in proptest::collection::vec(inner.clone(), 0..3),
        failure in proptest::collection::vec(inner, 0..3),
        succeeded in any::<bool>(),
        revision in number(),
    ) -> (TxnRequest, TxnResponse) {
        let (success, yes): (Vec<_>, Vec<_>) = success.into_iter().unzip();
        let (failure, no): (Vec<_>, Vec<_>) = failure.into_iter().unzip();
        let responses = if succeeded { yes } else { no };
        let response = TxnResponse { revision: Revision(revision), succeeded, responses };
        (TxnRequest { compare, success, failure }, response)
    }
}

fn lease_id() -> impl Strategy<Value = Lease> {
    (-2..2i64).prop_map(|id| Lease::new(if id == 0 { 2 } else { id }).expect("not 0"))
}

/// The calls on leases, and compaction.
fn other() -> impl Strategy<Value = (Request, Response)> {
    let numbers = (number().prop_map(Revision), number(), number(), any::<bool>());
    (0..6, lease_id(), numbers, proptest::collection::vec(byte_string(), 0..3)).prop_map(
        |(kind, lease, (revision, ttl, granted_ttl, flag), keys)| match kind {
            0 => (
                Request::Compact(CompactRequest { revision: Revision(ttl), physical: flag }),
                Response::Compact(CompactResponse { revision }),
            ),
            1 => (
                Request::LeaseGrant(LeaseGrantRequest { ttl, lease: flag.then_some(lease) }),
                Response::LeaseGrant(LeaseGrantResponse { revision, lease, ttl }),
            ),
            2 => (
                Request::LeaseRevoke(LeaseRevokeRequest { lease }),
                Response::LeaseRevoke(LeaseRevokeResponse { revision }),
            ),
            3 => (
                Request::LeaseKeepAlive(LeaseKeepAliveRequest { lease }),
                Response::LeaseKeepAlive(LeaseKeepAliveResponse { revision, ttl }),
            ),
            4 => (
                Request::LeaseTimeToLive(LeaseTimeToLiveRequest { lease, keys: flag }),
                Response::LeaseTimeToLive(LeaseTimeToLiveResponse {
                    revision,
                    ttl,
                    granted_ttl,
                    keys,
                }),
            ),
            _ => (
                Request::LeaseLeases(LeaseLeasesRequest {}),
                Response::LeaseLeases(LeaseLeasesResponse { revision, leases: vec![lease] }),
            ),
        },
    )
}

fn exchange() -> impl Strategy<Value = (Request, Response)> {
    prop_oneof![
        put().prop_map(|(asked, told)| (Request::Put(asked), Response::Put(told))),
        range().prop_map(|(asked, told)| (Request::Range(asked), Response::Range(told))),
        delete().prop_map(|(asked, told)| {
            (Request::DeleteRange(asked), Response::DeleteRange(told))
        }),
        txn(inner().boxed()).prop_map(|(asked, told)| (Request::Txn(asked), Response::Txn(told))),
        other(),
    ]
}

prop_compose! {
    pub fn operation()(
        (number, client, invoked) in any::<(u64, u64, u64)>(),
        endpoint in proptest::option::of(any::<String>()),
        (request, response) in exchange(),
        ending in 0..3,
        (lasted, code, message) in any::<(u64, String, String)>(),
    ) -> Operation {
        let returned = Micros(invoked.saturating_add(lasted));
        let outcome = match ending {
            0 => Outcome::Ok { returned, response },
            1 => Outcome::Refused { returned, refusal: Refusal { code, message } },
            _ => Outcome::Unknown { why: message },
        };
        Operation {
            number: OpNumber(number),
            client: ClientId(client),
            endpoint: endpoint.map(Arc::from),
            invoked: Micros(invoked),
            request,
            outcome,
        }
    }
}

prop_compose! {
    fn event()(
        put in any::<bool>(),
        kv in key_value(),
        prev_kv in proptest::option::of(key_value()),
    ) -> WatchEvent {
        WatchEvent { kind: if put { EventKind::Put } else { EventKind::Delete }, kv, prev_kv }
    }
}

prop_compose! {
    fn message()(
        (created, canceled, fragment) in any::<(bool, bool, bool)>(),
        (revision, watch_id) in (number(), number()),
        compact_revision in proptest::option::of(number()),
        cancel_reason in any::<String>(),
        events in proptest::collection::vec(event(), 0..3),
    ) -> WatchMessage {
        WatchMessage {
            at: Micros(0),
            revision: Revision(revision),
            watch_id,
            created,
            canceled,
            compact_revision: compact_revision.map(Revision),
            cancel_reason,
            fragment,
            events,
        }
    }
}

prop_compose! {
    fn watch_request()(
        (key, range_end) in (byte_string(), byte_string()),
        start in proptest::option::of(number()),
        (no_put, no_delete, prev_kv) in any::<(bool, bool, bool)>(),
        (progress_notify, fragment) in any::<(bool, bool)>(),
        watch_id in proptest::option::of(number()),
    ) -> WatchRequest {
        WatchRequest {
            key,
            range_end,
            start_revision: start.map(Revision),
            no_put,
            no_delete,
            prev_kv,
            progress_notify,
            fragment,
            watch_id,
        }
    }
}

prop_compose! {
    pub fn watch()(
        (number, client, stream, invoked) in any::<(u64, u64, u64, u32)>(),
        endpoint in proptest::option::of(any::<String>()),
        request in watch_request(),
        mut messages in proptest::collection::vec(message(), 0..4),
        ending in 0..4,
        why in any::<String>(),
    ) -> Watch {
        let mut at = u64::from(invoked);
        for message in &mut messages {
            at += at % 3;
            message.at = Micros(at);
        }
        let end = match ending {
            0 => WatchEnd::Running,
            1 => WatchEnd::Canceled { asked: (at % 2 == 0).then_some(Micros(at)) },
            2 => WatchEnd::Dropped { at: Micros(at) },
            _ => WatchEnd::Broken { at: Micros(at), why },
        };
        Watch {
            number: WatchNumber(number),
            client: ClientId(client),
            stream: StreamId(stream),
            endpoint: endpoint.map(Arc::from),
            invoked: Micros(u64::from(invoked)),
            request,
            messages,
            end,
        }
    }
}

/// A fact that no client asked for.
pub fn fact() -> impl Strategy<Value = Record> {
    let revision = || number().prop_map(Revision);
    let end = (lease_id(), any::<u64>(), proptest::option::of(revision()))
        .prop_map(|(lease, at, revision)| LeaseEnd { lease, at: Micros(at), revision });
    let span = any::<(u64, u32)>().prop_map(|(from, length)| Healthy {
        from: Micros(from),
        until: Micros(from.saturating_add(u64::from(length))),
    });
    let revealed = (revision(), proptest::collection::vec(event(), 0..3));
    let revealed = revealed.prop_map(|(revision, mut events)| {
        events.iter_mut().for_each(|event| event.kv.mod_revision = revision);
        Revealed { revision, events }
    });
    prop_oneof![
        end.prop_map(Record::LeaseEnd),
        span.prop_map(Record::Healthy),
        revealed.prop_map(Record::Revealed),
    ]
}

/// A history of anything: hardly ever a legal one.
pub fn any_history() -> impl Strategy<Value = History> {
    let operations = proptest::collection::vec(operation(), 0..6);
    let watches = proptest::collection::vec(watch(), 0..4);
    let facts = proptest::collection::vec(fact(), 0..4);
    (operations, watches, facts).prop_map(|(mut operations, mut watches, facts)| {
        operations.sort_by_key(|operation| operation.number);
        operations.dedup_by_key(|operation| operation.number);
        watches.sort_by_key(|watch| watch.number);
        watches.dedup_by_key(|watch| watch.number);
        let mut revealed = BTreeSet::new();
        let mut records: Vec<Record> = operations.into_iter().map(Record::Operation).collect();
        records.extend(watches.into_iter().map(Record::Watch));
        records.extend(facts.into_iter().filter(|fact| match fact {
            Record::Revealed(fact) => revealed.insert(fact.revision),
            _ => true,
        }));
        History::of(records).expect("well formed")
    })
}
