//! What planning and reading cost: `cargo test --release --test wal -- --ignored --nocapture`.

#![expect(clippy::disallowed_types, reason = "a measurement needs a clock")]

use std::time::Instant;

use quorate_core::wal::Write;

use crate::model::{entry, founded, hard, layout, reopen, run, write};

const ROUNDS: u64 = 400;

fn writes(count: u64, round: u64, command: &[u8]) -> Vec<Write> {
    let first = round * count + 2;
    let one = |i| write(i, hard(2, Some(7)), vec![entry(i, 2, command)]);
    (first..first + count).map(one).collect()
}

#[test]
#[ignore = "a measurement"]
fn nanoseconds_per_entry() {
    for count in [1, 16, 256] {
        let (_, mut wal) = founded(layout(16 << 20));
        let (mut spent, mut ops) = (0, Vec::new());
        for round in 0..ROUNDS {
            let writes = writes(count, round, &[b'x'; 300]);
            ops.clear();
            let start = Instant::now();
            let unsynced = wal.plan(&writes, &mut ops);
            spent += start.elapsed().as_nanos();
            assert_eq!(unsynced.synced().number(), writes[writes.len() - 1].number);
        }
        let each = spent / u128::from(count * ROUNDS);
        println!("plans of {count} entries of 300 bytes: {each} ns per entry");
    }
}

#[test]
#[ignore = "a measurement"]
fn milliseconds_to_recover() {
    let (mut disk, mut wal) = founded(layout(16 << 20));
    for round in 0..ROUNDS {
        run(&mut disk, &mut wal, &writes(256, round, &[b'x'; 300]));
    }
    let start = Instant::now();
    let log = reopen(&mut disk, layout(16 << 20));
    let (entries, took) = (log.entries.len(), start.elapsed());
    println!("{entries} entries in {} files: {took:?}", disk.names().len());
}
