//! Power loss and process death between any two operations and inside, over and over.
//!
//! After each start the log must be exactly what the last receipt covers, or exactly that and the
//! one plan that was under way: nothing less, nothing that was never written, no half of a plan.

use std::collections::BTreeMap;

use quorate_core::random::Random;
use quorate_core::wal::{FileOp, Found, Layout, Recovered, SECTOR, Wal, Write, recover};

use crate::disk::Disk;
use crate::model::{
    Model, Wildness, creation, entry, found, founded, hard, layout, reopen, run, write,
};

/// What a sweep must have seen to count as one.
type Counts = BTreeMap<&'static str, u64>;

/// One life after another of one member.
struct Run {
    random: Random,
    layout: Layout,
    wild: Wildness,
    disk: Disk,
    /// What the last receipt covers; nothing before the log was completed.
    receipted: Option<Model>,
    /// What the plan under way would make of it.
    planned: Option<Model>,
    /// Whether a disk may fail to sync, and the process die of it.
    failing: bool,
    counts: Counts,
}

/// How executing operations ended.
#[derive(PartialEq)]
enum Outcome {
    Done,
    Died,
}

impl Run {
    fn new(seed: u64, failing: bool) -> Self {
        let mut random = Random::new(seed);
        let segments = [1024, 4096, 16_384, 65_536];
        let segment_size = segments[usize::try_from(random.below(4)).unwrap()];
        let command = [40, 300, 1400][usize::try_from(random.below(3)).unwrap()];
        let zeros = [0, 700, 5000, 40_000][usize::try_from(random.below(4)).unwrap()];
        Self {
            random,
            layout: layout(segment_size),
            wild: Wildness { command, zeros },
            disk: Disk::default(),
            receipted: None,
            planned: None,
            failing,
            counts: Counts::new(),
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Starts, works and dies, a number of times.
    fn live(&mut self, lives: u64) {
        for _ in 0..lives {
            let outcome = match self.start() {
                Found::Nothing => self.create(),
                Found::Log(log) => self.go_on(log),
            };
            if outcome == Outcome::Done || self.random.below(2) == 0 {
                self.count("power losses");
                self.disk.lose_power(&mut self.random);
            } else {
                self.count("process deaths");
            }
        }
    }

    fn start(&mut self) -> Found {
        let found = recover(&self.disk, self.layout).unwrap_or_else(|damage| panic!("{damage}"));
        if let Found::Log(log) = &found {
            let state = Some(Model::of(log));
            if state != self.receipted {
                assert!(state == self.planned, "neither what was receipted nor what was planned");
                self.count("plans that came through without a receipt");
            }
            self.planned = state;
            if log.torn > 0 {
                self.count("torn tails");
            }
        } else {
            assert!(self.receipted.is_none(), "a log that was receipted is gone");
        }
        found
    }

    fn create(&mut self) -> Outcome {
        self.planned = Some(Model::founded());
        let ops = creation(self.layout);
        self.execute(&ops)
    }

    fn go_on(&mut self, log: Recovered) -> Outcome {
        if self.execute(&log.repairs) == Outcome::Died {
            self.count("deaths during repair");
            return Outcome::Died;
        }
        let (mut wal, mut number) = (log.wal, 0);
        for _ in 0..self.random.below(30) {
            if self.plan(&mut wal, &mut number) == Outcome::Died {
                return Outcome::Died;
            }
        }
        Outcome::Done
    }

    fn plan(&mut self, wal: &mut Wal, number: &mut u64) -> Outcome {
        let mut model = self.receipted.clone().expect("it was repaired");
        let mut writes = Vec::new();
        for _ in 0..=self.random.below(4) {
            *number += 1;
            let write = model.invent(*number, self.wild, &mut self.random);
            self.note(&model, &write);
            model.apply(&write);
            writes.push(write);
        }
        self.planned = Some(model);
        let mut ops = Vec::new();
        let unsynced = wal.plan(&writes, &mut ops);
        self.note_ops(&ops);
        let outcome = self.execute(&ops);
        if outcome == Outcome::Done {
            assert_eq!(unsynced.synced().number(), *number);
        }
        outcome
    }

    fn note(&mut self, model: &Model, write: &Write) {
        if write.entries.first().is_some_and(|first| first.index <= model.last().index) {
            self.count("truncations");
        }
        if let Some(mark) = write.discard.filter(|mark| mark.index > model.base.index) {
            let held = model.entries.iter().any(|entry| entry.id() == mark);
            self.count(if held { "discards" } else { "restarts behind a snapshot" });
        }
    }

    fn note_ops(&mut self, ops: &[FileOp]) {
        for op in ops {
            match op {
                FileOp::Create { size, .. } if *size > self.layout.segment_size => {
                    self.count("outsized segments");
                }
                FileOp::Create { .. } => self.count("segments"),
                FileOp::Remove { .. } => self.count("segments removed"),
                FileOp::Write { .. } | FileOp::Sync { .. } => (),
                FileOp::Rename { .. } | FileOp::SyncDir => (),
            }
        }
    }

    /// Executes operations, or dies between two of them, or inside one.
    fn execute(&mut self, ops: &[FileOp]) -> Outcome {
        let stop = self.deadline(ops);
        for (i, op) in (0..).zip(ops) {
            if stop == Some(2 * i) {
                return Outcome::Died;
            }
            if stop == Some(2 * i + 1) {
                self.die_inside(op);
                return Outcome::Died;
            }
            self.disk.run(op);
        }
        self.receipted = self.planned.take();
        Outcome::Done
    }

    /// Where to die: anywhere, or where it hurts, between the beginning of a write and its sync.
    fn deadline(&mut self, ops: &[FileOp]) -> Option<u64> {
        let write = ops.iter().position(|op| matches!(op, FileOp::Write { .. }));
        match self.random.below(16) {
            0 => Some(self.random.below(ops.len() as u64 * 2)),
            1 => write.map(|at| 2 * at as u64 + 1 + self.random.below(3)),
            _ => None,
        }
    }

    fn die_inside(&mut self, op: &FileOp) {
        match op {
            FileOp::Sync { name } if self.failing => {
                self.disk.fail_sync(name);
                self.count("failed syncs");
            }
            FileOp::Create { .. } | FileOp::Write { .. } | FileOp::Sync { .. } => {
                self.disk.run_partly(op, &mut self.random);
            }
            FileOp::Rename { .. } | FileOp::Remove { .. } | FileOp::SyncDir => {
                self.disk.run_partly(op, &mut self.random);
            }
        }
    }
}

fn sweep(seeds: std::ops::Range<u64>, failing: bool) -> Counts {
    let mut counts = Counts::new();
    for seed in seeds {
        let run = std::panic::catch_unwind(|| {
            let mut run = Run::new(seed, failing);
            run.live(12);
            run.counts
        });
        let Ok(seen) = run else { panic!("seed {seed} (failing syncs: {failing})") };
        for (what, count) in seen {
            *counts.entry(what).or_default() += count;
        }
    }
    println!("{counts:#?}");
    counts
}

#[test]
fn no_crash_loses_or_invents_anything() {
    let counts = sweep(0..2000, false);
    for what in [
        "power losses",
        "process deaths",
        "plans that came through without a receipt",
        "torn tails",
        "deaths during repair",
        "truncations",
        "discards",
        "restarts behind a snapshot",
        "segments",
        "outsized segments",
        "segments removed",
    ] {
        assert!(counts.get(what).is_some_and(|n| *n > 100), "hardly any {what}: {counts:#?}");
    }
}

/// The cache keeps what a failed sync did not write, and shows it to the next process.
#[test]
fn what_a_failed_sync_left_in_the_cache_is_made_durable_before_it_counts() {
    let counts = sweep(100_000..101_000, true);
    assert!(counts["failed syncs"] > 100);
}

#[test]
#[ignore = "for a night"]
fn no_crash_of_many_loses_or_invents_anything() {
    sweep(1_000_000..1_100_000, false);
    sweep(1_100_000..1_150_000, true);
}

/// Each mixture of old and new sectors, without chance: also up to the very end of a segment.
#[test]
fn only_a_batch_of_which_every_sector_came_counts() {
    for (segment, full) in [(4096, false), (512 * 6, true)] {
        for mask in 0..1_usize << 4 {
            let (mut disk, mut wal) = founded(layout(segment));
            let first = write(1, hard(2, None), vec![entry(2, 2, b"first")]);
            run(&mut disk, &mut wal, std::slice::from_ref(&first));
            let mut model = Model::founded();
            model.apply(&first);
            let next = write(2, hard(3, Some(1)), vec![entry(3, 3, &[0; 1700])]);
            let mut ops = Vec::new();
            let _ = wal.plan(std::slice::from_ref(&next), &mut ops);
            let FileOp::Write { name, offset, bytes } = &ops[0] else { panic!("{}", ops[0]) };
            assert_eq!(offset + bytes.len() as u64 == segment, full);
            for sector in (0..4).filter(|sector| mask >> sector & 1 == 1) {
                let (at, name) = (sector * SECTOR, name.clone());
                let (offset, bytes) = (offset + at as u64, bytes.slice(at..at + SECTOR));
                disk.run(&FileOp::Write { name, offset, bytes });
            }
            let mut log = reopen(&mut disk, layout(segment));
            if mask == 15 {
                model.apply(&next);
            }
            assert_eq!(Model::of(&log), model, "sectors {mask:04b}");
            assert_eq!(log.torn, if mask == 0 || mask == 15 { 0 } else { 2048 });
            // It stays cut, whatever comes behind it.
            let other = write(1, hard(5, Some(2)), Vec::new());
            run(&mut disk, &mut log.wal, std::slice::from_ref(&other));
            model.apply(&other);
            assert_eq!(Model::of(&reopen(&mut disk, layout(segment))), model);
        }
    }
}

/// Every single point of a founding, and of the one after it, which finds the first one's draft.
#[test]
fn a_founding_that_was_cut_short_leaves_nothing_or_all() {
    let ops = creation(layout(4096));
    let ends = (0..=ops.len()).flat_map(|first| (0..=ops.len()).map(move |second| (first, second)));
    for (first, second) in ends {
        for seed in 0..200 {
            let (mut disk, mut random) = (Disk::default(), Random::new(seed));
            for done in [first, second] {
                if let Ok(Found::Nothing) = recover(&disk, layout(4096)) {
                    disk.run_all(&ops[..done]);
                }
                disk.lose_power(&mut random);
                let log = found(recover(&disk, layout(4096)));
                assert!(done < ops.len() || log.is_some());
                assert!(log.is_none_or(|log| Model::of(&log) == Model::founded()));
            }
        }
    }
}
