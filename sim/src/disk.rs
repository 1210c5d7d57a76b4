//! A disk that keeps what was synced and gambles with the rest.
//!
//! ```text
//!   Write --> cache ----Sync----> platter        a killed process loses nothing that it wrote
//!               |                                a lost power supply loses the cache: of each
//!               +--power loss--> per sector:     unsynced sector some version survives, old or
//!                                old? newer?     new, whatever became of its neighbours
//!   Create, Rename, Remove --SyncDir--> directory; at power loss a prefix of the changes survives
//! ```
//! What survives is a fate (`fate.rs`) of member, life, file and sector. A sector of 512 bytes is
//! written whole or not at all, as disks promise; a write of several sectors tears between them, in
//! any mixture. A file that was never synced may come back empty, and one that grew shorter.
//!
//! Invariants:
//! - K1. What was synced survives everything.
//! - K2. A killed process loses nothing but the part of a write under way that it had not reached.
//!
//! Disks also rot at rest, and a sync may fail: then the cache is gone like at a power loss, and
//! what the platter got of the unsynced sectors is all that anybody can read (fsync's own man
//! page).
//!
//! Not here: how long an operation takes (`world/log.rs`), when a disk fails (`world/disks.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use bytes::Bytes;
use quorate_core::wal::{FileOp, ReadDisk, SECTOR};

use crate::fate::Fate;

/// The disk of one member, as far as its log is concerned.
#[derive(Debug, Default)]
pub struct Disk {
    files: BTreeMap<u64, File>,
    next: u64,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    changes: Vec<Change>,
}

/// One file: what a reader sees, what the platter holds, and the writes between the two.
#[derive(Debug)]
struct File {
    cache: Vec<u8>,
    platter: Vec<u8>,
    unsynced: Vec<(usize, Bytes)>,
    synced_once: bool,
}

/// A change of the directory that was not made durable yet.
#[derive(Clone, Debug)]
enum Change {
    Link(String, u64),
    Rename(String, String),
    Unlink(String),
}

/// What a power loss did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outage {
    /// Unsynced sectors that came back older than written.
    pub lost: u64,
    /// Unsynced sectors that came back as written.
    pub kept: u64,
    /// Directory changes that were taken back.
    pub names: u64,
}

impl Disk {
    /// Carries one operation out, as far as a reader can see.
    pub fn execute(&mut self, op: &FileOp) {
        match op {
            FileOp::Create { name, size } => self.create(name, *size),
            FileOp::Write { name, offset, bytes } => self.write(name, *offset, bytes.clone()),
            FileOp::Sync { name } => self.file(name).sync(),
            FileOp::Rename { from, to } => self.change(Change::Rename(from.clone(), to.clone())),
            FileOp::Remove { name } => self.change(Change::Unlink(name.clone())),
            FileOp::SyncDir => self.sync_dir(),
        }
    }

    /// K2: the process was killed in the middle of `op`. Of a write, the first sectors may be
    /// there.
    pub fn interrupt(&mut self, op: &FileOp, fate: Fate) {
        if let FileOp::Write { name, offset, bytes } = op {
            let sectors = bytes.len().div_ceil(SECTOR) as u64;
            let done = fate.below(sectors + 1) as usize * SECTOR;
            self.write(name, *offset, bytes.slice(..done.min(bytes.len())));
        }
    }

    /// A sync of this file fails: of each unsynced sector some version is left, and no other.
    pub fn fail_sync(&mut self, name: &str, fate: Fate) -> Outage {
        let mut outage = Outage::default();
        self.file(name).lose_writes(fate, &mut outage);
        outage
    }

    /// A bit turns over in a file at rest, somewhere up to the last byte that says something.
    /// `among` chooses files by name. Returns where; none, if there is nothing to rot.
    pub fn rot(&mut self, among: impl Fn(&str) -> bool, fate: Fate) -> Option<(String, usize)> {
        let written = |file: &File| file.platter.iter().rposition(|byte| *byte != 0);
        let files = self.names.iter().filter(|(name, _)| among(name));
        let files: Vec<(String, u64, usize)> = files
            .filter_map(|(name, id)| Some((name.clone(), *id, written(self.files.get(id)?)?)))
            .collect();
        let count = u64::try_from(files.len()).ok().filter(|count| *count > 0)?;
        let (name, id, last) = files.into_iter().nth(fate.named("file").below(count) as usize)?;
        let file = self.files.get_mut(&id)?;
        let at = fate.named("byte").below(last as u64 + 1) as usize;
        file.platter[at] ^= 1 << fate.named("bit").below(8);
        file.cache[at] = file.platter[at];
        Some((name, at))
    }

    /// The power is gone, and back.
    pub fn lose_power(&mut self, fate: Fate) -> Outage {
        let mut outage = Outage::default();
        // A removal may be taken back, so the files of the old directory are concerned as well.
        let directories = self.names.iter().chain(&self.durable_names);
        let named: BTreeMap<u64, &String> = directories.map(|(name, id)| (*id, name)).collect();
        for (id, name) in named {
            if let Some(file) = self.files.get_mut(&id) {
                file.lose_power(fate.named(name), &mut outage);
            }
        }
        let kept = fate.named("names").below(self.changes.len() as u64 + 1) as usize;
        outage.names = (self.changes.len() - kept) as u64;
        for change in self.changes.drain(..).take(kept) {
            change.apply(&mut self.durable_names);
        }
        self.names.clone_from(&self.durable_names);
        self.forget_unnamed();
        outage
    }

    /// Whether a receipt may be given out: everything written is durable, under durable names. What
    /// a removal frees may come back.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        let removals_only = self.changes.iter().all(|change| matches!(change, Change::Unlink(_)));
        let synced = |id| self.files.get(id).is_none_or(|file| file.unsynced.is_empty());
        removals_only && self.names.values().all(synced)
    }

    fn create(&mut self, name: &str, size: u64) {
        self.next += 1;
        let size = usize::try_from(size).expect("a segment fits into memory");
        let file = File {
            cache: vec![0; size],
            platter: vec![0; size],
            unsynced: Vec::new(),
            synced_once: false,
        };
        self.files.insert(self.next, file);
        self.change(Change::Link(name.to_owned(), self.next));
    }

    fn write(&mut self, name: &str, offset: u64, bytes: Bytes) {
        let offset = usize::try_from(offset).expect("an offset fits into memory");
        let file = self.file(name);
        assert!(offset <= file.cache.len(), "a write leaves a hole in {name}");
        file.cache.resize(file.cache.len().max(offset + bytes.len()), 0);
        file.cache[offset..offset + bytes.len()].copy_from_slice(&bytes);
        file.unsynced.push((offset, bytes));
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.changes.push(change);
    }

    fn sync_dir(&mut self) {
        self.changes.clear();
        self.durable_names.clone_from(&self.names);
        self.forget_unnamed();
    }

    fn forget_unnamed(&mut self) {
        let named: BTreeSet<u64> = self.names.values().copied().collect();
        self.files.retain(|id, _| named.contains(id));
    }

    fn file(&mut self, name: &str) -> &mut File {
        let id = self.names.get(name);
        let file = id.and_then(|id| self.files.get_mut(id));
        file.unwrap_or_else(|| panic!("the log has no file {name}"))
    }
}

impl File {
    fn sync(&mut self) {
        for (offset, bytes) in self.unsynced.drain(..) {
            self.platter.resize(self.platter.len().max(offset + bytes.len()), 0);
            self.platter[offset..offset + bytes.len()].copy_from_slice(&bytes);
        }
        self.synced_once = true;
    }

    fn lose_power(&mut self, fate: Fate, outage: &mut Outage) {
        self.lose_writes(fate, outage);
        if !self.synced_once && fate.named("size").happens(500_000) {
            self.platter.clear();
        }
        self.cache.clone_from(&self.platter);
    }

    /// Of each sector that was written, the platter gets one of its versions.
    fn lose_writes(&mut self, fate: Fate, outage: &mut Outage) {
        for sector in self.unsynced_sectors() {
            let touching = self.unsynced.iter().filter(|write| overlap(write, sector).is_some());
            let versions = touching.count() as u64;
            let survives = sector_fate(fate, sector, versions);
            outage.lost += u64::from(survives < versions);
            outage.kept += u64::from(survives == versions);
            let writes = self.unsynced.iter().filter_map(|write| overlap(write, sector));
            for (offset, bytes) in writes.take(survives as usize) {
                self.platter.resize(self.platter.len().max(offset + bytes.len()), 0);
                self.platter[offset..offset + bytes.len()].copy_from_slice(bytes);
            }
        }
        self.unsynced.clear();
        self.cache.clone_from(&self.platter);
    }

    fn unsynced_sectors(&self) -> BTreeSet<usize> {
        let span = |(offset, bytes): &(usize, Bytes)| {
            offset / SECTOR..(offset + bytes.len()).div_ceil(SECTOR)
        };
        self.unsynced.iter().flat_map(span).collect()
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Link(name, id) => {
                names.insert(name.clone(), *id);
            }
            Self::Rename(from, to) => {
                let id = names.remove(from);
                names.insert(to.clone(), id.unwrap_or_else(|| panic!("no file {from} to rename")));
            }
            Self::Unlink(name) => {
                assert!(names.remove(name).is_some(), "no file {name} to remove");
            }
        }
    }
}

impl ReadDisk for Disk {
    type Error = Infallible;

    fn list(&self) -> Result<Vec<String>, Infallible> {
        Ok(self.names.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, Infallible> {
        let file = self.names.get(name).and_then(|id| self.files.get(id));
        Ok(file.map(|file| file.cache.clone()).unwrap_or_default())
    }
}

/// How many of a sector's unsynced writes survive. A quarter of the outages takes all, a quarter
/// none: mixtures are the rule, not the law.
fn sector_fate(fate: Fate, sector: usize, versions: u64) -> u64 {
    match fate.named("mood").below(4) {
        0 => 0,
        1 => versions,
        _ => fate.of(sector as u64).below(versions + 1),
    }
}

/// The part of a write that falls into a sector.
fn overlap((offset, bytes): &(usize, Bytes), sector: usize) -> Option<(usize, &[u8])> {
    let from = (sector * SECTOR).max(*offset);
    let to = ((sector + 1) * SECTOR).min(offset + bytes.len());
    (from < to).then(|| (from, &bytes[from - offset..to - offset]))
}

#[cfg(test)]
mod tests;
