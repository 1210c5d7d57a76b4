//! The durable copy is replaced by a snapshot: step by step, and each step may be the last.
//!
//! ```text
//!   Write(no position)  Sync  Clear  Write(rows) Write(rows) ..  Write(position)  Sync
//!   +-- from here on the table counts as empty -------------------+  and from here as the snapshot
//! ```
//! A table without a position row is one that was being replaced: a start finds the snapshot's file
//! and begins anew (`snap.rs`). The position comes back last, in one batch, when all other rows are
//! there; batches come back from a crash in the order in which they were written.
//!
//! Not here: who carries the steps out.

use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::rows::{Damage, Position, Row, RowKey};
use super::snapshot::Blocks;
use crate::types::{ClusterId, LogId};

/// One step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RefillStep {
    /// Write these rows, all or none.
    Write(Vec<Row>),
    /// Take every row out of the table.
    Clear,
    /// Make everything durable.
    Sync,
}

/// A replacement under way.
#[derive(Debug)]
pub struct Refill {
    blocks: Blocks,
    position: Option<Row>,
}

impl Refill {
    /// Begins. The steps come first.
    #[must_use]
    pub fn begin(cluster: ClusterId) -> (Self, Vec<RefillStep>) {
        let no_position = Row { key: RowKey::Position.encode(), value: None };
        let steps = vec![RefillStep::Write(vec![no_position]), RefillStep::Sync, RefillStep::Clear];
        (Self { blocks: Blocks::new(cluster), position: None }, steps)
    }

    /// The frame, which knows how long the next part is.
    #[must_use]
    pub fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    /// The next part of the snapshot becomes a step.
    pub fn part(&mut self, bytes: &[u8]) -> Result<RefillStep, Damage> {
        let mut rows = Vec::new();
        let position = RowKey::Position.encode();
        let held = &mut self.position;
        self.blocks.part(bytes, |key, value| {
            let (key, value) = (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
            let row = Row { key, value: Some(value) };
            if row.key == position {
                *held = Some(row);
            } else {
                rows.push(row);
            }
            Ok(())
        })?;
        Ok(RefillStep::Write(rows))
    }

    /// The last steps, when the last part was taken.
    pub fn end(self) -> Result<Vec<RefillStep>, Damage> {
        let position = self.position.filter(|_| self.blocks.is_done());
        let position = position.ok_or_else(|| Damage::snapshot("has no end"))?;
        Ok(vec![RefillStep::Write(vec![position]), RefillStep::Sync])
    }
}

/// How far a table is, by the value of its position row.
pub fn position_of(value: &[u8]) -> Result<LogId, Damage> {
    Position::parse(value).map(|position| position.applied)
}

/// The key of the position row.
#[must_use]
pub fn position_key() -> Bytes {
    RowKey::Position.encode()
}
