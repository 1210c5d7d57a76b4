//! The data directory: where things are, and that only one process uses it.
//!
//! ```text
//!   <data-dir>/member/        mode 0700
//!     lock                    held exclusively while the process lives
//!     wal/                    the log: what the member promised
//!     wal.spare               its next file, full of zeros
//!     store/                  fjall: the durable copy of the key space, behind the log
//!     snap/                   received snapshots
//! ```
//!
//! Not here: what is in the files.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// An existing data directory that no other process uses.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    member: PathBuf,
    /// The lock lives as long as this file is open; a dead process holds none.
    _lock: File,
}

impl DataDir {
    /// Makes what is missing and locks it.
    pub fn open(root: &Path) -> Result<Self, String> {
        let member = root.join("member");
        for directory in [root.to_owned(), member.clone()] {
            make(&directory).map_err(|error| {
                format!("cannot make the data directory {}: {error}", directory.display())
            })?;
        }
        check_mode(root);
        let lock = lock(&member.join("lock"))?;
        for name in ["wal", "store", "snap"] {
            make(&member.join(name))
                .map_err(|error| format!("cannot make {}: {error}", member.join(name).display()))?;
        }
        Ok(Self { root: root.to_owned(), member, _lock: lock })
    }

    /// The directory as it was given.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The log.
    pub fn wal(&self) -> PathBuf {
        self.member.join("wal")
    }

    /// The next segment of the log, while it is prepared.
    pub fn spare(&self) -> PathBuf {
        self.member.join("wal.spare")
    }

    /// Received snapshots.
    pub fn snap(&self) -> PathBuf {
        self.member.join("snap")
    }

    /// The key space.
    pub fn store(&self) -> PathBuf {
        self.member.join("store")
    }
}

fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Keys and values are nobody else's business. As etcd does, this warns and does not repair.
fn check_mode(root: &Path) {
    let mode = root.metadata().map_or(0, |metadata| metadata.permissions().mode() & 0o777);
    if mode & 0o077 != 0 {
        let root = root.display();
        tracing::warn!("others may look into data directory {root} (mode {mode:o}): chmod 700 it");
    }
}

fn lock(path: &Path) -> Result<File, String> {
    let open = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let file = open.map_err(|error| format!("cannot open {}: {error}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let root = path.parent().and_then(Path::parent).unwrap_or(path);
            Err(format!(
                "data directory {} is in use by another process; stop it, or give this member a \
                 --data-dir of its own",
                root.display()
            ))
        }
        Err(TryLockError::Error(error)) => Err(format!("cannot lock {}: {error}", path.display())),
    }
}
