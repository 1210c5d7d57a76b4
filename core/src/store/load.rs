//! A store from its rows, at start: every row is foreign until it is checked.
//!
//! ```text
//!  rows in key order:   a (position)   k 2.0   k 3.0   k 3.1t  ...   m (members)
//!                           |             |
//!                    what to expect    each follows from those before it
//! ```
//! Everything that a store keeps true of itself is checked here of the rows, so that a damaged
//! table is found at start and named, instead of answering wrongly later. Nothing here panics.
//!
//! Invariants:
//! - L1. Rows come in strictly rising key order, the position first.
//! - L2. Above the compact mark, no revision is missing, and each record follows from the one
//!   before it of the same key (KV-4, KV-5). At or below it, records may have been removed.
//! - L3. Every pair that exists and names a lease is attached to it, and the lease exists.
//! - L4. Up to where removal has come, nothing is left that it should have removed.
//! - L5. What was read adds up to what the position says.
//!
//! Not here: what to do about damage (the member repairs itself from its peers).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use super::Store;
use super::cluster::Cluster;
use super::lease::{Leases, Span};
use super::mvcc::{KeySpace, Kind, Record, Removal, Revision, View};
use super::rows::{Damage, Position, RowKey, Tally};
use crate::planted;
use crate::planted::Bug;
use crate::types::{LeaseId, NodeId};

/// Builds a store from rows in key order.
#[derive(Debug)]
pub struct Loader {
    table: Option<Table>,
    last_key: Vec<u8>,
    planted: Option<Bug>,
    member: Option<NodeId>,
}

/// What is read behind the position.
#[derive(Debug)]
struct Table {
    position: Position,
    space: KeySpace,
    leases: Leases,
    /// The keys that exist and name a lease: pairs come before leases.
    attached: BTreeMap<Box<[u8]>, LeaseId>,
    cluster: Cluster,
    tally: Tally,
    newest: Option<Revision>,
    planted: Option<Bug>,
}

impl Loader {
    /// Before the first row.
    #[must_use]
    pub fn new() -> Self {
        Self { table: None, last_key: Vec::new(), planted: None, member: None }
    }

    /// The same for a store with a planted bug, if any. Bugs may depend on whose store it is.
    #[must_use]
    pub fn with_planted(planted: Option<Bug>, member: NodeId) -> Self {
        Self { planted, member: Some(member), ..Self::new() }
    }

    /// Takes the next row.
    pub fn row(&mut self, key: &[u8], value: &[u8]) -> Result<(), Damage> {
        if key <= self.last_key.as_slice() {
            return Err(Damage::row(key, "is not above the row before it"));
        }
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        match (RowKey::parse(key)?, &mut self.table) {
            (RowKey::Position, _) => {
                let leases = Leases::new(self.planted, self.member);
                let table = Table::at(Position::parse(value)?, leases, self.planted);
                self.table = Some(table);
            }
            (_, None) => return Err(Damage::row(key, "has no position before it")),
            (RowKey::Record(at, kind), Some(table)) => return table.record(key, at, kind, value),
            (RowKey::Lease(id), Some(table)) => return table.lease(key, id, value),
            (RowKey::Members, Some(table)) => return table.members(key, value),
        }
        Ok(())
    }

    /// The store, if nothing is missing. No row at all is an empty store.
    pub fn finish(self) -> Result<Store, Damage> {
        let Self { table, planted, member, .. } = self;
        table.map_or_else(|| Ok(Store::empty(planted, member)), Table::finish)
    }
}

impl Default for Loader {
    fn default() -> Self {
        Self::new()
    }
}

impl Table {
    fn at(position: Position, leases: Leases, planted: Option<Bug>) -> Self {
        let removal = Removal::at(position.compacted, position.removed);
        Self {
            planted,
            position,
            space: KeySpace::at(position.revision, removal, planted),
            leases,
            attached: BTreeMap::new(),
            cluster: Cluster::default(),
            tally: Tally::default(),
            newest: None,
        }
    }

    fn record(&mut self, key: &[u8], at: Revision, kind: Kind, value: &[u8]) -> Result<(), Damage> {
        let damage = |what: &str| Err(Damage::row(key, what));
        let Some(record) = Record::parse(value) else { return damage("is no record of a key") };
        if record.kind() != kind {
            return damage("is not what its key says, pair or tombstone");
        }
        if at.main > self.position.revision {
            return damage("is newer than the position");
        }
        if self.is_condemned(at, &record) {
            return damage("should have been removed");
        }
        if !self.is_next(at) {
            return damage("leaves a gap in the revisions");
        }
        let view = record.view();
        if !self.follows(at, &view) {
            return damage("does not follow from the record before it of the same key");
        }
        self.tally.add(key, value);
        self.note_lease(&view);
        self.space.restore(at, record);
        self.newest = Some(at);
        Ok(())
    }

    /// The newest record of a key says whether it is attached.
    fn note_lease(&mut self, view: &View<'_>) {
        if view.lease != 0 {
            self.attached.insert(view.key.into(), LeaseId(view.lease));
        } else if !self.attached.is_empty() {
            self.attached.remove(view.key);
        }
    }

    fn lease(&mut self, key: &[u8], id: LeaseId, value: &[u8]) -> Result<(), Damage> {
        let span = Span::parse(key, value)?;
        if span.since > self.position.applied.index {
            return Err(Damage::row(key, "is newer than the position"));
        }
        self.tally.add(key, value);
        self.leases.grant(id, span);
        Ok(())
    }

    /// Attaches every key to the lease that its pair names (L3).
    fn attach(&mut self) -> Result<(), Damage> {
        for (key, id) in core::mem::take(&mut self.attached) {
            if !self.leases.attach_again(id, &key) {
                let key = key.escape_ascii();
                let what = format!("key \"{key}\" is attached to lease {id}, which does not exist");
                return Err(Damage::table(what));
            }
        }
        Ok(())
    }

    fn members(&mut self, key: &[u8], value: &[u8]) -> Result<(), Damage> {
        self.cluster = Cluster::parse(key, value)?;
        self.tally.add(key, value);
        Ok(())
    }

    /// Up to where removal has come, of each key the newest record is left, and no tombstone from
    /// before the mark (L4).
    fn is_condemned(&self, at: Revision, record: &Record) -> bool {
        let removed = self.position.removed.filter(|removed| at.main <= *removed);
        removed.is_some_and(|removed| {
            let dead = record.kind() == Kind::Tombstone && at.main < removed;
            dead || self.space.last(record.key()).is_some()
        })
    }

    /// Above the compact mark every main revision is there, and every sub revision from 0 (L2).
    fn is_next(&self, at: Revision) -> bool {
        let mark = self.mark();
        let first = at == Revision { main: mark.max(1) + 1, sub: 0 };
        let above = self.newest.filter(|newest| newest.main > mark);
        let next = above.map_or(first, |newest| newest.precedes(at));
        next || (1 < at.main && at.main <= mark)
    }

    /// Whether a record can come after what is known of its key (L2).
    fn follows(&self, at: Revision, view: &View<'_>) -> bool {
        let last = self.space.last(view.key);
        if last.is_some_and(|(before, _)| before.main >= at.main) {
            return false; // KV-6
        }
        let alive = last.map(|(_, record)| record.view()).filter(|before| !before.is_tombstone());
        // Removal takes the oldest first: what is left of a key at the mark begins anywhere.
        let cut = last.is_none() && at.main <= self.mark();
        if view.is_tombstone() {
            return alive.is_some() || cut;
        }
        let born = view.create == at.main && view.version == 1;
        let older = 0 < view.create && view.create < at.main && view.version > 1;
        let lives_on = |before: View<'_>| {
            view.create == before.create && view.version.checked_sub(1) == Some(before.version)
        };
        view.modified == at.main && alive.map_or(born || (cut && older), lives_on)
    }

    fn mark(&self) -> i64 {
        self.position.compacted.unwrap_or(0)
    }

    fn finish(mut self) -> Result<Store, Damage> {
        self.attach()?;
        let mark = self.mark();
        let Self { position, mut space, leases, cluster, tally, newest, planted, .. } = self;
        let reached = newest.map_or(1, |newest| newest.main).max(mark);
        if planted!(planted, Bug::RevisionFromRecords) {
            space.count_from_records(newest);
        } else if reached != position.revision {
            let (revision, at) = (position.revision, position.applied);
            let what = format!("its records end at {reached}, position {at} says {revision}");
            return Err(Damage::table(what));
        }
        if tally.sum != position.sum || tally.bytes > position.size {
            let what = "a row is missing or changed: they do not add up to what the position says";
            return Err(Damage::table(what.into()));
        }
        let Position { applied, state_hash, size, .. } = position;
        Ok(Store { applied, space, leases, cluster, state_hash, tally, size, planted })
    }
}
