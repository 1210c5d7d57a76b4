//! Which operations the planner asks for, and what a restart makes of them.

use quorate_core::types::LogId;
use quorate_core::wal::{FileOp, SECTOR, Wal, Write};

use crate::disk::Disk;
use crate::model::{
    IDENTITY, Model, creation, entry, founded, hard, id, layout, reopen, run, write,
};

const SEGMENT: u64 = 4096;

/// The operations, with short names.
fn brief(ops: &[FileOp]) -> Vec<String> {
    ops.iter().map(|op| op.to_string().replace("000000000000000", "")).collect()
}

/// A founded log whose second segment is begun.
fn begun() -> (Disk, Wal) {
    let (mut disk, mut wal) = founded(layout(SEGMENT));
    run(&mut disk, &mut wal, &[write(1, hard(2, Some(7)), vec![entry(2, 2, b"a")])]);
    (disk, wal)
}

fn discarding(number: u64, mark: LogId) -> Write {
    Write { discard: Some(mark), ..write(number, hard(2, Some(7)), Vec::new()) }
}

#[test]
fn a_new_log_gets_its_name_when_it_is_complete() {
    let expected = [
        "create 1.tmp 1024",
        "write 1.tmp 0+1024",
        "sync 1.tmp",
        "sync directory",
        "rename 1.tmp to 1.wal",
        "sync directory",
    ];
    assert_eq!(brief(&creation(layout(SEGMENT))), expected);
    let (mut disk, wal) = founded(layout(SEGMENT));
    assert_eq!(wal.identity(), IDENTITY);
    let log = reopen(&mut disk, layout(SEGMENT));
    assert_eq!(Model::of(&log), Model::founded());
    assert_eq!((log.identity, log.torn), (IDENTITY, 0));
}

#[test]
fn what_was_receipted_is_there_after_a_restart() {
    let (mut disk, mut wal) = founded(layout(SEGMENT));
    let mut model = Model::founded();
    for number in 1..40 {
        let next = write(number, hard(2, Some(7)), vec![entry(number + 1, 2, &[0; 300])]);
        run(&mut disk, &mut wal, std::slice::from_ref(&next));
        model.apply(&next);
    }
    assert_eq!(Model::of(&reopen(&mut disk, layout(SEGMENT))), model);
}

#[test]
fn all_waiting_writes_are_one_write_and_one_sync() {
    let (mut disk, mut wal) = founded(layout(1 << 20));
    run(&mut disk, &mut wal, &[write(1, hard(2, Some(7)), Vec::new())]);
    let one = |n| write(n, hard(2, Some(7)), vec![entry(n, 2, &[b'x'; 300])]);
    let writes: Vec<Write> = (2..258).map(one).collect();
    let ops = run(&mut disk, &mut wal, &writes);
    let sectors = (64 + 256 * 320_usize + 32).div_ceil(496);
    let expected = [format!("write 2.wal 1024+{}", sectors * SECTOR), "sync 2.wal".to_string()];
    assert_eq!(brief(&ops), expected);
}

#[test]
fn the_first_plan_of_a_life_begins_a_segment() {
    let (mut disk, _) = begun();
    let mut wal = reopen(&mut disk, layout(SEGMENT)).wal;
    let ops = run(&mut disk, &mut wal, &[write(1, hard(3, None), Vec::new())]);
    let expected = [
        "create 3.tmp 4096",
        "write 3.tmp 0+1024",
        "sync 3.tmp",
        "sync directory",
        "rename 3.tmp to 3.wal",
        "sync directory",
    ];
    assert_eq!(brief(&ops), expected);
}

#[test]
fn a_batch_that_does_not_fit_begins_a_segment_that_it_fits_in() {
    let (mut disk, mut wal) = begun();
    let fill = [write(2, hard(2, Some(7)), vec![entry(3, 2, &[1; 2000])])];
    assert_eq!(brief(&run(&mut disk, &mut wal, &fill)), ["write 2.wal 1024+2560", "sync 2.wal"]);
    let last = [write(3, hard(2, Some(7)), Vec::new())];
    assert_eq!(brief(&run(&mut disk, &mut wal, &last)), ["write 2.wal 3584+512", "sync 2.wal"]);
    let huge = [write(4, hard(2, Some(7)), vec![entry(4, 2, &[0; 100_000])])];
    let ops = brief(&run(&mut disk, &mut wal, &huge));
    assert_eq!(ops[..2], ["create 3.tmp 103936", "write 3.tmp 0+103936"]);
    let next = [write(5, hard(2, Some(7)), Vec::new())];
    assert_eq!(brief(&run(&mut disk, &mut wal, &next))[0], "create 4.tmp 4096");
    assert_eq!(reopen(&mut disk, layout(SEGMENT)).entries.len(), 4);
}

#[test]
fn repairs_make_durable_what_was_read() {
    let (mut disk, mut wal) = begun();
    run(&mut disk, &mut wal, &[write(2, hard(2, Some(7)), vec![entry(3, 2, b"b")])]);
    disk.run(&FileOp::Create { name: "0000000000000003.tmp".into(), size: 10 });
    let expected = ["remove 3.tmp", "write 2.wal 1024+512", "sync 2.wal", "sync directory"];
    assert_eq!(brief(&reopen(&mut disk, layout(SEGMENT)).repairs), expected);
}

#[test]
fn segments_are_removed_oldest_first_after_the_mark_is_durable() {
    let (mut disk, mut wal) = begun();
    for n in 2..5 {
        run(&mut disk, &mut wal, &[write(n, hard(2, Some(7)), vec![entry(n + 1, 2, &[1; 2500])])]);
    }
    let ops = run(&mut disk, &mut wal, &[discarding(5, id(4, 2))]);
    let expected = [
        "write 4.wal 3584+512",
        "sync 4.wal",
        "remove 1.wal",
        "sync directory",
        "remove 2.wal",
        "sync directory",
        "remove 3.wal",
        "sync directory",
    ];
    assert_eq!(brief(&ops), expected);
}

#[test]
fn a_segment_stays_while_one_of_its_entries_is_needed() {
    let (mut disk, mut wal) = begun();
    for n in 2..5 {
        run(&mut disk, &mut wal, &[write(n, hard(2, Some(7)), vec![entry(n + 1, 2, &[1; 3000])])]);
    }
    run(&mut disk, &mut wal, &[discarding(5, id(3, 2))]);
    assert_eq!(disk.names()[0], "0000000000000004.wal");
    let log = reopen(&mut disk, layout(SEGMENT));
    assert_eq!((log.base, log.entries.len()), (id(3, 2), 2));
}

#[test]
fn the_vote_survives_the_removal_of_the_segment_that_it_was_written_in() {
    let (mut disk, mut wal) = begun();
    let big = write(2, hard(2, Some(7)), vec![entry(3, 2, &[1; 4000])]);
    run(&mut disk, &mut wal, &[big]);
    run(&mut disk, &mut wal, &[discarding(3, id(3, 2))]);
    assert_eq!(disk.names().len(), 1);
    let log = reopen(&mut disk, layout(SEGMENT));
    assert_eq!((log.hard, log.base, log.entries.len()), (hard(2, Some(7)), id(3, 2), 0));
}

#[test]
fn a_removal_that_was_lost_is_made_up_for() {
    let (mut disk, mut wal) = begun();
    let full = disk.clone();
    run(&mut disk, &mut wal, &[discarding(2, id(2, 2))]);
    assert_eq!(disk.names(), ["0000000000000002.wal"]);
    disk.replace("0000000000000001.wal", full.bytes("0000000000000001.wal").to_vec());
    let mut log = reopen(&mut disk, layout(SEGMENT));
    assert_eq!((log.base, log.entries.len()), (id(2, 2), 0));
    run(&mut disk, &mut log.wal, &[write(1, hard(2, Some(7)), Vec::new())]);
    assert_eq!(disk.names(), ["0000000000000003.wal"]);
}

#[test]
fn entries_that_the_same_plan_replaces_are_not_written() {
    let (mut disk, mut wal) = begun();
    let writes = [
        write(2, hard(2, Some(7)), vec![entry(3, 2, &[1; 9000]), entry(4, 2, &[1; 9000])]),
        write(3, hard(3, None), vec![entry(3, 3, b"instead")]),
    ];
    assert_eq!(brief(&run(&mut disk, &mut wal, &writes)), ["write 2.wal 1024+512", "sync 2.wal"]);
    let log = reopen(&mut disk, layout(SEGMENT));
    assert_eq!(log.entries[2..], [entry(3, 3, b"instead")]);
}

#[test]
fn a_snapshot_takes_the_place_of_a_log_that_does_not_hold_it() {
    for mark in [id(9, 2), id(2, 1)] {
        let (mut disk, mut wal) = begun();
        let restart = discarding(2, mark);
        let next = write(3, hard(2, Some(7)), vec![entry(mark.index.0 + 1, 2, b"next")]);
        run(&mut disk, &mut wal, &[restart, next]);
        let log = reopen(&mut disk, layout(SEGMENT));
        assert_eq!(log.base, mark);
        assert_eq!(log.entries, [entry(mark.index.0 + 1, 2, b"next")]);
    }
}

#[test]
fn marks_behind_a_snapshot_of_the_same_plan_count() {
    let (mut disk, mut wal) = begun();
    let entries = vec![entry(10, 2, b"x"), entry(11, 2, b"y"), entry(12, 2, b"z")];
    let writes = [
        write(2, hard(2, Some(7)), vec![entry(3, 2, b"gone")]),
        discarding(3, id(9, 2)),
        write(4, hard(2, Some(7)), entries.clone()),
        discarding(5, id(11, 2)),
    ];
    run(&mut disk, &mut wal, &writes);
    let log = reopen(&mut disk, layout(SEGMENT));
    assert_eq!((log.base, &log.entries[..]), (id(11, 2), &entries[2..]));
}

#[test]
#[should_panic(expected = "W3")]
fn a_second_vote_in_a_term_is_not_written() {
    let (mut disk, mut wal) = begun();
    run(&mut disk, &mut wal, &[write(2, hard(2, Some(8)), Vec::new())]);
}

#[test]
#[should_panic(expected = "W3")]
fn a_term_that_goes_back_is_not_written() {
    let (mut disk, mut wal) = begun();
    run(&mut disk, &mut wal, &[write(2, hard(1, None), Vec::new())]);
}

#[test]
#[should_panic(expected = "W6")]
fn a_gap_in_the_log_is_not_written() {
    let (mut disk, mut wal) = begun();
    run(&mut disk, &mut wal, &[write(2, hard(2, Some(7)), vec![entry(4, 2, b"")])]);
}

#[test]
#[should_panic(expected = "W6")]
fn what_was_discarded_is_not_replaced() {
    let (mut disk, mut wal) = begun();
    run(&mut disk, &mut wal, &[discarding(2, id(2, 2))]);
    run(&mut disk, &mut wal, &[write(3, hard(2, Some(7)), vec![entry(2, 2, b"")])]);
}

#[test]
#[should_panic(expected = "W6")]
fn terms_do_not_go_back_along_the_log() {
    let (mut disk, mut wal) = begun();
    run(&mut disk, &mut wal, &[write(2, hard(2, Some(7)), vec![entry(3, 1, b"")])]);
}

#[test]
#[should_panic(expected = "write 1 after 1")]
fn writes_are_planned_in_order() {
    let (mut disk, mut wal) = begun();
    run(&mut disk, &mut wal, &[write(1, hard(2, Some(7)), Vec::new())]);
}
