//! What a leader may do for leases only while it surely leads, batched into rounds.
//!
//! ```text
//!   calls, leases that are over --> waiting --ask--> asked --a quorum confirms--> ready
//!                                   (next round)     (one at a time)              (apply that far)
//! ```
//! A round is one of `raft/read.rs`: it is confirmed when a quorum has heard this leader after the
//! round began, so after everything in it came. Its index must be applied before it counts.
//!
//! Not here: what is done then (`member/lease.rs`).

use alloc::vec::Vec;

use crate::types::{Index, LeaseId, NodeId, Ticks};

/// Who asks about a lease.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Caller {
    /// A client of this member, by its request number.
    Own(u64),
    /// A client of another member.
    Peer {
        /// Which one.
        node: NodeId,
        /// Its life.
        boot: u64,
        /// The request number there.
        n: u64,
    },
}

/// A question about a lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Call {
    /// Who.
    pub caller: Caller,
    /// About which lease.
    pub lease: LeaseId,
    /// Whether it is to be renewed.
    pub renew: bool,
}

/// What goes through one round.
#[derive(Debug, Default)]
pub struct Batch {
    /// Questions.
    pub calls: Vec<Call>,
    /// Leases that were seen to be over.
    pub over: Vec<LeaseId>,
    /// When the round began.
    pub began: Ticks,
}

/// The rounds of one leader.
#[derive(Debug, Default)]
pub struct Rounds {
    round: u64,
    waiting: Batch,
    asked: Option<Batch>,
    ready: Vec<(Index, Batch)>,
}

impl Rounds {
    /// A question for the next round.
    pub fn call(&mut self, call: Call) {
        self.waiting.calls.push(call);
    }

    /// Leases that are over, for the next round.
    pub fn over(&mut self, leases: Vec<LeaseId>) {
        self.waiting.over.extend(leases);
    }

    /// Whether a round should begin.
    pub fn wants_to_ask(&self) -> bool {
        self.asked.is_none() && !(self.waiting.calls.is_empty() && self.waiting.over.is_empty())
    }

    /// Begins a round, if one should.
    pub fn ask(&mut self, now: Ticks) -> Option<u64> {
        if !self.wants_to_ask() {
            return None;
        }
        self.round += 1;
        let waiting = core::mem::take(&mut self.waiting);
        self.asked = Some(Batch { began: now, ..waiting });
        Some(self.round)
    }

    /// A quorum confirmed a round. Anything but the open one is of an earlier reign.
    pub fn confirmed(&mut self, round: u64, index: Index) {
        if round == self.round {
            self.ready.extend(self.asked.take().map(|batch| (index, batch)));
        }
    }

    /// Whether a confirmed round may be acted upon.
    pub fn has_ready(&self, applied: Index) -> bool {
        self.ready.iter().any(|(index, _)| *index <= applied)
    }

    /// Whether a confirmed round waits, for the store to catch up or for its turn.
    pub fn await_store(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The confirmed rounds that may be acted upon.
    pub fn take_ready(&mut self, applied: Index) -> Vec<Batch> {
        let ready = self.ready.extract_if(.., |(index, _)| *index <= applied);
        ready.map(|(_, batch)| batch).collect()
    }

    /// This leader's time is over: whoever asked asks again.
    pub fn clear(&mut self) {
        // The count goes on, so that a late confirmation finds no one.
        *self = Self { round: self.round + 1, ..Self::default() };
    }
}
