//! Watches: correct ones are never rejected, and each guarantee has mutations that break it by
//! name.

use quorate_checks::history::{
    EventKind, History, KeyValue, Micros, Operation, Record, Revision, Watch, WatchEnd, WatchEvent,
    WatchMessage,
};
use quorate_checks::watch::{self, Counters, Guarantee};

use crate::build::{compact, delete, kv, put, watching};
use crate::generate::Shape;
use crate::watching as make;

fn shapes() -> Vec<Shape> {
    let calm = Shape {
        clients: 4,
        operations: 60,
        keys: 4,
        writes: 800,
        deletes: 300,
        ranges: 300,
        serializable: 200,
        unknown: 100,
        refused: 20,
        values: u64::MAX,
        pause: 60,
        ..Shape::default()
    };
    let txns = Shape { txns: 400, ..calm };
    let leases = Shape { leases: 200, expiries: 100, told: 500, ..txns };
    vec![calm, Shape { unknown: 0, ..txns }, txns, leases, Shape { unknown: 300, ..leases }]
}

fn add(total: &mut Counters, counters: Counters) {
    total.events += counters.events;
    total.confirmed += counters.confirmed;
    total.required += counters.required;
    total.agreed += counters.agreed;
    total.bookmarks += counters.bookmarks;
    total.creations += counters.creations;
    total.prev_kvs += counters.prev_kvs;
    total.fragmented += counters.fragmented;
    total.cancels += counters.cancels;
    total.revisions_known += counters.revisions_known;
    total.revisions_unknown += counters.revisions_unknown;
    total.resumed += counters.resumed;
}

#[test]
fn correct_watches_are_never_rejected() {
    let mut total = Counters::default();
    for (number, shape) in shapes().into_iter().enumerate() {
        for seed in 0..300 {
            let history = make::history(shape, 4, seed % 3 == 0, seed);
            match watch::check(&history) {
                Ok(counters) => add(&mut total, counters),
                Err(fault) => panic!("shape {number}, seed {seed}: {fault}"),
            }
        }
    }
    println!("{total}");
    for number in [
        total.confirmed,
        total.required,
        total.agreed,
        total.bookmarks,
        total.creations,
        total.prev_kvs,
        total.fragmented,
        total.cancels,
        total.revisions_known,
        total.revisions_unknown,
        total.resumed,
    ] {
        assert!(number > 300, "too easy: {total}");
    }
}

/// Random watches with one thing wrong: whatever is rejected must not depend on luck, so for each
/// kind of damage the share that is noticed is held against what can be noticed at all.
#[test]
fn damaged_watches_are_noticed() {
    for (what, least, damage) in DAMAGES {
        let (mut damaged, mut noticed) = (0, 0);
        for seed in 0..400 {
            let shape = shapes()[1];
            let history = make::history(shape, 3, true, seed);
            let mut records = history.into_records();
            let watch = records.iter_mut().find_map(|record| match record {
                Record::Watch(watch) if watch.messages.len() > 3 => Some(watch),
                _ => None,
            });
            if !watch.is_some_and(damage) {
                continue;
            }
            damaged += 1;
            let history = History::of(records).expect("well formed");
            noticed += usize::from(watch::check(&history).is_err());
        }
        assert!(damaged > 50, "{what}: hardly any");
        assert!(noticed * 100 >= damaged * least, "{what}: {noticed} of {damaged}");
    }
}

type Damage = fn(&mut Watch) -> bool;

/// What is done to a watch, and how many of 100 must be noticed at least. With the log revealed
/// only damage at the very end can go unnoticed.
const DAMAGES: [(&str, usize, Damage); 5] = [
    ("a message is dropped", 70, |watch| {
        let place = watch
            .messages
            .iter()
            .position(|message| !message.events.is_empty() && !message.fragment);
        place.is_some_and(|place| {
            watch.messages.remove(place);
            true
        })
    }),
    ("an event is dropped", 60, |watch| {
        let events = watch.messages.iter_mut().find(|message| message.events.len() > 1);
        events.is_some_and(|message| {
            message.events.remove(0);
            true
        })
    }),
    ("two messages are swapped", 90, |watch| {
        let whole = |message: &WatchMessage| !message.events.is_empty() && !message.fragment;
        let places = 1..watch.messages.len() - 1;
        let place = places
            .into_iter()
            .find(|place| whole(&watch.messages[*place]) && whole(&watch.messages[place + 1]));
        place.is_some_and(|place| {
            let (one, two) = watch.messages.split_at_mut(place + 1);
            std::mem::swap(&mut one[place].events, &mut two[0].events);
            true
        })
    }),
    ("an event is repeated", 100, |watch| {
        let events = watch.messages.iter_mut().find(|message| !message.events.is_empty());
        events.is_some_and(|message| {
            message.events.push(message.events[0].clone());
            true
        })
    }),
    ("a value is another one", 100, |watch| {
        let events = watch.messages.iter_mut().flat_map(|message| &mut message.events);
        let put = events.into_iter().find(|event| event.kind == EventKind::Put);
        put.is_some_and(|event| {
            event.kv.value = "ghost".into();
            true
        })
    }),
];

/// A history in which everything is known: a = 1 at 2, b = 2 at 3, delete a at 4, a = 3 at 5.
fn writes() -> Vec<Operation> {
    vec![
        put(1, 0..10, "a", "1").made(2),
        put(2, 20..30, "b", "2").made(3),
        delete(3, 40..50, "a", "").deleted(4, 1),
        put(4, 60..70, "a", "3").made(5),
    ]
}

fn put_event(key: &str, value: &str, create: i64, modified: i64, version: i64) -> WatchEvent {
    make::event(EventKind::Put, kv(key, value, create, modified, version))
}

fn delete_event(key: &str, revision: i64) -> WatchEvent {
    let kv = KeyValue { key: key.into(), mod_revision: Revision(revision), ..KeyValue::default() };
    make::event(EventKind::Delete, kv)
}

fn a2() -> WatchEvent {
    put_event("a", "1", 2, 2, 1)
}

fn b3() -> WatchEvent {
    put_event("b", "2", 3, 3, 1)
}

fn a4() -> WatchEvent {
    delete_event("a", 4)
}

fn a5() -> WatchEvent {
    put_event("a", "3", 5, 5, 1)
}

/// The fault of a history with the writes above and these watches.
fn fault(watches: Vec<Watch>) -> Result<Counters, watch::Fault> {
    fault_of(writes(), watches)
}

fn fault_of(operations: Vec<Operation>, watches: Vec<Watch>) -> Result<Counters, watch::Fault> {
    let mut records: Vec<Record> = operations.into_iter().map(Record::Operation).collect();
    records.extend(watches.into_iter().map(Record::Watch));
    watch::check(&History::of(records).expect("well formed")).map_err(|fault| *fault)
}

#[test]
fn the_whole_story_is_fine() {
    let story = watching(1, "a", "\0").from(2).tells(5, &[a2(), b3()]).tells(5, &[a4()]);
    let counters = fault(vec![story.tells(5, &[a5()]).progress(5).watch()]).expect("fine");
    assert_eq!((counters.confirmed, counters.required, counters.bookmarks), (4, 4, 1));
    assert_eq!((counters.revisions_known, counters.revisions_unknown), (4, 0));
    assert_eq!(counters.creations, 3);
}

#[test]
fn each_guarantee_is_missed_by_name() {
    let all = || watching(1, "a", "\0").from(2);
    let prev = |event: WatchEvent, pair| WatchEvent { prev_kv: Some(pair), ..event };
    let a = kv("a", "1", 2, 2, 1);
    let wrong = |value: &str| kv("a", value, 2, 2, 1);
    let with = |messages: Vec<WatchMessage>, end: WatchEnd| {
        let mut watch = all().watch();
        watch.messages = messages;
        watch.end = end;
        watch
    };
    let created = all().watch().messages;
    let late = vec![created[0].clone(), created[0].clone()];
    let mut early = all().tells(5, &[a2()]).watch().messages;
    early.remove(0);
    let cases: Vec<(Guarantee, Watch)> = vec![
        (Guarantee::Created, with(late, WatchEnd::Running)),
        (Guarantee::Created, with(early, WatchEnd::Running)),
        (Guarantee::Filter, watching(1, "a", "").from(2).tells(5, &[a2(), b3()]).watch()),
        (Guarantee::Filter, all().no_delete().tells(5, &[a2(), b3(), a4()]).watch()),
        (Guarantee::Ordered, all().tells(5, &[b3()]).tells(5, &[a2()]).watch()),
        (Guarantee::Ordered, all().tells(5, &[b3(), a2()]).watch()),
        (Guarantee::Ordered, all().tells(2, &[a2(), b3()]).watch()),
        (Guarantee::Unique, all().tells(5, &[a2()]).tells(5, &[a2()]).watch()),
        (Guarantee::Bookmarkable, all().tells(5, &[a2()]).progress(4).tells(5, &[b3()]).watch()),
        (Guarantee::Bookmarkable, all().tells(5, &[a2()]).progress(5).watch()),
        (Guarantee::Bookmarkable, all().tells(5, &[a2(), b3()]).progress(2).watch()),
        (Guarantee::Bookmarkable, watching(1, "a", "\0").from(9).progress(5).watch()),
        (Guarantee::Resumable, all().tells(5, &[b3()]).watch()),
        (Guarantee::Resumable, watching(1, "a", "\0").from(3).tells(5, &[a2()]).watch()),
        (Guarantee::Resumable, watching(1, "a", "\0").created_at(2).tells(5, &[a4()]).watch()),
        (Guarantee::Reliable, all().tells(5, &[a2()]).tells(5, &[a4()]).watch()),
        (Guarantee::Reliable, all().tells(5, &[a2(), b3(), a5()]).watch()),
        (Guarantee::IsCreate, all().tells(5, &[put_event("a", "1", 2, 2, 2)]).watch()),
        (
            Guarantee::IsCreate,
            all().tells(5, &[a2(), b3(), a4(), put_event("a", "3", 2, 5, 2)]).watch(),
        ),
        (Guarantee::PrevKv, all().tells(5, &[a2(), b3(), prev(a4(), a.clone())]).watch()),
        (Guarantee::PrevKv, all().prev().tells(5, &[a2(), b3(), prev(a4(), wrong("2"))]).watch()),
        (Guarantee::PrevKv, all().prev().tells(5, &[a2(), b3(), a4()]).watch()),
        (Guarantee::PrevKv, all().prev().tells(5, &[prev(a2(), wrong("0"))]).watch()),
        (Guarantee::Content, all().tells(5, &[put_event("a", "ghost", 2, 2, 1)]).watch()),
        (Guarantee::Content, all().tells(5, &[a2(), delete_event("b", 3)]).watch()),
        (
            Guarantee::Content,
            all().tells(5, &[a2(), b3(), put_event("c", "ghost", 3, 3, 1)]).watch(),
        ),
        (Guarantee::Fragment, all().part(5, &[a2()]).tells(5, &[b3()]).watch()),
        (Guarantee::Fragment, all().cuts().part(5, &[a2()]).progress(5).watch()),
        (Guarantee::Cancel, all().tells(5, &[a2()]).cancels(5).tells(5, &[b3()]).watch()),
        (Guarantee::Compaction, all().compacted(3).watch()),
    ];
    let mut missed: Vec<Guarantee> = Vec::new();
    for (at, (guarantee, watch)) in cases.into_iter().enumerate() {
        let fault = fault(vec![watch]).expect_err("a fault");
        assert_eq!(fault.guarantee, guarantee, "case {at}: {fault}");
        missed.push(guarantee);
    }
    missed.push(Guarantee::Atomic); // Below: it takes a transaction.
    missed.dedup();
    for guarantee in Guarantee::ALL {
        assert!(missed.contains(&guarantee), "no mutation breaks {guarantee}");
    }
}

/// Revision 2 puts a and b.
fn pair_of_puts() -> Vec<Operation> {
    vec![crate::build::txn_puts(1, 0..10, &[("a", "1"), ("b", "2")]).txn_made(2)]
}

#[test]
fn a_revision_is_not_torn() {
    let b2 = || put_event("b", "2", 2, 2, 1);
    let all = || watching(1, "a", "\0").from(2);
    let fine = all().tells(2, &[a2(), b2()]).watch();
    assert!(fault_of(pair_of_puts(), vec![fine]).is_ok());
    let parts = all().cuts().part(2, &[a2()]).tells(2, &[b2()]).watch();
    let counters = fault_of(pair_of_puts(), vec![parts]).expect("parts of one message");
    assert_eq!(counters.fragmented, 1);
    let cut_short = all().cuts().part(2, &[a2()]).watch();
    assert!(fault_of(pair_of_puts(), vec![cut_short]).is_ok(), "the rest was lost on its way");
    let torn = all().tells(2, &[a2()]).tells(2, &[b2()]).watch();
    let half = all().tells(2, &[a2()]).watch();
    let swapped = all().tells(2, &[b2(), a2()]).watch();
    for (watch, guarantee) in
        [(torn, Guarantee::Atomic), (half, Guarantee::Atomic), (swapped, Guarantee::Ordered)]
    {
        let fault = fault_of(pair_of_puts(), vec![watch]).expect_err("a fault");
        assert_eq!(fault.guarantee, guarantee, "{fault}");
    }
}

#[test]
fn two_watches_must_agree_where_nobody_else_knows() {
    let operations = || vec![put(1, 0..10, "a", "1").lost(), put(2, 20..30, "b", "2").made(3)];
    let one = || watching(1, "a", "\0").from(2).tells(3, &[a2(), b3()]).watch();
    let two = |events: &[WatchEvent]| watching(2, "a", "\0").from(2).tells(3, events).watch();
    assert!(fault_of(operations(), vec![one(), two(&[a2(), b3()])]).is_ok());
    let other = put_event("a", "other", 2, 2, 1);
    for (events, guarantee) in [
        (vec![b3()], Guarantee::Resumable),
        (vec![other, b3()], Guarantee::Content),
        (vec![put_event("c", "1", 2, 2, 1), b3()], Guarantee::Atomic),
    ] {
        let fault = fault_of(operations(), vec![one(), two(&events)]).expect_err("a fault");
        assert_eq!(fault.guarantee, guarantee, "{fault}");
    }
    // Alone, each of them might be right.
    assert!(fault_of(operations(), vec![two(&[b3()])]).is_ok());
}

#[test]
fn a_compaction_ends_those_that_need_what_is_gone_and_no_others() {
    let operations = || {
        let mut operations = writes();
        operations.push(compact(5, 80..90, 4).compacted_at(5));
        operations.push(put(6, 100..110, "b", "4").made(6));
        operations
    };
    let from = |start| watching(1, "a", "\0").from(start).created_at(6).at(200);
    assert!(fault_of(operations(), vec![from(2).compacted(4).watch()]).is_ok());
    assert!(fault_of(operations(), vec![from(4).tells(6, &[a4(), a5()]).watch()]).is_ok());
    for watch in [
        from(4).compacted(4).watch(),
        from(2).tells(6, &[a4(), a5()]).watch(),
        from(2).compacted(5).watch(),
    ] {
        let fault = fault_of(operations(), vec![watch]).expect_err("a fault");
        assert_eq!(fault.guarantee, Guarantee::Compaction, "{fault}");
    }
    // What was before may be gone, too.
    let gone = watching(1, "a", "\0").from(4).created_at(6).at(200).prev();
    assert!(fault_of(operations(), vec![gone.tells(6, &[a4(), a5()]).watch()]).is_ok());
}

#[test]
fn faults_read_as_sentences() {
    let watch = watching(7, "a", "\0").from(2).tells(5, &[a2()]).tells(5, &[a4()]).watch();
    let fault = fault(vec![watch]).expect_err("a fault");
    assert_eq!(
        fault.to_string(),
        "not reliable: watch 7 was told in its message 2, at 102 us, of what comes after revision \
         3, but never of put \"b\" of revision 3, for which operation 2 stands",
    );
    assert_eq!(fault.at, Micros(102));
}
