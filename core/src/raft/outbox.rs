//! No message before the write that it relies on (Raft paper, figure 2: "updated on stable
//! storage before responding").
//!
//! ```text
//!   send --> fresh --flush--> held until its write is durable --> Output::Send
//!                     |
//!                     +--> a message that relies on nothing new leaves at once
//! ```
//! A caller cannot send early what it does not have: a vote or an acknowledgement stays in here
//! until the receipt of its write comes back.
//!
//! Invariants:
//! - E2. No message leaves before what it relies on is durable.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::raft::Envelope;

/// What a message tells the world that a crash must not take back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reliance {
    /// Nothing. A leader ships entries while its own disk still works (thesis §10.2.1): it counts
    /// itself only when its own receipt is in.
    Nothing,
    /// That this node is in its term.
    Term,
    /// Everything handed to the disk so far: the vote, the entries. (Entries that a later leader
    /// already replaced in the same batch of inputs count as handed over; no quorum can need them.)
    Everything,
}

/// Messages on their way out of one node.
#[derive(Debug, Default)]
pub struct Outbox {
    fresh: Vec<(Reliance, Envelope)>,
    held: BTreeMap<u64, Vec<Envelope>>,
    /// The last write handed to the disk, the one that holds the current term, the last durable.
    requested: u64,
    term_write: u64,
    durable: u64,
}

impl Outbox {
    /// Takes a message.
    pub fn send(&mut self, reliance: Reliance, envelope: Envelope) {
        self.fresh.push((reliance, envelope));
    }

    /// The number for the next write. With `term` it is the one that makes the term durable.
    pub fn next_write(&mut self, term: bool) -> u64 {
        self.requested += 1;
        if term {
            self.term_write = self.requested;
        }
        self.requested
    }

    /// Every write up to `number` is durable: releases what waited for it.
    pub fn persisted(&mut self, number: u64, out: &mut Vec<Envelope>) {
        assert!(number <= self.requested, "a receipt for write {number}, which nobody asked for");
        self.durable = self.durable.max(number);
        while let Some(first) = self.held.first_entry()
            && *first.key() <= self.durable
        {
            out.append(&mut first.remove());
        }
    }

    /// Whether the current term is durable.
    #[must_use]
    pub fn term_is_durable(&self) -> bool {
        self.term_write <= self.durable
    }

    /// Lets go what may go. To be called after the step's write got its number.
    pub fn flush(&mut self, out: &mut Vec<Envelope>) {
        for (reliance, envelope) in self.fresh.drain(..) {
            let write = match reliance {
                Reliance::Nothing => 0,
                Reliance::Term => self.term_write,
                Reliance::Everything => self.requested,
            };
            if write <= self.durable {
                out.push(envelope);
            } else {
                self.held.entry(write).or_default().push(envelope);
            }
        }
    }
}
