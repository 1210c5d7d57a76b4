//! The replicated log of one node, and how far its entries have come (Raft paper §5.3).
//!
//! ```text
//!    base      applying   durable    committed      last
//!  ----+----------+----------+-----------+-----------+
//!      | in the   | handed   | on my     | on a      | received
//!      | store    | to the   | disk      | quorum's  |
//!      |          | store    |           | disks     |
//! ```
//! `durable` and `committed` overtake each other freely: a follower may learn that an entry is
//! committed before its own disk has it, and a leader's disk may be ahead of the quorum's. The
//! store is handed only what is both.
//!
//! Invariants:
//! - L1. Entries are behind each other without gap, and their terms never go down.
//! - L2. The commit index never goes back, and nothing committed is ever replaced.
//! - L3. `durable` speaks of the entries that are in the log: a replaced entry is not durable,
//!   even if the write of its predecessor in that place completes later.
//! - L4. Nothing is discarded that the store was not handed, as entries or as a snapshot.
//!
//! Not here: who may append (`replication.rs`), when something is committed (the same).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::raft::Entry;
use crate::types::{Index, LogId, Term};

/// The log of one node.
#[derive(Debug)]
pub struct Log {
    /// The entry before the first one kept.
    base: LogId,
    entries: VecDeque<Entry>,
    /// Bytes of commands up to the end of each entry, counted from some entry before the base.
    ends: VecDeque<u64>,
    /// The same for the base.
    start: u64,
    committed: Index,
    durable: Index,
    /// Writes under way: a write's number and the last index that it makes durable.
    writing: VecDeque<(u64, Index)>,
    /// The first entry that no write holds yet.
    unwritten: Index,
    /// The last entry handed to the store.
    applying: Index,
}

impl Log {
    /// The log that a restart read back. All of it is durable; what is applied is committed.
    #[must_use]
    pub fn new(base: LogId, entries: Vec<Entry>, applied: LogId) -> Self {
        let mut log = Self {
            base,
            entries: VecDeque::with_capacity(entries.len()),
            ends: VecDeque::with_capacity(entries.len()),
            start: 0,
            committed: applied.index,
            durable: base.index,
            writing: VecDeque::new(),
            unwritten: base.index.next(),
            applying: applied.index,
        };
        entries.into_iter().for_each(|entry| log.push(entry));
        log.durable = log.last().index;
        log.unwritten = log.durable.next();
        assert!(base.index <= applied.index, "L4: store at {applied} lacks entries up to {base}");
        assert_eq!(log.term_at(applied.index), Some(applied.term), "applied {applied} not in log");
        log.check_order();
        log
    }

    /// Where the log ends.
    #[must_use]
    pub fn last(&self) -> LogId {
        self.entries.back().map_or(self.base, Entry::id)
    }

    /// The entry before the first one kept.
    #[must_use]
    pub fn base(&self) -> LogId {
        self.base
    }

    /// The last entry that a quorum holds, as far as this node knows.
    #[must_use]
    pub fn committed(&self) -> Index {
        self.committed
    }

    /// The last entry on this node's disk.
    #[must_use]
    pub fn durable(&self) -> Index {
        self.durable
    }

    /// The last entry that was handed to the store.
    #[must_use]
    pub fn applying(&self) -> Index {
        self.applying
    }

    /// Bytes of commands that wait for a quorum.
    #[must_use]
    pub fn uncommitted_bytes(&self) -> u64 {
        self.bytes_between(self.committed, self.last().index)
    }

    /// Bytes of commands in the entries behind `behind`, up to and with `last`.
    #[must_use]
    pub fn bytes_between(&self, behind: Index, last: Index) -> u64 {
        self.end_of(last).saturating_sub(self.end_of(behind))
    }

    /// The term of the entry at `index`; none outside the log. The base still has one.
    #[must_use]
    pub fn term_at(&self, index: Index) -> Option<Term> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        self.position(index).and_then(|at| self.entries.get(at)).map(|entry| entry.term)
    }

    /// Whether the log holds exactly this entry.
    #[must_use]
    pub fn holds(&self, id: LogId) -> bool {
        self.term_at(id.index) == Some(id.term)
    }

    /// The newest place at or before `limit.index` whose term is at most `limit.term`: what an
    /// other log that ends in `limit` could share with this one (paper §5.3, conflict hints).
    #[must_use]
    pub fn newest_not_above(&self, limit: LogId) -> LogId {
        // Terms never go down (L1), so the search may halve.
        let low_terms = self.entries.partition_point(|entry| entry.term <= limit.term);
        let within = self.position(limit.index.next()).unwrap_or(0).min(low_terms);
        let newest = within.checked_sub(1).and_then(|at| self.entries.get(at));
        newest.map_or(self.base, Entry::id)
    }

    /// Copies of the entries from `first` on, up to `max_bytes` of commands but at least one.
    #[must_use]
    pub fn slice(&self, first: Index, max_bytes: usize) -> Vec<Entry> {
        let Some(at) = self.position(first) else { return Vec::new() };
        let mut bytes = 0;
        let within = |entry: &&Entry| {
            let fits = bytes == 0 || bytes + entry.command.len() <= max_bytes;
            bytes += entry.command.len() + 1;
            fits
        };
        self.entries.range(at.min(self.entries.len())..).take_while(within).cloned().collect()
    }

    /// A leader's new entry.
    pub fn append(&mut self, term: Term, command: Bytes) -> LogId {
        let index = self.last().index.next();
        assert!(term >= self.last().term, "L1: term {term} behind {}", self.last());
        self.push(Entry { index, term, command });
        LogId { index, term }
    }

    /// A follower's new entries, behind `prev`, which the log holds. Entries that are there
    /// already stay; from the first conflict on the old ones go. Returns the last index that is
    /// now known to equal the leader's.
    pub fn merge(&mut self, prev: LogId, entries: Vec<Entry>) -> Index {
        assert!(self.holds(prev), "the log does not hold {prev}");
        let matched = Index(prev.index.0 + entries.len() as u64);
        let known = entries.iter().take_while(|entry| self.holds(entry.id())).count();
        let mut fresh = entries.into_iter().skip(known).peekable();
        if let Some(first) = fresh.peek() {
            self.truncate(first.index);
        }
        fresh.for_each(|entry| self.push(entry));
        self.check_order();
        matched
    }

    /// Takes `index` for committed, and all before it.
    pub fn commit_to(&mut self, index: Index) {
        assert!(index <= self.last().index, "L2: {index} is not in the log, which ends earlier");
        self.committed = self.committed.max(index);
    }

    /// The entries that no write holds yet. They belong to write `number` from here on.
    pub fn take_unwritten(&mut self, number: u64) -> Vec<Entry> {
        let entries = self.slice(self.unwritten, usize::MAX);
        self.unwritten = self.last().index.next();
        self.writing.push_back((number, self.last().index));
        entries
    }

    /// Whether some entry is in no write yet.
    #[must_use]
    pub fn has_unwritten(&self) -> bool {
        self.unwritten <= self.last().index
    }

    /// Every write up to `number` has completed.
    pub fn written(&mut self, number: u64) {
        while let Some(&(write, last)) = self.writing.front()
            && write <= number
        {
            self.durable = self.durable.max(last);
            self.writing.pop_front();
        }
    }

    /// The next entries for the store: committed and on this node's disk, at most `most`.
    pub fn take_applicable(&mut self, most: u64) -> Vec<Entry> {
        let until = self.committed.min(self.durable).min(Index(self.applying.0 + most));
        let Some(from) = self.position(self.applying.next()) else { return Vec::new() };
        let Some(to) = self.position(until.next()) else { return Vec::new() };
        if from >= to {
            return Vec::new();
        }
        self.applying = until;
        self.entries.range(from..to).cloned().collect()
    }

    /// Whether entries could go to the store that have not.
    pub fn has_applicable(&self) -> bool {
        self.applying < self.committed.min(self.durable)
    }

    /// Forgets the entries up to `index`. Returns the new base.
    pub fn discard(&mut self, index: Index) -> LogId {
        assert!(index <= self.applying, "L4: {index} was not handed to the store");
        if let (Some(at), Some(term)) = (self.position(index), self.term_at(index)) {
            self.entries.drain(..=at);
            self.start = self.ends.drain(..=at).next_back().unwrap_or(self.start);
            self.base = LogId { index, term };
        }
        if self.entries.capacity() > 4 * self.entries.len() + 1024 {
            self.entries.shrink_to(2 * self.entries.len());
            self.ends.shrink_to(2 * self.ends.len());
        }
        self.base
    }

    /// Begins anew behind a snapshot, of which this log does not hold the last entry (paper §7,
    /// figure 13): what it holds instead is older, or of no use. Nothing of the new log is durable
    /// before the write that says so.
    pub fn reset(&mut self, snapshot: LogId) {
        assert!(snapshot.index > self.committed, "L2: {snapshot} is older than what is committed");
        assert!(!self.holds(snapshot), "J2: the log holds {snapshot} and says more than that");
        self.durable = self.durable.min(self.committed);
        self.base = snapshot;
        self.committed = snapshot.index;
        self.applying = snapshot.index;
        self.unwritten = snapshot.index.next();
        self.entries.clear();
        self.ends.clear();
        self.writing.clear(); // L3: what they make durable has been replaced.
    }

    /// The planted bug: whatever stands behind an index goes, unless it is known to be committed.
    pub fn cut_behind(&mut self, index: Index) {
        self.truncate(index.max(self.committed).next());
    }

    fn truncate(&mut self, from: Index) {
        assert!(from > self.committed, "L2: {from} is committed and cannot be replaced");
        let Some(at) = self.position(from) else { return };
        self.entries.truncate(at);
        self.ends.truncate(at);
        let end = from.prev();
        self.durable = self.durable.min(end);
        self.unwritten = self.unwritten.min(from);
        for (_, last) in &mut self.writing {
            *last = (*last).min(end);
        }
    }

    /// Where the bytes of an entry end; those of all outside the log end at its ends.
    fn end_of(&self, index: Index) -> u64 {
        let at = self.position(index).map(|at| at.min(self.ends.len().saturating_sub(1)));
        *at.and_then(|at| self.ends.get(at)).unwrap_or(&self.start)
    }

    fn push(&mut self, entry: Entry) {
        let end = self.ends.back().unwrap_or(&self.start) + entry.command.len() as u64;
        self.ends.push_back(end);
        self.entries.push_back(entry);
    }

    fn position(&self, index: Index) -> Option<usize> {
        let offset = index.0.checked_sub(self.base.index.0 + 1)?;
        usize::try_from(offset).ok()
    }

    fn check_order(&self) {
        let last = self.last();
        assert_eq!(last.index.0, self.base.index.0 + self.entries.len() as u64, "L1: a gap");
        if let Some(before) = self.entries.len().checked_sub(2).and_then(|at| self.entries.get(at))
        {
            assert!(before.term <= last.term, "L1: {} before {last}", before.id());
        }
    }
}
