//! Disks that fail, fill up and rot, and what becomes of their members.
//!
//! ```text
//!   sync fails, no room --> the process ends; it starts again when the disk is well
//!   a bit turns over    --> the process is killed; at its start the rot shows, or did no harm
//!                             shows: the member refuses to start, and stays down
//! ```
//! After a failed sync nobody knows what is on the platter, so a process that went on would build
//! on sand. A member that has lost part of its log cannot know what it promised, so it must refuse
//! to start; nothing repairs it yet. No more than a minority is ever hit, or the cluster would be
//! lost by the plan's doing and not by a bug.

use quorate_core::wal::FileOp;

use super::host::must_start;
use super::{Name, World};
use crate::counters::Counter;
use crate::plan::Shelf;
use crate::verdict::Violation;

/// Where snapshots lie.
const SNAPSHOTS: &str = "snap/";

impl World {
    /// Whether an operation fails, and its process with it.
    pub(super) fn fails(&mut self, at: usize, op: &FileOp) -> bool {
        let fate = self.fate("eio").of(at as u64).of(self.hosts[at].boots);
        let host = &mut self.hosts[at];
        let (failing, full) = (!host.failing.is_empty(), !host.full.is_empty());
        let (counter, why) = match op {
            FileOp::Sync { name } if failing => {
                let outage = host.disk.fail_sync(name, fate.named(name));
                self.counters.add(Counter::SectorsLost, outage.lost);
                (Counter::DiskErrors, "input/output error at a sync")
            }
            FileOp::SyncDir if failing => (Counter::DiskErrors, "input/output error at a sync"),
            FileOp::Create { .. } if full => (Counter::FullDisks, "no space left for a new file"),
            FileOp::Sync { .. }
            | FileOp::SyncDir
            | FileOp::Create { .. }
            | FileOp::Write { .. }
            | FileOp::Rename { .. }
            | FileOp::Remove { .. } => return false,
        };
        self.counters.count(counter);
        self.trace.event(self.now, format_args!("{} ends: {why}", Name(at)));
        if let Some(life) = &mut self.hosts[at].life {
            life.ops.clear(); // What was planned behind it is not begun.
        }
        self.crash(at, false);
        true
    }

    /// Kills a member and turns a bit of its files over, if it is not one too many.
    pub(super) fn rot(&mut self, at: usize, shelf: Shelf, fault: u32) {
        let rotten = self.hosts.iter().filter(|host| host.rotten).count();
        let spared = !self.hosts[at].rotten && rotten + 1 > (self.hosts.len() - 1) / 2;
        if spared || !self.hosts[at].founded {
            return self.trace.event(self.now, format_args!("{} is spared", Name(at)));
        }
        self.crash(at, false);
        let fate = self.fate("rot").of(u64::from(fault));
        let among = |name: &str| name.starts_with(SNAPSHOTS) == (shelf == Shelf::Snapshot);
        let host = &mut self.hosts[at];
        let Some((name, place)) = host.disk.rot(among, fate) else { return };
        host.rotten = true;
        self.counters.count(Counter::BitsRotten);
        self.trace.event(self.now, format_args!("{} has rot in {name} at {place}", Name(at)));
    }

    /// A member that found its log damaged does not start: right, if a bit turned over.
    pub(super) fn refuse_to_start(
        &mut self,
        at: usize,
        damage: &dyn std::fmt::Display,
    ) -> Result<(), Violation> {
        if !self.hosts[at].rotten {
            return must_start(at, damage);
        }
        self.trace.event(self.now, format_args!("{} refuses to start: {damage}", Name(at)));
        self.counters.count(Counter::RotFound);
        self.crash(at, false);
        self.hosts[at].retired = true;
        Ok(())
    }
}
