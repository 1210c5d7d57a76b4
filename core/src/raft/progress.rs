//! The leader's view of one peer: what it holds, and how it is fed (Raft paper §5.3).
//!
//! ```text
//!              accepted                     rejected, or no news for long
//!   Probe ----------------> Replicate ------------------------------------> Probe
//!   one append at a time,    a bounded number of appends under way,
//!   repeated by heartbeat    `next` runs ahead of `matched`
//!
//!   either -- the leader's log begins behind `next` --> Snapshot -- accepted up to there --> Replicate
//!                                                          |
//!                                                          +--- given up --> Probe
//! ```
//! A peer that took a snapshot over stays in arrears until it is in step again (`retention.rs`).
//!
//! A snapshot that the peer refused is followed by a pause, which doubles with each refusal in a
//! row: making and sending the whole state is dear, and a refusal tells that it was for nothing.
//!
//! Invariants:
//! - P1. `matched < next`. Late and repeated answers never move `matched` or `next` below that.
//! - P2. At most `MAX_IN_FLIGHT` appends are under way to a peer, and none follows those that fill
//!   its window.
//! - P3. A pause lasts between one election timeout and `LONGEST_PAUSE` of them.
//!
//! Not here: the chunks of a snapshot (`shipment.rs`).

use alloc::collections::VecDeque;

use super::retention::Arrears;
use super::shipment::{Outlook, Shipment};
use crate::types::{Index, Ticks};

/// Appends under way to one peer.
pub const MAX_IN_FLIGHT: usize = 256;
/// Bytes of commands that may well be under way to one peer.
pub const WINDOW_BYTES: usize = 8 << 20;

/// The longest pause after a refused snapshot, in election timeouts.
const LONGEST_PAUSE: u64 = 32;

/// How a peer is fed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Feed {
    /// Its log is not known to match: one append at a time.
    Probe {
        /// One is under way.
        waiting: bool,
    },
    /// Its log matches up to `matched`: appends follow each other without waiting.
    Replicate,
    /// What it needs next is gone from the leader's log: it gets the state instead.
    Snapshot(Shipment),
}

/// The leader's view of one peer.
#[derive(Debug)]
pub struct Progress {
    /// The first entry to send next.
    pub next: Index,
    /// The last entry that the peer holds durably.
    pub matched: Index,
    /// The commit index that the peer was told last.
    pub told: Index,
    /// The newest read round that it has echoed.
    pub round: u64,
    /// Whether it was heard of since the last check of the quorum.
    pub recent: bool,
    feed: Feed,
    /// Bytes of the snapshot that it took over, while it catches up behind that.
    catching_up: Option<u64>,
    /// Bytes of commands that may be under way.
    window: usize,
    /// The last index and the size of each append under way.
    flight: VecDeque<(Index, usize)>,
    flight_bytes: usize,
    silent: Ticks,
    /// Snapshots that the peer refused since it took anything in.
    refusals: u32,
    /// Until it may get another one.
    pause: Ticks,
}

impl Progress {
    /// A peer of which nothing is known yet. The leader's log ends before `next`.
    #[must_use]
    pub fn new(next: Index, window: usize) -> Self {
        Self {
            next,
            matched: Index(0),
            told: Index(0),
            round: 0,
            recent: true,
            feed: Feed::Probe { waiting: false },
            catching_up: None,
            window,
            flight: VecDeque::new(),
            flight_bytes: 0,
            silent: Ticks(0),
            refusals: 0,
            pause: Ticks(0),
        }
    }

    /// How it is fed.
    #[must_use]
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// How it is fed, to go on with it.
    pub fn feed_mut(&mut self) -> &mut Feed {
        &mut self.feed
    }

    /// Whether an append may leave for it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match self.feed {
            Feed::Probe { waiting } => !waiting,
            Feed::Replicate => self.flight.len() < MAX_IN_FLIGHT && self.flight_bytes < self.window,
            Feed::Snapshot(_) => false,
        }
    }

    /// An append with entries up to `last` (and `bytes` of commands) is on its way.
    pub fn sent(&mut self, last: Index, bytes: usize) {
        match &mut self.feed {
            Feed::Probe { waiting } => {
                *waiting = true;
                self.silent = Ticks(0);
            }
            Feed::Replicate if last >= self.next => {
                self.flight.push_back((last, bytes));
                self.flight_bytes += bytes;
                self.next = last.next();
            }
            Feed::Replicate => {}
            Feed::Snapshot(_) => panic!("an append left for a peer that gets a snapshot"),
        }
        self.check();
    }

    /// The peer holds everything up to `matched`. The leader's log begins behind `base`: a peer
    /// that has come so far needs no snapshot, wherever it got that from.
    pub fn accepted(&mut self, matched: Index, base: Index) {
        if matched > self.matched {
            self.silent = Ticks(0);
            self.refusals = 0;
        }
        self.matched = self.matched.max(matched);
        self.next = self.next.max(self.matched.next());
        match &self.feed {
            Feed::Snapshot(_) if self.matched < base => {}
            Feed::Snapshot(shipment) => {
                self.catching_up = Some(shipment.arrears().shipped);
                self.feed = Feed::Replicate;
            }
            Feed::Probe { .. } | Feed::Replicate => self.feed = Feed::Replicate,
        }
        while let Some(&(last, bytes)) = self.flight.front()
            && last <= self.matched
        {
            self.flight_bytes -= bytes;
            self.flight.pop_front();
        }
        self.check();
    }

    /// The peer refused an append behind `prev`; `next` is the first entry worth trying. With
    /// `late`, which only the planted bug sets, nothing comes too late to count.
    pub fn rejected(&mut self, prev: Index, next: Index, late: bool) {
        let stale = match self.feed {
            Feed::Probe { .. } => prev.next() != self.next,
            Feed::Replicate => prev <= self.matched,
            Feed::Snapshot(_) => true,
        };
        if !stale {
            self.probe(next);
        } else if late && !matches!(self.feed, Feed::Snapshot(_)) {
            self.next = next;
            self.check();
        }
    }

    /// The peer gets a snapshot from here on. Appends under way may still arrive.
    pub fn begin_snapshot(&mut self, shipment: Shipment) {
        self.probe(self.next);
        self.feed = Feed::Snapshot(shipment);
    }

    /// What it needs of the log that is more than others need.
    #[must_use]
    pub fn arrears(&self) -> Option<Arrears> {
        match &self.feed {
            Feed::Snapshot(shipment) => Some(shipment.arrears()),
            Feed::Probe { .. } | Feed::Replicate => {
                self.catching_up.map(|shipped| Arrears { behind: self.matched, shipped })
            }
        }
    }

    /// The log stays behind `tail` in any case: is that enough for the peer?
    pub fn settle(&mut self, tail: Index) {
        if self.matched >= tail {
            self.catching_up = None;
        }
    }

    /// A snapshot does not reach the peer or is of no use to it any more, or the peer does not
    /// catch up behind the one that it took over.
    pub fn give_up_snapshot(&mut self) {
        self.catching_up = None;
        if matches!(self.feed, Feed::Snapshot(_)) {
            self.probe(self.matched.next());
        }
    }

    /// The peer refused the snapshot that it gets (P3).
    pub fn snapshot_refused(&mut self, election: Ticks) {
        self.give_up_snapshot();
        let times = 1u64.checked_shl(self.refusals).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
        self.pause = Ticks(times * election.0);
        self.refusals = self.refusals.saturating_add(1);
    }

    /// Whether the peer must wait before it gets another snapshot.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.pause > Ticks(0)
    }

    /// Time passes. What stays without an answer for `patience` is taken for lost: a probe is
    /// repeated after a heartbeat's time, a pipeline falls back to probing. A leader that has
    /// appended since the tick before is busy.
    pub fn tick(&mut self, heartbeat: Ticks, patience: Ticks, busy: bool) {
        self.silent.0 += 1;
        self.pause.0 = self.pause.0.saturating_sub(1);
        match &mut self.feed {
            Feed::Probe { waiting } => {
                if *waiting && self.silent >= heartbeat {
                    *waiting = false;
                }
            }
            Feed::Replicate if self.flight.is_empty() => self.silent = Ticks(0),
            Feed::Replicate if self.silent >= patience => self.probe(self.matched.next()),
            Feed::Replicate => {}
            Feed::Snapshot(shipment) => {
                if shipment.tick(patience, busy) == Outlook::Over {
                    self.give_up_snapshot();
                }
            }
        }
    }

    fn probe(&mut self, next: Index) {
        self.next = next.max(self.matched.next());
        self.feed = Feed::Probe { waiting: false };
        self.flight.clear();
        self.flight_bytes = 0;
        self.silent = Ticks(0);
        self.check();
    }

    fn check(&self) {
        assert!(self.matched < self.next, "P1: matched {} next {}", self.matched, self.next);
        assert!(self.flight.len() <= MAX_IN_FLIGHT, "P2: {} in flight", self.flight.len());
    }
}

#[cfg(test)]
mod tests;
