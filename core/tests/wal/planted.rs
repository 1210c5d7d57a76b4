//! The planted bug: a torn batch, taken for a good one. It must show, and must not panic here.

use quorate_core::planted::Bug;
use quorate_core::random::Random;
use quorate_core::wal::{FileOp, Layout, Wal, Write};

use crate::disk::Disk;
use crate::model::{Model, Wildness, entry, founded, hard, layout, reopen, run, write};

const PLANTED: Layout = Layout { segment_size: 16_384, planted: Some(Bug::TornTailAccepted) };

/// A write to an open segment of which only some sectors come, chosen by their number.
fn tear(disk: &mut Disk, wal: &mut Wal, torn: Write, mut comes: impl FnMut(usize) -> bool) {
    let mut ops = Vec::new();
    let _ = wal.plan(&[torn], &mut ops);
    let FileOp::Write { name, offset, bytes } = &ops[0] else { return };
    for at in (0..bytes.len()).step_by(512).filter(|at| comes(at / 512)) {
        let (offset, bytes) = (offset + at as u64, bytes.slice(at..at + 512));
        disk.run(&FileOp::Write { name: name.clone(), offset, bytes });
    }
}

#[test]
fn a_planted_build_takes_a_torn_batch_for_a_good_one() {
    let (mut disk, mut wal) = founded(PLANTED);
    run(&mut disk, &mut wal, &[write(1, hard(2, Some(7)), vec![entry(2, 2, b"a")])]);
    let torn = write(2, hard(2, Some(7)), vec![entry(3, 2, &[1; 1200]), entry(4, 2, b"x")]);
    tear(&mut disk, &mut wal, torn, |sector| sector == 0);
    assert_eq!(reopen(&mut disk.clone(), layout(16_384)).entries.len(), 2);
    let mut log = reopen(&mut disk, PLANTED);
    assert_eq!(log.entries.len(), 3);
    assert!(log.entries[2].command.ends_with(&[0; 100]));
    for number in 1..3 {
        let next = write(number, hard(2, Some(7)), vec![entry(number + 3, 2, b"on")]);
        run(&mut disk, &mut log.wal, &[next]);
    }
    assert_eq!(reopen(&mut disk, PLANTED).entries.len(), 5);
}

/// Whatever it makes of the remains, it makes the same of them at every start.
#[test]
fn a_planted_build_goes_on_from_any_torn_batch() {
    let mut accepted = 0;
    for seed in 0..2000 {
        let mut random = Random::new(seed);
        let wild = Wildness { command: 900, zeros: 2000 };
        let (mut disk, mut wal) = founded(PLANTED);
        for _ in 0..3 {
            let mut model = Model::of(&reopen(&mut disk, PLANTED));
            for number in 1..=1 + random.below(4) {
                let next = model.invent(number, wild, &mut random);
                run(&mut disk, &mut wal, std::slice::from_ref(&next));
                model.apply(&next);
            }
            let torn = model.invent(9, wild, &mut random);
            tear(&mut disk, &mut wal, torn, |_| random.below(2) == 0);
            let log = reopen(&mut disk, PLANTED);
            accepted += u64::from(Model::of(&log) != model);
            wal = log.wal;
        }
    }
    assert!(accepted > 1000, "{accepted}");
}
