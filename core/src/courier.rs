//! Carries snapshots between consensus, the store and the disk: the same code for the server's
//! thread and for the simulator's actor.
//!
//! ```text
//!   Capture, Release  --> captures of the store, one per shipment --> Input::Captured
//!   Keep              --> Reader (checks) + Shelf (plans) --file operations--> Input::Kept
//!   Forget            --> Shelf (plans)
//!   a whole one       --> the store that it makes, to be installed
//! ```
//! A received snapshot is read while it arrives, so that a bad one is known before anything relies
//! on it, and a good one needs no second reading.
//!
//! Not here: who carries out file operations, and when (`node/src/serve/`, `sim/src/world/`).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use crate::member::Input;
use crate::planted::Bug;
use crate::snap::{Chunk, Kept, Piece, ReceptionId, Shelf, ShipmentId};
use crate::store::{Capture, Damage, Loader, Reader, Store};
use crate::types::LogId;
use crate::wal::{FileOp, Identity};

/// What consensus wants done about snapshots, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Order {
    /// Hand in a part of the store's state.
    Capture {
        /// For which shipment.
        shipment: ShipmentId,
        /// Bytes that were handed in before.
        offset: u64,
    },
    /// Nothing more is asked of this shipment's state.
    Release(ShipmentId),
    /// Keep a received chunk.
    Keep(Piece),
    /// Remove what was kept.
    Forget(LogId),
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capture { shipment, offset } => write!(f, "capture {shipment} from {offset}"),
            Self::Release(shipment) => write!(f, "release {shipment}"),
            Self::Keep(Piece { reception, chunk, .. }) => write!(f, "keep {reception}: {chunk}"),
            Self::Forget(snapshot) => write!(f, "forget {snapshot}"),
        }
    }
}

/// Captures that are under way, and the snapshot that is received.
#[derive(Debug)]
pub struct Courier {
    identity: Identity,
    planted: Option<Bug>,
    /// Bytes of rows in a part.
    budget: usize,
    shelf: Shelf,
    captures: BTreeMap<ShipmentId, Capture>,
    incoming: Option<(ReceptionId, Reader)>,
    /// What a whole snapshot makes, until it is installed or forgotten.
    ready: Option<(LogId, Store)>,
}

/// An answer that is good once the file operations planned with it have succeeded.
#[derive(Debug)]
#[must_use = "execute the operations, then call done()"]
pub struct Unkept {
    reception: ReceptionId,
    kept: Kept,
}

impl Unkept {
    /// To be called when every operation has succeeded.
    pub fn done(self) -> Input {
        Input::Kept { reception: self.reception, kept: self.kept }
    }
}

impl Courier {
    /// With what an earlier life left on the shelf. `budget` bytes of rows make a part.
    #[must_use]
    pub fn new(identity: Identity, budget: usize, shelf: Shelf, planted: Option<Bug>) -> Self {
        let (captures, incoming, ready) = (BTreeMap::new(), None, None);
        let shelf = shelf.with_planted(planted);
        Self { identity, planted, budget, shelf, captures, incoming, ready }
    }

    /// The next part for a shipment. The caller holds the store still meanwhile.
    pub fn capture(&mut self, store: &Store, shipment: ShipmentId, offset: u64) -> Input {
        let cluster = self.identity.cluster;
        let capture = self.captures.entry(shipment).or_insert_with(|| store.capture(cluster));
        assert_eq!(capture.offset(), offset, "Y1: parts come in order");
        Input::Captured { shipment, chunk: capture.next(store, self.budget) }
    }

    /// A shipment is over.
    pub fn release(&mut self, shipment: ShipmentId) {
        self.captures.remove(&shipment);
    }

    /// How many states are being captured.
    #[must_use]
    pub fn captures(&self) -> usize {
        self.captures.len()
    }

    /// Checks a received chunk and plans to keep it. What is wrong with a refused one comes along.
    pub fn keep(&mut self, piece: &Piece, out: &mut Vec<FileOp>) -> (Unkept, Option<Damage>) {
        let Piece { reception, chunk, .. } = piece;
        let (kept, damage) = match self.read(*reception, chunk) {
            Ok(()) => {
                self.shelf.keep(chunk, out);
                (if chunk.last { Kept::Whole } else { Kept::Part(chunk.end()) }, None)
            }
            Err(damage) => (Kept::Refused, Some(damage)),
        };
        (Unkept { reception: *reception, kept }, damage)
    }

    fn read(&mut self, reception: ReceptionId, chunk: &Chunk) -> Result<(), Damage> {
        if chunk.offset == 0 {
            let Identity { cluster, member } = self.identity;
            let loader = Loader::with_planted(self.planted, member);
            self.incoming = Some((reception, Reader::new(cluster, loader)));
        }
        let incoming = self.incoming.as_mut().filter(|(id, _)| *id == reception);
        // After a refusal, what is still on its way of the same reception is refused as well.
        let (_, reader) = incoming.ok_or_else(|| Damage::snapshot("has no beginning"))?;
        let read = reader.part(&chunk.bytes);
        let read = read.and_then(|()| match (chunk.last, reader.blocks().is_done()) {
            (true, _) => reader.finish(chunk.snapshot).map(Some),
            (false, true) => Err(Damage::snapshot("ends before its end")),
            (false, false) => Ok(None),
        });
        match read {
            Ok(None) => Ok(()),
            Ok(Some(store)) => {
                self.incoming = None;
                self.ready = Some((chunk.snapshot, store));
                Ok(())
            }
            Err(damage) => {
                self.incoming = None;
                Err(damage)
            }
        }
    }

    /// The store that a whole snapshot made, to be installed.
    pub fn take_ready(&mut self, snapshot: LogId) -> Store {
        match self.ready.take() {
            Some((ready, store)) if ready == snapshot => store,
            Some(_) | None => panic!("J1: {snapshot} is to be installed and is not whole"),
        }
    }

    /// Plans to remove what was kept of a snapshot.
    pub fn forget(&mut self, snapshot: LogId, out: &mut Vec<FileOp>) {
        self.ready.take_if(|(ready, _)| *ready == snapshot);
        self.shelf.forget(snapshot, out);
    }
}
