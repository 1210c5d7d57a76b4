//! The outline of the log: where it begins and ends, and where each term begins in it.
//!
//! ```text
//!   index  1 .. 4   5   6   7   8   9  10
//!   term   dropped  2   2   2   5   5   6        base 4@2, last 10@6, terms [3@2, 8@5, 10@6]
//! ```
//! The planner needs no more of the log to refuse what a log can never become; start-up uses the
//! very same rules on what it reads. So each rule stands at the writer and at the reader.
//!
//! Where old segments were removed, start-up does not see the first entries. They are *unknown*
//! until a discard mark covers them, and nothing is asserted about them.
//!
//! Invariants:
//! - W6. Entries follow each other without a gap, in terms that never go back, and no entry up to
//!   the base ever changes again (Raft §5.3, §7).

use alloc::vec::Vec;

use crate::types::{Index, LogId, Term};

/// What is known of a log without its commands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Outline {
    base: LogId,
    last: LogId,
    /// The first known entry of each term, in order; from the first one on, all are known.
    terms: Vec<LogId>,
}

impl Outline {
    /// A log of which only the ends are known.
    pub(super) fn new(base: LogId, last: LogId) -> Self {
        Self { base, last, terms: Vec::new() }
    }

    /// The entry before the first one that is kept.
    pub(super) fn base(&self) -> LogId {
        self.base
    }

    /// The last entry.
    pub(super) fn last(&self) -> LogId {
        self.last
    }

    /// Whether the log may get this entry, in place of what was there (W6).
    pub(super) fn accepts(&self, id: LogId) -> bool {
        id.index > self.base.index
            && id.index.prev() <= self.last.index
            && id.term > Term(0)
            && self.term_at(id.index.prev()).is_none_or(|term| term <= id.term)
    }

    /// Takes an entry in; all behind its place is gone.
    pub(super) fn push(&mut self, id: LogId) {
        assert!(self.accepts(id), "W6: {id} cannot stand in a log {} to {}", self.base, self.last);
        while self.terms.pop_if(|start| start.index >= id.index).is_some() {}
        if self.terms.last().is_none_or(|start| start.term != id.term) {
            self.terms.push(id);
        }
        self.last = id;
    }

    /// Whether the log holds the entry of a mark, so that what follows it may stay (Raft §7). An
    /// unknown entry is believed.
    pub(super) fn holds(&self, mark: LogId) -> bool {
        mark.index > self.base.index
            && mark.index <= self.last.index
            && self.term_at(mark.index).is_none_or(|term| term == mark.term)
    }

    /// Forgets the entries up to a mark, which the log holds.
    pub(super) fn discard(&mut self, mark: LogId) {
        assert!(self.holds(mark), "W6: {mark} is no entry of a log {} to {}", self.base, self.last);
        self.base = mark;
        // The term that the mark lies in goes on behind it.
        let covering = self.terms.iter().rposition(|start| start.index <= mark.index);
        self.terms.drain(..covering.unwrap_or(0));
    }

    /// Puts a mark in the place of the whole log (Raft §7, "discard the entire log").
    pub(super) fn restart(&mut self, mark: LogId) {
        assert!(self.base.index < mark.index, "W6: a log cannot restart at {mark}");
        *self = Self::new(mark, mark);
    }

    /// The term of the entry at an index, if there is one and it is known.
    fn term_at(&self, index: Index) -> Option<Term> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        if index == self.last.index {
            return Some(self.last.term);
        }
        let known = self.terms.iter().rev().find(|start| start.index <= index);
        known.filter(|_| index < self.last.index).map(|start| start.term)
    }
}
