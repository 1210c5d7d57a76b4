//! The rules of time for leases: correct ones are never rejected, each rule is broken by name.

use quorate_checks::history::{
    Healthy, History, Lease, LeaseEnd, LeaseGrantRequest, LeaseGrantResponse,
    LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseRevokeRequest, LeaseRevokeResponse,
    LeaseTimeToLiveRequest, LeaseTimeToLiveResponse, Micros, Operation, Record, Request, Response,
    Revealed, Revision, WatchEvent,
};
use quorate_checks::lease::{self, Bounds, Counters, Fault, Rule};
use quorate_checks::linearizable::Verdict;
use quorate_checks::{examine, judge};

use crate::build::{Draft, get, kv, put, request};
use crate::generate::{Rng, lease};

const SECOND: u64 = 1_000_000;

fn grant(number: u64, at: u64, id: i64, ttl: i64) -> Operation {
    let asked = LeaseGrantRequest { ttl, lease: Some(lease(id)) };
    let told = LeaseGrantResponse { revision: Revision(1), lease: lease(id), ttl };
    call(number, at, Request::LeaseGrant(asked)).answered(Response::LeaseGrant(told))
}

fn call(number: u64, at: u64, asked: Request) -> Draft {
    request(number, at..at + 10, asked)
}

fn keep_alive(number: u64, at: u64, id: i64) -> Draft {
    call(number, at, Request::LeaseKeepAlive(LeaseKeepAliveRequest { lease: lease(id) }))
}

fn kept(number: u64, at: u64, id: i64, ttl: i64) -> Operation {
    let told = LeaseKeepAliveResponse { revision: Revision(1), ttl };
    keep_alive(number, at, id).answered(Response::LeaseKeepAlive(told))
}

fn left(number: u64, at: u64, id: i64, ttl: i64) -> Operation {
    let asked = LeaseTimeToLiveRequest { lease: lease(id), keys: false };
    let told = LeaseTimeToLiveResponse { revision: Revision(1), ttl, ..Default::default() };
    call(number, at, Request::LeaseTimeToLive(asked)).answered(Response::LeaseTimeToLive(told))
}

fn revoke(number: u64, at: u64, id: i64) -> Draft {
    call(number, at, Request::LeaseRevoke(LeaseRevokeRequest { lease: lease(id) }))
}

fn revoked(number: u64, at: u64, id: i64, revision: i64) -> Operation {
    let told = LeaseRevokeResponse { revision: Revision(revision) };
    revoke(number, at, id).answered(Response::LeaseRevoke(told))
}

fn end(id: i64, at: u64, revision: Option<i64>) -> Record {
    Record::LeaseEnd(LeaseEnd {
        lease: lease(id),
        at: Micros(at),
        revision: revision.map(Revision),
    })
}

fn well(from: u64, until: u64) -> Record {
    Record::Healthy(Healthy { from: Micros(from), until: Micros(until) })
}

fn check(operations: Vec<Operation>, facts: Vec<Record>) -> Result<Counters, Box<Fault>> {
    let records = operations.into_iter().map(Record::Operation).chain(facts);
    let history = History::of(records).expect("well formed");
    lease::check(&history, Bounds::default())
}

#[test]
fn a_life_in_order() {
    let counters = check(
        vec![
            grant(1, 0, 7, 5),
            kept(2, 3 * SECOND, 7, 5),
            kept(3, 6 * SECOND, 7, 5),
            left(4, 7 * SECOND, 7, 4),
            kept(5, 12 * SECOND, 7, 0),
            left(6, 13 * SECOND, 7, -1),
        ],
        vec![end(7, 11_500_000, None), well(0, 60 * SECOND)],
    )
    .expect("fine");
    assert_eq!((counters.leases, counters.deaths, counters.renewals), (1, 3, 2));
    assert_eq!((counters.overdue, counters.lives), (1, 1));
}

#[test]
fn each_rule_is_broken_by_name() {
    let second = |ttl| vec![grant(1, 0, 7, ttl)];
    let with = |more: Vec<Operation>| {
        let mut operations = vec![grant(1, 0, 7, 5)];
        operations.extend(more);
        operations
    };
    let no_lease = "etcdserver: requested lease not found";
    let cases: Vec<(Rule, Vec<Operation>, Vec<Record>)> = vec![
        (Rule::EndedEarly, second(5), vec![end(7, 4 * SECOND, None)]),
        (Rule::EndedEarly, with(vec![kept(2, 4 * SECOND, 7, 0)]), vec![]),
        (Rule::EndedEarly, with(vec![left(2, 4 * SECOND, 7, -1)]), vec![]),
        (Rule::EndedEarly, with(vec![revoke(2, SECOND, 7).refused_with(no_lease)]), vec![]),
        (
            Rule::EndedEarly,
            with(vec![kept(2, 4 * SECOND, 7, 5), kept(3, 8 * SECOND, 7, 0)]),
            vec![],
        ),
        (Rule::RenewedDead, with(vec![kept(2, 7 * SECOND, 7, 5)]), vec![end(7, 6 * SECOND, None)]),
        (Rule::RenewedDead, with(vec![revoked(2, 100, 7, 1), kept(3, 200, 7, 5)]), vec![]),
        (Rule::Overdue, with(vec![left(2, 40 * SECOND, 7, 3)]), vec![well(0, 60 * SECOND)]),
        (
            Rule::Overdue,
            with(vec![put(2, 40 * SECOND..41 * SECOND, "a", "x").leased(7).made(2)]),
            vec![well(0, 60 * SECOND)],
        ),
        (
            Rule::KeyLeft,
            with(vec![
                put(2, 100..110, "a", "x").leased(7).made(2),
                revoked(3, 200, 7, 2),
                get(4, 300..310, "a").shows(2, &[leased(kv("a", "x", 2, 2, 1))]),
            ]),
            vec![],
        ),
    ];
    let mut broken: Vec<Rule> = Vec::new();
    for (at, (rule, operations, facts)) in cases.into_iter().enumerate() {
        let fault = check(operations, facts).expect_err("a fault");
        assert_eq!(fault.rule, rule, "case {at}: {fault}");
        broken.push(rule);
    }
    broken.push(Rule::KeyTaken); // Below: it takes a log.
    for rule in Rule::ALL {
        assert!(broken.contains(&rule), "no case breaks {rule}");
    }
}

fn leased(pair: quorate_checks::history::KeyValue) -> quorate_checks::history::KeyValue {
    quorate_checks::history::KeyValue { lease: Some(lease(7)), ..pair }
}

fn page(revision: i64, events: Vec<WatchEvent>) -> Record {
    Record::Revealed(Revealed { revision: Revision(revision), events })
}

#[test]
fn an_end_removes_the_keys_of_its_lease_and_no_others() {
    use quorate_checks::history::{EventKind, KeyValue};
    let puts = |key: &str, revision, ours: bool| {
        let pair = kv(key, "x", revision, revision, 1);
        crate::watching::event(EventKind::Put, if ours { leased(pair) } else { pair })
    };
    let gone = |key: &str| {
        let kv = KeyValue { key: key.into(), mod_revision: Revision(5), ..KeyValue::default() };
        crate::watching::event(EventKind::Delete, kv)
    };
    let facts = |removed: &[&str]| {
        vec![
            page(2, vec![puts("a", 2, true)]),
            page(3, vec![puts("b", 3, true)]),
            page(4, vec![puts("c", 4, false)]),
            page(5, removed.iter().map(|key| gone(key)).collect()),
            end(7, 6 * SECOND, Some(5)),
        ]
    };
    let counters = check(vec![grant(1, 0, 7, 5)], facts(&["a", "b"])).expect("fine");
    assert_eq!(counters.removals, 1);
    for (removed, rule) in
        [(&["a"][..], Rule::KeyLeft), (&["a", "b", "c"], Rule::KeyTaken), (&[], Rule::KeyLeft)]
    {
        let fault = check(vec![grant(1, 0, 7, 5)], facts(removed)).expect_err("a fault");
        assert_eq!(fault.rule, rule, "{fault}");
    }
}

#[test]
fn what_might_be_right_is_not_rejected() {
    let fine = |operations, facts| check(operations, facts).expect("fine");
    // Revoked by somebody, maybe.
    fine(vec![grant(1, 0, 7, 5), revoke(2, 100, 7).lost(), kept(3, 200, 7, 0)], vec![]);
    // Granted anew, maybe.
    let again = LeaseGrantRequest { ttl: 5, lease: Some(lease(7)) };
    let again = call(3, 300, Request::LeaseGrant(again)).lost();
    fine(vec![grant(1, 0, 7, 5), revoked(2, 100, 7, 1), again, kept(4, 400, 7, 5)], vec![]);
    // Renewed, maybe, and so it may live on.
    let maybe = keep_alive(2, 4 * SECOND, 7).lost();
    let alive = left(3, 40 * SECOND, 7, 1);
    fine(vec![grant(1, 0, 7, 5), maybe, alive], vec![well(0, 60 * SECOND)]);
    // The cluster was well too shortly.
    fine(vec![grant(1, 0, 7, 5), left(2, 40 * SECOND, 7, 1)], vec![well(30 * SECOND, 44 * SECOND)]);
}

#[test]
fn clocks_may_be_off_within_bounds() {
    let early = vec![grant(1, 0, 7, 10), kept(2, 9_500_000, 7, 0)];
    let history = History::new(early).expect("well formed");
    let fast = Bounds { fast: 100, ..Bounds::default() };
    assert!(lease::check(&history, Bounds::default()).is_err());
    assert!(lease::check(&history, fast).is_ok());
}

/// A correct store's leases, made by drawing their lives: grants, renewals in time, silence, an end
/// some time after it is due, keys that go with it, and questions in between.
fn random(seed: u64) -> History {
    let mut rng = Rng(seed);
    let mut records = Vec::new();
    let mut number = 0;
    let mut revision = 1;
    let mut now = 0;
    for id in 1..6 {
        let ttl = 6 + rng.signed(5);
        let mut tell = |records: &mut Vec<Record>, make: &dyn Fn(u64) -> Operation| {
            number += 1;
            records.push(Record::Operation(make(number)));
        };
        tell(&mut records, &|number| with_revision(grant(number, now, id, ttl), revision));
        let mut last = now;
        for _ in 0..rng.below(4) {
            now = last + 20 + rng.below(ttl as u64 * SECOND - 30);
            tell(&mut records, &|number| with_revision(kept(number, now, id, ttl), revision));
            last = now;
        }
        now = last + 20;
        let keyed = rng.chance(500);
        if keyed {
            revision += 1;
            let draft = |number| put(number, now..now + 10, &format!("k{id}"), "x").leased(id);
            tell(&mut records, &|number| draft(number).made(revision));
        }
        // It counts from some moment between the call and the answer.
        let due = last + rng.below(10) + ttl as u64 * SECOND + rng.below(3 * SECOND);
        revision += i64::from(keyed);
        records.push(end(id, due, keyed.then_some(revision)));
        now = due + 1;
        tell(&mut records, &|number| with_revision(kept(number, now, id, 0), revision));
        now += 20;
    }
    records.push(well(0, now + 100 * SECOND));
    History::of(records).expect("well formed")
}

fn with_revision(mut operation: Operation, revision: i64) -> Operation {
    use quorate_checks::history::Outcome;
    if let Outcome::Ok { response, .. } = &mut operation.outcome {
        match response {
            Response::LeaseGrant(told) => told.revision = Revision(revision),
            Response::LeaseKeepAlive(told) => told.revision = Revision(revision),
            other => panic!("not here: {other:?}"),
        }
    }
    operation
}

#[test]
fn correct_leases_are_never_rejected() {
    let (mut deaths, mut renewals, mut overdue) = (0, 0, 0);
    for seed in 0..500 {
        let history = random(seed);
        let report = examine(&history, Bounds::default());
        let report = report.unwrap_or_else(|finding| panic!("seed {seed}: {finding}"));
        assert!(matches!(report.order, Verdict::Linearizable(_)), "seed {seed}: {}", report.order);
        deaths += report.leases.deaths;
        renewals += report.leases.renewals;
        overdue += report.leases.overdue;
    }
    assert!(deaths > 2_000 && renewals > 2_000 && overdue > 1_000, "{deaths} {renewals} {overdue}");
}

#[test]
fn an_end_that_comes_early_is_noticed_wherever_it_is() {
    for seed in 0..200 {
        let mut records = random(seed).into_records();
        let ends: Vec<&mut LeaseEnd> = records
            .iter_mut()
            .filter_map(|record| match record {
                Record::LeaseEnd(end) => Some(end),
                _ => None,
            })
            .collect();
        let count = ends.len() as u64;
        let end = ends.into_iter().nth((seed % count) as usize).expect("one of them");
        let early: Lease = end.lease;
        end.at = Micros(end.at.0.saturating_sub(5 * SECOND));
        let history = History::of(records).expect("well formed");
        let fault = lease::check(&history, Bounds::default()).expect_err("a fault");
        assert_eq!((fault.lease, fault.rule), (early, Rule::EndedEarly), "seed {seed}: {fault}");
        assert!(!matches!(judge(&history), Verdict::Unknown(_)));
    }
}
