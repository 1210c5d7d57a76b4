//! The reads of one member's clients on their way through ReadIndex (invariant M3).
//!
//! ```text
//!   arrived --> waiting --ask--> asked (one round at a time) --answered--> ready --applied--> out
//!                                  | leader changed: given up
//! ```
//! Reads that arrive while a round is under way wait for the next: its answer may be older than
//! they are.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::planted;
use crate::planted::Bug;
use crate::types::{Index, Ticks};

/// Reads by their request number.
#[derive(Debug, Default)]
pub struct Reads {
    round: u64,
    waiting: Vec<u64>,
    asked: Vec<u64>,
    /// When the open round was asked last; none when it must be (re)sent.
    sent: Option<Ticks>,
    ready: BTreeMap<Index, Vec<u64>>,
    planted: Option<Bug>,
}

impl Reads {
    /// No reads.
    pub fn new(planted: Option<Bug>) -> Self {
        Self { planted, ..Self::default() }
    }

    /// A client asks.
    pub fn arrived(&mut self, n: u64) {
        self.waiting.push(n);
    }

    /// Whether a question should leave.
    pub fn wants_to_ask(&self) -> bool {
        (self.asked.is_empty() && !self.waiting.is_empty())
            || (!self.asked.is_empty() && self.sent.is_none())
    }

    /// The round to ask for now, if any.
    pub fn ask(&mut self, now: Ticks) -> Option<u64> {
        if !self.wants_to_ask() {
            return None;
        }
        if self.asked.is_empty() {
            self.round += 1;
            self.asked = core::mem::take(&mut self.waiting);
        }
        self.sent = Some(now);
        Some(self.round)
    }

    /// A question without an answer for `patience` is repeated.
    pub fn repeat_if_older(&mut self, now: Ticks, patience: Ticks) {
        self.sent = self.sent.filter(|sent| now.0 - sent.0 < patience.0);
    }

    /// The answer to `round`. One to an earlier round comes too late to serve anyone.
    pub fn answered(&mut self, round: u64, index: Index) {
        if round == self.round || planted!(self.planted, Bug::StaleReadAnswer) {
            let asked = core::mem::take(&mut self.asked);
            self.ready.entry(index).or_default().extend(asked);
            self.sent = None;
        }
    }

    /// The leader that was asked leads no more: gives up what was asked.
    pub fn leader_changed(&mut self) -> Vec<u64> {
        self.sent = None;
        self.round += u64::from(!self.asked.is_empty()); // A late answer finds no one.
        core::mem::take(&mut self.asked)
    }

    /// The reads that may look at a store that applied up to `applied`.
    pub fn readable(&mut self, applied: Index) -> Vec<u64> {
        let mut readable = Vec::new();
        while let Some(first) = self.ready.first_entry()
            && *first.key() <= applied
        {
            readable.append(&mut first.remove());
        }
        readable
    }

    /// Whether a read waits for the store to catch up.
    pub fn await_store(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Forgets a read whose time is over. Whether it was one.
    pub fn forget(&mut self, n: u64) -> bool {
        let before = self.waiting.len() + self.asked.len();
        self.waiting.retain(|other| *other != n);
        self.asked.retain(|other| *other != n);
        let mut found = before != self.waiting.len() + self.asked.len();
        for ready in self.ready.values_mut() {
            found |= ready.contains(&n);
            ready.retain(|other| *other != n);
        }
        found
    }
}
