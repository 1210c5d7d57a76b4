//! The way from applied entries to the disk: rows are gathered, and leave in atomic batches.
//!
//! ```text
//!  apply --rows--> Image --take--> Batch { rows ..., position } --> one atomic write
//!                    ^ at most 50 ms or 4 MiB behind, as the driver decides
//! ```
//! A crash loses the batches that were not written, never a part of one. The log is replayed from
//! the position of the last whole batch (KV-31).
//!
//! Invariants:
//! - I1. A batch holds every row of the entries up to its position that no earlier batch holds,
//!   and the position itself. So the table is at each batch boundary the state after one entry.
//!
//! Not here: when a batch is taken, and who writes it (the driver).

use alloc::vec;
use alloc::vec::Vec;

use super::Store;
use super::rows::{Position, Row};
use crate::planted;
use crate::planted::Bug;
use crate::types::LogId;

/// Rows that are applied and not yet handed to the disk.
#[derive(Debug)]
pub struct Image {
    rows: Vec<Row>,
    bytes: usize,
    /// The position of the last batch; only the planted bug has a use for it.
    last: Option<Position>,
    planted: Option<Bug>,
}

/// Rows to be written all or not at all, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch {
    /// The rows; a later one replaces an earlier one with the same key.
    pub rows: Vec<Row>,
    /// The entry up to which the table holds everything when this is written.
    pub applied: LogId,
    /// The mark up to which removal has come when this is written; none before the first.
    pub removed: Option<i64>,
}

impl Image {
    /// Nothing waits.
    #[must_use]
    pub fn new(planted: Option<Bug>) -> Self {
        Self { rows: Vec::new(), bytes: 0, last: None, planted }
    }

    /// Takes over the rows of an applied entry, or of a step of removal.
    pub fn push(&mut self, rows: Vec<Row>) {
        self.bytes += rows.iter().map(Row::weight).sum::<usize>();
        self.rows.extend(rows);
    }

    /// Forgets what waits: a snapshot took the store's place.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.bytes = 0;
    }

    /// How many bytes wait.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Hands out everything that waits, for a store whose rows have all been pushed (I1). One
    /// batch, to be written at once.
    pub fn take(&mut self, store: &Store) -> Vec<Batch> {
        let position = store.position();
        let mut rows = core::mem::take(&mut self.rows);
        rows.push(position.encode());
        self.bytes = 0;
        let batch = Batch { rows, applied: position.applied, removed: position.removed };
        let last = self.last.replace(position);
        assert!(
            last.is_none_or(|last| last.applied.index <= position.applied.index),
            "I1: the store is behind the last batch",
        );
        if planted!(self.planted, Bug::AppliedApartFromData)
            && let Some(last) = last
        {
            // The applied index runs ahead of all else that the table says.
            let ahead = Position { applied: position.applied, ..last };
            let early = Batch { rows: vec![ahead.encode()], ..batch.clone() };
            return vec![early, batch];
        }
        vec![batch]
    }
}
