//! How long a put and a get take in a store of a million keys. Not a test: it prints, and a person
//! compares. `cargo test --release -p quorate-core --test store_speed -- --ignored --nocapture`
//! Quantiles over single calls: other work on the machine only ever makes a call slower.
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_types)]

mod store_support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message;
use quorate_core::api::etcdserverpb::{
    CompactionRequest, PutRequest, RangeRequest, ResponseHeader,
};
use quorate_core::api::wire::command::Action;
use quorate_core::raft::Entry;
use quorate_core::store::{Image, Loader, Step, Store};
use store_support::{all, delete, entry, one, read, read_in_steps};

const KEYS: u64 = 1_000_000;
const SAMPLE: u64 = 200_000;

fn key(n: u64) -> String {
    format!("/registry/{:010}", n % KEYS * 7_368_787 % 4_294_967_291)
}

fn put(n: u64) -> Entry {
    let (key, value) = (key(n * 7919).into(), Bytes::from(vec![n as u8; 256]));
    entry(n, Some(Action::Put(PutRequest { key, value, ..Default::default() })))
}

fn report(what: &str, mut times: Vec<Duration>, each: u64) {
    times.sort();
    let nanos = |place: usize| times[place].as_nanos() as u64 / each;
    let (tenth, median) = (nanos(times.len() / 10), nanos(times.len() / 2));
    println!("{what:.<56} a tenth within {tenth:>7} ns, half {median:>7} ns");
}

/// Times each single call, so that what prepares it stays outside.
fn each<T, R>(what: &str, calls: u64, prepare: impl Fn(u64) -> T, mut work: impl FnMut(T) -> R) {
    let one_call = |n: u64| {
        let input = prepare(n);
        let start = Instant::now();
        let output = black_box(work(input));
        let time = start.elapsed();
        drop(output);
        time
    };
    report(what, (1..=calls).map(one_call).collect(), 1);
}

fn whole(what: &str, each: u64, mut work: impl FnMut()) {
    let one_round = |_| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    report(what, (0..5).map(one_round).collect(), each);
}

#[test]
#[ignore = "measures"]
fn speed() {
    let mut store = Store::new();
    let mut image = Image::new(None);
    each("an empty measurement", SAMPLE, |n| n, |n| n);
    let mut fill = |entry| {
        image.push(store.apply(&entry).rows);
        entry
    };
    each("put of a new key, up to 900,000", KEYS / 10 * 9, put, &mut fill);
    each("put of a new key, up to 1,000,000", KEYS / 10, |n| put(KEYS / 10 * 9 + n), fill);
    let mut table = image.take(&store).remove(0).rows;
    table.sort_by(|a, b| a.key.cmp(&b.key));
    each(
        "put of one of a million keys",
        SAMPLE,
        |n| put(KEYS + n),
        |entry| (store.apply(&entry), entry),
    );
    let get = |n: u64| one(&key(n * 104_729));
    let count = |n: u64| RangeRequest { count_only: true, ..get(n) };
    each("count of one key", SAMPLE, count, |get| (read(&store, &get).unwrap(), get));
    each("get", SAMPLE, get, |get| (read(&store, &get).unwrap(), get));
    whole("range of everything, per key", KEYS, || {
        assert_eq!(read_in_steps(&store, &all(), 1000).unwrap().kvs.len() as u64, KEYS);
    });
    let pages = |store: &Store| {
        let (mut cursor, mut bytes) = (None, Vec::new());
        loop {
            match store.find(&all(), cursor.take(), 1000).unwrap() {
                Step::More(more) => cursor = Some(more),
                Step::Done(found) => {
                    let header = ResponseHeader::default();
                    bytes.reserve(found.encoded_len(header));
                    found.encode(header, &mut bytes);
                    return bytes.len();
                }
            }
        }
    };
    whole("find everything and encode it, per key", KEYS, || {
        black_box(pages(&store));
    });
    whole("range of everything as messages, encoded, per key", KEYS, || {
        black_box(read_in_steps(&store, &all(), 1000).unwrap().encode_to_vec().len());
    });
    whole("range with limit 500, per key", 1000 * 500, || {
        for n in 0..1000 {
            let page = RangeRequest { key: key(n).into(), limit: 500, ..all() };
            black_box(read(&store, &page).unwrap());
        }
    });
    whole("count of everything", 1, || {
        black_box(read(&store, &RangeRequest { count_only: true, ..all() }).unwrap());
    });
    whole("count at an old revision, per key", KEYS, || {
        let past = RangeRequest { count_only: true, revision: KEYS as i64, ..all() };
        black_box(read(&store, &past).unwrap());
    });
    whole("full hash, per record", KEYS + SAMPLE, || {
        black_box(store.full_hash());
    });
    whole("load, per row", KEYS, || {
        let mut loader = Loader::new();
        for row in &table {
            loader.row(&row.key, row.value.as_deref().unwrap()).unwrap();
        }
        assert_eq!(loader.finish().unwrap().keys() as u64, KEYS);
    });
    let (revision, physical) = (store.revision(), false);
    let compact = Action::Compact(CompactionRequest { revision, physical });
    store.apply(&entry(KEYS + SAMPLE + 1, Some(compact)));
    let mut steps = Vec::new();
    while store.has_to_sweep() {
        let start = Instant::now();
        black_box(store.sweep(1000));
        steps.push(start.elapsed());
    }
    report("removal after compaction, per change", steps, 1000);
    let everything = entry(KEYS + SAMPLE + 2, Some(Action::DeleteRange(delete("\0", "\0"))));
    let start = Instant::now();
    black_box(store.apply(&everything));
    report("delete of everything, per key", vec![start.elapsed()], KEYS);
}
