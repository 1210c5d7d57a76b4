//! Histories that look odd and are legal: a judge that cries wolf is of no use.

use crate::build::{delete, get, kv, legal, put, range};

#[test]
fn an_empty_history() {
    assert_eq!(legal(vec![]), 0);
}

#[test]
fn a_read_of_the_empty_store() {
    legal(vec![get(1, 0..10, "a").shows(1, &[]), range(2, 0..9, "a", "\0").shows(1, &[])]);
}

#[test]
fn a_write_without_an_answer_is_applied_much_later() {
    let late = legal(vec![
        put(1, 0..10, "a", "late").lost(),
        put(2, 20..30, "a", "x").made(2),
        get(3, 40..50, "a").shows(2, &[kv("a", "x", 2, 2, 1)]),
        get(4, 900..910, "a").shows(3, &[kv("a", "late", 2, 3, 2)]),
    ]);
    assert_eq!(late, 1);
}

#[test]
fn a_write_without_an_answer_never_happens() {
    let never = legal(vec![
        put(1, 0..10, "a", "never").lost(),
        put(2, 20..30, "a", "x").made(2),
        get(3, 40..50, "a").shows(2, &[kv("a", "x", 2, 2, 1)]),
    ]);
    assert_eq!(never, 0);
}

#[test]
fn a_lost_put_shows_only_in_the_version() {
    let unseen = legal(vec![
        put(1, 0..5, "a", "x").made(2),
        put(2, 6..7, "a", "unseen").lost(),
        put(3, 8..9, "b", "other").lost(),
        put(4, 10..15, "a", "y").made(4),
        get(5, 20..25, "a").shows(4, &[kv("a", "y", 2, 4, 3)]),
    ]);
    assert_eq!(unseen, 1);
}

#[test]
fn a_lost_delete_shows_only_in_the_create_revision() {
    let unseen = legal(vec![
        put(1, 0..5, "a", "x").made(2),
        delete(2, 6..7, "a", "").lost(),
        put(3, 6..7, "a", "unseen").lost(),
        put(4, 10..15, "a", "y").made(4),
        get(5, 20..25, "a").shows(4, &[kv("a", "y", 4, 4, 1)]),
    ]);
    assert_eq!(unseen, 1);
}

#[test]
fn two_lost_writes_that_look_the_same_take_effect_once_each() {
    let both = legal(vec![
        put(1, 0..5, "a", "x").lost(),
        put(2, 0..5, "a", "x").lost(),
        get(3, 10..15, "a").shows(3, &[kv("a", "x", 2, 3, 2)]),
    ]);
    assert_eq!(both, 2);
}

#[test]
fn a_lost_write_of_which_only_keys_were_seen() {
    let seen = legal(vec![
        put(1, 0..5, "a", "x").lost(),
        put(2, 0..5, "a", "y").lost(),
        get(3, 10..15, "a").keys_only().shows(2, &[kv("a", "", 2, 2, 1)]),
        get(4, 20..25, "a").shows(3, &[kv("a", "x", 2, 3, 2)]),
    ]);
    assert_eq!(seen, 2);
}

#[test]
fn overlapping_writes_in_the_other_order() {
    legal(vec![
        put(1, 0..100, "a", "x").made(3),
        put(2, 50..60, "a", "y").made(2),
        get(3, 110..120, "a").shows(3, &[kv("a", "x", 2, 3, 2)]),
    ]);
}

#[test]
fn operations_that_touch_at_their_ends_overlap() {
    legal(vec![put(1, 0..10, "a", "x").made(3), put(2, 10..20, "a", "y").made(2)]);
}

#[test]
fn a_read_sees_a_write_that_has_not_returned() {
    legal(vec![
        put(1, 0..100, "a", "x").made(2),
        get(2, 10..20, "a").shows(2, &[kv("a", "x", 2, 2, 1)]),
        get(3, 10..30, "a").shows(1, &[]),
    ]);
}

#[test]
fn a_stale_serializable_read() {
    legal(vec![
        put(1, 0..10, "a", "x").made(2),
        put(2, 20..30, "a", "y").made(3),
        get(3, 40..50, "a").serializable().shows(2, &[kv("a", "x", 2, 2, 1)]),
        get(4, 60..70, "a").serializable().shows(1, &[]),
        get(5, 80..90, "a").shows(3, &[kv("a", "y", 2, 3, 2)]),
    ]);
}

#[test]
fn reads_of_old_revisions() {
    legal(vec![
        put(1, 0..10, "a", "x").made(2),
        delete(2, 20..30, "a", "").deleted(3, 1),
        put(3, 40..50, "a", "y").made(4),
        get(4, 60..70, "a").at(2).shows(4, &[kv("a", "x", 2, 2, 1)]),
        get(5, 60..70, "a").at(3).shows(4, &[]),
        get(6, 60..70, "a").at(4).shows(4, &[kv("a", "y", 4, 4, 1)]),
        get(7, 60..70, "a").at(1).serializable().shows(2, &[]),
    ]);
}

#[test]
fn deletes_that_find_nothing_make_no_revision() {
    legal(vec![
        delete(1, 0..10, "a", "").deleted(1, 0),
        put(2, 20..30, "a", "x").made(2),
        delete(3, 40..50, "b", "a").deleted(2, 0),
        delete(4, 60..70, "a", "\0").prev().removed_of(3, 1, &[kv("a", "x", 2, 2, 1)]),
        delete(5, 80..90, "a", "").deleted(3, 0),
    ]);
}

#[test]
fn limits_counts_and_keys() {
    let (a, b, c) = (kv("a", "1", 2, 2, 1), kv("b", "2", 3, 3, 1), kv("c", "3", 4, 4, 1));
    legal(vec![
        put(1, 0..1, "a", "1").made(2),
        put(2, 2..3, "b", "2").made(3),
        put(3, 4..5, "c", "3").made(4),
        range(4, 10..20, "a", "\0").limit(2).shows_of(4, &[a.clone(), b.clone()], true, 3),
        range(5, 10..20, "a", "\0").limit(3).shows(4, &[a.clone(), b.clone(), c]),
        range(6, 10..20, "a", "c").count_only().shows_of(4, &[], false, 2),
        range(7, 10..20, "a", "c").count_only().limit(1).shows_of(4, &[], false, 2),
        range(8, 10..20, "b", "c").keys_only().shows(4, &[kv("b", "", 3, 3, 1)]),
        range(9, 10..20, "c", "b").shows(4, &[]),
        range(10, 10..20, "\0", "\0").limit(1).shows_of(4, &[a], true, 3),
    ]);
}

#[test]
fn a_read_refused_as_one_of_the_future() {
    let future = "etcdserver: mvcc: required revision is a future revision";
    legal(vec![
        put(1, 0..100, "a", "x").made(2),
        get(2, 10..20, "a").at(2).refused_with(future),
        get(3, 110..120, "a").at(3).refused_with(future),
        get(4, 110..120, "a").at(2).serializable().refused_with(future),
    ]);
}

#[test]
fn refusals_leave_no_trace() {
    legal(vec![
        put(1, 0..10, "a", "x").refused(),
        delete(2, 0..10, "a", "").refused(),
        get(3, 20..30, "a").shows(1, &[]),
        put(4, 20..30, "", "x").refused(),
        put(5, 20..30, "", "x").lost(),
    ]);
}

#[test]
fn a_lease_that_ends_takes_its_keys_with_it() {
    use quorate_checks::history::{
        KeyValue, Lease, LeaseGrantRequest, LeaseGrantResponse, Request, Response, Revision,
    };
    let lease = Lease::new(7).expect("not 0");
    let asked = Request::LeaseGrant(LeaseGrantRequest { ttl: 5, lease: Some(lease) });
    let told = LeaseGrantResponse { revision: Revision(1), lease, ttl: 5 };
    let pair = KeyValue { lease: Some(lease), ..kv("a", "x", 2, 2, 1) };
    let ended = legal(vec![
        crate::build::request(1, 0..10, asked).answered(Response::LeaseGrant(told)),
        put(2, 20..30, "a", "x").leased(7).made(2),
        put(3, 40..50, "b", "y").leased(7).made(3),
        get(4, 60..70, "a").shows(3, &[pair]),
        get(5, 80..90, "a").shows(4, &[]),
        get(6, 80..90, "b").shows(4, &[]),
    ]);
    assert_eq!(ended, 1);
}

#[test]
fn transactions_without_an_answer_take_effect_whole() {
    let whole = legal(vec![
        crate::build::txn_puts(1, 0..10, &[("a", "1"), ("b", "2")]).lost(),
        range(2, 20..30, "a", "\0").shows(2, &[kv("a", "1", 2, 2, 1), kv("b", "2", 2, 2, 1)]),
    ]);
    assert_eq!(whole, 1);
}
