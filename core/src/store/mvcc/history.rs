//! What happened to one key: its changes in order, and the lives that they make.
//!
//! ```text
//!   changes      3.0   5.0   8.2x  11.0  12.1x          x: a tombstone
//!                |--- life ---|    |-life-|             (etcd: a generation)
//!   at(2) = none   at(6) = 5.0   at(8) = none   at(11) = 11.0   at(99) = none
//! ```
//! A life begins with the first put and ends with a tombstone; the key exists at a revision if the
//! newest change up to there is a put. The records keep creation and version, so a history needs
//! only revisions. Most keys have one change: it is stored in place.
//!
//! Invariants:
//! - H1. The changes have strictly rising main revisions: in one, a key changes once (KV-6).
//! - H2. A tombstone follows a put (KV-5), unless compaction took what was before it.
//! - H3. Compaction takes the oldest changes first; with the last one the history goes.
//!
//! Not here: the keys (`key_index.rs`), what was written (`record.rs`).

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::Revision;

/// One change of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    // A `Revision` inside would keep its padding to itself and cost every key 8 bytes more.
    main: i64,
    sub: u32,
    tombstone: bool,
}

/// All changes of one key, oldest first; at least one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum History {
    /// The common case costs no allocation.
    One(Change),
    /// In a box, or else every short history would be as wide as a vector.
    #[expect(clippy::box_collection, reason = "16 bytes instead of 24 for every key")]
    Many(Box<Vec<Change>>),
}

const _: () = assert!(size_of::<History>() == 16, "every key pays for it");

impl Change {
    /// A put.
    pub fn put(at: Revision) -> Self {
        Self { main: at.main, sub: at.sub, tombstone: false }
    }

    /// A delete.
    pub fn delete(at: Revision) -> Self {
        Self { main: at.main, sub: at.sub, tombstone: true }
    }

    /// Whether it ends a life.
    pub fn is_delete(&self) -> bool {
        self.tombstone
    }

    /// When.
    pub fn at(&self) -> Revision {
        Revision { main: self.main, sub: self.sub }
    }

    /// Where the key's record is from here on, if it exists from here on.
    fn exists(&self) -> Option<Revision> {
        (!self.tombstone).then_some(self.at())
    }
}

impl History {
    /// Appends a change.
    pub fn push(&mut self, change: Change) {
        let last = self.last();
        assert!(change.main > last.main, "H1: {} after {}", change.at(), last.at());
        assert!(!(change.tombstone && last.tombstone), "H2: {} deletes nothing", change.at());
        match self {
            Self::One(first) => *self = Self::Many(Box::new(vec![*first, change])),
            Self::Many(changes) => changes.push(change),
        }
    }

    /// The newest change.
    pub fn last(&self) -> Change {
        *self.changes().last().expect("a history has a change")
    }

    /// The put that is in force now, if the key exists.
    pub fn live(&self) -> Option<Revision> {
        self.last().exists()
    }

    /// The put that was in force at a main revision, if the key existed then.
    pub fn at(&self, main: i64) -> Option<Revision> {
        let changes = self.changes();
        let later = changes.partition_point(|change| change.main <= main);
        changes[..later].last().and_then(Change::exists)
    }

    /// The changes before a main revision, oldest first, and with `itself` the one in it.
    pub fn until(&self, at: Revision, itself: bool) -> impl Iterator<Item = Revision> {
        let changes = self.changes();
        let before = changes
            .partition_point(|change| change.main < at.main || (itself && change.main == at.main));
        changes[..before].iter().map(Change::at)
    }

    /// Drops the oldest changes. Tells whether any is left; if none is, so is the history.
    pub fn forget(&mut self, oldest: usize) -> bool {
        let left = self.changes().len() - oldest;
        if let Self::Many(changes) = self {
            match *changes.as_slice() {
                [.., last] if left == 1 => *self = Self::One(last),
                _ => {
                    changes.drain(..oldest);
                    changes.shrink_to(2 * left);
                }
            }
        }
        left > 0
    }

    fn changes(&self) -> &[Change] {
        match self {
            Self::One(change) => core::slice::from_ref(change),
            Self::Many(changes) => changes,
        }
    }
}
