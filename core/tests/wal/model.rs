//! What the log must remember, kept the plain way, and random writes for it.

use bytes::Bytes;
use quorate_core::raft::Entry;
use quorate_core::random::Random;
use quorate_core::types::{ClusterId, HardState, Index, LogId, NodeId, Term};
use quorate_core::wal::{Damage, FileOp, Found, Identity, Layout, Recovered, Wal, Write, recover};

use crate::disk::Disk;

pub const IDENTITY: Identity = Identity { cluster: ClusterId(0xc1), member: NodeId(0xa11ce) };

/// A log as values.
#[derive(Clone, PartialEq, Debug)]
pub struct Model {
    pub hard: HardState,
    pub base: LogId,
    pub entries: Vec<Entry>,
}

/// How wild the writes are.
#[derive(Clone, Copy)]
pub struct Wildness {
    /// Largest command of an ordinary entry.
    pub command: u64,
    /// Now and then an entry of so many zero bytes.
    pub zeros: usize,
}

pub fn layout(segment_size: u64) -> Layout {
    Layout { segment_size, planted: None }
}

pub fn id(index: u64, term: u64) -> LogId {
    LogId { index: Index(index), term: Term(term) }
}

pub fn entry(index: u64, term: u64, command: &[u8]) -> Entry {
    Entry { index: Index(index), term: Term(term), command: Bytes::copy_from_slice(command) }
}

pub fn founding() -> Entry {
    entry(1, 1, b"the founding members")
}

pub fn hard(term: u64, vote: Option<u64>) -> HardState {
    HardState { term: Term(term), vote: vote.map(NodeId) }
}

pub fn write(number: u64, hard: HardState, entries: Vec<Entry>) -> Write {
    Write { number, hard, entries, discard: None }
}

pub fn creation(layout: Layout) -> Vec<FileOp> {
    let mut ops = Vec::new();
    Wal::create(IDENTITY, layout, founding(), &mut ops);
    ops
}

/// A log with its founding entry, opened.
pub fn founded(layout: Layout) -> (Disk, Wal) {
    let mut disk = Disk::default();
    disk.run_all(&creation(layout));
    let wal = reopen(&mut disk, layout).wal;
    (disk, wal)
}

/// Recovers and repairs.
pub fn reopen(disk: &mut Disk, layout: Layout) -> Recovered {
    let log = found(recover(disk, layout)).expect("a log was made here");
    disk.run_all(&log.repairs);
    log
}

pub fn found(found: Result<Found, Damage>) -> Option<Recovered> {
    match found.unwrap_or_else(|damage| panic!("{damage}")) {
        Found::Nothing => None,
        Found::Log(log) => Some(log),
    }
}

/// Plans, executes all of it, takes the receipt.
pub fn run(disk: &mut Disk, wal: &mut Wal, writes: &[Write]) -> Vec<FileOp> {
    let mut ops = Vec::new();
    let unsynced = wal.plan(writes, &mut ops);
    disk.run_all(&ops);
    assert_eq!(unsynced.synced().number(), writes[writes.len() - 1].number);
    ops
}

impl Model {
    pub fn founded() -> Self {
        Self { hard: hard(1, None), base: LogId::default(), entries: vec![founding()] }
    }

    pub fn of(log: &Recovered) -> Self {
        Self { hard: log.hard, base: log.base, entries: log.entries.clone() }
    }

    pub fn last(&self) -> LogId {
        self.entries.last().map_or(self.base, Entry::id)
    }

    pub fn apply(&mut self, write: &Write) {
        self.hard = write.hard;
        if let Some(mark) = write.discard.filter(|mark| mark.index > self.base.index) {
            let held = self.entries.iter().any(|entry| entry.id() == mark);
            self.entries.retain(|entry| held && entry.index > mark.index);
            self.base = mark;
        }
        if let Some(first) = write.entries.first() {
            self.entries.retain(|entry| entry.index < first.index);
        }
        self.entries.extend(write.entries.iter().cloned());
    }

    /// A write that a member could ask for next.
    pub fn invent(&self, number: u64, wild: Wildness, random: &mut Random) -> Write {
        let hard = self.invent_hard(random);
        let discard = self.invent_mark(hard, random);
        let mut after = self.clone();
        after.apply(&Write { number, hard, entries: Vec::new(), discard });
        let entries = after.invent_entries(wild, random);
        Write { number, hard, entries, discard }
    }

    fn invent_hard(&self, random: &mut Random) -> HardState {
        let HardState { term, vote } = self.hard;
        match random.below(8) {
            0 => hard(term.0 + 1, None),
            1 => hard(term.0 + 1 + random.below(3), Some(1 + random.below(3))),
            2 if vote.is_none() => hard(term.0, Some(1 + random.below(3))),
            _ => self.hard,
        }
    }

    fn invent_mark(&self, hard: HardState, random: &mut Random) -> Option<LogId> {
        let kept = self.entries.len() as u64;
        match random.below(50) {
            // Of an entry that is there, or of old.
            0 | 1 if kept > 0 => {
                Some(self.entries[usize::try_from(random.below(kept)).unwrap()].id())
            }
            2 => Some(self.last()).filter(|last| last.index.0 > 0),
            3 => Some(self.base).filter(|base| base.index.0 > 0),
            // Of a snapshot from beyond the log, or one that the log contradicts.
            4 => Some(id(self.last().index.0 + 1 + random.below(9), hard.term.0)),
            5 if kept > 0 => Some(id(self.base.index.0 + 1 + random.below(kept), hard.term.0)),
            _ => None,
        }
    }

    fn invent_entries(&self, wild: Wildness, random: &mut Random) -> Vec<Entry> {
        let kept = self.entries.len() as u64;
        let mut first = self.last().index.0 + 1;
        if kept > 0 && random.below(6) == 0 {
            first -= random.below(kept.min(12)) + 1;
        }
        let before = self.entries.iter().rfind(|entry| entry.index.0 < first);
        let floor = before.map_or(self.base, Entry::id).term.0.max(1);
        let term = floor + random.below(self.hard.term.0 - floor + 1);
        let count = if random.below(4) == 0 { 0 } else { random.below(5) };
        (first..first + count).map(|index| invent_entry(index, term, wild, random)).collect()
    }
}

fn invent_entry(index: u64, term: u64, wild: Wildness, random: &mut Random) -> Entry {
    let command = match random.below(20) {
        0 => vec![0; wild.zeros],
        1 => Vec::new(),
        _ => {
            let fill = u8::try_from(random.below(256)).unwrap();
            vec![fill; usize::try_from(random.below(wild.command + 1)).unwrap()]
        }
    };
    entry(index, term, &command)
}
