//! The least of all that is still to come.
//!
//! ```text
//! key      3   5   8   9
//! value    7   2   6   4
//! least    2   2   4   4      the least value of this key and all after it
//! ```
//!
//! Rules of time ask for it: what begins after a moment, and of that what ends first.
//!
//! Invariants:
//! - M1. Keys never fall, nor do the least values.
//!
//! Not here: what the keys and values stand for.

/// Keys in order, each with the least value of it and all after it.
pub(super) struct Least<K, V>(Vec<(K, V)>);

impl<K: Ord, V: Ord + Copy> Least<K, V> {
    pub(super) fn of(mut pairs: Vec<(K, V)>) -> Self {
        pairs.sort_unstable();
        let mut least = None;
        for (_, value) in pairs.iter_mut().rev() {
            *value = least.map_or(*value, |least| (*value).min(least));
            least = Some(*value);
        }
        Self(pairs)
    }

    /// The least value of a key and all after it.
    pub(super) fn from(&self, key: &K) -> Option<V> {
        self.at(self.0.partition_point(|(other, _)| other < key))
    }

    /// The least value of all after a key.
    pub(super) fn after(&self, key: &K) -> Option<V> {
        self.at(self.0.partition_point(|(other, _)| other <= key))
    }

    fn at(&self, place: usize) -> Option<V> {
        self.0.get(place).map(|(_, least)| *least)
    }
}
