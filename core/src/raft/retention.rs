//! How much of the log stays (Raft paper §7; thesis §5.1.2).
//!
//! ```text
//!      base    kept for a peer that catches up          kept tail      last
//!  -----+---------------+---------------------------------+-------------+
//!  gone | snapshot ends | written while it was shipped,   | for peers   |
//!       | here          | taken over and followed up      | a bit behind|
//! ```
//! What the store holds durably may go from the log, all but a tail for peers that are a bit
//! behind. A peer for which that is too little gets a snapshot, and then needs what was written
//! meanwhile, or it would need another snapshot at once, for ever. So it is *in arrears* from the
//! beginning of its snapshot until the tail alone is enough for it, and the log behind what it
//! holds stays.
//!
//! Not without bound: a log that outgrows the state is not worth keeping, since sending the state
//! again is cheaper. A peer that falls behind by more begins again with a new snapshot.
//!
//! Invariants:
//! - R1. Nothing goes that the store's durable copy lacks, or that this node's disk lacks.
//! - R2. What a peer in arrears needs stays, as long as at most `arrears` bytes stay for its sake
//!   alone, or as many as it was shipped.
//!
//! Not here: the shipment itself (`shipment.rs`), the log's own bookkeeping (`log.rs`).

use super::{Raft, Role};
use crate::planted;
use crate::planted::Bug;
use crate::types::{Index, LogId};

/// Bytes of the log that may well stay for a peer in arrears.
pub const ARREARS_BYTES: usize = 64 << 20;

/// What a peer still needs of the log that is more than the tail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrears {
    /// It needs the entries behind this one.
    pub behind: Index,
    /// Bytes of its snapshot that are on their way or arrived.
    pub shipped: u64,
}

impl Raft {
    /// Forgets the head of the log: what every voter holds, and of the rest all but a tail for
    /// those who are behind and what peers in arrears need. Returns the new base, if it moved.
    pub(super) fn discard(&mut self) -> Option<LogId> {
        let tail = Index(self.applied.0.saturating_sub(self.config.kept_tail));
        let safe = self.stored.min(self.log.applying()).min(self.log.durable());
        let dispensable = self.settled.max(tail).min(safe);
        let needed = self.needed(tail, dispensable);
        let to = needed.map_or(dispensable, |needed| needed.min(dispensable));
        let gain = to.0.saturating_sub(self.log.base().index.0);
        (gain >= self.config.discard_batch.max(1)).then(|| self.log.discard(to))
    }

    /// The entry behind which peers in arrears need the log (R2). None: there are none. But for
    /// them the log would begin behind `dispensable`.
    fn needed(&mut self, tail: Index, dispensable: Index) -> Option<Index> {
        let forgetful = planted!(self.config.planted, Bug::LogForgottenBehindSnapshot);
        let Role::Leader(leadership) = &mut self.role else { return None };
        let (log, least) = (&self.log, self.config.arrears);
        let needs = leadership.peers.values_mut().filter_map(|peer| {
            peer.settle(if forgetful { Index(0) } else { tail });
            let Arrears { behind, shipped } = peer.arrears()?;
            if log.bytes_between(behind, dispensable) > shipped.max(least as u64) {
                peer.give_up_snapshot();
                return None;
            }
            Some(behind)
        });
        needs.min()
    }
}
