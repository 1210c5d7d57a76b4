//! The lease calls of one member's clients, on their way to the leader and back.
//!
//! ```text
//!   arrived --> fresh --put--> asked --answered--> (applied that far?) --> out
//!                 ^              |
//!                 +--------------+  no answer for a while, or another leader: asked again
//! ```
//! A question may be asked twice: renewing twice does no harm, and the first answer counts.
//!
//! Not here: what the leader makes of it (`member/lease.rs`).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::member::ASK_AGAIN;
use crate::raft::LeaseQuestion;
use crate::types::{Index, LeaseId, LeaseLife, Ticks};

/// Calls by their request number.
#[derive(Debug, Default)]
pub struct Calls {
    open: BTreeMap<u64, Open>,
    fresh: Vec<u64>,
    /// Answered, but with a state that this member has not applied yet.
    early: BTreeMap<Index, Vec<(u64, Option<LeaseLife>)>>,
    /// When to look for questions that are still without an answer.
    next_repeat: Ticks,
}

#[derive(Debug)]
struct Open {
    lease: LeaseId,
    renew: bool,
    asked: Ticks,
}

impl Calls {
    /// A client asks.
    pub fn arrived(&mut self, n: u64, lease: LeaseId, renew: bool) {
        self.open.insert(n, Open { lease, renew, asked: Ticks(0) });
        self.fresh.push(n);
    }

    /// Whether questions should leave.
    pub fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// The questions that should leave now.
    pub fn take_fresh(&mut self, now: Ticks) -> Vec<LeaseQuestion> {
        if self.next_repeat <= now {
            self.next_repeat = Ticks(now.0 + ASK_AGAIN.0);
        }
        let mut questions = Vec::with_capacity(self.fresh.len());
        for n in self.fresh.drain(..) {
            if let Some(open) = self.open.get_mut(&n) {
                open.asked = now;
                questions.push(LeaseQuestion { n, lease: open.lease, renew: open.renew });
            }
        }
        questions
    }

    /// Questions that are without an answer for long are repeated.
    pub fn repeat_late(&mut self, now: Ticks) {
        if self.open.is_empty() || now < self.next_repeat {
            return;
        }
        let again = |open: &Open| Ticks(open.asked.0 + ASK_AGAIN.0);
        let late = self.open.iter().filter(|(_, open)| again(open) <= now);
        self.fresh = late.map(|(n, _)| *n).collect();
        let others = self.open.values().map(again).filter(|at| *at > now);
        self.next_repeat = others.min().unwrap_or(Ticks(now.0 + ASK_AGAIN.0));
    }

    /// Another leader: whoever still waits asks that one.
    pub fn leader_changed(&mut self) {
        self.fresh = self.open.keys().copied().collect();
    }

    /// The answer to a call, with the state of `index`. It goes out if this member has applied so
    /// much, or if it says nothing that a look at the store is to complete.
    pub fn answered(
        &mut self,
        n: u64,
        life: Option<LeaseLife>,
        index: Index,
        applied: Index,
    ) -> bool {
        let Some(open) = self.open.remove(&n) else { return false };
        let out = open.renew || index <= applied;
        if !out {
            self.early.entry(index).or_default().push((n, life));
        }
        out
    }

    /// The answers that a store which applied up to `applied` can complete.
    pub fn take_ready(&mut self, applied: Index) -> Vec<(u64, Option<LeaseLife>)> {
        let mut ready = Vec::new();
        while let Some(first) = self.early.first_entry()
            && *first.key() <= applied
        {
            ready.append(&mut first.remove());
        }
        ready
    }

    /// Whether an answer waits for the store to catch up.
    pub fn await_store(&self) -> bool {
        !self.early.is_empty()
    }

    /// Forgets a call whose time is over. Whether it was one.
    pub fn forget(&mut self, n: u64) -> bool {
        let mut found = self.open.remove(&n).is_some();
        for early in self.early.values_mut() {
            let before = early.len();
            early.retain(|(other, _)| *other != n);
            found |= early.len() < before;
        }
        found
    }
}
