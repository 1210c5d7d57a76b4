//! Explanations of broken histories, as people read them. Look at the snapshots.

use quorate_checks::examine;
use quorate_checks::explain::explain;
use quorate_checks::history::{
    EventKind, History, KeyValue, LeaseEnd, LeaseGrantRequest, LeaseGrantResponse,
    LeaseKeepAliveRequest, LeaseKeepAliveResponse, Micros, Operation, Record, Request, Response,
    Revision, Watch,
};
use quorate_checks::lease::Bounds;

use crate::build::{delete, get, kv, put, range, request, watching};
use crate::generate::lease;
use crate::watching as make;

fn page(operations: Vec<Operation>, watches: Vec<Watch>) -> String {
    let mut records: Vec<Record> = operations.into_iter().map(Record::Operation).collect();
    records.extend(watches.into_iter().map(Record::Watch));
    page_of(records)
}

fn page_of(records: Vec<Record>) -> String {
    let history = History::of(records).expect("well formed");
    let finding = examine(&history, Bounds::default()).expect_err("something wrong");
    explain(&history, &finding).to_string()
}

/// Other clients on other keys, before and after.
fn bystanders(from: u64, revision: i64, count: u64) -> Vec<Operation> {
    let one = |at: u64| {
        let number = from + at;
        let times = from * 10 + at * 10..from * 10 + at * 10 + 5;
        put(number, times, "other", "y").by(9).made(revision + at as i64)
    };
    (0..count).map(one).collect()
}

#[test]
fn a_stale_read() {
    let mut operations = bystanders(10, 2, 3);
    operations.push(put(1, 200..210, "a", "x").by(1).made(5));
    operations.push(get(2, 220..230, "a").by(2).shows(4, &[]));
    operations.extend(bystanders(30, 6, 5));
    insta::assert_snapshot!(page(operations, vec![]));
}

#[test]
fn a_lost_update() {
    let x = kv("a", "x", 2, 2, 1);
    insta::assert_snapshot!(page(
        vec![
            put(1, 0..10, "a", "x").by(1).made(2),
            put(2, 20..30, "a", "y").by(2).made(3),
            get(3, 25..35, "a").by(3).shows(3, &[kv("a", "y", 2, 3, 2)]),
            put(4, 40..50, "b", "z").by(1).made(4),
            get(5, 60..70, "a").by(3).shows(4, std::slice::from_ref(&x)),
            get(6, 80..90, "a").by(2).shows(4, &[x]),
        ],
        vec![],
    ));
}

#[test]
fn a_write_without_an_answer_that_fits_nowhere() {
    insta::assert_snapshot!(page(
        vec![
            put(1, 0..1, "a", "x").by(1).made(2),
            put(2, 2..3, "b", "y").by(2).lost(),
            put(3, 2..3, "c", "z").by(3).lost(),
            put(4, 10..11, "a", "w").by(1).made(4),
            range(5, 20..30, "a", "\0").by(4).count_only().shows_of(4, &[], false, 3),
        ],
        vec![],
    ));
}

#[test]
fn a_transaction_that_takes_the_wrong_branch() {
    use quorate_checks::history::{
        Compare, Comparison, PutRequest, PutResponse, Target, TxnOperation, TxnRequest,
        TxnResponse, TxnResult,
    };
    let lock = |number, at, client, revision| {
        let asked = TxnRequest {
            compare: vec![Compare {
                key: "lock".into(),
                range_end: Default::default(),
                result: Comparison::Equal,
                target: Target::CreateRevision(Revision(0)),
            }],
            success: vec![TxnOperation::Put(PutRequest {
                key: "lock".into(),
                value: format!("client {client}").into(),
                ..PutRequest::default()
            })],
            failure: vec![],
        };
        let put = TxnResult::Put(PutResponse { revision: Revision(revision), prev_kv: None });
        let told =
            TxnResponse { revision: Revision(revision), succeeded: true, responses: vec![put] };
        request(number, at..at + 10, Request::Txn(asked)).by(client).answered(Response::Txn(told))
    };
    insta::assert_snapshot!(page(vec![lock(1, 0, 1, 2), lock(2, 20, 2, 3)], vec![]));
}

fn story() -> Vec<Operation> {
    vec![
        put(1, 0..10, "a", "1").by(1).made(2),
        put(2, 20..30, "b", "2").by(2).made(3),
        delete(3, 40..50, "a", "").by(1).deleted(4, 1),
        put(4, 60..70, "a", "3").by(2).made(5),
    ]
}

fn event(kind: EventKind, key: &str, value: &str, at: i64) -> quorate_checks::history::WatchEvent {
    match kind {
        EventKind::Put => make::event(kind, kv(key, value, at, at, 1)),
        EventKind::Delete => {
            let mod_revision = Revision(at);
            make::event(kind, KeyValue { key: key.into(), mod_revision, ..KeyValue::default() })
        }
    }
}

#[test]
fn a_watch_that_skips_a_change() {
    let watch = watching(7, "a", "\0")
        .from(2)
        .tells(5, &[event(EventKind::Put, "a", "1", 2)])
        .tells(5, &[event(EventKind::Delete, "a", "", 4)])
        .tells(5, &[event(EventKind::Put, "a", "3", 5)]);
    insta::assert_snapshot!(page(story(), vec![watch.watch()]));
}

#[test]
fn two_watches_that_disagree() {
    let operations = vec![put(1, 0..10, "a", "1").by(1).lost(), put(2, 20..30, "b", "2").made(3)];
    let b = || event(EventKind::Put, "b", "2", 3);
    let one = watching(1, "a", "\0").from(2).tells(3, &[event(EventKind::Put, "a", "1", 2), b()]);
    let two = watching(2, "a", "\0").from(2).tells(3, &[b()]);
    insta::assert_snapshot!(page(operations, vec![one.watch(), two.watch()]));
}

#[test]
fn a_progress_message_that_comes_too_early() {
    let watch = watching(7, "a", "\0")
        .from(2)
        .tells(5, &[event(EventKind::Put, "a", "1", 2)])
        .progress(4)
        .tells(5, &[event(EventKind::Put, "b", "2", 3)]);
    insta::assert_snapshot!(page(story(), vec![watch.watch()]));
}

#[test]
fn a_lease_that_ends_before_its_time() {
    let asked = LeaseGrantRequest { ttl: 5, lease: Some(lease(7)) };
    let told = LeaseGrantResponse { revision: Revision(1), lease: lease(7), ttl: 5 };
    let keep = LeaseKeepAliveRequest { lease: lease(7) };
    let kept = LeaseKeepAliveResponse { revision: Revision(1), ttl: 5 };
    let operations = vec![
        request(1, 0..900, Request::LeaseGrant(asked)).by(1).answered(Response::LeaseGrant(told)),
        put(2, 1_000..1_900, "a", "x").by(1).leased(7).made(2),
        request(3, 3_000_000..3_000_900, Request::LeaseKeepAlive(keep))
            .by(1)
            .answered(Response::LeaseKeepAlive(kept)),
        get(4, 6_500_000..6_500_900, "a").by(2).shows(3, &[]),
    ];
    let mut records: Vec<Record> = operations.into_iter().map(Record::Operation).collect();
    let end = LeaseEnd { lease: lease(7), at: Micros(5_200_000), revision: Some(Revision(3)) };
    records.push(Record::LeaseEnd(end));
    insta::assert_snapshot!(page_of(records));
}
