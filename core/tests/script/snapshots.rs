//! Snapshots in the hands of a script: the courier's thread is `carry`, the applier takes a whole
//! one over in `apply`, and the storage thread makes it the durable copy in `store`.
//!
//! ```text
//!   orders --carry--> Courier --> files --> Input::Captured, Kept
//!   install --apply--> Store --> Input::Applied --store--> durable copy --> Input::Installed
//! ```

use std::mem::take;

use quorate_core::courier::{Courier, Order};
use quorate_core::member::Input;
use quorate_core::snap::{Opening, Shelf};
use quorate_core::store::{Loader, Reader, Store};
use quorate_core::types::{ClusterId, LogId};
use quorate_core::wal::Identity;

use super::disk::Disk;

/// Bytes of rows in a part: small, so that a few pairs make several.
const PART: usize = 120;

/// What one member does about snapshots.
pub struct Snapshots {
    courier: Courier,
    /// Files as they are after the last sync.
    files: Disk,
    orders: Vec<Order>,
    /// Handed over, and not in the store.
    pub install: Option<LogId>,
    /// In the store, and not in its durable copy.
    pub refill: Option<LogId>,
}

impl Snapshots {
    /// Of a member that starts with these files.
    pub fn start(identity: Identity, mut files: Disk) -> Self {
        let mut litter = Vec::new();
        let shelf = Shelf::open(&files, &mut litter).expect("a readable shelf");
        files.execute(litter);
        let courier = Courier::new(identity, PART, shelf, None);
        Self { courier, files, orders: Vec::new(), install: None, refill: None }
    }

    /// The files that outlive a crash.
    pub fn files(&mut self) -> Disk {
        take(&mut self.files)
    }

    /// Takes an order.
    pub fn order(&mut self, order: Order) {
        self.orders.push(order);
    }

    /// Carries out what was ordered. Returns the answers.
    pub fn carry(&mut self, store: &Store) -> Vec<Input> {
        take(&mut self.orders)
            .into_iter()
            .filter_map(|order| self.carry_out(order, store))
            .collect()
    }

    fn carry_out(&mut self, order: Order, store: &Store) -> Option<Input> {
        let mut ops = Vec::new();
        let answer = match order {
            Order::Capture { shipment, offset } => {
                Some(self.courier.capture(store, shipment, offset))
            }
            Order::Release(shipment) => {
                self.courier.release(shipment);
                None
            }
            Order::Keep(piece) => Some(self.courier.keep(&piece, &mut ops).0.done()),
            Order::Forget(snapshot) => {
                self.courier.forget(snapshot, &mut ops);
                None
            }
        };
        self.files.execute(ops);
        answer
    }

    /// The store that a whole snapshot makes.
    pub fn take_ready(&mut self, snapshot: LogId) -> Store {
        self.courier.take_ready(snapshot)
    }
}

/// The store of a member that starts: its durable copy, or the snapshot that was to replace it.
pub fn open(cluster: ClusterId, files: &Disk, base: LogId, stored: Store) -> Result<Store, String> {
    let shelf = Shelf::open(files, &mut Vec::new())?;
    match shelf.decide(base, Some(stored.applied()))? {
        Opening::UseStore => Ok(stored),
        Opening::Install { snapshot, name } => {
            read(cluster, files.file(&name), snapshot).map_err(|damage| damage.to_string())
        }
    }
}

fn read(
    cluster: ClusterId,
    mut file: &[u8],
    snapshot: LogId,
) -> Result<Store, quorate_core::store::Damage> {
    let mut reader = Reader::new(cluster, Loader::new());
    while let Some(len) = reader.blocks().part_len(file).filter(|len| *len <= file.len()) {
        let (part, rest) = file.split_at(len);
        reader.part(part)?;
        file = rest;
    }
    reader.finish(snapshot)
}
