//! The log actor: waiting writes become one plan, and its file operations happen one by one.
//!
//! ```text
//!   writes --plan--> operation, operation, ..   each takes its time, and has happened at its end
//!                                        last --> receipt --> consensus
//! ```
//! The operations of founding and repair go the same way, so that a crash can come between any two.

use quorate_core::member::Input;
use quorate_core::wal::FileOp;

use super::host::{Life, Stage};
use super::{Name, World};
use crate::clock::Micros;
use crate::counters::Counter;
use crate::plan::{Actor, Moment};
use crate::verdict::{Invariant, Violation};

/// One sync in so many is slow,
const SLOW_SYNC: u32 = 20_000;
/// so many times.
const SLOW_FACTOR: u64 = 10;

impl World {
    /// An operation is done, or new writes are waiting.
    pub(super) fn run_log(&mut self, at: usize) -> Result<(), Violation> {
        let host = &mut self.hosts[at];
        let Some(life) = &mut host.life else { return Ok(()) };
        let boot = life.boot;
        let op = life.ops.pop_front();
        if let Some(op) = op {
            if self.fails(at, &op) {
                return Ok(());
            }
            let host = &mut self.hosts[at];
            let Some(life) = &mut host.life else { return Ok(()) };
            host.disk.execute(&op);
            if let FileOp::Write { offset, .. } = op {
                life.wrote = offset;
            }
            self.trace.event(self.now, format_args!("{} {}", Name(at), Shown(&op)));
            self.count_operation(&op);
            self.operation_moments(at, boot, &op);
        }
        let Some(life) = self.hosts[at].life.as_mut().filter(|life| life.boot == boot) else {
            return Ok(());
        };
        if life.ops.is_empty() {
            self.finish_plan(at)?;
            if self.is_alive(at, boot) {
                self.begin_plan(at);
            }
        }
        self.go_on_with_log(at);
        Ok(())
    }

    /// Gives the operation in progress its time, if there is one.
    pub(super) fn go_on_with_log(&mut self, at: usize) {
        let Some(Life { ops, .. }) = &self.hosts[at].life else { return };
        if let Some(span) = ops.front().map(|op| self.latency(at, op)) {
            self.wake_after(at, Actor::Log, span);
        }
    }

    /// The disk is fast again, for the operation in progress as well.
    pub(super) fn hurry_log(&mut self, at: usize) {
        let Some(life) = self.hosts[at].life.as_mut().filter(|life| !life.ops.is_empty()) else {
            return;
        };
        if life.still[Actor::Log as usize] == 0 {
            life.due[Actor::Log as usize] = None;
            self.go_on_with_log(at);
        }
    }

    fn finish_plan(&mut self, at: usize) -> Result<(), Violation> {
        let host = &mut self.hosts[at];
        let durable = host.disk.is_durable();
        let Some(life) = &mut host.life else { return Ok(()) };
        match &mut life.stage {
            Stage::Running(running) => {
                let Some(receipt) = running.unsynced.take().map(|unsynced| unsynced.synced())
                else {
                    return Ok(());
                };
                running.inbox.push(Input::Persisted(receipt));
                self.oracle.on_receipt(at, receipt.number(), durable)?;
                self.wake(at, Actor::Consensus);
                self.moment(at, Moment::Syncs);
                Ok(())
            }
            Stage::Founding => {
                host.founded = true;
                self.read_log(at)
            }
            Stage::Repairing(_) => self.finish_repair(at, durable),
        }
    }

    fn finish_repair(&mut self, at: usize, durable: bool) -> Result<(), Violation> {
        let Some(life) = &mut self.hosts[at].life else { return Ok(()) };
        let Stage::Repairing(recovered) = std::mem::replace(&mut life.stage, Stage::Founding)
        else {
            return Ok(());
        };
        if !durable {
            let what = format!("{} starts from bytes that are not synced", Name(at));
            return Violation::of(Invariant::Durability, what);
        }
        self.open_store(at, *recovered)
    }

    fn begin_plan(&mut self, at: usize) {
        let Some(life) = &mut self.hosts[at].life else { return };
        let Stage::Running(running) = &mut life.stage else { return };
        if !life.ops.is_empty() || running.writes.is_empty() {
            return;
        }
        let writes = std::mem::take(&mut running.writes);
        let mut ops = Vec::new();
        running.unsynced = Some(running.wal.plan(&writes, &mut ops));
        assert!(!ops.is_empty(), "a plan without operations");
        life.ops = ops.into();
    }

    /// How long an operation takes: the fate of member, life, file and place, times what is slow.
    pub(super) fn latency(&self, at: usize, op: &FileOp) -> Micros {
        let (host, settings) = (&self.hosts[at], &self.plan.settings);
        let fate = self.fate("latency").of(at as u64).of(host.boots);
        let wrote = host.life.as_ref().map_or(0, |life| life.wrote);
        let slow = host.slow.iter().map(|(_, times)| *times).max().unwrap_or(1);
        let span = match op {
            FileOp::Create { name, .. } | FileOp::Remove { name } => {
                spread(settings.disk_write, fate.named(name))
            }
            FileOp::Rename { to, .. } => spread(settings.disk_write, fate.named(to)),
            FileOp::Write { name, offset, .. } => {
                spread(settings.disk_write, fate.named(name).of(*offset))
            }
            FileOp::Sync { name } => {
                sync(settings.disk_sync, fate.named("sync").named(name).of(wrote))
            }
            FileOp::SyncDir => sync(settings.disk_sync, fate.named("sync-dir").of(wrote)),
        };
        (span * slow).max(1)
    }

    fn count_operation(&mut self, op: &FileOp) {
        match op {
            FileOp::Create { .. } => self.counters.count(Counter::Segments),
            FileOp::Remove { .. } => self.counters.count(Counter::SegmentsRemoved),
            FileOp::Write { .. }
            | FileOp::Sync { .. }
            | FileOp::Rename { .. }
            | FileOp::SyncDir => {}
        }
    }

    fn operation_moments(&mut self, at: usize, boot: u64, op: &FileOp) {
        if matches!(op, FileOp::Write { .. }) {
            self.moment(at, Moment::Writes);
        }
        if self.is_alive(at, boot) {
            self.moment(at, Moment::Operates);
        }
    }
}

/// Between once and twice the shortest.
fn spread(shortest: Micros, fate: crate::fate::Fate) -> Micros {
    shortest + fate.below(shortest + 1)
}

fn sync(shortest: Micros, fate: crate::fate::Fate) -> Micros {
    let span = spread(shortest, fate);
    if fate.named("slow").happens(SLOW_SYNC) { span * SLOW_FACTOR } else { span }
}

/// A file operation without its bytes.
struct Shown<'a>(&'a FileOp);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            FileOp::Create { name, size } => write!(f, "create {name} {size}"),
            FileOp::Write { name, offset, bytes } => {
                write!(f, "write {name} {offset}+{}", bytes.len())
            }
            FileOp::Sync { name } => write!(f, "sync {name}"),
            FileOp::Rename { from, to } => write!(f, "rename {from} {to}"),
            FileOp::Remove { name } => write!(f, "remove {name}"),
            FileOp::SyncDir => f.write_str("sync-dir"),
        }
    }
}
