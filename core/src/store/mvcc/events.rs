//! What changed since a revision, in bounded steps: what watchers catch up with.
//!
//! ```text
//!   records   ... 7.0  8.0 8.1 8.2  9.0  10.0 ...
//!                      |--------------|              from 8, budget 2: 8.0 8.1 8.2, next is 9.0
//! ```
//! Each change comes with the pair that it replaced, as of the revision before it (WA-9). A
//! revision below the mark of a compaction does not exist any more, so the change at the mark
//! itself has no pair before it.
//!
//! Invariants:
//! - V1. Every change from `from` on is told, in order; none twice.
//! - V2. What is told depends on the mark alone, never on how far removal has come.
//!
//! Not here: who wants to know (`watch/`).

use alloc::vec::Vec;

use super::{KeySpace, Kind, Record, Revision, Written};
use crate::api::Refusal;

/// A step of catching up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Events {
    /// Changes in order.
    pub changes: Vec<Written>,
    /// Where to go on; none if all is told.
    pub next: Option<Revision>,
}

impl KeySpace {
    /// The changes of all main revisions in `from..=to`, never a part of one: looks at no more
    /// than `budget` changes, unless a single revision has more.
    pub fn events(&self, from: i64, to: i64, budget: usize) -> Result<Events, Refusal> {
        let from = Revision { main: from, sub: 0 };
        self.changes(from, to, |told, last, at| told >= budget && last.main < at.main)
    }

    /// The same from any change on, for those who may cut a revision into parts.
    pub fn events_in_parts(
        &self,
        from: Revision,
        to: i64,
        budget: usize,
    ) -> Result<Events, Refusal> {
        assert!(budget > 0, "a step without a budget gets nowhere");
        self.changes(from, to, |told, _, _| told >= budget)
    }

    /// Stops before the change at which `enough` says so, given how many there are already, the
    /// last of them and that change.
    fn changes(
        &self,
        from: Revision,
        to: i64,
        enough: impl Fn(usize, Revision, Revision) -> bool,
    ) -> Result<Events, Refusal> {
        if from.main < self.compacted() {
            return Err(Refusal::Compacted);
        }
        let mut changes: Vec<Written> = Vec::new();
        for (at, record) in self.records.since(from) {
            if at.main > to {
                break;
            }
            if changes.last().is_some_and(|last| enough(changes.len(), last.at, at)) {
                return Ok(Events { changes, next: Some(at) });
            }
            changes.push(self.as_written(at, record));
        }
        Ok(Events { changes, next: None })
    }

    fn as_written(&self, at: Revision, record: &Record) -> Written {
        let before = at.main - 1;
        let history = self.index.get(record.key()).expect("M3: a record has a history");
        let previous = history.at(before).filter(|_| before >= self.compacted());
        let previous = previous.map(|at| self.records.get(at).clone());
        assert!(
            record.kind() == Kind::Put || previous.is_some() || before < self.compacted(),
            "M2: {at} deletes nothing",
        );
        Written { at, record: record.clone(), previous }
    }
}
