//! What a contradiction depends on.
//!
//! A contradiction speaks of some keys, or of a lease, and how these are depends on the choices
//! that changed them. Where an answer showed all that a key held, choices before that do not count:
//! whatever happened, it must have led to what was shown.
//!
//! ```text
//! revision      5 gap      6 look        7 gap      8 look
//! key a         put?       a=x seen      put?       a=z seen, and y is there
//!               |- does not count -|     |- counts: a since 6 -|
//! ```
//!
//! Between two gaps a key's pair follows from the pair itself: an answer tells what its write did,
//! and even the end of a lease asks each key only for its own lease. And whether a lease is alive
//! follows from whether it was: keys that are attached where none may be are a contradiction of
//! their own. So two states that agree on the keys and the leases of a concern meet the same
//! contradiction.
//!
//! Invariants:
//! - T1. However other keys and leases fare, and whatever happens at gaps that do not count, the
//!   contradiction stays.
//!
//! Not here: which choices change which keys (`blame.rs`).

use std::collections::BTreeSet;

use super::keys::{KeyId, Span};
use crate::history::Lease;

/// What a contradiction depends on.
#[derive(Clone)]
pub(super) enum Concern {
    /// Any choice may matter.
    Everything,
    /// Some keys, and whether some leases are alive.
    Some(Things),
}

/// Keys, each from a revision on, and leases.
#[derive(Clone, Default)]
pub(super) struct Things {
    /// Sorted: they are few, and walked through far more often than added to.
    keys: Vec<(Span, i64)>,
    leases: BTreeSet<Lease>,
}

impl Things {
    fn add(&mut self, keys: Span, since: i64) {
        match self.keys.binary_search_by_key(&keys, |(keys, _)| *keys) {
            Ok(place) => self.keys[place].1 = since.min(self.keys[place].1),
            Err(place) => self.keys.insert(place, (keys, since)),
        }
    }
}

impl Default for Concern {
    fn default() -> Self {
        Self::Some(Things::default())
    }
}

impl Concern {
    pub(super) fn of(keys: Span, since: i64) -> Self {
        Self::Some(Things { keys: vec![(keys, since)], leases: BTreeSet::new() })
    }

    pub(super) fn life(lease: Lease) -> Self {
        Self::Some(Things { keys: Vec::new(), leases: BTreeSet::from([lease]) })
    }

    pub(super) fn append(&mut self, other: Self) {
        match (self, other) {
            (Self::Everything, _) => {}
            (known, Self::Everything) => *known = Self::Everything,
            (Self::Some(known), Self::Some(other)) => {
                known.leases.extend(other.leases);
                for (keys, since) in other.keys {
                    known.add(keys, since);
                }
            }
        }
    }

    /// Whether a change of all or some of these keys at a gap counts.
    pub(super) fn meets(&self, gap: i64, keys: Span) -> bool {
        match self {
            Self::Everything => true,
            Self::Some(known) => {
                known.keys.iter().any(|(span, since)| *since < gap && span.meets(keys))
            }
        }
    }

    /// Whether a change of one of these keys at a gap counts.
    pub(super) fn meets_any(&self, gap: i64, mut keys: impl Iterator<Item = KeyId>) -> bool {
        matches!(self, Self::Everything) || keys.any(|key| self.meets(gap, Span::one(key)))
    }

    /// The leases of which it counts that they are alive; all do if everything counts.
    pub(super) fn leases(&self) -> impl Iterator<Item = Lease> {
        let some = match self {
            Self::Everything => None,
            Self::Some(known) => Some(known.leases.iter().copied()),
        };
        some.into_iter().flatten()
    }

    /// Whether it counts if a lease is alive.
    pub(super) fn asks_for(&self, lease: Lease) -> bool {
        match self {
            Self::Everything => true,
            Self::Some(known) => known.leases.contains(&lease),
        }
    }
}
