//! The follower's side of a snapshot: received, durable, taken for the log's beginning, installed
//! (Raft paper §7, figure 13).
//!
//! ```text
//!            first chunk             all of it durable            the log's write durable
//!   Idle ------------------> Receiving ------------> Resetting --------------------> Installing
//!    ^                        |    ^                  log, commit and applied         |  store and
//!    |    another, or refused |    | next chunk       index jump; acknowledged        |  durable copy
//!    +------------------------+----+                  with the write                  |  are replaced
//!    +-------------------------------------- installed -------------------------------+
//! ```
//! The acknowledgement is that of the log: "I hold everything up to here". It relies on the
//! snapshot being whole on the disk and on the log beginning behind it, and so it waits for both.
//! From then on this node votes, appends and commits as if it had had those entries all along; its
//! store follows.
//!
//! Bytes that do not check are refused: the sender is told, and as often as anything of that
//! shipment still comes. It is the sender's matter to pause before it tries again (`shipment.rs`).
//!
//! Invariants:
//! - J1. The log forgets nothing in favour of a snapshot that is not durable.
//! - J2. A snapshot replaces only what is behind the commit index, and only if the log does not
//!   hold its last entry: otherwise the log says more than the snapshot.
//! - J3. From the reset of the log to the end of the installation no other snapshot is taken in
//!   (history row 10: two of them, shortly after each other).
//!
//! Not here: the files (`snap.rs`), the sending end (`shipment.rs`).

use super::{Message, Raft, Reliance};
use crate::member::Output;
use crate::planted;
use crate::planted::Bug;
use crate::snap::{Chunk, Kept, Piece, ReceptionId, ShipmentId};
use crate::types::{Index, LogId, NodeId, Term};
use crate::wal::Receipt;

/// How far a snapshot has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reception {
    /// There is none.
    Idle,
    /// Chunks arrive.
    Receiving(Arrival),
    /// The log is made to begin behind it; none: that write has no number yet.
    Resetting(LogId, Option<u64>),
    /// The store and its durable copy take it over.
    Installing(LogId),
}

/// A snapshot that arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrival {
    id: ReceptionId,
    snapshot: LogId,
    /// Whose shipment it is, and of which term.
    from: NodeId,
    term: Term,
    shipment: ShipmentId,
    /// Bytes that arrived, and bytes that are kept.
    arrived: u64,
    kept: u64,
}

impl Arrival {
    fn comes_from(&self, from: NodeId, term: Term, shipment: ShipmentId) -> bool {
        (self.from, self.term, self.shipment) == (from, term, shipment)
    }
}

impl Raft {
    pub(super) fn on_snapshot(&mut self, from: NodeId, shipment: ShipmentId, chunk: Chunk) {
        self.heed(from);
        if let Some(matched) = self.holds_already(chunk.snapshot) {
            self.drop_arrival();
            return self.send_relying(
                Reliance::Everything,
                from,
                Message::AppendAccepted { matched },
            );
        }
        if self.refused.is_some_and(|refused| refused.comes_from(from, self.hard.term, shipment)) {
            return self.send(from, Message::SnapshotRefused { shipment });
        }
        let arrival = match self.reception {
            Reception::Resetting(first, _) | Reception::Installing(first) => {
                if planted!(self.config.planted, Bug::SecondSnapshotRemovesFirst) {
                    self.orders.push(Output::Forget(first));
                }
                return; // J3. It comes again.
            }
            Reception::Receiving(arrival) => Some(arrival),
            Reception::Idle => None,
        };
        let of_this_leader =
            arrival.filter(|arrival| (arrival.from, arrival.term) == (from, self.hard.term));
        match of_this_leader {
            Some(arrival) if arrival.shipment > shipment => {} // Late news.
            Some(arrival) if arrival.shipment == shipment => self.on_next(arrival, chunk),
            Some(_) | None if chunk.offset == 0 => self.begin_arrival(from, shipment, chunk),
            // Its beginning was lost with an earlier life, or never came.
            Some(_) | None => self.send(from, Message::SnapshotKept { shipment, end: 0 }),
        }
    }

    /// J2. How far this node's log is known to equal the leader's, if that is as far as a snapshot.
    fn holds_already(&mut self, snapshot: LogId) -> Option<Index> {
        let blind = planted!(self.config.planted, Bug::SnapshotOverNewerLog);
        if snapshot.index > self.log.committed() && self.log.holds(snapshot) && !blind {
            self.log.commit_to(snapshot.index);
        }
        let committed = self.log.committed();
        (snapshot.index <= committed).then_some(committed)
    }

    fn begin_arrival(&mut self, from: NodeId, shipment: ShipmentId, chunk: Chunk) {
        self.drop_arrival();
        self.receptions = ReceptionId(self.receptions.0 + 1);
        let (id, snapshot, term) = (self.receptions, chunk.snapshot, self.hard.term);
        let arrival = Arrival { id, snapshot, from, term, shipment, arrived: 0, kept: 0 };
        self.on_next(arrival, chunk);
    }

    fn on_next(&mut self, mut arrival: Arrival, chunk: Chunk) {
        if chunk.offset == arrival.arrived && chunk.snapshot == arrival.snapshot {
            arrival.arrived = chunk.end();
            let (reception, from) = (arrival.id, arrival.from);
            if chunk.last && planted!(self.config.planted, Bug::LogResetBeforeSnapshot) {
                self.orders.push(Output::Keep(Piece { reception, from, chunk }));
                return self.reset_log(arrival.snapshot);
            }
            self.orders.push(Output::Keep(Piece { reception, from, chunk }));
        } else if chunk.end() <= arrival.kept {
            self.tell_kept(arrival); // The answer was lost.
        }
        self.reception = Reception::Receiving(arrival);
    }

    fn tell_kept(&mut self, Arrival { from, term, shipment, kept: end, .. }: Arrival) {
        if term == self.hard.term {
            self.send(from, Message::SnapshotKept { shipment, end });
        }
    }

    /// A chunk was kept, or the whole.
    pub fn kept(&mut self, id: ReceptionId, kept: Kept) {
        let Reception::Receiving(mut arrival) = self.reception else { return };
        if arrival.id != id {
            return; // Of one that was dropped meanwhile.
        }
        match kept {
            Kept::Part(end) => {
                arrival.kept = end;
                self.reception = Reception::Receiving(arrival);
                self.tell_kept(arrival);
            }
            Kept::Refused => self.refuse(arrival),
            Kept::Whole => self.reset_log(arrival.snapshot),
        }
    }

    fn refuse(&mut self, arrival: Arrival) {
        self.drop_arrival();
        self.refused = Some(arrival);
        if arrival.term == self.hard.term {
            self.send(arrival.from, Message::SnapshotRefused { shipment: arrival.shipment });
        }
    }

    /// The snapshot is durable: the log may begin behind it (J1).
    fn reset_log(&mut self, snapshot: LogId) {
        let overtaken = self.leads() || self.holds_already(snapshot).is_some();
        if overtaken {
            self.drop_arrival();
        } else {
            self.log.reset(snapshot);
            self.reception = Reception::Resetting(snapshot, None);
        }
        let matched = self.log.committed();
        if let Some(leader) = self.leader.filter(|leader| *leader != self.config.id) {
            self.send_relying(Reliance::Everything, leader, Message::AppendAccepted { matched });
        }
    }

    /// What the log's next write is to begin behind; asked when that write gets its number.
    pub(super) fn take_reset(&mut self, number: u64) -> Option<LogId> {
        let Reception::Resetting(snapshot, write @ None) = &mut self.reception else { return None };
        *write = Some(number);
        Some(*snapshot)
    }

    /// Whether the log must be told of its new beginning.
    pub(super) fn must_reset(&self) -> bool {
        matches!(self.reception, Reception::Resetting(_, None))
    }

    /// Whether the store may be handed entries. Not while those before them are only on their way.
    pub(super) fn may_apply(&self) -> bool {
        !matches!(self.reception, Reception::Resetting(..))
    }

    /// Hands the snapshot to the store when the log begins behind it, durably.
    pub(super) fn install_if_reset(&mut self, receipt: &Receipt) {
        if let Reception::Resetting(snapshot, Some(write)) = self.reception
            && write <= receipt.number()
        {
            self.reception = Reception::Installing(snapshot);
            self.orders.push(Output::Install(snapshot));
        }
    }

    /// The planted bug: the file goes when the store has taken the snapshot over.
    pub(super) fn forget_early(&mut self, applied: Index) {
        if let Reception::Installing(snapshot) = self.reception
            && snapshot.index == applied
            && planted!(self.config.planted, Bug::SnapshotForgottenEarly)
        {
            self.orders.push(Output::Forget(snapshot));
        }
    }

    /// The store's durable copy is the snapshot: its file has done its duty.
    pub fn installed(&mut self, snapshot: LogId) {
        assert_eq!(self.reception, Reception::Installing(snapshot), "J3: nobody installs that");
        self.reception = Reception::Idle;
        self.stored = self.stored.max(snapshot.index);
        self.orders.push(Output::Forget(snapshot));
    }

    fn drop_arrival(&mut self) {
        if let Reception::Receiving(arrival) = self.reception {
            self.reception = Reception::Idle;
            self.orders.push(Output::Forget(arrival.snapshot));
        }
    }
}
