//! The only place where log and snapshots meet the file system: it reads whole files at start-up
//! and executes the planners' file operations, one after the other.
//!
//! A failed operation is final (DESIGN §4): after a failed sync the page cache cannot be believed,
//! so nothing is tried again and the caller ends the process.
//!
//! Not here: which operations, and in which order. The planner in core says so.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use quorate_core::wal::{FileOp, ReadDisk};

use crate::serve::spare::{Spare, zeros};

/// A directory of files that core plans.
#[derive(Debug)]
pub struct Disk {
    directory: PathBuf,
    /// Files that are being written; there are at most two at a time.
    open: BTreeMap<String, File>,
    spare: Option<Spare>,
}

/// An operation that failed, in words.
#[derive(Debug)]
pub struct Failed(String);

impl Disk {
    /// The files in `directory`; the next segment is prepared at `spare`.
    pub fn new(directory: &Path, spare: &Path) -> Result<Self, String> {
        let prepared = Spare::new(spare);
        let spare = prepared
            .map_err(|error| format!("cannot prepare segments at {}: {error}", spare.display()))?;
        Ok(Self { directory: directory.to_owned(), open: BTreeMap::new(), spare: Some(spare) })
    }

    /// The files in `directory`, none of which is prepared.
    pub fn plain(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), open: BTreeMap::new(), spare: None }
    }

    /// Where the files are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Executes one operation. When it returns, a sync is durable.
    pub fn execute(&mut self, op: &FileOp) -> Result<(), Failed> {
        let done = match op {
            FileOp::Create { name, size } => self.create(name, *size),
            FileOp::Write { name, offset, bytes } => {
                self.file(name).and_then(|file| file.write_all_at(bytes, *offset))
            }
            FileOp::Sync { name } => self.file(name).and_then(|file| file.sync_data()),
            FileOp::Rename { from, to } => self.rename(from, to),
            FileOp::Remove { name } => self.remove(name),
            FileOp::SyncDir => File::open(&self.directory).and_then(|file| file.sync_all()),
        };
        done.map_err(|error| {
            let what = describe(op);
            Failed(format!("cannot {what} in {}: {error}", self.directory.display()))
        })
    }

    fn create(&mut self, name: &str, size: u64) -> io::Result<()> {
        let path = self.directory.join(name);
        let spare = self.spare.as_ref();
        let file = match spare.map(|spare| spare.take(size, &path)).transpose()?.flatten() {
            Some(file) => file,
            None => zeros(&path, size)?,
        };
        if let Some(spare) = spare {
            spare.order(size);
        }
        self.open.insert(name.to_owned(), file);
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.directory.join(from), self.directory.join(to))?;
        self.open.remove(to);
        if let Some(file) = self.open.remove(from) {
            self.open.insert(to.to_owned(), file);
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.open.remove(name);
        fs::remove_file(self.directory.join(name))
    }

    /// A segment is written until the next one is made, so old ones need not stay open.
    fn file(&mut self, name: &str) -> io::Result<&File> {
        if !self.open.contains_key(name) {
            let file = OpenOptions::new().read(true).write(true).open(self.directory.join(name))?;
            self.open.insert(name.to_owned(), file);
        }
        self.open.get(name).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    /// Closes every file but the newest by name. Names grow with the log.
    pub fn close_old(&mut self) {
        while self.open.len() > 2 {
            self.open.pop_first();
        }
    }
}

impl ReadDisk for Disk {
    type Error = Failed;

    fn list(&self) -> Result<Vec<String>, Failed> {
        let failed =
            |error: io::Error| Failed(format!("cannot list {}: {error}", self.directory.display()));
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, Failed> {
        let path = self.directory.join(name);
        fs::read(&path).map_err(|error| Failed(format!("cannot read {}: {error}", path.display())))
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn describe(op: &FileOp) -> String {
    match op {
        FileOp::Create { name, size } => format!("create {name} of {size} bytes"),
        FileOp::Write { name, offset, bytes } => {
            format!("write {} bytes at {offset} of {name}", bytes.len())
        }
        FileOp::Sync { name } => format!("sync {name}"),
        FileOp::Rename { from, to } => format!("rename {from} to {to}"),
        FileOp::Remove { name } => format!("remove {name}"),
        FileOp::SyncDir => "sync the directory".to_owned(),
    }
}
