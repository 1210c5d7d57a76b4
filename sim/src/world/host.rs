//! One machine: what outlives a process, and the process while it lives.
//!
//! ```text
//!   Host   disk, vault, clock, count of lives          survives
//!    +-- Life  operations of the log under way         volatile
//!         +-- Founding | Repairing | Running           what start-up has come to
//! ```
//! Start-up goes through the same planner and the same disk as everything else, operation by
//! operation, so that it can be struck at any point.
//!
//! Not here: what the actors do (`consensus.rs`, `log.rs`, `applier.rs`, `desk.rs`).

use std::collections::{BTreeSet, VecDeque};

use quorate_core::actors::{self, Answer, Consensus, Waiters};
use quorate_core::member::{Config, Input};
use quorate_core::raft::{ARREARS_BYTES, Entry, RoleKind, View, WINDOW_BYTES};
use quorate_core::snap::Shelf;
use quorate_core::store::{Batch, Held, Image, Loader, Store};
use quorate_core::types::{Index, LogId, Ticks};
use quorate_core::wal::{self, FileOp, Found, Identity, Layout, Recovered, Unsynced, Wal, Write};

use super::courier::Parcels;
use super::desk::{Item, Ticket};
use super::hub::HubActor;
use super::{CLUSTER, Change, Name, World, founding, id};
use crate::clock::{Micros, SkewClock, TICK, Ticker};
use crate::counters::Counter;
use crate::disk::Disk;
use crate::oracle::State;
use crate::plan::{Actor, Moment};
use crate::shadow::Shadow;
use crate::vault::Vault;
use crate::verdict::{Invariant, Violation};

/// One machine.
#[derive(Debug)]
pub struct Host {
    pub disk: Disk,
    /// The files of received snapshots.
    pub snap: Disk,
    pub vault: Vault,
    pub clock: SkewClock,
    /// How many times its process was started.
    pub boots: u64,
    /// Whether its log was ever completed.
    pub founded: bool,
    pub life: Option<Life>,
    /// Faults that slow its disk: id and how many times.
    pub slow: Vec<(u32, u64)>,
    /// Which alarm of the clock is the valid one.
    pub alarm: u64,
    /// Faults by which its syncs fail.
    pub failing: Vec<u32>,
    /// Faults by which there is no room for new files.
    pub full: Vec<u32>,
    /// Whether a bit of its files ever turned over.
    pub rotten: bool,
    /// Whether it refuses to start since then. It stays down for good.
    pub retired: bool,
}

/// A process.
#[derive(Debug)]
pub struct Life {
    pub boot: u64,
    /// File operations of the plan under way, the first of them in progress.
    pub ops: VecDeque<FileOp>,
    /// Where the last write of the plan under way went.
    pub wrote: u64,
    pub stage: Stage,
    /// When an actor's next turn is due, if it has one coming.
    pub due: [Option<Micros>; Actor::ALL.len()],
    /// Faults that make an actor stand still, by actor; a pause counts for each.
    pub still: [u32; Actor::ALL.len()],
}

/// How far start-up has come.
#[derive(Debug)]
pub enum Stage {
    /// A first log is being made.
    Founding,
    /// What was read from the log is being made durable.
    Repairing(Box<Recovered>),
    /// All actors are at work.
    Running(Box<Running>),
}

/// The volatile state of the actors, by actor.
#[derive(Debug)]
pub struct Running {
    pub consensus: Consensus,
    pub inbox: Vec<Input>,
    pub ticker: Ticker,

    pub wal: Wal,
    pub writes: Vec<Write>,
    pub unsynced: Option<Unsynced>,

    pub store: Store,
    pub entries: Vec<Entry>,
    pub image: Image,

    /// Answers that wait until removal is durable, and how far it is in the batches handed over.
    pub held: Held<Answer>,
    pub removed: Option<i64>,

    pub batches: VecDeque<Batch>,
    /// The last entry handed to the vault, and the last one synced there.
    pub handed: Index,
    pub stored: Index,
    pub synced_at: Micros,

    pub parcels: Parcels,
    pub hub: HubActor,

    pub waiters: Waiters<Ticket>,
    pub desk: VecDeque<Item>,
}

impl Host {
    pub fn new() -> Self {
        Self {
            disk: Disk::default(),
            snap: Disk::default(),
            vault: Vault::default(),
            clock: SkewClock::default(),
            boots: 0,
            founded: false,
            life: None,
            slow: Vec::new(),
            alarm: 0,
            failing: Vec::new(),
            full: Vec::new(),
            rotten: false,
            retired: false,
        }
    }

    pub fn boot(&self) -> Option<u64> {
        self.life.as_ref().map(|life| life.boot)
    }

    pub fn running(&mut self) -> Option<&mut Running> {
        match &mut self.life.as_mut()?.stage {
            Stage::Running(running) => Some(running),
            Stage::Founding | Stage::Repairing(_) => None,
        }
    }

    pub fn view(&self) -> Option<View> {
        match &self.life.as_ref()?.stage {
            Stage::Running(running) => Some(running.consensus.view()),
            Stage::Founding | Stage::Repairing(_) => None,
        }
    }

    pub fn leads(&self) -> bool {
        self.view().is_some_and(|view| view.role == RoleKind::Leader)
    }

    pub fn store(&self) -> Option<&Store> {
        match &self.life.as_ref()?.stage {
            Stage::Running(running) => Some(&running.store),
            Stage::Founding | Stage::Repairing(_) => None,
        }
    }

    /// How many calls have no answer yet.
    pub fn waiting(&self) -> usize {
        match self.life.as_ref().map(|life| &life.stage) {
            Some(Stage::Running(running)) => running.waiters.len(),
            Some(Stage::Founding | Stage::Repairing(_)) | None => 0,
        }
    }

    /// Notes that an actor has a turn coming. None: it has one already, or there is no process.
    pub fn arm(&mut self, actor: Actor, time: Micros) -> Option<u64> {
        let life = self.life.as_mut()?;
        let due = &mut life.due[actor as usize];
        if due.is_some() {
            return None;
        }
        *due = Some(time);
        Some(life.boot)
    }

    /// Whether an actor may take its turn. One that stands still keeps it for later.
    pub fn disarm(&mut self, boot: u64, actor: Actor, now: Micros) -> bool {
        let Some(life) = self.life.as_mut().filter(|life| life.boot == boot) else { return false };
        if life.still[actor as usize] > 0 {
            return false;
        }
        life.due[actor as usize].take_if(|due| *due <= now).is_some()
    }

    /// Lets an actor stand still, or go on. Returns whether it has a turn to make up for.
    pub fn hold(&mut self, actor: Actor, on: bool, now: Micros) -> bool {
        let Some(life) = &mut self.life else { return false };
        let still = &mut life.still[actor as usize];
        *still = if on { *still + 1 } else { still.saturating_sub(1) };
        let goes_on = *still == 0;
        goes_on && life.due[actor as usize].take_if(|due| *due <= now).is_some()
    }

    pub fn is_still(&self, actor: Actor) -> bool {
        self.life.as_ref().is_some_and(|life| life.still[actor as usize] > 0)
    }
}

impl Life {
    /// The operation on the shelf that is in progress.
    pub fn shelf_op(&self) -> Option<&FileOp> {
        match &self.stage {
            Stage::Running(running) => running.parcels.ops.front(),
            Stage::Founding | Stage::Repairing(_) => None,
        }
    }
}

impl World {
    /// Starts the process of a machine, unless it runs.
    pub(super) fn start(&mut self, at: usize) -> Result<(), Violation> {
        let host = &mut self.hosts[at];
        if host.life.is_some() || host.retired {
            return Ok(());
        }
        host.boots += 1;
        let boot = host.boots;
        host.life = Some(Life {
            boot,
            ops: VecDeque::new(),
            wrote: 0,
            stage: Stage::Founding,
            due: [None; Actor::ALL.len()],
            still: [0; Actor::ALL.len()],
        });
        self.changes.push(Change::Started(at));
        self.trace.event(self.now, format_args!("{} start {boot}", Name(at)));
        if boot > 1 {
            self.counters.count(Counter::Restarts);
        }
        self.read_log(at)?;
        self.moment(at, Moment::Starts);
        Ok(())
    }

    /// Start-up, from the log on the disk to the operations that must come first.
    pub(super) fn read_log(&mut self, at: usize) -> Result<(), Violation> {
        let layout = self.layout();
        let host = &mut self.hosts[at];
        let found = match wal::recover(&host.disk, layout) {
            Ok(found) => found,
            Err(damage) => return self.refuse_to_start(at, &damage),
        };
        let (stage, ops) = match found {
            Found::Nothing if host.founded => return must_start(at, &"its log is gone"),
            Found::Nothing => (Stage::Founding, found_log(at, self.hosts.len(), layout)),
            Found::Log(mut recovered) => {
                let repairs = std::mem::take(&mut recovered.repairs);
                self.counters.add(Counter::TornTails, u64::from(recovered.torn > 0));
                (Stage::Repairing(Box::new(recovered)), repairs)
            }
        };
        let Some(life) = &mut self.hosts[at].life else { return Ok(()) };
        life.stage = stage;
        life.ops = ops.into();
        self.go_on_with_log(at);
        Ok(())
    }

    /// Start-up, once the log is read and durable: the store, then the actors.
    pub(super) fn open_store(&mut self, at: usize, recovered: Recovered) -> Result<(), Violation> {
        let shadow = Shadow::new(recovered.hard, recovered.base, &recovered.entries);
        let loader = Loader::with_planted(self.planted, id(at));
        let (store, shelf, installed) = match self.hosts[at].open_store(recovered.base, loader) {
            Ok(opened) => opened,
            Err(why) => return must_start(at, &why),
        };
        self.counters.add(Counter::SnapshotsResumed, u64::from(installed.is_some()));
        let applied = store.applied();
        let line = format_args!(
            "{} opens {} log {}..{} torn={} applied={applied}",
            Name(at),
            shadow.hard,
            shadow.base,
            shadow.last(),
            recovered.torn
        );
        self.trace.event(self.now, line);
        self.oracle.on_start(at, shadow)?;
        self.oracle.on_load(at, applied.index, State::from(&store))?;
        let running = match self.assemble(at, recovered, store, shelf) {
            Ok(running) => running,
            Err(why) => return must_start(at, &why),
        };
        if let Some(life) = &mut self.hosts[at].life {
            life.stage = Stage::Running(Box::new(running));
        }
        self.set_alarm(at);
        self.wake(at, Actor::Consensus);
        self.wake_sweeper(at);
        Ok(())
    }

    fn assemble(
        &mut self,
        at: usize,
        mut recovered: Recovered,
        store: Store,
        shelf: Shelf,
    ) -> Result<Running, String> {
        let config = self.config(at);
        let boot = config.boot;
        let LogId { index: applied, .. } = store.applied();
        let hub = HubActor::new(self.hub_settings(at), store.revision(), store.compact_revision());
        let removed = store.removed();
        let mut held = Held::default();
        held.synced(removed);
        let member = actors::start(config, &mut recovered, &store)?;
        Ok(Running {
            consensus: Consensus::new(member),
            inbox: Vec::new(),
            ticker: Ticker::new(self.hosts[at].clock.local(self.now)),
            wal: recovered.wal,
            writes: Vec::new(),
            unsynced: None,
            store,
            entries: Vec::new(),
            image: Image::new(self.planted),
            held,
            removed,
            batches: VecDeque::new(),
            handed: applied,
            stored: Index(0),
            synced_at: self.now,
            parcels: Parcels::new(at, self.plan.settings.part as usize, shelf, self.planted),
            hub,
            waiters: Waiters::new(id(at), boot),
            desk: VecDeque::new(),
        })
    }

    pub(super) fn config(&self, at: usize) -> Config {
        let settings = &self.plan.settings;
        let boot = self.hosts[at].boots;
        Config {
            id: id(at),
            cluster: CLUSTER,
            boot,
            voters: (0..self.hosts.len()).map(id).collect::<BTreeSet<_>>(),
            heartbeat: Ticks((settings.heartbeat / TICK).max(1)),
            election: Ticks((settings.election / TICK).max(1)),
            discard_batch: settings.discard,
            lease_checkpoint: Ticks((settings.checkpoint / TICK).max(1)),
            kept_tail: settings.tail,
            window: given(settings.window, WINDOW_BYTES),
            arrears: given(settings.arrears, ARREARS_BYTES),
            seed: self.fate("member").of(at as u64).of(boot).number(),
            planted: self.planted,
        }
    }

    fn layout(&self) -> Layout {
        Layout { segment_size: self.plan.settings.segment, planted: self.planted }
    }
}

/// A setting, or what a real member has instead.
fn given(setting: u64, real: usize) -> usize {
    if setting == 0 { real } else { setting as usize }
}

fn found_log(at: usize, members: usize, layout: Layout) -> Vec<FileOp> {
    let mut ops = Vec::new();
    let identity = Identity { cluster: CLUSTER, member: id(at) };
    Wal::create(identity, layout, founding(members), &mut ops);
    ops
}

pub(super) fn must_start<T>(at: usize, why: &dyn std::fmt::Display) -> Result<T, Violation> {
    Violation::of(Invariant::MemberMustStart, format!("{} does not start: {why}", Name(at)))
}
