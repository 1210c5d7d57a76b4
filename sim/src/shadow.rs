//! What one member's log holds, as far as an onlooker can tell: terms and hashes, no commands.

use std::collections::VecDeque;

use quorate_core::raft::Entry;
use quorate_core::types::{HardState, Index, LogId, Term};
use quorate_core::wal::Write;

use crate::fate::fold;

/// The identity of an entry's content at its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// Its term.
    pub term: Term,
    /// Of its command.
    pub hash: u64,
}

impl Mark {
    /// The mark of an entry.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        Self { term: entry.term, hash: fold(&entry.command) }
    }
}

/// A write, as far as it matters to an onlooker.
#[derive(Clone, Debug)]
pub struct Change {
    /// The write's number.
    pub number: u64,
    /// The hard state from then on.
    pub hard: HardState,
    /// Where the entries go.
    pub first: Index,
    /// The entries.
    pub marks: Vec<Mark>,
    /// What may be forgotten.
    pub discard: Option<LogId>,
}

impl Change {
    /// What a write changes.
    #[must_use]
    pub fn of(write: &Write) -> Self {
        Self {
            number: write.number,
            hard: write.hard,
            first: write.entries.first().map_or(Index(0), |entry| entry.index),
            marks: write.entries.iter().map(Mark::of).collect(),
            discard: write.discard,
        }
    }
}

/// One state of a member's log and promise.
#[derive(Clone, Debug, Default)]
pub struct Shadow {
    /// Term and vote.
    pub hard: HardState,
    /// The entry before the first one kept.
    pub base: LogId,
    marks: VecDeque<Mark>,
}

impl Shadow {
    /// The state that a restart read back.
    #[must_use]
    pub fn new(hard: HardState, base: LogId, entries: &[Entry]) -> Self {
        Self { hard, base, marks: entries.iter().map(Mark::of).collect() }
    }

    /// The last index.
    #[must_use]
    pub fn last(&self) -> Index {
        Index(self.base.index.0 + self.marks.len() as u64)
    }

    /// The entry at `index`; none outside, nor at the base.
    #[must_use]
    pub fn at(&self, index: Index) -> Option<Mark> {
        let offset = index.0.checked_sub(self.base.index.0 + 1)?;
        self.marks.get(offset as usize).copied()
    }

    /// The term at `index`, the base's included.
    #[must_use]
    pub fn term_at(&self, index: Index) -> Option<Term> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        self.at(index).map(|mark| mark.term)
    }

    /// Whether it holds an entry of this term there, or had it and could forget it.
    #[must_use]
    pub fn covers(&self, index: Index, term: Term) -> bool {
        index <= self.base.index || self.term_at(index) == Some(term)
    }

    /// Takes a write in. Returns how many entries it replaced.
    pub fn change(&mut self, change: &Change) -> usize {
        self.hard = change.hard;
        let mut replaced = 0;
        if let Some(discard) = change.discard {
            self.discard(discard);
        }
        if !change.marks.is_empty() {
            let keep = change.first.0.saturating_sub(self.base.index.0 + 1) as usize;
            replaced = self.marks.len().saturating_sub(keep);
            self.marks.truncate(keep);
            self.marks.extend(&change.marks);
        }
        replaced
    }

    /// What the log does not hold takes the place of all of it: a snapshot.
    fn discard(&mut self, discard: LogId) {
        if self.term_at(discard.index) == Some(discard.term) {
            let gone = discard.index.0.saturating_sub(self.base.index.0) as usize;
            self.marks.drain(..gone);
        } else {
            self.marks.clear();
        }
        self.base = discard;
    }

    /// Whether a restart that read `back` read exactly this state. It may have kept more of the
    /// head than needed.
    #[must_use]
    pub fn is_what_came(&self, back: &Self) -> bool {
        let from = self.base.index.0 + 1;
        back.hard == self.hard
            && back.last() == self.last()
            && back.base.index <= self.base.index
            && (from..=self.last().0).all(|index| back.at(Index(index)) == self.at(Index(index)))
    }
}
