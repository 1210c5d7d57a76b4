//! The thread that carries snapshots: parts of the store to consensus, received parts to the disk.
//!
//! ```text
//!   consensus --orders--> core's Courier --> captured parts  --> consensus
//!                                       \--> snap/, synced   --> consensus
//! ```
//! A part is taken under the store's read lock, a quarter of a megabyte at a time, so that nobody
//! waits for a snapshot. A whole one is taken over by the apply thread (`serve/apply.rs`) and then
//! by the storage thread (`serve/storage.rs`).
//!
//! Not here: when a snapshot is sent, kept or installed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quorate_core::courier::{Courier, Order};
use quorate_core::snap::Piece;
use quorate_core::store::{Damage, Store};
use quorate_core::types::LogId;
use quorate_core::wal::FileOp;

use crate::serve::disk::Disk;
use crate::serve::logging::die;
use crate::serve::mailbox::{Line, Mailbox, Rest};
use crate::serve::replica::Replica;

/// Bytes of rows in a part of a snapshot.
pub const PART_BYTES: usize = 256 << 10;

/// What was received, shared with the apply thread.
#[derive(Clone)]
pub struct Parcels(Arc<Mutex<Courier>>);

impl Parcels {
    /// Shares a courier.
    pub fn new(courier: Courier) -> Self {
        Self(Arc::new(Mutex::new(courier)))
    }

    /// The store that a whole snapshot made.
    pub fn take_ready(&self, snapshot: LogId) -> Store {
        self.lock().take_ready(snapshot)
    }

    fn lock(&self) -> MutexGuard<'_, Courier> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread owns.
pub struct CourierThread {
    /// What is under way.
    pub parcels: Parcels,
    /// The files of received snapshots.
    pub disk: Disk,
    /// What consensus wants.
    pub orders: Arc<Mailbox<Order>>,
    /// The store, and consensus.
    pub replica: Arc<Replica>,
}

impl CourierThread {
    /// Works until the mailbox is closed and empty.
    pub fn run(mut self) {
        let mut orders = Vec::new();
        while self.orders.take(&mut orders, None, Rest::SLEEP) == Line::Open {
            for order in orders.drain(..) {
                self.carry_out(&order);
            }
        }
    }

    fn carry_out(&mut self, order: &Order) {
        let mut ops = Vec::new();
        match order {
            Order::Capture { shipment, offset } => {
                if *offset == 0 {
                    tracing::info!(%shipment, "a member needs a snapshot");
                }
                let store = self.replica.store();
                let captured = self.parcels.lock().capture(&store, *shipment, *offset);
                drop(store);
                self.replica.inbox.push(captured);
            }
            Order::Release(shipment) => {
                tracing::info!(%shipment, "the snapshot was taken over, or given up");
                self.parcels.lock().release(*shipment);
            }
            Order::Keep(piece) => self.keep(piece),
            Order::Forget(snapshot) => {
                self.parcels.lock().forget(*snapshot, &mut ops);
                self.execute(&ops);
            }
        }
    }

    fn keep(&mut self, piece: &Piece) {
        let mut ops = Vec::new();
        let (unkept, damage) = self.parcels.lock().keep(piece, &mut ops);
        self.execute(&ops);
        log(piece, damage.as_ref());
        self.replica.inbox.push(unkept.done());
    }

    fn execute(&mut self, ops: &[FileOp]) {
        for op in ops {
            self.disk.execute(op).unwrap_or_else(|failed| {
                die(format_args!("{failed}; a snapshot that cannot be kept cannot be relied on"))
            });
        }
        self.disk.close_old();
    }
}

/// A line for each snapshot that is whole, and for each that is refused: its sender makes a pause
/// before it tries again.
fn log(Piece { from, chunk, .. }: &Piece, damage: Option<&Damage>) {
    let (snapshot, bytes) = (chunk.snapshot, chunk.end());
    match damage {
        Some(damage) => tracing::error!(%from, "refused {chunk}: {damage}"),
        None if chunk.last => tracing::info!(%from, %snapshot, bytes, "received a snapshot"),
        None => {}
    }
}
