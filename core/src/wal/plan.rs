//! The planner: waiting writes become one batch, one write and one sync.
//!
//! ```text
//! room in the segment    Write  Sync
//! none                   Create draft  Write header and batch  Sync  SyncDir  Rename  SyncDir
//! a mark allows it       .. then, oldest first: Remove  SyncDir
//! ```
//! After a start the first plan takes a new segment, so that no old tail is ever written again;
//! its header names where the segment before validly ended.
//!
//! Invariants: W1 to W6 at their writers (see `mod.rs`), and
//! - W7. A segment is removed when the one behind it began with a log that ended at or below a
//!   durable mark: what it holds of the log lies at or below that mark. Oldest first, each removal
//!   durable before the next, so that a hole among the segments is never the work of a crash.
//!
//! Not here: the order inside a batch (`record.rs`), start-up (`recover.rs`).

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::fields::Promise;
use super::outline::Outline;
use super::record::{self, Head};
use super::sector::{Place, SECTOR, chain};
use super::segment::{self, Header, Joint};
use super::{FileOp, Identity, Layout, Receipt, Unsynced, Write};
use crate::raft::Entry;
use crate::types::{HardState, Index, LogId, Term};

/// The planner.
#[derive(Debug)]
pub struct Wal {
    identity: Identity,
    layout: Layout,
    hard: HardState,
    outline: Outline,
    /// Sequence of the newest segment; 0 before the first one.
    sequence: u64,
    /// Where the newest segment validly ends.
    joint: Joint,
    /// The newest segment, once this planner has made it.
    open: Option<Open>,
    /// The segments before it, oldest first.
    closed: VecDeque<Closed>,
    /// Number of the newest write that was planned in this life.
    planned: u64,
}

/// A segment that this planner may write into.
#[derive(Clone, Copy, Debug)]
struct Open {
    size: u64,
    seed: u32,
}

/// A segment that nobody writes into, and the last index of the log when it was closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closed {
    pub(super) sequence: u64,
    pub(super) last: Index,
}

/// A batch to be: what the waiting writes come to.
#[derive(Default)]
struct Pending<'a> {
    head: Head,
    entries: Vec<&'a Entry>,
}

/// What start-up hands to the planner.
pub(super) struct Ended {
    pub(super) identity: Identity,
    pub(super) hard: HardState,
    pub(super) outline: Outline,
    pub(super) joint: Joint,
    /// All segments, oldest first.
    pub(super) closed: VecDeque<Closed>,
}

impl Wal {
    /// The plan of a new log with its founding entry, for a directory in which [`super::recover()`]
    /// found nothing. Cut short anywhere, it leaves nothing or a whole log.
    pub fn create(identity: Identity, layout: Layout, founding: Entry, out: &mut Vec<FileOp>) {
        let first = LogId { index: Index(1), term: Term(1) };
        assert!(founding.id() == first, "a log is founded by entry {first}, not {founding}");
        let hard = HardState { term: first.term, vote: None };
        let write = Write { number: 1, hard, entries: vec![founding], discard: None };
        let nothing = Ended {
            identity,
            hard: HardState::default(),
            outline: Outline::default(),
            joint: Joint::default(),
            closed: VecDeque::new(),
        };
        // Nobody goes on from here: start-up makes the planner, and that a segment of its own. So
        // this one gets no room to spare, and its receipt is of no use.
        let layout = Layout { segment_size: 0, ..layout };
        let _ = Self::resume(layout, nothing).plan(&[write], out);
    }

    pub(super) fn resume(layout: Layout, ended: Ended) -> Self {
        let Ended { identity, hard, outline, joint, closed } = ended;
        let sequence = closed.back().map_or(0, |newest| newest.sequence);
        Self { identity, layout, hard, outline, sequence, joint, open: None, closed, planned: 0 }
    }

    /// Whose log it is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Plans all waiting writes as one batch. `out` gets the operations in order; the receipt is
    /// good for all the writes once every operation has succeeded.
    pub fn plan(&mut self, writes: &[Write], out: &mut Vec<FileOp>) -> Unsynced {
        assert!(!writes.is_empty(), "a plan of nothing has no receipt");
        let before = (self.outline.base(), self.promise());
        let mut pending = Pending::default();
        for write in writes {
            self.merge(write, &mut pending);
        }
        pending.head.promise = self.promise();
        let size = (record::sectors(&pending.entries) * SECTOR) as u64;
        match self.open {
            Some(open) if self.joint.offset + size <= open.size => self.append(open, pending, out),
            Some(_) | None => self.begin_segment(before, size, pending, out),
        }
        self.remove_discarded(out);
        Unsynced(Receipt { number: self.planned })
    }

    fn promise(&self) -> Promise {
        Promise { hard: self.hard, last: self.outline.last() }
    }

    fn merge<'a>(&mut self, write: &'a Write, pending: &mut Pending<'a>) {
        assert!(write.number > self.planned, "W1: write {} after {}", write.number, self.planned);
        assert!(self.promise().allows(&write.hard), "W3: {} after {}", write.hard, self.hard);
        self.planned = write.number;
        self.hard = write.hard;
        if let Some(mark) = write.discard {
            self.discard(mark, pending);
        }
        for entry in &write.entries {
            assert!(
                entry.term <= self.hard.term,
                "W3: {entry} is of a later term than {}",
                self.hard
            );
            self.outline.push(entry.id());
        }
        if let Some(first) = write.entries.first() {
            let keep = pending.entries.partition_point(|entry| entry.index < first.index);
            pending.entries.truncate(keep);
        }
        pending.entries.extend(&write.entries);
    }

    fn discard(&mut self, mark: LogId, pending: &mut Pending<'_>) {
        if mark.index <= self.outline.base().index {
            return; // Late news: more than that is discarded already.
        }
        assert!(mark.term <= self.hard.term, "W3: {mark} is of a later term than {}", self.hard);
        if self.outline.holds(mark) {
            self.outline.discard(mark);
        } else {
            self.outline.restart(mark);
            pending.head.restart = true;
        }
        if pending.head.restart {
            // Replay restarts before it sees any record: these would have no place any more.
            let (end, keep) = (self.outline.last().index, mark.index);
            pending.entries.retain(|entry| entry.index > keep && entry.index <= end);
        }
        pending.head.mark = Some(mark);
    }

    fn append(&mut self, open: Open, mut pending: Pending<'_>, out: &mut Vec<FileOp>) {
        let (name, offset) = (segment::name(self.sequence), self.joint.offset);
        pending.head.chain = self.joint.chain;
        let bytes = self.seal(&[], open.seed, &pending);
        out.push(FileOp::Write { name: name.clone(), offset, bytes });
        out.push(FileOp::Sync { name });
    }

    /// The batch comes with its segment: under a final name it is never torn (W5).
    fn begin_segment(
        &mut self,
        (base, promise): (LogId, Promise),
        size: u64,
        mut pending: Pending<'_>,
        out: &mut Vec<FileOp>,
    ) {
        self.close_segment(promise.last.index);
        let size =
            self.layout.segment_size.next_multiple_of(SECTOR as u64).max(SECTOR as u64 + size);
        let Self { identity, sequence, joint, .. } = *self;
        let (header, seed) = Header { identity, sequence, size, base, promise, joint }.encode();
        pending.head.chain = seed;
        self.joint = Joint { offset: SECTOR as u64, chain: seed, ..joint };
        let bytes = self.seal(&header, seed, &pending);
        self.open = Some(Open { size, seed });
        let (from, to) = (segment::draft_name(sequence), segment::name(sequence));
        out.extend([
            FileOp::Create { name: from.clone(), size },
            FileOp::Write { name: from.clone(), offset: 0, bytes },
            FileOp::Sync { name: from.clone() },
            // Or a rename that overtakes the creation could move the draft of an earlier life.
            FileOp::SyncDir,
            FileOp::Rename { from, to },
            FileOp::SyncDir,
        ]);
    }

    fn close_segment(&mut self, last: Index) {
        if self.open.is_some() {
            self.closed.push_back(Closed { sequence: self.sequence, last });
        }
        self.sequence += 1;
    }

    fn seal(&mut self, lead: &[u8], seed: u32, pending: &Pending<'_>) -> Bytes {
        let Joint { number, offset, chain: before } = self.joint;
        let framer = record::frame(lead, &pending.head, &pending.entries);
        let bytes = framer.seal(number + 1, Place { seed, offset });
        let batch = &bytes[lead.len()..];
        self.joint = Joint {
            number: number + 1,
            offset: offset + batch.len() as u64,
            chain: chain(before, batch),
        };
        Bytes::from(bytes)
    }

    fn remove_discarded(&mut self, out: &mut Vec<FileOp>) {
        let base = self.outline.base().index;
        while let Some(oldest) = self.closed.pop_front_if(|oldest| oldest.last <= base) {
            out.push(FileOp::Remove { name: segment::name(oldest.sequence) });
            out.push(FileOp::SyncDir);
        }
    }
}
