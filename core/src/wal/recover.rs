//! Start-up: reads the log from its first segment to its last good batch.
//!
//! ```text
//! 03.wal          04.wal          05.wal            06.tmp
//! [h|b|b|b|torn]  [h|b|b|b|   ]   [h|b|b|torn   ]   a draft: removed
//!         ^        |                     ^
//!         +--------+ "ended here"        what a crash can explain is cut here, and only here
//! ```
//! Every segment but the newest must be whole up to the place that its successor names. In the
//! newest one, a batch may be torn, unless it is the first one (W5).
//!
//! What was read may still be in the page cache only: a process can die between a write and its
//! sync, or of a failed sync. So before anything rests on it, the repairs write the last batch
//! once more, sync it, and sync the directory.
//!
//! Invariants: W1 to W7 at their readers (see `mod.rs`), and
//! - W8. Nothing that was promised is dropped silently: the result is the log, or [`Damage`].
//!
//! Not here: a log rebuilt from the other members (DESIGN §4, "Repair").

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;

use super::damage::{Damage, Flaw};
use super::fields::Promise;
use super::outline::Outline;
use super::plan::{Closed, Ended, Wal};
use super::record::{self, Batch, Head};
use super::sector::{SECTOR, chain};
use super::segment::{self, Header, Joint, Named, Segment};
use super::survey::Next;
use super::{FileOp, Found, Identity, Layout, ReadDisk, Recovered};
use crate::planted::Bug;
use crate::raft::Entry;
use crate::types::{HardState, Index};

/// Reads a log. [`Found::Nothing`]: no log was ever completed here, [`Wal::create`] may make one.
pub fn recover<D: ReadDisk>(disk: &D, layout: Layout) -> Result<Found, Damage> {
    let files = Files::list(disk)?;
    let Some((first, rest)) = files.segments.split_first() else { return Ok(Found::Nothing) };
    let mut newest = read(disk, *first)?;
    let mut replay = Replay::new(layout, &newest.header);
    for sequence in rest {
        let next = read(disk, *sequence)?;
        replay.segment(&newest, Some(&next.header))?;
        newest = next;
    }
    replay.segment(&newest, None)?;
    replay.finish(*first, &newest, &files)
}

/// The names in the directory, each kind in order.
struct Files {
    segments: Vec<u64>,
    drafts: Vec<u64>,
}

impl Files {
    fn list<D: ReadDisk>(disk: &D) -> Result<Self, Damage> {
        let names = disk.list().map_err(|error| unreadable("", &error))?;
        let mut files = Self { segments: Vec::new(), drafts: Vec::new() };
        for file in names {
            match segment::parse_name(&file) {
                Named::Segment(sequence) => files.segments.push(sequence),
                Named::Draft(sequence) => files.drafts.push(sequence),
                Named::Suspect => return Err(Damage::Name { file }),
                Named::Other => (),
            }
        }
        files.segments.sort_unstable();
        files.drafts.sort_unstable();
        files.check_gaps()?;
        Ok(files)
    }

    /// No crash makes a hole (W7), and a draft is always of the segment behind the newest.
    fn check_gaps(&self) -> Result<(), Damage> {
        let gap = self.segments.windows(2).find(|pair| pair[0] + 1 != pair[1]);
        if let Some(pair) = gap {
            return Err(missing(pair[1] - 1, segment::name(pair[1])));
        }
        let newest = self.segments.last().copied().unwrap_or(0);
        match self.drafts.last() {
            Some(draft) if draft - 1 > newest => {
                Err(missing(draft - 1, segment::draft_name(*draft)))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn read<D: ReadDisk>(disk: &D, sequence: u64) -> Result<Segment, Damage> {
    let name = segment::name(sequence);
    let bytes = disk.read(&name).map_err(|error| unreadable(&name, &error))?;
    Segment::open(sequence, bytes)
}

fn unreadable(file: &str, error: &impl ToString) -> Damage {
    Damage::Unreadable { file: file.to_string(), error: error.to_string() }
}

fn missing(sequence: u64, needed_by: String) -> Damage {
    Damage::Missing { file: segment::name(sequence), needed_by }
}

/// The log as far as it was read.
struct Replay {
    layout: Layout,
    identity: Identity,
    hard: HardState,
    outline: Outline,
    /// The known entries behind the base, up to the last one.
    entries: VecDeque<Entry>,
    joint: Joint,
    closed: VecDeque<Closed>,
    /// The last index before the first segment: unknown entries end here.
    unknown: Index,
    /// Where the last batch stands in the newest segment.
    last_batch: (usize, usize),
    torn: u64,
}

impl Replay {
    fn new(layout: Layout, first: &Header) -> Self {
        Self {
            layout,
            identity: first.identity,
            hard: first.promise.hard,
            outline: Outline::new(first.base, first.promise.last),
            entries: VecDeque::new(),
            joint: first.joint,
            closed: VecDeque::new(),
            unknown: first.promise.last.index,
            last_batch: (0, 0),
            torn: 0,
        }
    }

    /// Replays a segment; all but the newest have a successor that says where they end.
    fn segment(&mut self, segment: &Segment, successor: Option<&Header>) -> Result<(), Damage> {
        self.enter(segment)?;
        let end = successor.map(|next| next.joint.offset);
        let mut at = 1;
        while end != Some((at * SECTOR) as u64) {
            let first = at == 1;
            match segment.next(at, self.joint.number + 1)? {
                Next::Batch(count) => {
                    self.replay(segment, at, count)?;
                    at += count;
                }
                Next::Torn(count) if self.accepts_torn(segment, at, count) => at += count,
                Next::Torn(_) if self.refuses_torn() => return Err(segment.lost(at)),
                Next::Torn(count) if end.is_none() && !first => {
                    self.torn = (count * SECTOR) as u64;
                    break;
                }
                Next::End if end.is_none() && !first => break,
                Next::Torn(_) | Next::End => return Err(segment.lost(at)),
            }
        }
        self.closed.push_back(Closed {
            sequence: segment.header.sequence,
            last: self.outline.last().index,
        });
        Ok(())
    }

    /// A segment must go on exactly where the one before it ended.
    fn enter(&mut self, segment: &Segment) -> Result<(), Damage> {
        let Header { identity, base, promise, joint, .. } = segment.header;
        if identity != self.identity {
            let (file, expected) = (segment.name.clone(), self.identity);
            return Err(Damage::Stranger { file, found: identity, expected });
        }
        if (base, promise, joint) != (self.outline.base(), self.promise(), self.joint) {
            return Err(segment.broken(0, Flaw::Link));
        }
        self.joint = Joint { offset: SECTOR as u64, chain: segment.seed, ..joint };
        Ok(())
    }

    fn promise(&self) -> Promise {
        Promise { hard: self.hard, last: self.outline.last() }
    }

    fn replay(&mut self, segment: &Segment, at: usize, count: usize) -> Result<(), Damage> {
        let content = |what| segment.broken(at, Flaw::Content(what));
        let batch = record::parse(segment.sectors(at, count)).map_err(content)?;
        if batch.head.chain != self.joint.chain {
            return Err(segment.broken(at, Flaw::Link));
        }
        let promise = batch.head.promise;
        if !self.promise().allows(&promise.hard) {
            return Err(content("it takes back a promise"));
        }
        self.hard = promise.hard;
        self.take_in(batch).map_err(content)?;
        if promise.last != self.outline.last() {
            return Err(content("its log ends elsewhere than it promises"));
        }
        self.advance(segment, at, count);
        Ok(())
    }

    /// Restart, records, mark: in this order.
    fn take_in(&mut self, batch: Batch) -> Result<(), &'static str> {
        let Head { mark, restart, .. } = batch.head;
        if let Some(mark) = mark.filter(|_| restart) {
            if mark.index <= self.outline.base().index || mark.term > self.hard.term {
                return Err("it restarts the log where it cannot");
            }
            self.outline.restart(mark);
            self.entries.clear();
        }
        for entry in batch.entries {
            self.push(entry)?;
        }
        if let Some(mark) = mark.filter(|_| !restart) {
            if !self.outline.holds(mark) {
                return Err("it discards what is not in the log");
            }
            self.outline.discard(mark);
            while self.entries.pop_front_if(|entry| entry.index <= mark.index).is_some() {}
        }
        Ok(())
    }

    fn push(&mut self, entry: Entry) -> Result<(), &'static str> {
        if !self.outline.accepts(entry.id()) || entry.term > self.hard.term {
            return Err("it holds an entry that has no place in the log");
        }
        self.outline.push(entry.id());
        while self.entries.pop_back_if(|last| last.index >= entry.index).is_some() {}
        self.entries.push_back(entry);
        Ok(())
    }

    fn advance(&mut self, segment: &Segment, at: usize, count: usize) {
        self.last_batch = (at, count);
        self.joint = Joint {
            number: self.joint.number + 1,
            offset: ((at + count) * SECTOR) as u64,
            chain: chain(self.joint.chain, segment.sectors(at, count)),
        };
    }

    /// The planted bug: what can be read of a torn batch counts as written.
    fn accepts_torn(&mut self, segment: &Segment, at: usize, count: usize) -> bool {
        if !crate::planted!(self.layout.planted, Bug::TornTailAccepted) {
            return false;
        }
        let Some(batch) = record::parse_remains(segment.sectors(at, count)) else { return false };
        if !self.promise().allows(&batch.head.promise.hard) {
            return false;
        }
        self.hard = batch.head.promise.hard;
        // Ends with the first record that has no place; what came before it stays.
        let _ = self.take_in(batch);
        self.advance(segment, at, count);
        true
    }

    /// The planted bug: a torn batch is taken for damage.
    fn refuses_torn(&self) -> bool {
        crate::planted!(self.layout.planted, Bug::TornTailRefused)
    }

    fn finish(self, first: u64, newest: &Segment, files: &Files) -> Result<Found, Damage> {
        let base = self.outline.base();
        if self.unknown > base.index {
            return Err(missing(first - 1, segment::name(first)));
        }
        let last = self.outline.last().index;
        assert!(
            self.entries.len() as u64 == last.0 - base.index.0,
            "W6: {} entries in a log {base} to {last}",
            self.entries.len()
        );
        let Self { layout, identity, hard, outline, entries, joint, closed, torn, .. } = self;
        let repairs = repairs(newest, self.last_batch, files);
        let ended = Ended { identity, hard, outline, joint, closed };
        let wal = Wal::resume(layout, ended);
        let entries = Vec::from(entries);
        Ok(Found::Log(Recovered { identity, hard, base, entries, torn, wal, repairs }))
    }
}

/// Makes durable what was read, and removes drafts.
fn repairs(newest: &Segment, (at, count): (usize, usize), files: &Files) -> Vec<FileOp> {
    let name = newest.name.clone();
    let bytes = Bytes::copy_from_slice(newest.sectors(at, count));
    let drafts = files.drafts.iter().map(|draft| segment::draft_name(*draft));
    let mut repairs: Vec<FileOp> = drafts.map(|name| FileOp::Remove { name }).collect();
    repairs.extend([
        FileOp::Write { name: name.clone(), offset: (at * SECTOR) as u64, bytes },
        FileOp::Sync { name },
        FileOp::SyncDir,
    ]);
    repairs
}
