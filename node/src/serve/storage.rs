//! The durable copy of the key space, in fjall: one keyspace, rows as the store hands them out.
//!
//! The copy runs behind. A batch is atomic but not synced; every few seconds everything is, and
//! only then consensus hears about it (`Input::Stored`) and may shorten the log. After a crash
//! fjall comes back at some batch boundary and the log is replayed from there.
//!
//! Not here: what the rows mean. `Loader` in core reads them back and refuses what is damaged.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use quorate_core::member::Input;
use quorate_core::store::{Batch, Loader, Store};
use quorate_core::types::Index;

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

    fn write(&self, batch: Batch) -> Result<usize, String> {
        let mut bytes = 0;
        let mut rows = self.database.batch();
        for row in batch.rows {
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
    /// Batches from the apply thread.
    pub batches: Receiver<Batch>,
    /// Whose copy it is: its consensus may shorten the log.
    pub replica: Arc<Replica>,
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
                    self.batches.recv_timeout(state.due.saturating_duration_since(Instant::now()))
                }
                None => self.batches.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match next {
                Ok(batch) => self.write(batch, &mut unsynced),
                Err(RecvTimeoutError::Timeout) => self.sync(&mut unsynced),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.sync(&mut unsynced);
    }

    fn write(&self, batch: Batch, unsynced: &mut Option<Unsynced>) {
        let (applied, removed) = (batch.applied.index, batch.removed);
        let written = self.storage.write(batch).unwrap_or_else(|error| self.give_up(&error));
        let due = Instant::now() + SYNC_AGE;
        let state = unsynced.get_or_insert(Unsynced { applied, removed, bytes: 0, due });
        (state.applied, state.removed) = (applied, removed);
        state.bytes += written;
        let awaited = self.replica.hold_back(|held| held.would_release(removed));
        if awaited || state.bytes >= SYNC_BYTES || Instant::now() >= state.due {
            self.sync(unsynced);
        }
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
