//! The state at one revision, which walks forward write by write and back again.
//!
//! Reads are checked in the order of the revisions that they show, so one state is enough: it need
//! only be the present one when its readers come. What a change replaced goes on a trail, newest
//! last; stepping back takes it from there. The trail is also the memory that explains a fault.
//!
//! ```text
//! revision   2: put a     3: put b    4: put a         step back to 3:
//! trail      a was -      b was -     a was (2)        a becomes (2) again
//! ```
//!
//! How many keys of a range hold a pair is asked often, so it is kept in a Fenwick tree: sums over
//! prefixes of the keys, each updated and asked in O(log keys).
//!
//! Invariants:
//! - N1. The tree counts exactly the keys that hold a pair.
//! - N2. Revisions on the trail never fall.
//! - N3. A key is attached to the lease of its pair, and to no other.
//!
//! Not here: what answers claim (`claims.rs`).

use std::collections::{BTreeMap, BTreeSet};

use super::case::{Case, Change};
use super::keys::{KeyId, Span};
use crate::history::{ByteString, KeyValue, Lease, Revision};

/// What a key holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pair<'h> {
    pub(super) value: &'h ByteString,
    pub(super) lease: Option<Lease>,
    pub(super) created: i64,
    pub(super) modified: i64,
    pub(super) version: i64,
}

impl Pair<'_> {
    /// The pair as a store would report it.
    pub(super) fn report(&self, key: &[u8]) -> KeyValue {
        KeyValue {
            key: ByteString::from(key),
            value: self.value.clone(),
            create_revision: Revision(self.created),
            mod_revision: Revision(self.modified),
            version: self.version,
            lease: self.lease,
        }
    }
}

/// A change that can be undone.
struct Undo<'h> {
    revision: i64,
    key: KeyId,
    before: Option<Pair<'h>>,
}

/// The state at one revision, and the way back.
pub(super) struct Present<'h> {
    pairs: Vec<Option<Pair<'h>>>,
    live: Fenwick,
    /// The keys that are attached to a lease; no lease without keys.
    attached: BTreeMap<Lease, BTreeSet<KeyId>>,
    trail: Vec<Undo<'h>>,
}

impl<'h> Present<'h> {
    pub(super) fn new(case: &Case<'h>) -> Self {
        let keys = case.keys.len();
        Self {
            pairs: vec![None; keys],
            live: Fenwick::new(keys),
            attached: BTreeMap::new(),
            trail: Vec::with_capacity(case.writes.len()),
        }
    }

    pub(super) fn get(&self, key: KeyId) -> Option<Pair<'h>> {
        self.pairs[key]
    }

    /// How many keys of the span hold a pair.
    pub(super) fn count(&self, span: Span) -> usize {
        if span.is_empty() {
            return 0;
        }
        if span.is_one() {
            return usize::from(self.pairs[span.from].is_some());
        }
        self.live.before(span.to) - self.live.before(span.from)
    }

    /// The keys of the span that hold a pair, in order.
    pub(super) fn list(&self, span: Span) -> impl Iterator<Item = (KeyId, Pair<'h>)> {
        let one = span.is_one();
        let first = if one || span.is_empty() { 0 } else { self.live.before(span.from) };
        (first..first + self.count(span)).filter_map(move |rank| {
            let key = if one { span.from } else { self.live.nth(rank) };
            self.pairs[key].map(|pair| (key, pair))
        })
    }

    /// Makes a change at a revision. How many keys it touched.
    pub(super) fn apply(&mut self, revision: i64, change: Change<'h>) -> usize {
        match change {
            Change::Put { key, value, lease } => {
                let before = self.pairs[key];
                let created = before.map_or(revision, |pair| pair.created);
                let version = before.map_or(0, |pair| pair.version) + 1;
                let pair = Pair { value, lease, created, modified: revision, version };
                self.set(revision, key, Some(pair));
                1
            }
            Change::Delete(span) => {
                let doomed: Vec<KeyId> = self.list(span).map(|(key, _)| key).collect();
                doomed.iter().for_each(|key| self.set(revision, *key, None));
                doomed.len()
            }
            Change::End(lease) => {
                let doomed = self.attached.get(&lease).cloned().unwrap_or_default();
                doomed.iter().for_each(|key| self.set(revision, *key, None));
                doomed.len()
            }
            Change::Txn(_) | Change::Keep(_) => unreachable!("made one change at a time"),
        }
    }

    /// The keys that are attached to a lease.
    pub(super) fn attached(&self, lease: Lease) -> Option<&BTreeSet<KeyId>> {
        self.attached.get(&lease)
    }

    /// The leases to which keys are attached.
    pub(super) fn attaching(&self) -> impl Iterator<Item = Lease> {
        self.attached.keys().copied()
    }

    /// Whether a revision changed anything.
    pub(super) fn has_changed(&self, revision: i64) -> bool {
        self.trail.last().is_some_and(|undo| undo.revision == revision)
    }

    /// The keys that a revision, the newest, changed, each with what it held before.
    pub(super) fn changes(&self, revision: i64) -> impl Iterator<Item = (KeyId, Option<Pair<'h>>)> {
        let newest = self.trail.iter().rev().take_while(move |undo| undo.revision == revision);
        newest.map(|undo| (undo.key, undo.before))
    }

    /// Steps back to before a revision.
    pub(super) fn rewind(&mut self, revision: i64) {
        while let Some(undo) = self.trail.pop_if(|undo| undo.revision >= revision) {
            self.replace(undo.key, undo.before);
        }
    }

    /// The first revision above `after` that changed a key.
    pub(super) fn changed_after(&self, key: KeyId, after: i64) -> Option<i64> {
        let from = self.trail.partition_point(|undo| undo.revision <= after);
        self.trail[from..].iter().find(|undo| undo.key == key).map(|undo| undo.revision)
    }

    fn set(&mut self, revision: i64, key: KeyId, pair: Option<Pair<'h>>) {
        assert!(self.trail.last().is_none_or(|last| last.revision <= revision), "N2: {revision}");
        let before = self.replace(key, pair);
        self.trail.push(Undo { revision, key, before });
    }

    fn replace(&mut self, key: KeyId, pair: Option<Pair<'h>>) -> Option<Pair<'h>> {
        let before = std::mem::replace(&mut self.pairs[key], pair);
        let (old, new) = (before.and_then(|pair| pair.lease), pair.and_then(|pair| pair.lease));
        if old != new {
            self.attach(key, old, new);
        }
        match (before.is_some(), pair.is_some()) {
            (false, true) => self.live.add(key),
            (true, false) => self.live.remove(key),
            (false, false) | (true, true) => {}
        }
        before
    }
}

impl Present<'_> {
    fn attach(&mut self, key: KeyId, old: Option<Lease>, new: Option<Lease>) {
        if let Some(lease) = old {
            let keys = self.attached.get_mut(&lease).expect("N3: a pair's lease has its key");
            keys.remove(&key);
            if keys.is_empty() {
                self.attached.remove(&lease);
            }
        }
        if let Some(lease) = new {
            self.attached.entry(lease).or_default().insert(key);
        }
    }
}

/// How many of the first keys are marked, for each number of first keys.
struct Fenwick {
    /// `sums[i]` counts the marks among the `lowest_bit(i)` keys before key `i`.
    sums: Vec<usize>,
}

impl Fenwick {
    fn new(keys: usize) -> Self {
        Self { sums: vec![0; keys + 1] }
    }

    fn add(&mut self, key: KeyId) {
        let mut at = key + 1;
        while at < self.sums.len() {
            self.sums[at] += 1;
            at += lowest_bit(at);
        }
    }

    fn remove(&mut self, key: KeyId) {
        let mut at = key + 1;
        while at < self.sums.len() {
            assert!(self.sums[at] > 0, "N1: key {key} was not counted");
            self.sums[at] -= 1;
            at += lowest_bit(at);
        }
    }

    /// How many of the first `keys` keys are marked.
    fn before(&self, keys: usize) -> usize {
        let mut at = keys;
        let mut sum = 0;
        while at > 0 {
            sum += self.sums[at];
            at -= lowest_bit(at);
        }
        sum
    }

    /// The marked key that has `rank` marked keys before it.
    fn nth(&self, rank: usize) -> KeyId {
        let mut at = 0;
        let mut left = rank;
        let mut step = self.sums.len().next_power_of_two();
        while step > 0 {
            if at + step < self.sums.len() && self.sums[at + step] <= left {
                at += step;
                left -= self.sums[at];
            }
            step /= 2;
        }
        at
    }
}

fn lowest_bit(number: usize) -> usize {
    number & number.wrapping_neg()
}
