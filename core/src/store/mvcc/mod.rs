//! The key space with its past: multi-version concurrency control.
//!
//! ```text
//!  revision   2        3        4        5        6        7        8
//!  key "a"    put------put---------------delete            put------------>
//!             version 1, 2               (tombstone)       version 1
//!             create 2                                     create 7
//!  key "b"                      put---------------put---------------------->
//!                               version 1         version 2
//!                     ^ a reader at 3 sees a (version 2) and no b
//! ```
//! Every transaction that changes something takes the next main revision; its changes are numbered
//! by sub revisions from 0 (KV-2). Nothing is overwritten: a change adds a record, and the key's
//! history learns its revision. So a reader at an old revision needs no lock and no copy; it asks
//! every history what was in force then.
//!
//! ```text
//!  key ---> KeyIndex: key -> History (revisions)     who looks for a key
//!                                |
//!  revision ---------------> Records: revision -> Record   who looks for a time
//! ```
//!
//! Invariants:
//! - M1. The current revision grows by exactly 1 per transaction that changes something, and is 1
//!   in an empty store (KV-1 to KV-3).
//! - M2. A put begins a life with create = mod and version 1, or continues one with the same
//!   creation and the next version (KV-4, KV-5).
//! - M3. Histories and records name the same revisions.
//!
//! Not here: rows (`store/rows.rs`), ranges with all their options (`range.rs`).

mod compact;
mod compare;
mod events;
mod found;
mod hash;
mod history;
mod key_index;
mod page;
mod pins;
mod range;
mod read_txn;
mod record;
mod records;
mod window;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

pub use self::compact::{Left, Removal};
pub use self::events::Events;
pub use self::found::Found;
pub use self::hash::{HashCursor, HashStep, KvHash};
pub use self::pins::{Freeze, Pin};
pub use self::range::{Cursor, Step};
pub use self::read_txn::{TxnCursor, TxnStep};
pub use self::record::{Kind, Record, View};
pub use self::window::Window;

use self::history::{Change, History};
use self::key_index::KeyIndex;
use self::records::Records;
use crate::api::KeyRange;
use crate::planted;
use crate::planted::Bug;

/// A moment of the key space: a transaction, and the place of a change inside it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Revision {
    /// Counts transactions. The only part that clients see.
    pub main: i64,
    /// Counts the changes of one transaction from 0.
    pub sub: u32,
}

/// What a put asks for.
#[derive(Clone, Copy, Debug)]
pub struct Put<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The new value; none keeps the old one.
    pub value: Option<&'a [u8]>,
    /// The lease to attach to, 0 for none; none keeps the old one.
    pub lease: Option<i64>,
}

/// One change as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// When.
    pub at: Revision,
    /// What.
    pub record: Record,
    /// The pair that it replaced or removed.
    pub previous: Option<Record>,
}

/// All keys with their past.
#[derive(Clone, Debug)]
pub struct KeySpace {
    revision: i64,
    /// Changes in the transaction that is under way.
    written: u32,
    removal: Removal,
    index: KeyIndex,
    records: Records,
    scratch: Vec<u8>,
    planted: Option<Bug>,
}

impl KeySpace {
    /// No keys, at revision 1 (KV-1).
    pub fn new(planted: Option<Bug>) -> Self {
        Self::at(1, Removal::default(), planted)
    }

    /// The key space at a position, before its records are restored.
    pub fn at(revision: i64, removal: Removal, planted: Option<Bug>) -> Self {
        Self {
            revision,
            written: 0,
            removal,
            index: KeyIndex::new(),
            records: Records::default(),
            scratch: Vec::new(),
            planted,
        }
    }

    /// Takes back a stored record; they come in order, and the caller has checked them (M2).
    pub fn restore(&mut self, at: Revision, record: Record) {
        let change = match record.kind() {
            Kind::Tombstone if !planted!(self.planted, Bug::GenerationsMixed) => Change::delete(at),
            Kind::Put | Kind::Tombstone => Change::put(at),
        };
        self.index.change(record.key(), change);
        self.records.push(at, record);
    }

    /// The current revision.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// The oldest revision that may be read; 0 if nothing was ever compacted.
    pub fn compacted(&self) -> i64 {
        self.removal.mark().unwrap_or(0)
    }

    /// The revisions that may be read.
    pub fn window(&self) -> Window {
        Window { oldest: self.removal.mark(), newest: self.revision }
    }

    /// The revisions that may be read inside the log: by the mark, which is equal on all members,
    /// never by how far removal has come (TX-14).
    pub fn window_of_txn(&self) -> Window {
        let by_progress = planted!(self.planted, Bug::CompactedByProgress);
        let oldest = if by_progress { self.removal.begun() } else { self.removal.mark() };
        Window { oldest, newest: self.revision }
    }

    /// The planted way to know the current revision after a restart: from the newest record.
    pub fn count_from_records(&mut self, newest: Option<Revision>) {
        self.revision = newest.map_or(1, |newest| newest.main);
    }

    /// How far compaction has come.
    pub fn removal(&self) -> &Removal {
        &self.removal
    }

    /// Keeps what can be read at this moment from being removed, until the pin is dropped.
    pub fn pin(&self) -> Pin {
        self.removal.pins.pin()
    }

    /// Begins a transaction: all writes up to the next one share a main revision.
    pub fn begin(&mut self) {
        self.written = 0;
    }

    /// The revision of the next change.
    fn next(&mut self) -> Revision {
        self.revision += i64::from(self.written == 0);
        let at = Revision { main: self.revision, sub: self.written };
        self.written += 1;
        at
    }

    /// How many keys exist.
    pub fn keys(&self) -> usize {
        self.index.live()
    }

    /// Keeps every record from being removed, until the freeze is dropped.
    pub fn freeze(&self) -> Freeze {
        self.removal.pins.freeze()
    }

    /// The records from a revision on, oldest first.
    pub fn records_from(&self, from: Revision) -> impl Iterator<Item = (Revision, &Record)> {
        self.records.since(from)
    }

    /// The newest pair of a key, if it exists.
    pub fn get(&self, key: &[u8]) -> Option<&Record> {
        self.index.get(key).and_then(History::live).map(|at| self.records.get(at))
    }

    /// The newest record of a key, pair or tombstone.
    pub fn last(&self, key: &[u8]) -> Option<(Revision, &Record)> {
        let at = self.index.get(key)?.last().at();
        Some((at, self.records.get(at)))
    }

    /// Writes a pair.
    pub fn put(&mut self, put: Put<'_>) -> Written {
        let at = self.next();
        let previous =
            self.index.change(put.key, Change::put(at)).map(|at| self.records.get(at).clone());
        let view = next_version(at, put, previous.as_ref().map(Record::view));
        let record = Record::new(&view, &mut self.scratch);
        self.records.push(at, record.clone());
        Written { at, record, previous }
    }

    /// Removes every key of a range, in key order (KV-19). Writes nothing where there is none
    /// (KV-5).
    pub fn delete(&mut self, range: KeyRange<'_>) -> Vec<Written> {
        let doomed = self.index.walk(range).filter_map(History::live);
        let doomed = doomed.map(|at| self.records.get(at).clone()).collect();
        self.bury_all(doomed)
    }

    /// Removes these keys, which exist and are in order.
    pub fn delete_keys(&mut self, keys: &[Box<[u8]>]) -> Vec<Written> {
        assert!(keys.is_sorted() || cfg!(planted), "LE-6: keys end in key order");
        let pair = |key: &[u8]| self.get(key).expect("a key to delete").clone();
        let doomed = keys.iter().map(|key| pair(key)).collect();
        self.bury_all(doomed)
    }

    fn bury_all(&mut self, doomed: Vec<Record>) -> Vec<Written> {
        doomed.into_iter().map(|previous| self.bury(previous)).collect()
    }

    fn bury(&mut self, previous: Record) -> Written {
        let at = self.next();
        let before = self.index.change(previous.key(), Change::delete(at));
        assert!(before.is_some(), "M3: {at} deletes a key that exists");
        let record = Record::new(&View::tombstone(previous.key()), &mut self.scratch);
        self.records.push(at, record.clone());
        Written { at, record, previous: Some(previous) }
    }

    /// The key of a history: every record of it holds the key.
    fn key_of(&self, history: &History) -> &[u8] {
        self.records.get(history.last().at()).key()
    }
}

/// The pair that a put makes of the one before (M2).
fn next_version<'a>(at: Revision, put: Put<'a>, previous: Option<View<'a>>) -> View<'a> {
    let kept = previous.unwrap_or_default();
    assert!(previous.is_some() || (put.value.is_some() && put.lease.is_some()), "nothing to keep");
    View {
        key: put.key,
        create: if previous.is_some() { kept.create } else { at.main },
        modified: at.main,
        version: kept.version + 1,
        value: put.value.unwrap_or(kept.value),
        lease: put.lease.unwrap_or(kept.lease),
    }
}

impl Revision {
    /// Whether `next` can be the very next change: in the same transaction or in the next one.
    pub fn precedes(self, next: Self) -> bool {
        let same = next.main == self.main && self.sub.checked_add(1) == Some(next.sub);
        same || (self.main.checked_add(1) == Some(next.main) && next.sub == 0)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.main, self.sub)
    }
}
