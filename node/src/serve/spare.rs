//! The next segment, made ahead of time.
//!
//! A segment is written full of zeros before it is used, which takes the disk longer than a
//! thousand syncs. So while one segment fills, a thread of its own prepares the next beside the
//! log's directory; taking it into use is a rename. If it is not ready, nothing is lost but time.
//!
//! Not here: when a segment is due. The planner says `Create`, and gets a file of zeros either way.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// Where the next segment is prepared.
#[derive(Debug)]
pub struct Spare {
    path: PathBuf,
    order: SyncSender<u64>,
    ready: Receiver<Ready>,
}

/// A file of zeros, durable but for its name.
#[derive(Debug)]
struct Ready {
    size: u64,
    file: File,
}

impl Spare {
    /// Prepares segments at `path`. What a former life left there is of no use any more.
    pub fn new(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let (order, orders) = sync_channel(1);
        let (done, ready) = sync_channel(1);
        let place = path.to_owned();
        let builder = std::thread::Builder::new().name("spare".to_owned());
        builder.spawn(move || prepare(&place, &orders, &done))?;
        Ok(Self { path: path.to_owned(), order, ready })
    }

    /// Asks for a file of `size` zero bytes, to be taken some time later. One at a time.
    pub fn order(&self, size: u64) {
        // It is full when one is being made, and gone when none can be made.
        let _ = self.order.try_send(size);
    }

    /// Gives the prepared file its name, if it is ready and of that size.
    pub fn take(&self, size: u64, to: &Path) -> io::Result<Option<File>> {
        match self.ready.try_recv() {
            Ok(ready) if ready.size == size => {
                fs::rename(&self.path, to)?;
                Ok(Some(ready.file))
            }
            Ok(_) | Err(_) => Ok(None),
        }
    }
}

fn prepare(path: &Path, orders: &Receiver<u64>, done: &SyncSender<Ready>) {
    while let Ok(size) = orders.recv() {
        let made = zeros(path, size).and_then(|file| file.sync_all().map(|()| file));
        let Ok(file) = made else {
            // A full disk, most likely. The log itself will say so, if it is true for it too.
            let _ = fs::remove_file(path);
            continue;
        };
        if done.send(Ready { size, file }).is_err() {
            return;
        }
    }
}

/// Makes a file of zeros. They are really written: a file that only has its length would have its
/// blocks allocated, and so its metadata journalled, at every sync.
pub fn zeros(path: &Path, size: u64) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path)?;
    let mut left = size;
    while left > 0 {
        let chunk = usize::try_from(left).unwrap_or(usize::MAX).min(ZEROS.len());
        file.write_all(&ZEROS[..chunk])?;
        left -= chunk as u64;
    }
    Ok(file)
}
