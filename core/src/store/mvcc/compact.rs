//! Compaction: the past before a mark is given up at once, and removed bit by bit.
//!
//! ```text
//!   mark        ---------------------------|            reads and watches below it are refused
//!   removed     ------------|                            there is nothing left to remove up to here
//!   changes     a3  b4  a5  |  b7  x8  a9  |  b12
//!                           |--- sweep --->|             a9 came: a5 goes; b7 came: b4 goes
//! ```
//! What stays at a mark is the newest change of each key up to it, unless that is a tombstone from
//! before it (KV-25). A tombstone *at* the mark stays: a watch from there still sees that delete.
//!
//! What a mark condemns was condemned by a change: each change since the last mark condemns those
//! before it of the same key, and a tombstone itself. So a sweep goes along the changes between the
//! two marks, and costs nothing for the keys that did not change.
//!
//! Invariants:
//! - Z1. What can be read at the mark and above does not depend on how far removal has come.
//! - Z2. Of a key, the oldest changes go first.
//! - Z3. Nothing goes that a pin holds (`pins.rs`).
//!
//! Not here: which rows go with it, and what else is told of it (`store/compact.rs`).

use alloc::vec::Vec;

use super::pins::Pins;
use super::{KeySpace, Kind, Record, Revision};
use crate::api::Refusal;
use crate::planted;
use crate::planted::Bug;

/// How far compaction has come.
#[derive(Clone, Debug, Default)]
pub struct Removal {
    /// The newest mark, which counts for reads.
    mark: Option<i64>,
    /// The newest mark up to which everything is removed.
    finished: Option<i64>,
    /// The mark towards which a sweep is on its way, and the next change to look at.
    sweep: Option<(i64, Revision)>,
    /// Who still needs what the marks since gave up.
    pub pins: Pins,
}

/// What a step of removal leaves to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// Nothing: all that compaction gave up is gone.
    Nothing,
    /// Another step.
    More,
    /// Nothing for as long as somebody pins what is left.
    Pinned,
}

impl Removal {
    /// As it was stored. What was under way begins again (KV-28).
    pub fn at(mark: Option<i64>, finished: Option<i64>) -> Self {
        assert!(finished <= mark, "Z1: removed up to {finished:?}, compacted at {mark:?}");
        let mut removal = Self { mark, finished, ..Self::default() };
        if let Some(mark) = mark.filter(|mark| finished < Some(*mark)) {
            removal.pins.seal(mark);
        }
        removal
    }

    /// The newest mark.
    pub fn mark(&self) -> Option<i64> {
        self.mark
    }

    /// The newest mark up to which everything is removed.
    pub fn finished(&self) -> Option<i64> {
        self.finished
    }

    /// The mark towards which removal has begun at last.
    pub fn begun(&self) -> Option<i64> {
        self.sweep.map(|(target, _)| target).or(self.finished)
    }

    /// Whether what was in force at a revision is still there.
    pub fn keeps(&self, at: i64) -> bool {
        self.begun().is_none_or(|begun| begun <= at)
    }

    fn left(&self) -> Left {
        match self.sweep {
            None if self.finished == self.mark => Left::Nothing,
            Some(_) | None if self.pins.is_frozen() => Left::Pinned,
            None if self.pins.hold() => Left::Pinned,
            Some(_) | None => Left::More,
        }
    }
}

impl KeySpace {
    /// Moves the mark (KV-24, KV-27).
    pub fn compact(&mut self, mark: i64) -> Result<(), Refusal> {
        if mark <= self.window().mark() {
            return Err(Refusal::Compacted);
        }
        if mark > self.revision() {
            return Err(Refusal::FutureRevision);
        }
        self.removal.mark = Some(mark);
        self.removal.pins.seal(mark);
        Ok(())
    }

    /// Removes a part of what compaction gave up, looking at no more than `budget` changes.
    pub fn sweep(&mut self, budget: usize) -> (Vec<(Revision, Record)>, Left) {
        if self.removal.pins.is_frozen() {
            return (Vec::new(), self.removal.left());
        }
        let begin = Revision { main: self.removal.finished.unwrap_or(0), sub: 0 };
        if self.removal.sweep.is_none() {
            self.removal.sweep = self.removal.pins.release().map(|target| (target, begin));
        }
        let Some((target, next)) = self.removal.sweep else {
            return (Vec::new(), self.removal.left());
        };
        let changes = self.records.since(next).take_while(|(at, _)| at.main <= target);
        let changes: Vec<(Revision, Record)> =
            changes.take(budget).map(|(at, record)| (at, record.clone())).collect();
        match changes.last() {
            Some((last, _)) if changes.len() == budget => {
                let next = Revision { sub: last.sub + 1, ..*last };
                self.removal.sweep = Some((target, next));
            }
            Some(_) | None => {
                (self.removal.sweep, self.removal.finished) = (None, Some(target));
            }
        }
        let mut gone = Vec::new();
        for (at, record) in changes {
            let stays = record.kind() == Kind::Put || self.outlives(at, target);
            self.drop_before(at, &record, stays, &mut gone);
        }
        (gone, self.removal.left())
    }

    /// Whether a tombstone stays at a mark at or above it.
    fn outlives(&self, at: Revision, mark: i64) -> bool {
        let removed_too = planted!(self.planted, Bug::TombstoneAtMarkRemoved)
            || planted!(self.planted, Bug::RevisionFromRecords);
        at.main == mark && !removed_too
    }

    /// Removes the changes of a key before `at`, and that one too unless it stays (Z2).
    fn drop_before(
        &mut self,
        at: Revision,
        record: &Record,
        stays: bool,
        gone: &mut Vec<(Revision, Record)>,
    ) {
        let history = self.index.get(record.key()).expect("M3: a record has a history");
        let doomed: Vec<Revision> = history.until(at, !stays).collect();
        if doomed.is_empty() {
            return; // The common case in a store that only grows.
        }
        self.index.forget(record.key(), doomed.len());
        gone.extend(doomed.into_iter().map(|at| (at, self.records.remove(at))));
    }

    /// The records that stay when removal has caught up with the mark, oldest first.
    pub fn settled(&self) -> impl Iterator<Item = (Revision, &Record)> {
        self.records.iter().filter(|(at, record)| self.is_settled(*at, record))
    }

    /// Whether a record stays at the mark (KV-25).
    pub fn is_settled(&self, at: Revision, record: &Record) -> bool {
        let mark = self.compacted();
        if at.main >= mark {
            return true; // At the mark itself everything is the newest of its key.
        }
        let history = self.index.get(record.key()).expect("M3: a record has a history");
        history.at(mark) == Some(at)
    }
}
