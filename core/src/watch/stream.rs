//! One client's stream: its watchers by id, and how much of what it was sent still waits.
//!
//! ```text
//!   Send --> queued grows ... the client reads ... Drained --> queued shrinks
//!            at `limit`: full, its watchers are moved aside     at half of it: they go on
//! ```
//! Half is left before they go on, so that a slow client is served in strides and not byte by byte.
//!
//! Invariants:
//! - Q1. An id names one watcher of the stream, and is not given out by itself twice (WA-3).
//!
//! Not here: what a full stream means for its watchers (`catchup.rs`).

use alloc::collections::BTreeMap;

use super::ask::Refused;
use super::{WatchId, WatcherId};
use crate::types::Ticks;

/// One stream.
#[derive(Debug, Default)]
pub struct Stream {
    /// The watchers by the id that the client knows them by.
    pub watchers: BTreeMap<WatchId, WatcherId>,
    /// Where to look for the next free id.
    next: i64,
    /// How many of the watchers are not in sync.
    pub behind: usize,
    /// How many of the watchers lag.
    pub lagging: usize,
    /// Bytes that were sent and not read.
    queued: usize,
    /// Whether the client wants to be left without a server that knows no leader (NL-2).
    pub needs_leader: bool,
    /// When the next round of progress messages is due, if some watcher wants them.
    pub due: Option<Ticks>,
}

impl Stream {
    /// A stream without watchers.
    pub fn new(needs_leader: bool) -> Self {
        Self { needs_leader, ..Self::default() }
    }

    /// Gives a watcher its id: the one that was asked for, or the next that is free.
    pub fn name(&mut self, asked: Option<WatchId>) -> Result<WatchId, Refused> {
        if let Some(id) = asked {
            let taken = self.watchers.contains_key(&id);
            return if taken { Err(Refused::DuplicateId) } else { Ok(id) };
        }
        while self.watchers.contains_key(&WatchId(self.next)) {
            self.next += 1;
        }
        self.next += 1;
        Ok(WatchId(self.next - 1))
    }

    /// Notes a message on its way.
    pub fn send(&mut self, bytes: usize) {
        self.queued += bytes;
    }

    /// Notes what the client has read.
    pub fn drain(&mut self, bytes: usize) {
        let left = self.queued.checked_sub(bytes);
        self.queued = left.expect("a client reads no more than it was sent");
    }

    /// Whether events must wait.
    pub fn is_full(&self, limit: usize) -> bool {
        self.queued >= limit
    }

    /// Whether those that wait may go on.
    pub fn has_room(&self, limit: usize) -> bool {
        self.queued <= limit / 2
    }

    /// Bytes that were sent and not read.
    pub fn queued(&self) -> usize {
        self.queued
    }
}
