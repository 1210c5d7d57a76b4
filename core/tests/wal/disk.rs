//! A disk with a page cache. At a power loss each sector that was not synced is old or new on its
//! own, and each change of the directory that was not synced is kept or lost on its own.

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::random::Random;
use quorate_core::wal::{FileOp, ReadDisk, SECTOR};

#[derive(Clone, Default, Debug)]
pub struct Disk {
    files: BTreeMap<u64, File>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    pending: Vec<Change>,
    created: u64,
}

#[derive(Clone, Default, Debug)]
struct File {
    /// What a read sees.
    cached: Vec<u8>,
    /// What a power loss cannot take.
    durable: Vec<u8>,
    /// Sectors on their way. A failed sync empties it without making anything durable.
    dirty: BTreeSet<usize>,
}

#[derive(Clone, Debug)]
enum Change {
    Link(String, u64),
    Move(String, String),
    Unlink(String),
}

impl Disk {
    pub fn run(&mut self, op: &FileOp) {
        match op {
            FileOp::Create { name, size } => self.create(name, *size),
            FileOp::Write { name, offset, bytes } => self.write(name, *offset, bytes),
            FileOp::Sync { name } => {
                self.file(name).sync();
            }
            FileOp::Rename { from, to } => self.change(Change::Move(from.clone(), to.clone())),
            FileOp::Remove { name } => self.change(Change::Unlink(name.clone())),
            FileOp::SyncDir => {
                self.pending.clear();
                self.durable_names = self.names.clone();
            }
        }
    }

    pub fn run_all(&mut self, ops: &[FileOp]) {
        ops.iter().for_each(|op| self.run(op));
    }

    /// The process dies inside an operation: a write stops at some sector, anything else is
    /// done or not.
    pub fn run_partly(&mut self, op: &FileOp, random: &mut Random) {
        if let FileOp::Write { name, offset, bytes } = op {
            let sectors = random.below((bytes.len() / SECTOR) as u64 + 1);
            self.write(name, *offset, &bytes[..usize::try_from(sectors).unwrap() * SECTOR]);
        } else if random.below(2) == 0 {
            self.run(op);
        }
    }

    /// A sync fails: the page cache calls its pages clean, and they are not on the disk.
    pub fn fail_sync(&mut self, name: &str) {
        self.file(name).dirty.clear();
    }

    pub fn lose_power(&mut self, random: &mut Random) {
        self.lose_changes(random);
        for file in self.files.values_mut() {
            file.lose_power(random);
        }
    }

    pub fn names(&self) -> Vec<String> {
        self.names.keys().cloned().collect()
    }

    pub fn bytes(&self, name: &str) -> &[u8] {
        &self.files[&self.names[name]].cached
    }

    /// What rot or an operator does: at once, past cache and sync.
    pub fn replace(&mut self, name: &str, bytes: Vec<u8>) {
        self.run(&FileOp::Create { name: name.to_string(), size: 0 });
        let file = self.file(name);
        file.durable = bytes.clone();
        file.cached = bytes;
        self.run(&FileOp::SyncDir);
    }

    pub fn flip(&mut self, name: &str, at: usize, mask: u8) {
        let file = self.file(name);
        file.cached[at] ^= mask;
        file.durable[at] ^= mask;
    }

    fn file(&mut self, name: &str) -> &mut File {
        let inode = self.names.get(name).unwrap_or_else(|| panic!("no file {name}"));
        self.files.get_mut(inode).unwrap()
    }

    fn create(&mut self, name: &str, size: u64) {
        self.created += 1;
        let cached = vec![0; usize::try_from(size).unwrap()];
        let dirty = (0..cached.len().div_ceil(SECTOR)).collect();
        self.files.insert(self.created, File { cached, durable: Vec::new(), dirty });
        self.change(Change::Link(name.to_string(), self.created));
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) {
        let (file, offset) = (self.file(name), usize::try_from(offset).unwrap());
        assert!(offset + bytes.len() <= file.cached.len(), "a write beyond the end of {name}");
        file.cached[offset..offset + bytes.len()].copy_from_slice(bytes);
        file.dirty.extend(offset / SECTOR..(offset + bytes.len()).div_ceil(SECTOR));
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }

    fn lose_changes(&mut self, random: &mut Random) {
        let bias = random.below(3);
        for change in self.pending.drain(..) {
            if bias == 1 || bias == 2 && random.below(2) == 0 {
                change.apply(&mut self.durable_names);
            }
        }
        self.names = self.durable_names.clone();
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Link(name, inode) => {
                names.insert(name.clone(), *inode);
            }
            Self::Move(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
            Self::Unlink(name) => {
                names.remove(name);
            }
        }
    }
}

impl File {
    /// Only what is dirty is written: what a failed sync has left behind is not.
    fn sync(&mut self) {
        self.durable.resize(self.cached.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            let range = sector * SECTOR..((sector + 1) * SECTOR).min(self.cached.len());
            self.durable[range.clone()].copy_from_slice(&self.cached[range]);
        }
    }

    fn lose_power(&mut self, random: &mut Random) {
        if self.dirty.is_empty() {
            self.cached = self.durable.clone();
            return;
        }
        // A size that was not synced may be any.
        let most = (self.cached.len() - self.durable.len()) / SECTOR;
        let grown = usize::try_from(random.below(most as u64 + 1)).unwrap() * SECTOR;
        let mut content = self.durable.clone();
        content.resize(self.durable.len() + grown, 0);
        let style = random.below(5);
        let dirty: Vec<usize> = self.dirty.iter().copied().collect();
        let pick = usize::try_from(random.below(dirty.len() as u64)).unwrap();
        for (i, sector) in dirty.into_iter().enumerate() {
            let kept = match style {
                0 => random.below(2) == 0,
                1 => i < pick,
                2 => i > pick,
                3 => i != pick,
                _ => i == pick,
            };
            let range = sector * SECTOR..((sector + 1) * SECTOR).min(self.cached.len());
            if kept && range.end <= content.len() {
                content[range.clone()].copy_from_slice(&self.cached[range]);
            }
        }
        *self = Self { cached: content.clone(), durable: content, dirty: BTreeSet::new() };
    }
}

impl ReadDisk for Disk {
    type Error = String;

    fn list(&self) -> Result<Vec<String>, String> {
        // In no order, as directories are.
        Ok(self.names.keys().rev().cloned().collect())
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        let inode = self.names.get(name).ok_or("no such file")?;
        Ok(self.files[inode].cached.clone())
    }
}
