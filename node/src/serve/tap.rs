//! What the applier tells the hub, and when it does not.
//!
//! ```text
//!   applier --changes--> tap --open--> the hub's inbox
//!                         +--shut--> nothing: the hub reads the history when it opens it again
//! ```
//! The tap is shut while nobody watches, so that a server without watchers does not run a thread
//! for each batch; and it shuts by itself when the hub is far behind, so that what waits is bounded
//! and the applier never waits. It is opened and used under the store's lock: whoever opens it
//! knows the revision from which on everything comes.
//!
//! Not here: how the hub makes up for what did not come (core's `Installed`).

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use quorate_core::store::{Store, Written};
use quorate_core::watch::WatchInput;

/// Changes that may wait for the hub. They share their bytes with the store.
const WAITING: usize = 100_000;

/// The tap between applier and hub.
#[derive(Debug, Default)]
pub struct Tap {
    open: AtomicBool,
    waiting: AtomicUsize,
    /// The compact mark that was told last.
    mark: AtomicI64,
}

impl Tap {
    /// What the hub must be told of an applied chunk, if it listens. The caller has just applied it
    /// and still holds the store.
    pub fn draw(&self, changes: Vec<Written>, store: &Store) -> Option<WatchInput> {
        let mark = store.compact_revision();
        let nothing = changes.is_empty() && self.mark.load(Ordering::Relaxed) == mark;
        if nothing || !self.is_open() {
            return None;
        }
        let waiting = self.waiting.fetch_add(changes.len(), Ordering::Relaxed);
        if waiting > WAITING {
            self.waiting.fetch_sub(changes.len(), Ordering::Relaxed);
            self.shut();
            return None;
        }
        self.mark.store(mark, Ordering::Relaxed);
        Some(WatchInput::published(changes, store))
    }

    /// Notes that the hub has taken so many changes in.
    pub fn note_taken(&self, changes: usize) {
        self.waiting.fetch_sub(changes, Ordering::Relaxed);
    }

    /// Whether changes come.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Lets changes through. The caller holds the store: everything behind its revision will come.
    pub fn open(&self, store: &Store) -> WatchInput {
        self.open.store(true, Ordering::Relaxed);
        let (revision, compacted) = (store.revision(), store.compact_revision());
        self.mark.store(compacted, Ordering::Relaxed);
        WatchInput::Installed { revision, compacted }
    }

    /// Lets nothing through. What was drawn before may still come.
    pub fn shut(&self) {
        self.open.store(false, Ordering::Relaxed);
    }
}
