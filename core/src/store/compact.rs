//! Compaction as the log has it, and removal as each member does it.
//!
//! ```text
//!   entry --> mark moves, answer           the same on all members, in one step
//!   sweep, sweep, sweep --> rows to drop   each member in its own time
//!     |                        \--> Image --> batch with `removed` --> synced
//!     |                                                                  |
//!   answer to a physical compaction <-- Held (below) <-------------------+
//! ```
//! Removal is no effect of an entry: it enters neither the rolling hash nor the full one, and no
//! client can see it but by the sizes of a member and by the time that a physical compaction takes
//! (KV-26).
//!
//! Invariants:
//! - Y1. Rows go in the order of removal, in the batches of [`Image`](super::Image): at every batch
//!   boundary the table is that of some step.
//! - Y2. A physical compaction is answered when a synced batch says that removal has reached its
//!   mark, and not before.
//!
//! Not here: what stays at a mark (`mvcc/compact.rs`).

use alloc::vec::Vec;

use super::Store;
use super::apply::Outcome;
use super::mvcc::Left;
use super::rows::{Row, RowKey};
use crate::api::etcdserverpb::{CompactionRequest, CompactionResponse};
use crate::api::{Refusal, Response};
use crate::types::RequestId;

/// What a step of removal gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Swept {
    /// For the durable copy: rows that leave the table.
    pub rows: Vec<Row>,
    /// Whether there is more to do.
    pub left: Left,
}

/// Answers that wait until removal has come so far and that is durable (Y2).
#[derive(Clone, PartialEq, Debug)]
pub struct Held<T> {
    durable: Option<i64>,
    waiting: Vec<(i64, RequestId, T)>,
}

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self { durable: None, waiting: Vec::new() }
    }
}

impl<T> Held<T> {
    /// Holds an answer until removal up to `mark` is durable.
    pub fn hold(&mut self, mark: i64, id: RequestId, answer: T) {
        self.waiting.push((mark, id, answer));
    }

    /// Takes over what another one holds.
    pub fn append(&mut self, mut other: Self) {
        self.waiting.append(&mut other.waiting);
    }

    /// A batch was synced whose `removed` this is, or it was read back at start.
    pub fn synced(&mut self, removed: Option<i64>) {
        self.durable = self.durable.max(removed);
    }

    /// Lets go of those who need not wait any more.
    pub fn release(&mut self) -> Vec<(RequestId, T)> {
        let due = self.waiting.extract_if(.., |(mark, ..)| Some(*mark) <= self.durable);
        due.map(|(_, id, answer)| (id, answer)).collect()
    }

    /// Whether somebody waits for no more than that a batch with this `removed` is synced.
    #[must_use]
    pub fn would_release(&self, removed: Option<i64>) -> bool {
        self.waiting.iter().any(|(mark, ..)| Some(*mark) <= removed)
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl Store {
    pub(super) fn compact(&mut self, compaction: &CompactionRequest) -> Outcome {
        self.space.compact(compaction.revision)?;
        Ok(Response::Compact(CompactionResponse { header: self.header() }))
    }

    /// The mark up to which removal must be durable before the answer to this may go out (KV-26):
    /// the new mark, or that of the compaction which was there before.
    pub(super) fn awaits(&self, compaction: &CompactionRequest, outcome: &Outcome) -> Option<i64> {
        let waits = compaction.physical && *outcome != Err(Refusal::FutureRevision);
        self.space.removal().mark().filter(|_| waits)
    }

    /// Removes a part of what compaction gave up: looks at no more than `budget` changes, and
    /// removes at most two for each. The rows go to the image like those of an entry.
    pub fn sweep(&mut self, budget: usize) -> Swept {
        assert!(budget > 0, "a step without a budget gets nowhere");
        let (gone, left) = self.space.sweep(budget);
        let mut rows = Vec::with_capacity(gone.len());
        for (at, record) in gone {
            let key = RowKey::Record(at, record.kind()).encode();
            self.tally.remove(&key, record.as_ref());
            rows.push(Row { key, value: None });
        }
        Swept { rows, left }
    }

    /// The newest mark up to which everything is removed, here and not necessarily durably; none
    /// before the first.
    #[must_use]
    pub fn removed(&self) -> Option<i64> {
        self.space.removal().finished()
    }

    /// Whether something is left to remove, pinned or not.
    #[must_use]
    pub fn has_to_sweep(&self) -> bool {
        self.space.removal().finished() != self.space.removal().mark()
    }
}
