//! What a change costs among many watchers (ignored: it measures).
//! `cargo test --release -p quorate-core --test watch -- --ignored --nocapture`

#![expect(clippy::disallowed_types, reason = "a measurement needs a clock")]

use std::collections::VecDeque;
use std::time::Instant;

use prost::Message;
use quorate_core::actors::Watching;
use quorate_core::api::mvccpb::KeyValue;
use quorate_core::store::{Record, Revision, Store, Written};
use quorate_core::types::Ticks;
use quorate_core::watch::{Hub, Settings, StreamId, WatchInput};

use crate::rig::{SETTINGS, watch};

const ROOMY: Settings =
    Settings { queue: usize::MAX, message: 1 << 18, progress: Ticks(60_000), ..SETTINGS };

fn change(main: i64, key: &str) -> Written {
    let pair = KeyValue {
        key: key.as_bytes().to_vec().into(),
        create_revision: main,
        mod_revision: main,
        version: 1,
        value: vec![7; 256].into(),
        lease: 0,
    };
    let record = Record::parse(&pair.encode_to_vec()).unwrap();
    Written { at: Revision { main, sub: 0 }, record, previous: None }
}

/// Watchers `key(n)`, and so many single changes of `key(n * step)`.
fn measure(name: &str, watchers: u64, changes: u64, key: impl Fn(u64) -> (String, String)) {
    let store = Store::new();
    let mut watching = Watching::new(Hub::new(ROOMY, 1, 0));
    let mut inputs = VecDeque::new();
    for stream in 0..10 {
        inputs.push_back(WatchInput::Open { stream: StreamId(stream), needs_leader: false });
    }
    for n in 0..watchers {
        let (key, end) = key(n);
        inputs.push_back(WatchInput::Create(StreamId(n % 10), watch(&key, &end)));
    }
    let begin = Instant::now();
    while watching.drain(&mut inputs, &store).more {}
    let created = begin.elapsed();
    let mut sent = 0;
    let begin = Instant::now();
    for n in 0..changes {
        let (key, _) = key(n * 7919 % watchers);
        let main = i64::try_from(n).unwrap() + 2;
        let changes = vec![change(main, &key)];
        inputs.push_back(WatchInput::Published { changes, revision: main, compacted: 0 });
        loop {
            let dispatch = watching.drain(&mut inputs, &store);
            sent += dispatch.messages.len();
            if !dispatch.more {
                break;
            }
        }
    }
    let time = begin.elapsed();
    println!(
        "{name}: {watchers} watchers made in {created:?}; {changes} changes told {sent} times, {:.0} ns each",
        time.as_nanos() as f64 / sent.max(1) as f64,
    );
}

#[test]
#[ignore = "it measures"]
fn a_change_among_many_watchers() {
    measure("one key", 1_000, 1_000, |_| ("key".into(), String::new()));
    measure("own keys", 100_000, 100_000, |n| (format!("key{n:08}"), String::new()));
    measure("own prefixes", 100_000, 100_000, |n| (format!("key{n:08}"), format!("key{n:08}x")));
}
