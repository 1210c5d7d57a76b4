//! A history of keys in the simplest form: all of it, and a mark below which it is gone.
//!
//! It is the store's side of the hub and the judge's truth at once. The real store is held against
//! the same promises in its own tests; here its past may be whatever a test wants.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use quorate_core::actors::Glance;
use quorate_core::api::mvccpb::KeyValue;
use quorate_core::store::{Kind, Record, Revision, Written};
use quorate_core::watch::{Fetch, Past, WatchInput};

/// What one transaction does to a key.
#[derive(Clone, Debug)]
pub enum Op {
    Put(&'static str, String),
    Delete(&'static str),
}

/// All changes, the pairs of this moment, and the compact mark.
#[derive(Debug, Default)]
pub struct Ledger {
    pub changes: Vec<Written>,
    pub mark: i64,
    pairs: BTreeMap<&'static str, KeyValue>,
}

impl Ledger {
    pub fn current(&self) -> i64 {
        self.changes.last().map_or(1, |change| change.at.main)
    }

    /// One transaction; deletes of keys that are not there do nothing. Returns what it changed.
    pub fn transact(&mut self, ops: &[Op]) -> Vec<Written> {
        let main = self.current() + 1;
        let (mut written, mut touched) = (Vec::new(), BTreeSet::new());
        for op in ops {
            let at = Revision { main, sub: u32::try_from(written.len()).unwrap() };
            let (Op::Put(key, _) | Op::Delete(key)) = op;
            if !touched.insert(*key) {
                continue; // A transaction changes a key once.
            }
            let before = self.pairs.get(key).cloned();
            let previous = before.as_ref().map(record);
            let record = match op {
                Op::Put(key, value) => self.put(key, value, main, before),
                Op::Delete(key) if self.pairs.remove(key).is_some() => {
                    record(&KeyValue { key: bytes(key), ..Default::default() })
                }
                Op::Delete(_) => continue,
            };
            written.push(Written { at, record, previous });
        }
        self.changes.extend(written.iter().cloned());
        written
    }

    fn put(
        &mut self,
        key: &'static str,
        value: &str,
        main: i64,
        before: Option<KeyValue>,
    ) -> Record {
        let (created, version) =
            before.map_or((main, 0), |before| (before.create_revision, before.version));
        let pair = KeyValue {
            key: bytes(key),
            create_revision: created,
            mod_revision: main,
            version: version + 1,
            value: value.as_bytes().to_vec().into(),
            lease: 0,
        };
        let record = record(&pair);
        self.pairs.insert(key, pair);
        record
    }

    /// The changes of some revisions.
    pub fn between(&self, from: i64, to: i64) -> impl Iterator<Item = &Written> {
        let begin = self.changes.partition_point(|change| change.at.main < from);
        self.changes[begin..].iter().take_while(move |change| change.at.main <= to)
    }

    /// The pair of a key just before a revision, whatever the mark.
    pub fn before(&self, key: &[u8], main: i64) -> Option<KeyValue> {
        let older = self.between(0, main - 1).filter(|change| change.record.key() == key);
        let newest = older.last()?;
        (newest.record.kind() == Kind::Put).then(|| newest.record.key_value())
    }
}

impl Glance for Ledger {
    fn revision(&self) -> i64 {
        self.current()
    }

    fn read(&self, fetch: Fetch) -> WatchInput {
        let Fetch { from, to, budget } = fetch;
        assert!(from <= to && to <= self.current(), "no history: {fetch:?}");
        if from < self.mark {
            return WatchInput::Compacted(self.mark);
        }
        let mut changes: Vec<Written> = Vec::new();
        for change in self.between(from, to) {
            let last = changes.last().map_or(change.at.main, |last| last.at.main);
            if changes.len() >= budget && last != change.at.main {
                return WatchInput::History(Past { from, changes, to: last });
            }
            let mut change = change.clone();
            if change.at.main - 1 < self.mark {
                change.previous = None;
            }
            changes.push(change);
        }
        WatchInput::History(Past { from, changes, to })
    }
}

fn bytes(key: &str) -> bytes::Bytes {
    key.as_bytes().to_vec().into()
}

fn record(pair: &KeyValue) -> Record {
    Record::parse(&pair.encode_to_vec()).expect("an encoded pair is a record")
}
