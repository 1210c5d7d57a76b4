//! All that goes into a member and all that comes out of it: one ordered stream each.
//!
//! A line of a trace, of the simulator and of the server's debug log is the `Display` of one of
//! these.
//!
//! Not here: what a member makes of it (`member.rs`).

use alloc::vec::Vec;
use core::fmt;

use crate::api::Unavailable;
use crate::raft::{self, Entry, Envelope};
use crate::request::Request;
use crate::snap::{Chunk, Kept, Piece, ReceptionId, ShipmentId};
use crate::store::Fact;
use crate::types::{Index, LeaseLife, LogId, RequestId, Ticks};
use crate::wal::{Receipt, Write};

/// Everything that can happen to a member. Same inputs in the same order: same outputs.
#[derive(Debug)]
pub enum Input {
    /// Whole ticks elapsed: more than one after a pause.
    Tick(Ticks),
    /// A message from a peer, decoded and checked at the border.
    Receive(Envelope),
    /// A client's call, checked on the way in.
    Request(RequestId, Request),
    /// Writes became durable. Only a plan that was carried out has such a receipt.
    Persisted(Receipt),
    /// The store applied everything up to here.
    Applied {
        /// The last entry.
        id: LogId,
        /// What those entries changed that consensus keeps time or count by, in order.
        facts: Vec<Fact>,
    },
    /// The store's durable copy was synced up to here: the log before it is not needed to restart.
    Stored(Index),
    /// A part of the store's state, as [`Output::Capture`] asked for.
    Captured {
        /// For which shipment.
        shipment: ShipmentId,
        /// The part.
        chunk: Chunk,
    },
    /// What became of the last chunk of [`Output::Keep`].
    Kept {
        /// Of which reception.
        reception: ReceptionId,
        /// What.
        kept: Kept,
    },
    /// The store's durable copy was replaced by a snapshot and synced. The store itself had taken
    /// it over before that, and [`Input::Applied`] said so.
    Installed(LogId),
}

/// Everything a member can ask for. The caller obeys in order and decides nothing.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// Make durable, then hand back the receipt.
    Persist(Write),
    /// May be lost, repeated or late: core copes.
    Send(Envelope),
    /// Committed entries for the store, in order.
    Apply(Group),
    /// This read may now look at the store.
    Readable(RequestId),
    /// What the leader knows of the lease that was asked about or renewed; none if there is none.
    Lease(RequestId, Option<LeaseLife>),
    /// This member gives a request up. The first answer to a request counts.
    Reply(RequestId, Unavailable),
    /// Another member leads, as this request wished.
    Moved(RequestId),
    /// Hand in a part of the store's state: all parts of a shipment come from one applied index,
    /// which is fixed when the first one is asked for.
    Capture {
        /// The shipment.
        shipment: ShipmentId,
        /// Bytes that were handed in before.
        offset: u64,
    },
    /// Nothing more is asked of this shipment's state.
    Release(ShipmentId),
    /// Keep a received chunk ([`crate::snap::Shelf::keep`]).
    Keep(Piece),
    /// Replace the store, and its durable copy, by this received snapshot. It comes before all
    /// entries behind it.
    Install(LogId),
    /// Remove what was kept of a received snapshot ([`crate::snap::Shelf::forget`]).
    Forget(LogId),
}

/// Committed entries behind each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// At least one.
    pub entries: Vec<Entry>,
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tick(ticks) => write!(f, "tick {}", ticks.0),
            Self::Receive(envelope) => write!(f, "receive {envelope}"),
            Self::Request(id, Request::Propose(_)) => write!(f, "request {id} propose"),
            Self::Request(id, Request::Read) => write!(f, "request {id} read"),
            Self::Request(id, Request::KeepAlive(lease)) => {
                write!(f, "request {id} keep-alive {lease}")
            }
            Self::Request(id, Request::TimeToLive(lease)) => {
                write!(f, "request {id} time-to-live {lease}")
            }
            Self::Request(id, Request::MoveLeader(to)) => write!(f, "request {id} move to {to}"),
            Self::Request(id, Request::Resign) => write!(f, "request {id} resign"),
            Self::Persisted(receipt) => write!(f, "durable w{}", receipt.number()),
            Self::Applied { id, .. } => write!(f, "applied {id}"),
            Self::Stored(index) => write!(f, "stored {index}"),
            Self::Captured { shipment, chunk } => write!(f, "captured {shipment}: {chunk}"),
            Self::Kept { reception, kept } => write!(f, "kept {reception}: {kept}"),
            Self::Installed(snapshot) => write!(f, "installed {snapshot}"),
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Persist(write) => write!(f, "persist {write}"),
            Self::Send(envelope) => write!(f, "send {envelope}"),
            Self::Apply(group) => write!(f, "apply {group}"),
            Self::Readable(id) => write!(f, "readable {id}"),
            Self::Lease(id, Some(life)) => write!(f, "lease {id} {life}"),
            Self::Lease(id, None) => write!(f, "lease {id} none"),
            Self::Reply(id, why) => write!(f, "reply {id} {why}"),
            Self::Moved(id) => write!(f, "moved {id}"),
            Self::Capture { shipment, offset } => write!(f, "capture {shipment} from {offset}"),
            Self::Release(shipment) => write!(f, "release {shipment}"),
            Self::Keep(Piece { reception, chunk, .. }) => write!(f, "keep {reception}: {chunk}"),
            Self::Install(snapshot) => write!(f, "install {snapshot}"),
            Self::Forget(snapshot) => write!(f, "forget {snapshot}"),
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        raft::write_span(f, &self.entries)
    }
}
