//! The gaps that nobody saw into, and the keys that may change without an answer that says so.
//!
//! Of other keys and other revisions the search never asks, so nothing is kept of them.
//!
//! ```text
//! hidden gaps       5        9    12
//! epochs       0    |   1    |  2 |   3        answers of one epoch stand between the same gaps
//! ```
//!
//! Not here: what the answers say of these keys (`learn.rs`).

use std::ops::Range;

use super::case::Case;
use super::gaps::Gaps;
use super::keys::{KeyId, Span};
use super::reach;

/// Which gaps and which keys count.
pub(super) struct Ground {
    /// The gaps that nobody saw into.
    pub(super) hidden: Vec<i64>,
    /// The keys that unknown writes can touch, sorted.
    pub(super) keys: Vec<KeyId>,
    /// For each number, how many of `keys` are below it.
    below: Vec<usize>,
}

impl Ground {
    pub(super) fn new(case: &Case<'_>, gaps: &Gaps<'_>) -> Self {
        let hidden = gaps.gaps.iter().filter(|gap| !gap.revealed);
        let hidden: Vec<i64> = hidden.map(|gap| gap.revision).collect();
        let keys = if hidden.is_empty() { Vec::new() } else { reach::touched(case, gaps) };
        let below = below(&keys, case.keys.len());
        Self { hidden, keys, below }
    }

    /// The places of the keys of a span.
    pub(super) fn places(&self, span: Span) -> Range<usize> {
        let below = |key: KeyId| self.below[key.min(self.below.len() - 1)];
        let from = below(span.from);
        from..below(span.to).max(from)
    }

    /// How many hidden gaps are not above a revision.
    pub(super) fn epoch(&self, at: i64) -> usize {
        self.hidden.partition_point(|gap| *gap <= at)
    }
}

/// For each number up to that of all keys, how many of some sorted keys are below it.
fn below(keys: &[KeyId], all: usize) -> Vec<usize> {
    let mut place = 0;
    let count = |number: KeyId| {
        place += usize::from(keys.get(place).is_some_and(|key| *key < number));
        place
    };
    (0..=all).map(count).collect()
}
