//! Who wants to hear of a key: watchers by what they watch.
//!
//! ```text
//!   key "a" changes --> exact:     "a" -----------> interest 3: watchers 1, 4, 9 ...
//!                   \-> intervals: those holding "a" -> interest 7: watchers 2, 8
//! ```
//! Watchers of the same keys are one interest, so that a thousand of them cost one look-up, and
//! share what is made of it. Finding the interests of a key costs O(log n) for each one found.
//!
//! Invariants:
//! - X1. An interest has a member. No two are of the same keys.
//!
//! Not here: what is made of it (`events.rs`).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::WatcherId;
use super::ask::Keys;
use super::intervals::Intervals;

/// Those who watch the same keys, in one index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct InterestId(pub u64);

/// Watchers by what they watch.
#[derive(Debug, Default)]
pub struct Index {
    exact: BTreeMap<Arc<[u8]>, InterestId>,
    intervals: Intervals,
    interests: BTreeMap<InterestId, Interest>,
    last: u64,
    watchers: usize,
}

#[derive(Debug)]
struct Interest {
    keys: Keys,
    members: BTreeSet<WatcherId>,
}

impl Index {
    /// Adds a watcher.
    pub fn insert(&mut self, keys: &Keys, watcher: WatcherId) -> InterestId {
        let known = match keys {
            Keys::One(key) => self.exact.get(key).copied(),
            Keys::Interval(interval) => self.intervals.get(interval),
        };
        let id = known.unwrap_or_else(|| self.found(keys));
        let interest = self.interests.get_mut(&id).expect("X1: the interest is known");
        let fresh = interest.members.insert(watcher);
        assert!(fresh, "X1: {watcher:?} is there already");
        self.watchers += 1;
        id
    }

    /// Takes a watcher out.
    pub fn remove(&mut self, id: InterestId, watcher: WatcherId) {
        let interest = self.interests.get_mut(&id).expect("X1: the interest is known");
        let there = interest.members.remove(&watcher);
        assert!(there, "X1: {watcher:?} is not there");
        self.watchers -= 1;
        if !interest.members.is_empty() {
            return;
        }
        match &interest.keys {
            Keys::One(key) => drop(self.exact.remove(key)),
            Keys::Interval(interval) => self.intervals.remove(interval),
        }
        self.interests.remove(&id);
    }

    /// How many watchers are in it.
    pub fn len(&self) -> usize {
        self.watchers
    }

    /// Those who share an interest, in the order in which they came.
    pub fn members(&self, id: InterestId) -> impl Iterator<Item = WatcherId> {
        self.interests[&id].members.iter().copied()
    }

    /// The places of the keys that each interest is interested in, rising.
    pub fn hits<'a>(
        &self,
        keys: impl Iterator<Item = &'a [u8]>,
    ) -> BTreeMap<InterestId, Vec<usize>> {
        let mut hits: BTreeMap<InterestId, Vec<usize>> = BTreeMap::new();
        if self.interests.is_empty() {
            return hits;
        }
        for (place, key) in keys.enumerate() {
            let mut hit = |id: InterestId| hits.entry(id).or_default().push(place);
            self.exact.get(key).into_iter().for_each(|id| hit(*id));
            self.intervals.holding(key, &mut hit);
        }
        hits
    }

    fn found(&mut self, keys: &Keys) -> InterestId {
        self.last += 1;
        let id = InterestId(self.last);
        match keys {
            Keys::One(key) => drop(self.exact.insert(Arc::clone(key), id)),
            Keys::Interval(interval) => self.intervals.insert(interval.clone(), id),
        }
        self.interests.insert(id, Interest { keys: keys.clone(), members: BTreeSet::new() });
        id
    }
}
