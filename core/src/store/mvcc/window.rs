//! Which revisions can be read: from the compaction mark to the present.
//!
//! ```text
//!   1 2 3 4 5 6 7 8 9        compacted at 4, now 9:  4 to 9 can be read, 3 cannot
//!         [=========]
//! ```
//! A read takes its window with it when it begins, and keeps it however long it takes.
//!
//! Not here: how the records of an old revision are kept (`pins.rs`).

use crate::api::Refusal;

/// The mark of a store that was never compacted, where the wire needs a number (KV-27).
const NEVER: i64 = -1;

/// The revisions that a read may ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// The compaction mark; none if nothing was ever compacted.
    pub oldest: Option<i64>,
    /// The present.
    pub newest: i64,
}

impl Window {
    /// The revision that a range reads: 0 and below mean the present (KV-10).
    pub fn pick(&self, asked: i64) -> Result<i64, Refusal> {
        if asked > self.newest {
            return Err(Refusal::FutureRevision);
        }
        let at = if asked <= 0 { self.newest } else { asked };
        if self.oldest.is_some_and(|oldest| at < oldest) {
            return Err(Refusal::Compacted);
        }
        Ok(at)
    }

    /// Whether a transaction may hold a range at this revision. Only 0 means the present here: as
    /// in etcd, a number below is a revision below the mark.
    pub fn check(&self, asked: i64) -> Result<(), Refusal> {
        if asked > self.newest {
            return Err(Refusal::FutureRevision);
        }
        if asked != 0 && asked < self.mark() {
            return Err(Refusal::Compacted);
        }
        Ok(())
    }

    /// The compaction mark as the wire has it.
    pub fn mark(&self) -> i64 {
        self.oldest.unwrap_or(NEVER)
    }
}
