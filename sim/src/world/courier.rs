//! The courier actor: snapshots from the store to the network, and from the network to the disk.
//!
//! ```text
//!   orders --> Courier --> captured parts --> consensus --> network
//!                     \--> operations on the shelf, one by one --> kept --> consensus
//!   install --> store (applier) --> its durable copy, step by step (storage) --> consensus
//! ```
//! Every file operation and every step of the replacement takes its time and can be the last.
//!
//! Not here: when a snapshot is sent or installed (core's `raft/`).

use std::collections::VecDeque;

use quorate_core::courier::{Courier, Order, Unkept};
use quorate_core::member::Input;
use quorate_core::planted::Bug;
use quorate_core::snap::{self, Kept, Opening, Piece, ReceptionId, Shelf};
use quorate_core::store::{Damage, Loader, Refill, RefillStep, Store, position_key, position_of};
use quorate_core::types::LogId;
use quorate_core::wal::{FileOp, Identity, ReadDisk};
use quorate_core::watch::WatchInput;

use super::host::Host;
use super::{CLUSTER, Name, World, id};
use crate::counters::Counter;
use crate::oracle::State;
use crate::plan::{Actor, Moment};
use crate::verdict::{Invariant, Violation};

/// What a process does about snapshots.
#[derive(Debug)]
pub struct Parcels {
    courier: Courier,
    orders: VecDeque<Order>,
    /// Operations on the shelf, the first of them in progress.
    pub ops: VecDeque<FileOp>,
    /// What is told when they are done.
    unkept: Option<Unkept>,
    /// The reception under way, and how far it is, as long as nothing of it was left out.
    received: Option<(ReceptionId, u64)>,
    /// Handed to the applier.
    pub install: Option<LogId>,
    /// In the store; its durable copy follows.
    refill: Option<(LogId, VecDeque<RefillStep>)>,
}

impl Parcels {
    pub fn new(at: usize, part: usize, shelf: Shelf, planted: Option<Bug>) -> Self {
        let identity = Identity { cluster: CLUSTER, member: id(at) };
        Self {
            courier: Courier::new(identity, part, shelf, planted),
            orders: VecDeque::new(),
            ops: VecDeque::new(),
            unkept: None,
            received: None,
            install: None,
            refill: None,
        }
    }

    /// Whether a piece goes on where the last one of its reception ended.
    fn follows(&mut self, piece: &Piece) -> bool {
        let Piece { reception, chunk, .. } = piece;
        let place = Some((*reception, chunk.offset));
        let follows = chunk.offset == 0 || self.received == place;
        self.received = follows.then_some((*reception, chunk.end()));
        follows
    }

    pub fn order(&mut self, orders: Vec<Order>) {
        self.orders.extend(orders);
    }

    /// Whether the durable copy is being replaced.
    pub fn refills(&self) -> bool {
        self.refill.is_some()
    }
}

impl Host {
    /// Start-up: the store, from its durable copy or from the snapshot that was to replace it.
    pub fn open_store(
        &mut self,
        base: LogId,
        mut loader: Loader,
    ) -> Result<(Store, Shelf, Option<LogId>), String> {
        let mut ops = Vec::new();
        let mut shelf = Shelf::open(&self.snap, &mut ops)?;
        let rows = self.vault.rows();
        let position = rows.get(&position_key()).map(|value| position_of(value)).transpose();
        let position = position.map_err(|damage| damage.to_string())?;
        let installed = match shelf.decide(base, position)? {
            Opening::UseStore => None,
            Opening::Install { snapshot, name } => {
                let file = self.read_shelf(&name);
                let steps = steps(&file).map_err(|damage| damage.to_string())?;
                steps.into_iter().for_each(|step| self.refill_step(step));
                Some(snapshot)
            }
        };
        shelf.clear(&mut ops);
        ops.iter().for_each(|op| self.snap.execute(op));
        for (key, value) in self.vault.rows() {
            loader.row(&key, &value).map_err(|damage| damage.to_string())?;
        }
        let store = loader.finish().map_err(|damage| damage.to_string())?;
        Ok((store, shelf, installed))
    }

    fn read_shelf(&self, name: &str) -> Vec<u8> {
        let Ok(file) = self.snap.read(name);
        file
    }

    fn refill_step(&mut self, step: RefillStep) {
        match step {
            RefillStep::Write(rows) => self.vault.hand_over(rows),
            RefillStep::Clear => self.vault.clear(),
            RefillStep::Sync => self.vault.sync(),
        }
    }
}

impl World {
    /// An operation is done, or an order waits.
    pub(super) fn run_courier(&mut self, at: usize) -> Result<(), Violation> {
        let host = &mut self.hosts[at];
        let Some(boot) = host.boot() else { return Ok(()) };
        let Some(running) = host.running() else { return Ok(()) };
        if let Some(op) = running.parcels.ops.pop_front() {
            host.snap.execute(&op);
            self.trace.event(self.now, format_args!("{} shelf {op}", Name(at)));
            self.moment(at, Moment::Operates);
            if !self.is_alive(at, boot) {
                return Ok(());
            }
        }
        self.finish_parcel(at)?;
        if self.is_alive(at, boot) {
            self.next_order(at)?;
        }
        Ok(())
    }

    fn finish_parcel(&mut self, at: usize) -> Result<(), Violation> {
        let host = &mut self.hosts[at];
        let durable = host.snap.is_durable();
        let Some(running) = host.running() else { return Ok(()) };
        if !running.parcels.ops.is_empty() {
            return Ok(());
        }
        let Some(unkept) = running.parcels.unkept.take() else { return Ok(()) };
        let input = unkept.done();
        if let Input::Kept { kept: Kept::Whole, .. } = input
            && !durable
        {
            let what = format!("{} counts on a snapshot that is not on its disk", Name(at));
            return Violation::of(Invariant::Durability, what);
        }
        running.inbox.push(input);
        self.wake(at, Actor::Consensus);
        self.moment(at, Moment::Keeps);
        Ok(())
    }

    fn next_order(&mut self, at: usize) -> Result<(), Violation> {
        let Some(running) = self.hosts[at].running() else { return Ok(()) };
        let parcels = &mut running.parcels;
        let mut ops = Vec::new();
        if parcels.ops.is_empty() {
            match parcels.orders.pop_front() {
                None => return Ok(()),
                Some(Order::Capture { shipment, offset }) => {
                    let captured = parcels.courier.capture(&running.store, shipment, offset);
                    running.inbox.push(captured);
                    self.counters.add(Counter::SnapshotsBegun, u64::from(offset == 0));
                    self.counters.count(Counter::SnapshotParts);
                    self.wake(at, Actor::Consensus);
                }
                Some(Order::Release(shipment)) => parcels.courier.release(shipment),
                Some(Order::Keep(piece)) => {
                    let (unkept, damage) = parcels.courier.keep(&piece, &mut ops);
                    parcels.unkept = Some(unkept);
                    let whole = parcels.follows(&piece);
                    if let Some(damage) = damage {
                        let line = format!("{} refuses {}: {damage}", Name(at), piece.chunk);
                        self.trace.event(self.now, format_args!("{line}"));
                        // The network brings what was sent: the sender's state is to blame.
                        if whole {
                            return Violation::of(Invariant::ReplicaEquality, line);
                        }
                    }
                }
                Some(Order::Forget(snapshot)) => parcels.courier.forget(snapshot, &mut ops),
            }
        }
        let Some(running) = self.hosts[at].running() else { return Ok(()) };
        running.parcels.ops.extend(ops);
        self.go_on_with_shelf(at);
        Ok(())
    }

    /// Gives the operation in progress its time, or lets the next order come.
    fn go_on_with_shelf(&mut self, at: usize) {
        let service = self.plan.settings.service;
        let Some(running) = self.hosts[at].running() else { return };
        let span = match running.parcels.ops.front().cloned() {
            Some(op) => self.latency(at, &op),
            None => service,
        };
        self.wake_after(at, Actor::Courier, span);
    }

    /// A whole snapshot takes the store's place.
    pub(super) fn install(&mut self, at: usize) -> Result<(), Violation> {
        let host = &mut self.hosts[at];
        let Some(running) = host.running() else { return Ok(()) };
        let Some(snapshot) = running.parcels.install.take() else { return Ok(()) };
        let ready = running.parcels.courier.take_ready(snapshot);
        let (_, told) = quorate_core::actors::install(&mut running.store, ready);
        let state = State::from(&running.store);
        let (revision, compacted) = (running.store.revision(), running.store.compact_revision());
        running.image.clear();
        running.batches.clear();
        running.inbox.push(told);
        let file = host.read_shelf(&snap::file_name(snapshot));
        let steps = steps(&file).unwrap_or_else(|damage| panic!("{}: {damage}", Name(at)));
        if let Some(running) = host.running() {
            running.parcels.refill = Some((snapshot, steps.into()));
        }
        self.trace.event(self.now, format_args!("{} installs {snapshot}", Name(at)));
        self.counters.count(Counter::SnapshotsInstalled);
        self.oracle.on_install(at, snapshot)?;
        self.oracle.on_load(at, snapshot.index, state)?;
        self.tell_hub(at, WatchInput::Installed { revision, compacted });
        self.wake_sweeper(at);
        self.wake(at, Actor::Consensus);
        self.wake_after(at, Actor::Storage, self.plan.settings.disk_write);
        self.moment(at, Moment::Installs);
        Ok(())
    }

    /// One step of the replacement of the durable copy.
    pub(super) fn refill(&mut self, at: usize) {
        let span = self.plan.settings.disk_write;
        let host = &mut self.hosts[at];
        let Some(running) = host.running() else { return };
        let Some((snapshot, steps)) = &mut running.parcels.refill else { return };
        let (snapshot, step) = (*snapshot, steps.pop_front());
        match step {
            Some(step) => host.refill_step(step),
            None => {
                running.parcels.refill = None;
                running.handed = running.handed.max(snapshot.index);
                running.stored = running.handed;
                running.synced_at = self.now;
                running.inbox.push(Input::Installed(snapshot));
                self.wake(at, Actor::Consensus);
            }
        }
        self.wake_after(at, Actor::Storage, span);
        self.moment(at, Moment::Stores);
    }
}

/// The steps that make a table of a snapshot.
fn steps(mut file: &[u8]) -> Result<Vec<RefillStep>, Damage> {
    let (mut refill, mut steps) = Refill::begin(CLUSTER);
    while let Some(len) = refill.blocks().part_len(file).filter(|len| *len <= file.len()) {
        let (part, rest) = file.split_at(len);
        steps.push(refill.part(part)?);
        file = rest;
    }
    steps.extend(refill.end()?);
    Ok(steps)
}
