//! The durable copy of the key space, in fjall: one keyspace, rows as the store hands them out.
//!
//! The copy runs behind. A batch is atomic but not synced; every few seconds everything is, and
//! only then consensus hears about it (`Input::Stored`) and may shorten the log. After a crash
//! fjall comes back at some batch boundary and the log is replayed from there.
//!
//! A received snapshot replaces the copy, row by row from its file, in the order that core's
//! `Refill` says; a crash in the middle leaves a copy that counts as empty.
//!
//! Not here: what the rows mean. `Loader` in core reads them back and refuses what is damaged.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use quorate_core::member::Input;
use quorate_core::snap::file_name;
use quorate_core::store::{
    Batch, Damage, Loader, Refill, RefillStep, Row, Store, position_key, position_of,
};
use quorate_core::types::{ClusterId, Index, LogId};

use crate::serve::logging::die;
use crate::serve::replica::Replica;

/// The name of the keyspace, and part of the format.
const KEYSPACE: &str = "state";
/// What is written is synced at most this late,
const SYNC_AGE: Duration = Duration::from_secs(3);
/// or after this many bytes.
const SYNC_BYTES: usize = 64 << 20;
/// Rows are written in key order once and read back whole: caches would hold what nobody asks for.
const CACHE: u64 = 1 << 20;
/// Half of fjall's journal unit, so that flushed journals can go.
const MEMTABLE: u64 = 32 << 20;

/// An open database.
pub struct Storage {
    database: Database,
    rows: Keyspace,
}

impl Storage {
    /// Opens or makes the database.
    pub fn open(path: &Path) -> Result<Self, String> {
        let open = || -> fjall::Result<Self> {
            let builder = Database::builder(path).cache_size(CACHE).worker_threads(1);
            let database = builder.open()?;
            let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE);
            let rows = database.keyspace(KEYSPACE, options)?;
            Ok(Self { database, rows })
        };
        open().map_err(|error| {
            let error = words(error);
            format!("cannot open the key space in {}: {error}; nothing was changed", path.display())
        })
    }

    /// Reads the whole key space into memory.
    pub fn load(&self) -> Result<Store, String> {
        let mut loader = Loader::new();
        for guard in self.rows.iter() {
            let (key, value) = guard.into_inner().map_err(words)?;
            loader.row(&key, &value).map_err(|damage| damage.to_string())?;
        }
        let store = loader.finish().map_err(|damage| damage.to_string())?;
        self.sync()?;
        Ok(store)
    }

    /// How far the copy is; none if it is empty, or was being replaced.
    pub fn position(&self) -> Result<Option<LogId>, String> {
        let value = self.rows.get(position_key()).map_err(words)?;
        let position = value.map(|value| position_of(&value)).transpose();
        position.map_err(|damage| damage.to_string())
    }

    /// Replaces the whole copy by a received snapshot.
    pub fn refill(&self, cluster: ClusterId, file: &Path) -> Result<(), String> {
        let unreadable = |error: io::Error| format!("cannot read {}: {error}", file.display());
        let damaged = |damage: Damage| format!("{}: {damage}", file.display());
        let mut input = BufReader::new(File::open(file).map_err(unreadable)?);
        let (mut refill, steps) = Refill::begin(cluster);
        steps.into_iter().try_for_each(|step| self.step(step))?;
        let mut part = Vec::new();
        while !refill.blocks().is_done() {
            part.clear();
            part.resize(refill.blocks().head_len(), 0);
            input.read_exact(&mut part).map_err(unreadable)?;
            let len = refill.blocks().part_len(&part).unwrap_or(part.len());
            // A length that was damaged must not decide how much memory is taken.
            let rest = len.saturating_sub(part.len()) as u64;
            input.by_ref().take(rest).read_to_end(&mut part).map_err(unreadable)?;
            self.step(refill.part(&part).map_err(damaged)?)?;
        }
        refill.end().map_err(damaged)?.into_iter().try_for_each(|step| self.step(step))
    }

    fn step(&self, step: RefillStep) -> Result<(), String> {
        match step {
            RefillStep::Write(rows) => self.write(rows).map(|_| ()),
            RefillStep::Clear => self.rows.clear().map_err(words),
            RefillStep::Sync => self.sync(),
        }
    }

    fn write(&self, batch: Vec<Row>) -> Result<usize, String> {
        let mut bytes = 0;
        let mut rows = self.database.batch();
        for row in batch {
            bytes += row.weight();
            match row.value {
                Some(value) => rows.insert(&self.rows, row.key.as_ref(), value.as_ref()),
                None => rows.remove(&self.rows, row.key.as_ref()),
            }
        }
        rows.commit().map_err(words)?;
        Ok(bytes)
    }

    fn sync(&self) -> Result<(), String> {
        self.database.persist(PersistMode::SyncAll).map_err(words)
    }
}

/// The library's own words show its types; most of the time the system's are behind them.
fn words(error: fjall::Error) -> String {
    match error {
        fjall::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// What the thread owns.
pub struct StorageThread {
    /// The database.
    pub storage: Storage,
    /// From the apply thread.
    pub tasks: Receiver<Task>,
    /// Where received snapshots are.
    pub snap: PathBuf,
    /// Whose copy it is: its consensus may shorten the log.
    pub replica: Arc<Replica>,
}

/// What is to be done to the copy.
pub enum Task {
    /// Write these rows.
    Write(Batch),
    /// Replace it by this received snapshot.
    Refill(LogId),
}

/// What was written since the last sync.
struct Unsynced {
    applied: Index,
    removed: Option<i64>,
    bytes: usize,
    due: Instant,
}

impl StorageThread {
    /// Works until the apply thread has gone; then makes everything durable.
    pub fn run(self) {
        let mut unsynced: Option<Unsynced> = None;
        loop {
            let next = match &unsynced {
                Some(state) => {
                    self.tasks.recv_timeout(state.due.saturating_duration_since(Instant::now()))
                }
                None => self.tasks.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match next {
                Ok(Task::Write(batch)) => self.write(batch, &mut unsynced),
                Ok(Task::Refill(snapshot)) => {
                    unsynced = None; // Of the copy before.
                    self.refill(snapshot);
                }
                Err(RecvTimeoutError::Timeout) => self.sync(&mut unsynced),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.sync(&mut unsynced);
    }

    fn write(&self, batch: Batch, unsynced: &mut Option<Unsynced>) {
        let (applied, removed) = (batch.applied.index, batch.removed);
        let written = self.storage.write(batch.rows).unwrap_or_else(|error| self.give_up(&error));
        let due = Instant::now() + SYNC_AGE;
        let state = unsynced.get_or_insert(Unsynced { applied, removed, bytes: 0, due });
        (state.applied, state.removed) = (applied, removed);
        state.bytes += written;
        let awaited = self.replica.hold_back(|held| held.would_release(removed));
        if awaited || state.bytes >= SYNC_BYTES || Instant::now() >= state.due {
            self.sync(unsynced);
        }
    }

    fn refill(&self, snapshot: LogId) {
        let begin = Instant::now();
        let file = self.snap.join(file_name(snapshot));
        let cluster = self.replica.identity.cluster;
        self.storage.refill(cluster, &file).unwrap_or_else(|error| self.give_up(&error));
        tracing::info!(%snapshot, seconds = begin.elapsed().as_secs_f32(), "stored a snapshot");
        self.replica.inbox.push(Input::Installed(snapshot));
    }

    fn sync(&self, unsynced: &mut Option<Unsynced>) {
        let Some(state) = unsynced.take() else { return };
        let begin = Instant::now();
        self.storage.sync().unwrap_or_else(|error| self.give_up(&error));
        self.replica.metrics.store_syncs.observe(begin.elapsed());
        self.replica.inbox.push(Input::Stored(state.applied));
        self.replica.hold_back(|held| held.synced(state.removed));
    }

    fn give_up(&self, error: &str) -> ! {
        die(format_args!(
            "cannot write the key space in {}: {error}; this member stops before its copy goes \
             wrong (what it has promised is in the log)",
            self.storage.rows.path().display()
        ))
    }
}
