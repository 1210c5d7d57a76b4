//! What happened that no client asked for, or that no client saw: told by the stores themselves.
//!
//! ```text
//!   the first member that applies an entry --> what a revision changed --> Revealed
//!                                          --> a lease that ended by itself --> LeaseEnd
//! ```
//! The judges can do without it. With it they need not guess when a lease ended, nor what the
//! revisions changed that only a watcher saw.
//!
//! Not here: what became of calls (`ledger.rs`).

use std::collections::BTreeMap;

use quorate_checks::history as said;
use quorate_core::actors::Effects;
use quorate_core::store::{Fact, Kind, Written};
use quorate_core::types::LeaseId;

use crate::clock::Micros;
use crate::record;

/// What the stores told.
#[derive(Debug, Default)]
pub struct Chronicle {
    /// By revision.
    revealed: BTreeMap<i64, said::Revealed>,
    lease_ends: Vec<said::LeaseEnd>,
    /// How far the log was looked at.
    index: u64,
    /// The newest compact mark.
    mark: i64,
}

/// What an entry did when it was applied for the first time.
#[derive(Clone, Copy, Debug)]
pub struct News {
    /// Whether it ended a lease whose time was over.
    pub lease_ended: bool,
}

impl Chronicle {
    /// A store applied entry `index`. `ends` is the lease that the entry ends because its time is
    /// over. None: another store did so before.
    pub fn applied(
        &mut self,
        now: Micros,
        index: u64,
        ends: Option<LeaseId>,
        effects: &Effects,
    ) -> Option<News> {
        if index <= self.index {
            return None;
        }
        self.index = index;
        let revision = effects.events.first().map(|written| written.at.main);
        if let Some(main) = revision {
            let events = effects.events.iter().map(event).collect();
            let revision = said::Revision(main);
            self.revealed.insert(main, said::Revealed { revision, events });
        }
        // By whichever entry: a leader that revokes by itself ends a lease, too.
        let ended = |lease: &LeaseId| {
            let over = [Fact::LeaseExpired(*lease), Fact::LeaseRevoked(*lease)];
            effects.facts.iter().any(|fact| over.contains(fact))
        };
        let ended = ends.filter(ended).and_then(|id| said::Lease::new(id.0));
        let (at, revision) = (said::Micros(now), revision.map(said::Revision));
        self.lease_ends.extend(ended.map(|lease| said::LeaseEnd { lease, at, revision }));
        Some(News { lease_ended: ended.is_some() })
    }

    /// The compact mark of the store that applied last. Whether it is new.
    pub fn compacted(&mut self, mark: i64) -> bool {
        let new = mark > self.mark;
        self.mark = mark.max(self.mark);
        new
    }

    /// Whether a revision removed a key.
    pub fn removes(&self, revision: i64) -> bool {
        let removal = |event: &said::WatchEvent| event.kind == said::EventKind::Delete;
        self.revealed.get(&revision).is_some_and(|revealed| revealed.events.iter().any(removal))
    }

    /// Everything, for the judges.
    pub fn close(&mut self) -> impl Iterator<Item = said::Record> + use<> {
        let ends = std::mem::take(&mut self.lease_ends).into_iter().map(said::Record::LeaseEnd);
        let revealed = std::mem::take(&mut self.revealed).into_values();
        ends.chain(revealed.map(said::Record::Revealed))
    }
}

fn event(written: &Written) -> said::WatchEvent {
    let pair = record::pair(&written.record.key_value());
    match written.record.kind() {
        Kind::Put => said::WatchEvent { kind: said::EventKind::Put, kv: pair, prev_kv: None },
        Kind::Tombstone => {
            let (key, mod_revision) = (pair.key, said::Revision(written.at.main));
            let kv = said::KeyValue { key, mod_revision, ..said::KeyValue::default() };
            said::WatchEvent { kind: said::EventKind::Delete, kv, prev_kv: None }
        }
    }
}
