//! Histories that no store may produce, each rejected for the reason it was made for.

use quorate_checks::history::Revision;
use quorate_checks::linearizable::{Flaw, OrderFault, Rejection};

use crate::build::{delete, flaw, get, illegal, kv, order_fault, put, range};

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
