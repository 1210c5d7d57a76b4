//! The files of a member in the hands of a script, and what may become of them.
//!
//! ```text
//!   plan --execute--> files                      a sync: every sector is there
//!        --tear-----> files, with holes          the power goes: some sectors are zero
//!                     files --rot--> files       years pass: a bit is another
//! ```
//! Not here: when (`node.rs`).

use std::collections::BTreeMap;

use quorate_core::wal::{self, Damage, FileOp, Found, Layout, ReadDisk, Recovered, SECTOR};

pub const LAYOUT: Layout = Layout { segment_size: 1 << 16, planted: None };

/// Files as they are after the last sync.
#[derive(Default)]
pub struct Disk(BTreeMap<String, Vec<u8>>);

impl Disk {
    /// A file, as it is.
    pub fn file(&self, name: &str) -> &[u8] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    pub fn execute(&mut self, plan: Vec<FileOp>) {
        for operation in plan {
            match operation {
                FileOp::Create { name, size } => drop(self.0.insert(name, vec![0; size as usize])),
                FileOp::Write { name, offset, bytes } => {
                    self.write(&name, offset as usize, &bytes, |_| true);
                }
                FileOp::Rename { from, to } => {
                    let file = self.0.remove(&from).expect("a file to rename");
                    self.0.insert(to, file);
                }
                FileOp::Remove { name } => drop(self.0.remove(&name)),
                FileOp::Sync { .. } | FileOp::SyncDir => {}
            }
        }
    }

    /// The power goes while a plan that only writes is carried out: of each write only those
    /// sectors get onto the disk, counted from 1.
    pub fn tear(&mut self, plan: Vec<FileOp>, kept: &[usize]) -> Result<(), String> {
        for operation in plan {
            match operation {
                FileOp::Write { name, offset, bytes } => {
                    self.write(&name, offset as usize, &bytes, |sector| kept.contains(&sector));
                }
                FileOp::Sync { .. } => {}
                FileOp::Create { .. }
                | FileOp::Rename { .. }
                | FileOp::Remove { .. }
                | FileOp::SyncDir => return Err(format!("{operation:?} cannot be torn")),
            }
        }
        Ok(())
    }

    fn write(&mut self, name: &str, offset: usize, bytes: &[u8], kept: impl Fn(usize) -> bool) {
        let file = self.0.get_mut(name).expect("a file to write into");
        file.resize(file.len().max(offset + bytes.len()), 0);
        for (at, byte) in (offset..).zip(bytes) {
            if kept(at / SECTOR - offset / SECTOR + 1) {
                file[at] = *byte;
            }
        }
    }

    /// In the newest segment of the log, a bit of a sector is another, counted from 1.
    pub fn rot(&mut self, sector: usize) -> Result<(), String> {
        let newest = self.0.values_mut().next_back();
        let middle = sector.checked_sub(1).map(|sectors| sectors * SECTOR + SECTOR / 2);
        let byte = newest.zip(middle).and_then(|(file, middle)| file.get_mut(middle));
        *byte.ok_or(format!("there is no sector {sector}"))? ^= 1;
        Ok(())
    }

    /// What a start reads.
    pub fn recover(&self) -> Result<Recovered, Damage> {
        match wal::recover(self, LAYOUT)? {
            Found::Log(recovered) => Ok(recovered),
            Found::Nothing => panic!("the log is gone"),
        }
    }
}

impl ReadDisk for Disk {
    type Error = String;

    fn list(&self) -> Result<Vec<String>, String> {
        Ok(self.0.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        self.0.get(name).cloned().ok_or(format!("there is no {name}"))
    }
}
