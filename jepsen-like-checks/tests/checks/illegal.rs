//! Histories that no store may produce, each rejected for the reason it was made for.

use quorate_checks::history::{
    KeyValue, Lease, LeaseGrantRequest, LeaseGrantResponse, LeaseRevokeRequest,
    LeaseRevokeResponse, Operation, PutResponse, RangeResponse, Request, Response, Revision,
    TxnResponse, TxnResult,
};
use quorate_checks::linearizable::{Flaw, OrderFault, Rejection};
use quorate_checks::model::kv::Refused;

use crate::build::{compact, delete, flaw, get, illegal, kv, order_fault, put, range, request};

#[test]
fn a_lost_update() {
    let x = kv("a", "x", 2, 2, 1);
    let flaw = flaw(
        vec![
            put(1, 0..10, "a", "x").made(2),
            put(2, 20..30, "a", "y").made(3),
            put(3, 40..50, "b", "z").made(4),
            get(4, 60..70, "a").shows(4, std::slice::from_ref(&x)),
        ],
        &[2, 4],
    );
    assert!(matches!(&flaw, Flaw::LostWrite(_, Some(shown)) if *shown == x), "{flaw}");
}

#[test]
fn an_acknowledged_key_that_is_gone() {
    let flaw =
        flaw(vec![put(1, 0..10, "a", "x").made(2), get(2, 20..30, "a").shows(2, &[])], &[1, 2]);
    assert!(matches!(flaw, Flaw::LostWrite(_, None)), "{flaw}");
}

#[test]
fn a_deleted_key_that_is_back() {
    let flaw = flaw(
        vec![
            put(1, 0..10, "a", "x").made(2),
            delete(2, 20..30, "a", "").deleted(3, 1),
            get(3, 40..50, "a").shows(3, &[kv("a", "x", 2, 2, 1)]),
        ],
        &[2, 3],
    );
    assert!(matches!(flaw, Flaw::LostWrite(_, Some(_))), "{flaw}");
}

#[test]
fn a_stale_read() {
    let fault = order_fault(
        vec![put(1, 0..10, "a", "x").made(2), get(2, 20..30, "a").shows(1, &[])],
        &[1, 2],
    );
    assert!(matches!(fault, OrderFault::StaleRead { .. }), "{fault}");
}

#[test]
fn a_stale_delete_of_nothing() {
    let fault = order_fault(
        vec![put(1, 0..10, "a", "x").made(2), delete(2, 20..30, "a", "").deleted(1, 0)],
        &[1, 2],
    );
    assert!(matches!(fault, OrderFault::StaleRead { .. }), "{fault}");
}

#[test]
fn a_read_that_goes_back_behind_a_serializable_one() {
    let fault = order_fault(
        vec![
            put(1, 0..100, "a", "x").made(2),
            get(2, 10..20, "a").serializable().shows(2, &[kv("a", "x", 2, 2, 1)]),
            get(3, 30..40, "a").shows(1, &[]),
        ],
        &[2, 3],
    );
    assert!(matches!(fault, OrderFault::StaleRead { .. }), "{fault}");
}

#[test]
fn a_value_that_nobody_wrote() {
    let flaw = flaw(
        vec![
            put(1, 0..10, "a", "x").made(2),
            get(2, 20..30, "a").shows(2, &[kv("a", "ghost", 2, 2, 1)]),
        ],
        &[2],
    );
    assert!(matches!(flaw, Flaw::NeverWritten(_)), "{flaw}");
}

#[test]
fn a_key_that_nobody_wrote() {
    let flaw = flaw(vec![get(1, 0..10, "a").shows(2, &[kv("a", "ghost", 2, 2, 1)])], &[1]);
    assert!(matches!(flaw, Flaw::NeverWritten(_)), "{flaw}");
}

#[test]
fn a_refused_write_that_is_seen() {
    let flaw = flaw(
        vec![
            put(1, 0..10, "a", "x").refused(),
            get(2, 20..30, "a").shows(2, &[kv("a", "x", 2, 2, 1)]),
        ],
        &[1, 2],
    );
    assert!(matches!(flaw, Flaw::RefusedWriteSeen(..)), "{flaw}");
}

#[test]
fn two_writes_of_one_revision() {
    let fault = order_fault(
        vec![put(1, 0..10, "a", "x").made(2), put(2, 0..10, "b", "y").made(2)],
        &[1, 2],
    );
    assert!(matches!(fault, OrderFault::DuplicateRevision(..)), "{fault}");
}

#[test]
fn a_revision_that_no_write_made() {
    let fault =
        order_fault(vec![put(1, 0..10, "a", "x").made(2), put(2, 20..30, "a", "y").made(4)], &[2]);
    assert!(matches!(fault, OrderFault::NobodyWrote(Revision(3), _)), "{fault}");
}

#[test]
fn a_write_below_the_first_revision() {
    let fault = order_fault(vec![put(1, 0..10, "a", "x").made(1)], &[1]);
    assert!(matches!(fault, OrderFault::RevisionOutOfRange(_, Revision(2))), "{fault}");
    let fault = order_fault(vec![get(1, 0..10, "a").shows(-3, &[])], &[1]);
    assert!(matches!(fault, OrderFault::RevisionOutOfRange(_, Revision(1))), "{fault}");
}

#[test]
fn revisions_of_absurd_size() {
    let fault = order_fault(
        vec![put(1, 0..10, "a", "x").lost(), put(2, 20..30, "a", "y").made(i64::MAX)],
        &[2],
    );
    assert!(matches!(fault, OrderFault::NobodyWrote(Revision(3), _)), "{fault}");
}

#[test]
fn revision_order_against_real_time() {
    let fault = order_fault(
        vec![put(1, 0..10, "a", "x").made(3), put(2, 20..30, "a", "y").made(2)],
        &[1, 2],
    );
    assert!(matches!(fault, OrderFault::WriteOrder { .. }), "{fault}");
}

#[test]
fn a_read_from_the_future() {
    let fault = order_fault(
        vec![
            get(1, 0..10, "a").shows(2, &[kv("a", "x", 2, 2, 1)]),
            put(2, 20..30, "a", "x").made(2),
        ],
        &[1, 2],
    );
    assert!(matches!(fault, OrderFault::ReadFromFuture { .. }), "{fault}");
}

#[test]
fn a_pair_newer_than_the_header() {
    let flaw = flaw(
        vec![
            put(1, 0..10, "a", "x").made(2),
            put(2, 20..50, "a", "y").made(3),
            get(3, 20..50, "a").shows(2, &[kv("a", "y", 2, 3, 2)]),
        ],
        &[3],
    );
    assert!(matches!(flaw, Flaw::NewerThanRevision(_)), "{flaw}");
}

#[test]
fn an_old_read_of_a_revision_that_the_header_does_not_reach() {
    let fault = order_fault(
        vec![
            put(1, 0..10, "a", "x").made(2),
            put(2, 20..50, "a", "y").made(3),
            get(3, 20..50, "a").at(3).shows(2, &[kv("a", "y", 2, 3, 2)]),
        ],
        &[3],
    );
    assert!(matches!(fault, OrderFault::MustBeRefused(..)), "{fault}");
}

#[test]
fn an_empty_key_that_is_served() {
    let fault = order_fault(vec![put(1, 0..10, "", "x").made(2)], &[1]);
    assert!(matches!(fault, OrderFault::MustBeRefused(..)), "{fault}");
}

#[test]
fn an_unjust_refusal() {
    let future = "etcdserver: mvcc: required revision is a future revision";
    let fault = order_fault(
        vec![put(1, 0..10, "a", "x").made(2), get(2, 20..30, "a").at(2).refused_with(future)],
        &[1, 2],
    );
    assert!(matches!(fault, OrderFault::UnjustRefusal { .. }), "{fault}");
}

#[test]
fn a_wrong_number_of_deleted_keys() {
    let deleted = |count| {
        vec![
            put(1, 0..10, "a", "x").made(2),
            put(2, 20..30, "b", "y").made(3),
            delete(3, 40..50, "a", "\0").deleted(4, count),
        ]
    };
    assert_eq!(flaw(deleted(1), &[3]), Flaw::WrongDeleted(2, 1));
    assert_eq!(flaw(deleted(3), &[3]), Flaw::WrongDeleted(2, 3));
}

#[test]
fn a_delete_that_denies_what_it_did() {
    let flaw =
        flaw(vec![put(1, 0..10, "a", "x").made(2), delete(2, 20..30, "a", "").deleted(2, 0)], &[2]);
    assert_eq!(flaw, Flaw::WrongDeleted(1, 0));
}

#[test]
fn wrong_algebra() {
    let shows = |pair| {
        vec![
            put(1, 0..10, "a", "x").made(2),
            put(2, 20..30, "a", "y").made(3),
            get(3, 40..50, "a").shows(3, &[pair]),
        ]
    };
    let version = flaw(shows(kv("a", "y", 2, 3, 1)), &[3]);
    assert!(matches!(version, Flaw::WrongAlgebra("version", 2, _)), "{version}");
    let create = flaw(shows(kv("a", "y", 3, 3, 2)), &[3]);
    assert!(matches!(create, Flaw::WrongAlgebra("create revision", 2, _)), "{create}");
}

#[test]
fn a_new_life_begins_at_version_one() {
    let flaw = flaw(
        vec![
            put(1, 0..10, "a", "x").made(2),
            delete(2, 20..30, "a", "").deleted(3, 1),
            put(3, 40..50, "a", "y").made(4),
            get(4, 60..70, "a").shows(4, &[kv("a", "y", 2, 4, 2)]),
        ],
        &[4],
    );
    assert!(matches!(flaw, Flaw::WrongAlgebra("version", 1, _)), "{flaw}");
}

#[test]
fn a_range_that_mixes_two_revisions() {
    let flaw = flaw(
        vec![
            put(1, 0..10, "a", "x").made(2),
            put(2, 20..30, "a", "y").made(3),
            put(3, 40..50, "b", "z").made(4),
            range(4, 60..70, "a", "\0").shows(4, &[kv("a", "x", 2, 2, 1), kv("b", "z", 4, 4, 1)]),
        ],
        &[4],
    );
    let Flaw::MixedRevisions { replaced, .. } = &flaw else { panic!("{flaw}") };
    assert_eq!(*replaced, Revision(3));
}

#[test]
fn a_lost_write_that_appears_and_disappears() {
    let flaw = flaw(
        vec![
            put(1, 0..10, "a", "x").made(2),
            put(2, 20..30, "a", "ghost").lost(),
            get(3, 40..50, "a").shows(3, &[kv("a", "ghost", 2, 3, 2)]),
            put(4, 60..70, "b", "y").made(4),
            get(5, 80..90, "a").shows(4, &[kv("a", "x", 2, 2, 1)]),
        ],
        &[2, 5],
    );
    assert!(matches!(flaw, Flaw::LostWrite(..)), "{flaw}");
}

#[test]
fn a_lost_write_that_takes_effect_twice() {
    let flaw = illegal(
        vec![
            put(1, 0..10, "a", "x").lost(),
            get(2, 20..30, "a").shows(3, &[kv("a", "x", 2, 3, 2)]),
        ],
        &[2],
    );
    assert!(matches!(flaw, Rejection::Order(OrderFault::NobodyWrote(..))), "{flaw}");
}

#[test]
fn a_lost_write_seen_before_it_was_invoked() {
    let fault = order_fault(
        vec![
            get(1, 0..10, "a").shows(2, &[kv("a", "x", 2, 2, 1)]),
            put(2, 20..30, "a", "x").lost(),
        ],
        &[1],
    );
    assert!(matches!(fault, OrderFault::NobodyWrote(..)), "{fault}");
}

#[test]
fn lost_writes_that_fit_nowhere() {
    // Both gaps must be puts of b, since a is seen untouched, and there is only one such put.
    let rejection = illegal(
        vec![
            put(1, 0..1, "a", "x").made(2),
            put(2, 2..3, "b", "y").lost(),
            put(3, 2..3, "a", "z").lost(),
            put(4, 10..11, "c", "w").made(5),
            get(5, 20..30, "a").shows(5, &[kv("a", "x", 2, 2, 1)]),
        ],
        &[4],
    );
    assert!(matches!(rejection, Rejection::Order(OrderFault::NobodyWrote(..))), "{rejection}");
}

#[test]
fn a_choice_of_lost_writes_that_all_contradict() {
    // Either put at revision 3 makes the count wrong: of a it adds no key, of b it adds one.
    let rejection = illegal(
        vec![
            put(1, 0..1, "a", "x").made(2),
            put(2, 2..3, "b", "y").lost(),
            put(3, 2..3, "c", "z").lost(),
            put(4, 10..11, "a", "w").made(4),
            range(5, 20..30, "a", "\0").count_only().shows_of(4, &[], false, 3),
        ],
        &[5],
    );
    let Rejection::NoPlacement(2, closest) = rejection else { panic!("{rejection}") };
    assert!(matches!(*closest, Rejection::Content(_)), "{closest}");
}

#[test]
fn a_wrong_prev_kv() {
    let replaced = |prev| {
        vec![
            put(1, 0..10, "a", "x").made(2),
            put(2, 20..30, "a", "y").made(3),
            put(3, 40..50, "a", "z").prev().replaced(4, prev),
        ]
    };
    let right = kv("a", "y", 2, 3, 2);
    let old = kv("a", "x", 2, 2, 1);
    let expected = Flaw::WrongPrevKv(Some(right.clone()), Some(old.clone()));
    assert_eq!(flaw(replaced(Some(old)), &[3]), expected);
    assert_eq!(flaw(replaced(None), &[3]), Flaw::WrongPrevKv(Some(right), None));
}

#[test]
fn a_prev_kv_that_was_not_asked_for() {
    let pair = kv("a", "x", 2, 2, 1);
    let flaw = flaw(
        vec![
            put(1, 0..10, "a", "x").made(2),
            put(2, 20..30, "a", "y").replaced(3, Some(pair.clone())),
        ],
        &[2],
    );
    assert_eq!(flaw, Flaw::WrongPrevKv(None, Some(pair)));
}

#[test]
fn a_delete_that_removed_something_else() {
    let pair = kv("b", "x", 2, 2, 1);
    let flaw = flaw(
        vec![
            put(1, 0..10, "a", "x").made(2),
            delete(2, 20..30, "a", "\0").prev().removed_of(3, 1, std::slice::from_ref(&pair)),
        ],
        &[2],
    );
    assert!(matches!(flaw, Flaw::WrongPrevKv(Some(_), None)), "{flaw}");
}

#[test]
fn a_wrong_count_or_more() {
    let (a, b) = (kv("a", "x", 2, 2, 1), kv("b", "y", 3, 3, 1));
    let shows = |pairs: &[_], more, count| {
        vec![
            put(1, 0..10, "a", "x").made(2),
            put(2, 20..30, "b", "y").made(3),
            range(3, 40..50, "a", "\0").limit(1).shows_of(3, pairs, more, count),
        ]
    };
    let one = std::slice::from_ref(&a);
    assert_eq!(flaw(shows(one, true, 1), &[3]), Flaw::WrongCount(2, 1));
    assert_eq!(flaw(shows(one, false, 2), &[3]), Flaw::WrongMore(true));
    assert_eq!(flaw(shows(&[a.clone(), b], true, 2), &[3]), Flaw::TooManyPairs(2, 1));
}

#[test]
fn a_list_that_is_wrong_in_itself() {
    let (a, b) = (kv("a", "x", 2, 2, 1), kv("b", "y", 3, 3, 1));
    let shows = |key: &str, end: &str, pairs: &[_]| {
        vec![
            put(1, 0..10, "a", "x").made(2),
            put(2, 20..30, "b", "y").made(3),
            range(3, 40..50, key, end).shows(3, pairs),
        ]
    };
    let disordered = flaw(shows("a", "\0", &[b.clone(), a.clone()]), &[3]);
    assert_eq!(disordered, Flaw::OutOfOrder(a.clone()));
    let outside = flaw(shows("a", "b", &[a, b.clone()]), &[3]);
    assert_eq!(outside, Flaw::OutsideRange(b));
}

#[test]
fn values_in_an_answer_with_keys_only() {
    let flaw = flaw(
        vec![
            put(1, 0..10, "a", "x").made(2),
            get(2, 20..30, "a").keys_only().shows(2, &[kv("a", "x", 2, 2, 1)]),
        ],
        &[2],
    );
    assert!(matches!(flaw, Flaw::WrongPair(..)), "{flaw}");
}

#[test]
fn a_serializable_read_of_uncommitted_data() {
    let flaw = flaw(
        vec![
            put(1, 0..10, "a", "x").made(2),
            put(2, 20..90, "a", "y").made(3),
            get(3, 40..50, "a").serializable().shows(2, &[kv("a", "y", 2, 3, 2)]),
        ],
        &[3],
    );
    assert!(matches!(flaw, Flaw::NewerThanRevision(_)), "{flaw}");
}

#[test]
fn rejections_read_as_sentences() {
    let rejection = illegal(
        vec![
            put(1, 0..10, "a", "x").made(2),
            put(2, 20..30, "a", "y").made(3),
            get(3, 40..50, "a").shows(3, &[kv("a", "x", 2, 2, 1)]),
        ],
        &[2, 3],
    );
    assert_eq!(
        rejection.to_string(),
        "operation 3 (client 3: range \"a\", 40 to 50 us, revision 3) must show the state of \
         revision 3, but it does not show operation 2 (client 2: put \"a\", 20 to 30 us, \
         revision 3): it shows \"a\" = \"x\" (created at 2, modified at 2, version 1)",
    );
}

/// A transaction that compares the version of a and puts b, or reads a.
fn compared(number: u64, at: u64, version: i64) -> crate::build::Draft {
    use quorate_checks::history::{
        Compare, Comparison, PutRequest, RangeRequest, Request, Target, TxnOperation, TxnRequest,
    };
    let compare = vec![Compare {
        key: "a".into(),
        range_end: Default::default(),
        result: Comparison::Equal,
        target: Target::Version(version),
    }];
    let put = PutRequest { key: "b".into(), value: "y".into(), ..PutRequest::default() };
    let get = RangeRequest { key: "a".into(), ..RangeRequest::default() };
    let (success, failure) = (vec![TxnOperation::Put(put)], vec![TxnOperation::Range(get)]);
    request(number, at..at + 10, Request::Txn(TxnRequest { compare, success, failure }))
}

fn txn_told(revision: i64, succeeded: bool, responses: Vec<TxnResult>) -> Response {
    Response::Txn(TxnResponse { revision: Revision(revision), succeeded, responses })
}

fn put_told(revision: i64) -> TxnResult {
    TxnResult::Put(PutResponse { revision: Revision(revision), prev_kv: None })
}

#[test]
fn a_transaction_on_the_wrong_branch() {
    let first = || put(1, 0..10, "a", "x").made(2);
    let told = txn_told(3, true, vec![put_told(3)]);
    let wrong = compared(2, 20, 2).answered(told);
    assert_eq!(flaw(vec![first(), wrong], &[2]), Flaw::WrongBranch(false));
    let told = txn_told(
        2,
        false,
        vec![TxnResult::Range(RangeResponse {
            revision: Revision(2),
            kvs: vec![kv("a", "x", 2, 2, 1)],
            more: false,
            count: 1,
        })],
    );
    let wrong = compared(2, 20, 1).answered(told);
    assert_eq!(flaw(vec![first(), wrong], &[2]), Flaw::WrongBranch(true));
}

#[test]
fn a_header_inside_a_transaction() {
    let told = txn_told(3, true, vec![put_told(2)]);
    let operations = vec![put(1, 0..10, "a", "x").made(2), compared(2, 20, 1).answered(told)];
    assert_eq!(flaw(operations, &[2]), Flaw::WrongHeader(Revision(3), Revision(2)));
}

#[test]
fn responses_of_another_branch() {
    let told = txn_told(3, false, vec![put_told(3)]);
    let operations = vec![put(1, 0..10, "a", "x").made(2), compared(2, 20, 2).answered(told)];
    assert!(matches!(order_fault(operations, &[2]), OrderFault::WrongShape(_)));
}

#[test]
fn a_key_that_a_transaction_writes_twice() {
    let twice = crate::build::txn_puts(1, 0..10, &[("a", "1"), ("a", "2")]).txn_made(2);
    let fault = order_fault(vec![twice], &[1]);
    assert!(matches!(fault, OrderFault::MustBeRefused(_, Refused::DuplicateKey)), "{fault}");
}

#[test]
fn half_of_a_transaction() {
    let flaw = flaw(
        vec![
            crate::build::txn_puts(1, 0..10, &[("a", "1"), ("b", "2")]).txn_made(2),
            range(2, 20..30, "a", "\0").shows(2, &[kv("a", "1", 2, 2, 1)]),
        ],
        &[1, 2],
    );
    assert!(matches!(flaw, Flaw::LostWrite(..)), "{flaw}");
}

#[test]
fn a_read_of_what_was_given_up() {
    let x = kv("a", "x", 2, 2, 1);
    let operations = |at, by: std::ops::Range<u64>| {
        vec![
            put(1, 0..10, "a", "x").made(2),
            put(2, 20..30, "a", "y").made(3),
            compact(3, 40..50, 3).compacted_at(3),
            get(4, by, "a").at(2).shows(at, std::slice::from_ref(&x)),
        ]
    };
    let fault = order_fault(operations(3, 60..70), &[3, 4]);
    assert!(matches!(fault, OrderFault::CompactedRead { .. }), "{fault}");
    // Overlapping, the read may have come first.
    crate::build::legal(operations(3, 45..70));
}

#[test]
fn a_mark_that_goes_back() {
    let fault = order_fault(
        vec![
            put(1, 0..10, "a", "x").made(2),
            compact(2, 20..30, 2).compacted_at(2),
            compact(3, 40..50, 1).compacted_at(2),
        ],
        &[2, 3],
    );
    assert!(matches!(fault, OrderFault::MarkWentBack(..)), "{fault}");
}

#[test]
fn a_refusal_for_no_reason() {
    let compacted = "etcdserver: mvcc: required revision has been compacted";
    let fault = order_fault(
        vec![put(1, 0..10, "a", "x").made(2), get(2, 20..30, "a").at(2).refused_with(compacted)],
        &[2],
    );
    assert!(matches!(fault, OrderFault::NoReason(_, Refused::Compacted)), "{fault}");
    let no_lease = "etcdserver: requested lease not found";
    let fault = order_fault(
        vec![
            granted(1, 0, 1),
            put(2, 20..30, "a", "x").leased(7).refused_with(no_lease),
            put(3, 40..50, "a", "x").leased(7).made(2),
        ],
        &[2],
    );
    assert!(matches!(fault, OrderFault::NoReason(_, Refused::LeaseNotFound)), "{fault}");
}

fn granted(number: u64, at: u64, revision: i64) -> Operation {
    let asked = LeaseGrantRequest { ttl: 5, lease: Lease::new(7) };
    let lease = Lease::new(7).expect("not 0");
    let told = LeaseGrantResponse { revision: Revision(revision), lease, ttl: 5 };
    request(number, at..at + 10, Request::LeaseGrant(asked)).answered(Response::LeaseGrant(told))
}

fn revoked(number: u64, at: u64, revision: i64) -> Operation {
    let asked = LeaseRevokeRequest { lease: Lease::new(7).expect("not 0") };
    let told = LeaseRevokeResponse { revision: Revision(revision) };
    request(number, at..at + 10, Request::LeaseRevoke(asked)).answered(Response::LeaseRevoke(told))
}

#[test]
fn a_put_with_a_lease_that_nobody_granted() {
    let flaw = flaw(vec![revoked_in_vain(1, 0), put(2, 20..30, "a", "x").leased(7).made(2)], &[2]);
    assert!(matches!(flaw, Flaw::DeadLease(_)), "{flaw}");
}

fn revoked_in_vain(number: u64, at: u64) -> Operation {
    let asked = LeaseRevokeRequest { lease: Lease::new(7).expect("not 0") };
    request(number, at..at + 10, Request::LeaseRevoke(asked))
        .refused_with("etcdserver: requested lease not found")
}

#[test]
fn a_put_with_a_lease_that_was_revoked() {
    let flaw = flaw(
        vec![granted(1, 0, 1), revoked(2, 20, 1), put(3, 40..50, "a", "x").leased(7).made(2)],
        &[3],
    );
    assert!(matches!(flaw, Flaw::DeadLease(_)), "{flaw}");
}

#[test]
fn a_revoke_that_leaves_a_key() {
    let pair = KeyValue { lease: Lease::new(7), ..kv("a", "x", 2, 2, 1) };
    let operations = |revision, shown: &[KeyValue]| {
        vec![
            granted(1, 0, 1),
            put(2, 20..30, "a", "x").leased(7).made(2),
            revoked(3, 40, revision),
            get(4, 60..70, "a").shows(revision, shown),
        ]
    };
    assert!(matches!(
        flaw(operations(2, std::slice::from_ref(&pair)), &[3]),
        Flaw::KeysOfLease(_, keys) if keys.len() == 1
    ));
    assert!(matches!(
        flaw(operations(3, std::slice::from_ref(&pair)), &[3, 4]),
        Flaw::LostWrite(..)
    ));
    crate::build::legal(operations(3, &[]));
}

#[test]
fn a_grant_of_a_lease_that_is_alive() {
    let flaw = flaw(
        vec![
            granted(1, 0, 1),
            put(2, 20..30, "a", "x").leased(7).made(2),
            granted(3, 40, 2),
            get(4, 60..70, "a")
                .shows(2, &[KeyValue { lease: Lease::new(7), ..kv("a", "x", 2, 2, 1) }]),
        ],
        &[3],
    );
    assert!(matches!(flaw, Flaw::AliveLease(_)), "{flaw}");
}
