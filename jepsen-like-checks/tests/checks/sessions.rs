//! Rules that need no model: revisions only grow, in a session, in real time, at an endpoint.

use std::sync::Arc;

use quorate_checks::history::Operation;
use quorate_checks::linearizable::{OrderFault, Rejection, Scope, Verdict};
use quorate_checks::{judge, revision};

use crate::build::{get, history, kv, put};

fn blamed(result: Result<usize, Box<Rejection>>) -> (Scope, Vec<u64>) {
    let rejection = result.expect_err("a rejection");
    let numbers = rejection.operations().iter().map(|number| number.0).collect();
    match *rejection {
        Rejection::Order(OrderFault::RevisionWentBack { scope, .. }) => (scope, numbers),
        other => panic!("{other}"),
    }
}

fn at(endpoint: &str, operation: Operation) -> Operation {
    Operation { endpoint: Some(Arc::from(endpoint)), ..operation }
}

#[test]
fn a_client_that_is_taken_back() {
    // The clock cannot order the two, the session can.
    let history = history(vec![
        put(1, 0..10, "a", "x").by(7).made(2),
        get(2, 10..20, "a").by(7).shows(1, &[]),
    ]);
    assert_eq!(blamed(revision::sessions(&history)), (Scope::Session, vec![1, 2]));
    assert_eq!(revision::real_time(&history), Ok(0));
    assert!(matches!(judge(&history), Verdict::Illegal(_)));
}

#[test]
fn numbers_order_a_session_within_one_microsecond() {
    let session = |first, second| {
        history(vec![
            put(1, 5..5, "a", "x").by(7).made(first),
            put(2, 5..5, "a", "y").by(7).made(second),
        ])
    };
    assert_eq!(revision::sessions(&session(2, 3)), Ok(1));
    assert_eq!(blamed(revision::sessions(&session(3, 2))), (Scope::Session, vec![1, 2]));
}

#[test]
fn another_client_that_is_taken_back() {
    let history = history(vec![put(1, 0..10, "a", "x").made(2), get(2, 11..20, "a").shows(1, &[])]);
    assert_eq!(revision::sessions(&history), Ok(0));
    assert_eq!(blamed(revision::real_time(&history)), (Scope::RealTime, vec![1, 2]));
}

#[test]
fn a_serializable_read_may_lag_but_pushes_others() {
    let x = kv("a", "x", 2, 2, 1);
    let ahead = vec![
        put(1, 0..90, "a", "x").made(2),
        get(2, 10..20, "a").serializable().shows(2, std::slice::from_ref(&x)),
        get(3, 30..40, "a").serializable().shows(1, &[]),
    ];
    assert_eq!(revision::real_time(&history(ahead.clone())), Ok(0));
    let mut behind = ahead;
    behind.push(get(4, 30..40, "a").shows(1, &[]));
    assert_eq!(blamed(revision::real_time(&history(behind))), (Scope::RealTime, vec![2, 4]));
}

#[test]
fn a_member_that_falls_behind_itself() {
    let x = kv("a", "x", 2, 2, 1);
    let lives = |second: &str| {
        history(vec![
            at("n1", put(1, 0..10, "a", "x").made(2)),
            at("n2#1", get(2, 20..30, "a").serializable().shows(2, std::slice::from_ref(&x))),
            at(second, get(3, 40..50, "a").serializable().shows(1, &[])),
        ])
    };
    assert_eq!(blamed(revision::endpoints(&lives("n2#1"))), (Scope::Endpoint, vec![2, 3]));
    assert_eq!(revision::endpoints(&lives("n2#2")), Ok(0));
}
